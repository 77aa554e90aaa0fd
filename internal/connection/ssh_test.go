package connection

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mageprov/internal/connection/sshtest"
	"mageprov/internal/fault"
)

func target(s *sshtest.Server) Target {
	return Target{Name: "web1", Kind: "ssh", Host: "127.0.0.1", Port: s.Port, User: s.User, KeyFiles: []string{s.Key},
		SSHConfig: "none", KnownHosts: []string{s.KnownHosts}, HostKey: HostKeyStrict, Timeout: 10 * time.Second}
}

func dial(t *testing.T, tg Target) Conn {
	t.Helper()
	c, err := Dial(context.Background(), tg)
	if err != nil {
		t.Fatalf("%v\nhint: %s", err, fault.HintOf(err))
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// fails expects an error with all of want in its text and hint, and a code.
func fails(t *testing.T, err error, code int, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %q", want)
	}
	text := err.Error() + "\nhint: " + fault.HintOf(err)
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("error is %q, want %q in it", text, w)
		}
	}
	if fault.CodeOf(err) != code {
		t.Errorf("exit code %d, want %d: %s", fault.CodeOf(err), code, text)
	}
}

func both(t *testing.T, f func(t *testing.T, c Conn)) {
	t.Run("local", func(t *testing.T) { f(t, dial(t, Target{Name: "localhost", Kind: "local"})) })
	t.Run("ssh", func(t *testing.T) { f(t, dial(t, target(sshtest.Start(t, sshtest.Options{})))) })
	t.Run("ssh without sftp", func(t *testing.T) { f(t, dial(t, target(sshtest.Start(t, sshtest.Options{NoSFTP: true})))) })
}

func TestExecAndStart(t *testing.T) {
	both(t, func(t *testing.T, c Conn) {
		ctx := context.Background()
		rc, out, errOut, err := c.Exec(ctx, "cat; echo oops >&2; exit 3", Become{}, strings.NewReader("hello"))
		if rc != 3 || string(out) != "hello" || string(errOut) != "oops\n" || err != nil {
			t.Errorf("rc %d, %q, %q, %v", rc, out, errOut, err)
		}
		words := []string{"a b", "", "it's", "$HOME", "`id`", "\\", "\n", "*", "~", "ü", `"`, "-n", "a=b"}
		p, err := c.Start(ctx, append([]string{"printf", "<%s>"}, words...), Become{})
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := Drain(ctx, p, &got); err != nil {
			t.Fatal(err)
		}
		if want := "<" + strings.Join(words, "><") + ">"; got.String() != want {
			t.Errorf("argv arrived as %q, want %q", got.String(), want)
		}
	})
}

func TestExecCancel(t *testing.T) {
	both(t, func(t *testing.T, c Conn) {
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer cancel()
		begin := time.Now()
		_, _, _, err := c.Exec(ctx, "sleep 20", Become{}, nil)
		if err != context.DeadlineExceeded || time.Since(begin) > 5*time.Second {
			t.Errorf("%v after %s", err, time.Since(begin))
		}
	})
}

