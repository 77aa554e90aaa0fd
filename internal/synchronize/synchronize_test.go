package synchronize

import (
	"context"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mageprov/internal/connection"
	"mageprov/internal/connection/sshtest"
	"mageprov/internal/fault"
	"mageprov/internal/module"
)

// stage is a Controller with a given login.
type stage struct {
	module.Controller
	login module.Login
	check bool
}

func (s *stage) Login(context.Context) (module.Login, error) { return s.login, nil }
func (s *stage) Check() bool                                 { return s.check }
func (s *stage) Host() string                                { return "web1" }
func (s *stage) Find(_, name string) (string, error)         { return name, nil }
func (s *stage) Var(context.Context, string) (any, error)    { return nil, fault.New("undefined") }
func (s *stage) Exec(ctx context.Context, line string) (int, []byte, []byte, error) {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", line)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if cmd.ProcessState == nil {
		return 0, nil, nil, err
	}
	return cmd.ProcessState.ExitCode(), out, []byte(stderr.String()), nil
}

func act(t *testing.T, s *stage, args module.Args) *module.Result {
	t.Helper()
	res, err := action(t.Context(), s, args)
	if err != nil {
		return &module.Result{Failed: true, Msg: err.Error(), Hint: fault.HintOf(err)}
	}
	return res
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		p := filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(p), 0o755)
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// converge copies in check mode, for real and again, and looks at each answer.
func converge(t *testing.T, login module.Login, args module.Args, from, to string) {
	t.Helper()
	write(t, from, map[string]string{"a file": "one", "sub/b": "two"})
	write(t, to, map[string]string{"old": "x"})
	for _, want := range []struct{ check, changed bool }{{true, true}, {false, true}, {true, false}, {false, false}} {
		res := act(t, &stage{login: login, check: want.check}, args)
		if res.Failed || res.Changed != want.changed || res.Return["rc"] != int64(0) {
			t.Fatalf("check %v: changed %v, %s %s %v", want.check, res.Changed, res.Msg, res.Hint, res.Return)
		}
		if msg, _ := res.Return["msg"].(string); want.changed && (!strings.Contains(msg, "a file\n") || strings.Contains(msg, marker) || !strings.Contains(msg, "*deleting")) {
			t.Errorf("msg %q", msg)
		}
		if _, err := os.Stat(filepath.Join(to, "old")); want.check && want.changed && err != nil {
			t.Error("the check deleted")
		}
	}
	if b, err := os.ReadFile(filepath.Join(to, "a file")); err != nil || string(b) != "one" {
		t.Errorf("%q %v", b, err)
	}
	if _, err := os.Stat(filepath.Join(to, "old")); err == nil {
		t.Error("old is still there")
	}
}

// TestLocal needs rsync.
func TestLocal(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	args := module.Args{"src": from + "/", "dest": to, "delete": true}
	converge(t, module.Login{Local: true}, args, from, to)
	from, to = t.TempDir(), t.TempDir()
	converge(t, module.Login{Local: true, OnNode: true}, module.Args{"src": from + "/", "dest": to, "delete": true}, from, to)
	if res := act(t, &stage{login: module.Login{Local: true}}, module.Args{"src": from + "/none", "dest": to}); !res.Failed || res.Return["rc"] != int64(23) || !strings.Contains(res.Msg, "No such file") {
		t.Errorf("%+v", res)
	}
}

