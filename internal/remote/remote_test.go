package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mageprov/internal/connection"
	"mageprov/internal/connection/sshtest"
	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
	"mageprov/internal/wire"
	"mageprov/internal/worker"
)

// The test program is controller and worker: it pushes itself.
func TestMain(m *testing.M) {
	worker.RunIfAsked()
	os.Exit(m.Run())
}

// probe is a module that does what its argument says.
type probe struct {
	Do   string `arg:"do"`
	Path string `arg:"path"`
}

func (p *probe) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	plan := module.Plan{Return: map[string]any{}}
	switch p.Do {
	case "read":
		b, err := n.ReadFile(p.Path)
		plan.Return["size"], plan.Return["uid"] = len(b), os.Geteuid()
		return plan, err
	case "wait":
		<-ctx.Done()
		return plan, os.WriteFile(p.Path, []byte("cancelled"), 0o600)
	case "slow":
		time.Sleep(500 * time.Millisecond)
		return plan, os.WriteFile(p.Path, []byte("finished"), 0o600)
	case "exit":
		go panic("deep trouble")
		select {}
	case "umask":
		old := syscall.Umask(0)
		syscall.Umask(old)
		plan.Return["umask"] = old
	case "talk":
		plan.Changes = []module.Change{{What: "talk", Apply: func(ctx context.Context, w node.Writer) error {
			_, err := w.Run(ctx, node.Command{Argv: []string{"/bin/sh", "-c", "echo live; sleep 0.4"}})
			return err
		}}}
	}
	return plan, nil
}

func init() {
	module.Register(module.Spec{Name: "test.remote.probe", New: func() any { return &probe{} }})
}

func task(do, path string) wire.Task {
	args, _ := json.Marshal(map[string]string{"do": do, "path": path})
	return wire.Task{Module: "test.remote.probe", Args: args}
}

func do(t *testing.T, s *Session, tk wire.Task) map[string]any {
	t.Helper()
	r, err := s.Do(context.Background(), tk, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Failed {
		t.Fatalf("failed: %s %s", r.Msg, r.Hint)
	}
	ret := map[string]any{}
	if err := json.Unmarshal(r.Return, &ret); err != nil {
		t.Fatal(err)
	}
	return ret
}

// server is an sshd whose sessions have their directories in the test's own.
type server struct {
	*sshtest.Server
	pushed int // bytes of workers
	mu     sync.Mutex
}

func startServer(t testing.TB, o sshtest.Options) *server {
	return &server{Server: sshtest.Start(t, o)}
}

func (s *server) target(user string) connection.Target {
	return connection.Target{Name: "web1", Kind: "ssh", Host: "127.0.0.1", Port: s.Port, User: user, KeyFiles: []string{s.Key},
		SSHConfig: "none", KnownHosts: []string{s.KnownHosts}, HostKey: connection.HostKeyStrict, Timeout: 10 * time.Second}
}

func (s *server) open(t testing.TB, user string) *Node {
	t.Helper()
	return open(t, s.target(user), func(done, total int64) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.pushed = int(done)
	})
}