func TestTransfer(t *testing.T) {
	both(t, func(t *testing.T, c Conn) {
		ctx := context.Background()
		data := bytes.Repeat([]byte("0123456789abcde\n"), 200_000)
		dst := filepath.Join(t.TempDir(), "a file's name")
		var last int64
		err := c.Upload(ctx, bytes.NewReader(data), int64(len(data)), dst, 0o640, func(done, total int64) {
			if last = done; total != int64(len(data)) {
				t.Errorf("total is %d", total)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		fi, err := os.Stat(dst)
		if err != nil || fi.Mode().Perm() != 0o640 || last != int64(len(data)) {
			t.Errorf("%v, %v, progress up to %d", fi, err, last)
		}
		var back bytes.Buffer
		if err := c.Download(ctx, dst, &back); err != nil || !bytes.Equal(back.Bytes(), data) {
			t.Errorf("downloaded %d bytes, %v", back.Len(), err)
		}
		if err := c.Upload(ctx, bytes.NewReader(data[:100]), 200, dst, 0, nil); err == nil {
			t.Error("a short upload is no error")
		}
		left, _ := os.ReadDir(filepath.Dir(dst))
		if len(left) != 1 || sshtest.Read(t, dst) != string(data) {
			t.Errorf("after a short upload the directory holds %v", left)
		}
		if err := c.Download(ctx, dst+".no", io.Discard); err == nil {
			t.Error("a missing file is no error")
		}
	})
}

func TestConnectErrors(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	with := func(change func(*Target)) error {
		tg := target(s)
		change(&tg)
		c, err := Dial(context.Background(), tg)
		if err == nil {
			c.Close()
		}
		return err
	}
	other := filepath.Join(t.TempDir(), "other")
	sshtest.KeyGen(t, "-t", "ed25519", "-f", other)
	closed := sshtest.Start(t, sshtest.Options{})
	closed.Stop()
	for name, c := range map[string]struct {
		change func(*Target)
		want   []string
	}{
		"refused":      {func(tg *Target) { tg.Port = closed.Port }, []string{"connecting to web1 (", "connection refused", "does sshd run there"}},
		"unknown name": {func(tg *Target) { tg.Host = "no-such-host.invalid" }, []string{"no-such-host.invalid"}},
		"wrong key":    {func(tg *Target) { tg.KeyFiles = []string{other} }, []string{"login as " + s.User + " refused", "key " + other, "--private-key"}},
		"no key file":  {func(tg *Target) { tg.KeyFiles = []string{other + ".missing"} }, []string{"refused: nothing to try", "no such file"}},
		"bad hop":      {func(tg *Target) { tg.ProxyJump = "x@:22" }, []string{"jump host"}},
		"hop refused":  {func(tg *Target) { tg.ProxyJump = fmt.Sprintf("127.0.0.1:%d", closed.Port) }, []string{"jump host 127.0.0.1", "connection refused"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := with(c.change)
			code := fault.ExitUnreachable
			if name == "bad hop" {
				code = fault.ExitError
			}
			fails(t, err, code, c.want...)
		})
	}
	if _, err := Dial(context.Background(), Target{Kind: "shh"}); fault.HintOf(err) != "did you mean ssh?" {
		t.Errorf("kind shh: %v", err)
	}
}

// TestSilentServer connects to something that never says a word.
func TestSilentServer(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	if err := syscall.Kill(s.Pid(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	tg := target(s)
	tg.Timeout = 50 * time.Millisecond
	_, err := Dial(context.Background(), tg)
	fails(t, err, fault.ExitUnreachable, "was not done within 300ms", "overloaded")
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	tg.Timeout = time.Minute
	_, err = Dial(ctx, tg)
	fails(t, err, fault.ExitUnreachable, "cancelled")
}

func TestJumpsAndConfig(t *testing.T) {
	a, b := sshtest.Start(t, sshtest.Options{}), sshtest.Start(t, sshtest.Options{HostKeys: []string{"rsa"}})
	dir := t.TempDir()
	known := filepath.Join(dir, "known")
	sshtest.Write(t, known, sshtest.Read(t, a.KnownHosts)+sshtest.Read(t, b.KnownHosts))
	config := filepath.Join(dir, "config")
	sshtest.Write(t, config, fmt.Sprintf(`
Host bastion
  HostName 127.0.0.1
  Port %d
  IdentityFile %s
Host inner
  HostName 127.0.0.1
  Port %d
  ProxyJump bastion
  IdentityFile %s
Host piped
  HostName 127.0.0.1
  Port %d
  IdentityFile %s
  ProxyCommand /usr/sbin/sshd -i -f %s
Host round
  HostName 127.0.0.1
  ProxyJump round
Host *
  User %s
  IdentitiesOnly yes
  UserKnownHostsFile %s
  StrictHostKeyChecking yes
`, a.Port, a.Key, b.Port, b.Key, b.Port, b.Key, b.Config, a.User, known))
	for name, tg := range map[string]Target{
		"alias":        {Host: "bastion"},
		"ProxyJump":    {Host: "inner"},
		"ProxyCommand": {Host: "piped"},
		"two hops":     {Host: "127.0.0.1", Port: b.Port, KeyFiles: []string{b.Key}, ProxyJump: "bastion,inner"},
	} {
		t.Run(name, func(t *testing.T) {
			tg.Name, tg.Kind, tg.SSHConfig = name, "ssh", config
			c := dial(t, tg)
			rc, out, _, err := c.Exec(context.Background(), "echo there", Become{}, nil)
			if rc != 0 || string(out) != "there\n" || err != nil {
				t.Errorf("rc %d %q %v", rc, out, err)
			}
		})
	}
	_, err := Dial(context.Background(), Target{Name: "r", Kind: "ssh", Host: "round", SSHConfig: config})
	fails(t, err, fault.ExitUnreachable, "jump hosts of round go round in a circle")
	_, err = Dial(context.Background(), Target{Name: "i", Kind: "ssh", Host: "127.0.0.1", Port: 1, ProxyJump: "bastion", SSHConfig: config})
	fails(t, err, fault.ExitUnreachable, "jump host bastion cannot reach 127.0.0.1:1")
	_, err = Dial(context.Background(), Target{Name: "i", Kind: "ssh", Host: "x", SSHConfig: config + ".no"})
	fails(t, err, fault.ExitError, "ssh configuration")
}

// TestSharedJumpHost sends many connections through one bastion that drops
// logins as soon as two come at a time, as sshd does under load.
func TestSharedJumpHost(t *testing.T) {
	a, b := sshtest.Start(t, sshtest.Options{Config: "MaxStartups 1:100:1\nMaxSessions 20"}), sshtest.Start(t, sshtest.Options{})
	known := filepath.Join(t.TempDir(), "known")
	sshtest.Write(t, known, sshtest.Read(t, a.KnownHosts)+sshtest.Read(t, b.KnownHosts))
	tg := target(b)
	tg.KeyFiles, tg.KnownHosts = []string{a.Key, b.Key}, []string{known}
	tg.ProxyJump = fmt.Sprintf("%s@127.0.0.1:%d", a.User, a.Port)
	var d Dialer
	conns := make([]Conn, 8)
	var wg sync.WaitGroup
	for i := range conns {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c, err := d.Dial(context.Background(), tg)
			if err != nil {
				t.Error(err)
				return
			}
			conns[i] = c
		}()
	}
	wg.Wait()
	if len(d.jumps) != 1 {
		t.Errorf("%d connections to the jump host", len(d.jumps))
	}
	for _, c := range conns {
		if c == nil {
			continue
		}
		if _, out, _, err := c.Exec(context.Background(), "echo hi", Become{}, nil); string(out) != "hi\n" || err != nil {
			t.Errorf("%q %v", out, err)
		}
		c.Close()
	}
	if len(d.jumps) != 0 {
		t.Error("the jump host's connection is still held")
	}
	if t.Failed() {
		return
	}
	dial(t, tg) // and again, anew
}

// TestSTIGAlgorithms logs in to a server that offers what the STIG of Ubuntu
// 24.04 allows (UBTU-24-100820, -100830, -100840) and nothing else.
func TestSTIGAlgorithms(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{HostKeys: []string{"ecdsa", "rsa"}, Config: `
Ciphers aes256-gcm@openssh.com,aes128-gcm@openssh.com,aes256-ctr,aes128-ctr
MACs hmac-sha2-512-etm@openssh.com,hmac-sha2-256-etm@openssh.com,hmac-sha2-512,hmac-sha2-256
KexAlgorithms ecdh-sha2-nistp521,ecdh-sha2-nistp384,ecdh-sha2-nistp256,diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,diffie-hellman-group14-sha256
HostKeyAlgorithms ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256
PubkeyAcceptedAlgorithms ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,rsa-sha2-512,rsa-sha2-256`})
	for _, typ := range []string{"rsa", "ecdsa"} {
		key := filepath.Join(t.TempDir(), typ)
		sshtest.KeyGen(t, "-t", typ, "-f", key)
		sshtest.Write(t, filepath.Join(s.Dir, "authorized_keys"), sshtest.Read(t, key+".pub"))
		tg := target(s)
		tg.KeyFiles = []string{key}
		dial(t, tg)
	}
}

// TestKeepalive stops a server in mid-session: the connection must be given up.
func TestKeepalive(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	tg := target(s)
	tg.Keepalive = 50 * time.Millisecond
	c := dial(t, tg)
	_, out, _, err := c.Exec(context.Background(), "echo $PPID", Become{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	select {
	case <-c.Done():
		t.Fatal("a healthy connection was given up")
	default:
	}
	var pid int
	fmt.Sscan(string(out), &pid)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(pid, syscall.SIGKILL)
	select {
	case <-c.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("a dead connection was not noticed")
	}
}