// TestSSH goes through a real sshd, both ways.
func TestSSH(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	login := module.Login{Host: "127.0.0.1", User: s.User, Port: s.Port,
		SSH: []string{"-F", "none", "-o", "BatchMode=yes", "-i", s.Key, "-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile=" + s.KnownHosts + " /dev/null"}}
	from, to := t.TempDir(), t.TempDir()
	converge(t, login, module.Args{"src": from + "/", "dest": to, "delete": true}, from, to)
	converge(t, login, module.Args{"mode": "pull", "src": to + "/", "dest": from + "/back", "delete": true}, to, from+"/back")
	if me, err := user.Current(); err == nil && me.Uid == "0" {
		write(t, from, map[string]string{"new": "3"})
		sudo := login
		sudo.Become = []string{"env"} // stands for sudo -n
		if res := act(t, &stage{login: sudo}, module.Args{"src": from + "/", "dest": to}); res.Failed || !res.Changed || !strings.Contains(res.Return["cmd"].(string), "--rsync-path=env rsync") {
			t.Errorf("become: %+v", res)
		}
	}
	for name, c := range map[string]struct {
		change func(*module.Login)
		args   module.Args
		want   string
	}{
		"no rsync there": {func(*module.Login) {}, module.Args{"rsync_path": "/none/rsync"}, "no rsync on web1"},
		"unknown key":    {func(l *module.Login) { l.SSH = slices.Clone(l.SSH[:6]) }, module.Args{"verify_host": true, "rsync_timeout": int64(5)}, "known_hosts"},
		"wrong key":      {func(l *module.Login) { l.SSH = append(slices.Clone(l.SSH), "-o", "PubkeyAuthentication=no") }, nil, "a key or an agent"},
		"sudo password": {func(l *module.Login) {
			l.Become = []string{"/bin/sh", "-c", "echo sudo: a password is required >&2; exit 1"}
		}, nil, "NOPASSWD"},
	} {
		l := login
		c.change(&l)
		args := module.Args{"src": from + "/", "dest": to}
		for k, v := range c.args {
			args[k] = v
		}
		if res := act(t, &stage{login: l}, args); !res.Failed || !strings.Contains(res.Msg+"\n"+res.Hint, c.want) {
			t.Errorf("%s: %+v", name, res)
		}
	}
}

// TestCommand holds the arguments against the options they become.
func TestCommand(t *testing.T) {
	login := module.Login{Host: "fd00::1", User: "op", Port: 2222, SSH: []string{"-o", "ProxyJump=b"}, Become: []string{"sudo", "-n"}}
	for _, c := range []struct {
		args module.Args
		want string
	}{
		{module.Args{}, "--delay-updates -F --compress --archive '--rsh=ssh -S none -p 2222 -o ProxyJump=b' '--rsync-path=sudo -n rsync'"},
		{module.Args{"archive": false, "recursive": true, "times": true, "compress": false, "delay_updates": false}, "-F --recursive --times '--rsh=ssh -S none -p 2222 -o ProxyJump=b' '--rsync-path=sudo -n rsync'"},
		{module.Args{"recursive": false, "owner": false, "dirs": true, "delete": false, "partial": true, "existing_only": true, "checksum": true, "copy_links": true, "rsync_timeout": int64(9), "rsync_path": "r",
			"dest_port": int64(22), "private_key": "/k y", "verify_host": true, "ssh_connection_multiplexing": true, "link_dest": []any{"/l"}, "rsync_opts": []any{"--bwlimit=9"}},
			`--delay-updates -F --compress '--timeout=9' --existing --checksum --copy-links --archive --no-recursive --no-owner --dirs --partial '--link-dest=/l' ` +
				`'--rsh=ssh -i '\''/k y'\'' -o StrictHostKeyChecking=yes -p 22 -o ProxyJump=b' '--rsync-path=r' '--bwlimit=9'`},
	} {
		m := defaults()
		c.args["src"], c.args["dest"] = "/a", "/b"
		if err := module.Decode(m, c.args); err != nil {
			t.Error(err)
			continue
		}
		if err := m.places(t.Context(), &stage{}, login); err != nil || m.Dest != "op@[fd00::1]:/b" || m.Src != "/a" {
			t.Errorf("%s %s %v", m.Src, m.Dest, err)
		}
		if got := quoted(m.options(login)); got != c.want {
			t.Errorf("got\n%s\nwant\n%s", got, c.want)
		}
	}
	if err := module.Decode(defaults(), module.Args{"src": "a", "dest": "b", "delete": true, "recursive": false}); err == nil || !strings.Contains(err.Error(), "delete needs recursive") {
		t.Errorf("delete: %v", err)
	}
}

func quoted(argv []string) string { return connection.QuoteAll(argv) }