func open(t testing.TB, tg connection.Target, progress func(done, total int64)) *Node {
	t.Helper()
	conn, err := connection.Dial(context.Background(), tg)
	if err != nil {
		t.Fatal(err)
	}
	n, err := Open(context.Background(), conn, Options{Name: tg.Name, Local: tg.Kind == "local", Progress: progress})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

func session(t testing.TB, n *Node, b connection.Become) *Session {
	t.Helper()
	s, err := n.Worker(context.Background(), b)
	if err != nil {
		t.Fatalf("%v\nhint: %s", err, fault.HintOf(err))
	}
	return s
}

func both(t *testing.T, f func(t *testing.T, n *Node)) {
	t.Run("local", func(t *testing.T) { f(t, open(t, connection.Target{Name: "localhost", Kind: "local"}, nil)) })
	t.Run("ssh", func(t *testing.T) { s := startServer(t, sshtest.Options{}); f(t, s.open(t, s.User)) })
}

func TestDo(t *testing.T) {
	both(t, func(t *testing.T, n *Node) {
		s := session(t, n, connection.Become{})
		if s.Hello().UID != os.Geteuid() || s.Hello().Build == "" || s.Hello().Size < 1<<20 {
			t.Errorf("hello: %+v", s.Hello())
		}
		if again := session(t, n, connection.Become{}); again != s {
			t.Error("a second worker was started")
		}
		if got := do(t, s, task("umask", "")); got["umask"] != float64(0o022) {
			t.Errorf("%v", got)
		}
		var wg sync.WaitGroup // several in flight
		for range 20 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				if r, err := s.Do(context.Background(), task("", ""), nil); err != nil || r.Failed {
					t.Errorf("%+v %v", r, err)
				}
			}()
		}
		wg.Wait()
		var said strings.Builder
		if r, err := s.Do(context.Background(), task("talk", ""), func(text string) { said.WriteString(text) }); err != nil || said.String() != "live\n" {
			t.Errorf("%+v %v %q", r, err, said.String())
		}
		_, err := s.Do(context.Background(), wire.Task{Module: "x", Args: json.RawMessage(`"` + strings.Repeat("x", wire.MaxFrame) + `"`)}, nil)
		if err == nil || !strings.Contains(err.Error(), "larger than 16 MiB") {
			t.Errorf("a huge task: %v", err)
		}
		do(t, s, task("", ""))
	})
}

func TestCancelReachesTheNode(t *testing.T) {
	both(t, func(t *testing.T, n *Node) {
		s := session(t, n, connection.Become{})
		file := filepath.Join(t.TempDir(), "f")
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		if _, err := s.Do(ctx, task("wait", file), nil); err != context.DeadlineExceeded {
			t.Errorf("%v", err)
		}
		if b, err := os.ReadFile(file); string(b) != "cancelled" {
			t.Errorf("Do returned before the task had ended: %q %v", b, err)
		}
		do(t, s, task("", ""))
	})
}

func TestFiles(t *testing.T) {
	both(t, func(t *testing.T, n *Node) {
		s := session(t, n, connection.Become{})
		dir := t.TempDir()
		for _, size := range []int{0, 1000, inFrame + 1} {
			src := filepath.Join(dir, "../some file")
			data := bytes.Repeat([]byte("x"), size)
			if err := os.WriteFile(src, data, 0o600); err != nil {
				t.Fatal(err)
			}
			path, err := s.UploadFile(context.Background(), src, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := do(t, s, task("read", path)); got["size"] != float64(size) {
				t.Errorf("%d bytes arrived as %v", size, got)
			}
			fi, err := os.Stat(path)
			if err != nil || fi.Mode().Perm() != 0o600 {
				t.Errorf("%v %v", fi, err)
			}
			back := filepath.Join(dir, "deep/er/back")
			if err := s.DownloadFile(context.Background(), path, back); err != nil {
				t.Error(err)
			} else if b, err := os.ReadFile(back); !bytes.Equal(b, data) {
				t.Errorf("%d bytes came back, %v", len(b), err)
			}
		}
		if err := s.DownloadFile(context.Background(), "/no/such", filepath.Join(dir, "no")); err == nil {
			t.Error("a missing file is no error")
		}
		if _, err := s.Upload(context.Background(), strings.NewReader("x"), 5, "n", nil); err == nil {
			t.Error("a short upload is no error")
		}
		n.Close()
		if _, err := os.Stat(s.Hello().Tmp); err == nil {
			t.Error("the session's directory is still there")
		}
		if _, err := n.Worker(context.Background(), connection.Become{}); fault.CodeOf(err) != fault.ExitUnreachable {
			t.Errorf("a closed node: %v", err)
		}
	})
}

// TestPushedOnce counts: the first session pushes, the next finds the worker,
// old ones are removed, and a damaged one is replaced. The shell is noisy.
func TestPushedOnce(t *testing.T) {
	s := startServer(t, sshtest.Options{})
	sshtest.Write(t, filepath.Join(s.Home, ".bashrc"), "echo Welcome to web1; echo warning >&2\n")
	dir := filepath.Join(s.Home, ".cache/mageprov")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for i, old := range []string{"worker-oldest", "worker-older", "worker-old", "other"} {
		file := filepath.Join(dir, old)
		sshtest.Write(t, file, "x")
		when := time.Now().Add(time.Duration(i-10) * time.Hour)
		if err := os.Chtimes(file, when, when); err != nil {
			t.Fatal(err)
		}
	}
	start := func() int {
		t.Helper()
		s.pushed = 0
		n := s.open(t, s.User)
		do(t, session(t, n, connection.Become{}), task("", ""))
		n.Close()
		return s.pushed
	}
	if start() == 0 {
		t.Error("nothing was pushed")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	bins, err := carried()
	if err != nil {
		t.Fatal(err)
	}
	mine := bins["linux/"+goarch()].name()
	if len(names) != 3 || !strings.Contains(fmt.Sprint(names), mine) || !strings.Contains(fmt.Sprint(names), "worker-old ") && names[len(names)-1] != "worker-old" {
		t.Errorf("the directory holds %v", names)
	}
	if start() != 0 {
		t.Error("it was pushed again")
	}
	for label, text := range map[string]string{"empty": "", "garbage": "\x7fELFgarbage", "another program": "#!/bin/sh\nexit 0\n"} {
		if err := os.WriteFile(filepath.Join(dir, mine), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
		if start() == 0 {
			t.Errorf("%s: a damaged worker was not replaced", label)
		}
	}
}

// TestDirectories refuses places that others could have prepared.
func TestDirectories(t *testing.T) {
	for label, prepare := range map[string]func(home string) error{
		"a link": func(home string) error {
			os.Mkdir(filepath.Join(home, "elsewhere"), 0o700)
			return os.Symlink(filepath.Join(home, "elsewhere"), filepath.Join(home, ".cache/mageprov"))
		},
		"open to others": func(home string) error {
			return os.Mkdir(filepath.Join(home, ".cache/mageprov"), 0o700|0o055)
		},
		"a file": func(home string) error {
			return os.WriteFile(filepath.Join(home, ".cache/mageprov"), nil, 0o600)
		},
	} {
		t.Run(label, func(t *testing.T) {
			s := startServer(t, sshtest.Options{})
			if err := os.Mkdir(filepath.Join(s.Home, ".cache"), 0o755); err != nil {
				t.Fatal(err)
			}
			old := syscall.Umask(0)
			err := prepare(s.Home)
			syscall.Umask(old)
			if err != nil {
				t.Fatal(err)
			}
			sess := session(t, s.open(t, s.User), connection.Become{})
			if strings.HasPrefix(sess.Hello().Tmp, s.Home) {
				t.Errorf("the worker runs in %s", sess.Hello().Tmp)
			}
		})
	}
}

// TestNoexec mounts the first choice noexec, as hardened nodes do.
func TestNoexec(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount")
	}
	s := startServer(t, sshtest.Options{})
	dir := filepath.Join(s.Home, ".cache")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_NOEXEC, ""); err != nil {
		t.Fatalf("mounting a noexec directory: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	for range 2 { // pushed, then found
		sess := session(t, s.open(t, s.User), connection.Become{})
		if !strings.HasPrefix(sess.Hello().Tmp, "/var/tmp/mageprov-0/") {
			t.Errorf("the worker runs in %s", sess.Hello().Tmp)
		}
	}
}

func TestBecome(t *testing.T) {
	login, third := sshtest.NewUser(t, "ALL=(ALL) ALL"), sshtest.NewUser(t)
	s := startServer(t, sshtest.Options{UserHome: true})
	n := s.open(t, login)
	for _, user := range []string{"root", third} {
		b := connection.Become{Method: "sudo", User: user, Password: sshtest.Password}
		sess := session(t, n, b)
		if sess.Hello().User != user {
			t.Errorf("hello: %+v", sess.Hello())
		}
		for _, size := range []int64{100, inFrame + 1} {
			path, err := sess.Upload(context.Background(), bytes.NewReader(make([]byte, size)), size, "f", nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := do(t, sess, task("read", path)); got["size"] != float64(size) || got["uid"] != float64(sess.Hello().UID) {
				t.Errorf("%v", got)
			}
			var back bytes.Buffer
			if err := sess.Download(context.Background(), path, &back); err != nil || int64(back.Len()) != size {
				t.Errorf("%d bytes came back, %v", back.Len(), err)
			}
		}
	}
	_, err := n.Worker(context.Background(), connection.Become{Method: "sudo", Password: "wrong"})
	if fault.CodeOf(err) != fault.ExitFailed || !strings.Contains(err.Error(), "refused the password") {
		t.Errorf("%v", err)
	}
	local := open(t, connection.Target{Name: "localhost", Kind: "local"}, nil)
	if sess := session(t, local, connection.Become{Method: "sudo", User: third}); sess.Hello().User != third {
		t.Errorf("local: %+v", sess.Hello())
	}
}

// TestNoShell logs in as a user who may not run anything.
func TestNoShell(t *testing.T) {
	s := startServer(t, sshtest.Options{Config: "ForceCommand echo This account is closed; exit 1"})
	_, err := s.open(t, s.User).Worker(context.Background(), connection.Become{})
	if fault.CodeOf(err) != fault.ExitUnreachable || !strings.Contains(err.Error(), "the node said: This account is closed") {
		t.Errorf("%v", err)
	}
}

// TestCutConnection kills the session's sshd in the middle of a task.
func TestCutConnection(t *testing.T) {
	s := startServer(t, sshtest.Options{})
	n := s.open(t, s.User)
	sess := session(t, n, connection.Become{})
	_, out, _, err := n.Conn().Exec(context.Background(), "echo $PPID", connection.Become{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	fmt.Sscan(string(out), &pid)
	file := filepath.Join(t.TempDir(), "f")
	time.AfterFunc(200*time.Millisecond, func() { syscall.Kill(pid, syscall.SIGKILL) })
	if _, err := sess.Do(context.Background(), task("slow", file), nil); fault.CodeOf(err) != fault.ExitUnreachable || !strings.Contains(err.Error(), "connection to web1 is lost") {
		t.Errorf("%v", err)
	}
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(sess.Hello().Tmp); os.IsNotExist(err) {
			if b, _ := os.ReadFile(file); string(b) != "finished" {
				t.Errorf("the task was not finished: %q", b)
			}
			return
		}
	}
	t.Error("the worker did not end and clean up")
}

// TestBrokenWorker lets a worker die of a panic outside a module's own goroutine.
func TestBrokenWorker(t *testing.T) {
	both(t, func(t *testing.T, n *Node) {
		sess := session(t, n, connection.Become{})
		_, err := sess.Do(context.Background(), task("exit", ""), nil)
		if fault.CodeOf(err) != fault.ExitUnreachable || !strings.Contains(fault.HintOf(err), "deep trouble") {
			t.Errorf("%v\nhint: %s", err, fault.HintOf(err))
		}
		if again := session(t, n, connection.Become{}); again == sess {
			t.Error("the dead worker is still in use")
		}
	})
}

func BenchmarkNoOp(b *testing.B) {
	s := startServer(b, sshtest.Options{})
	for label, n := range map[string]*Node{
		"pipe": open(b, connection.Target{Name: "localhost", Kind: "local"}, nil),
		"sshd": s.open(b, s.User),
	} {
		sess := session(b, n, connection.Become{})
		b.Run(label, func(b *testing.B) {
			for b.Loop() {
				if r, err := sess.Do(context.Background(), task("", ""), nil); err != nil || r.Failed {
					b.Fatal(r, err)
				}
			}
		})
	}
}
