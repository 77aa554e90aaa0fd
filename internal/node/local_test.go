package node_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mageprov/internal/fault"
	"mageprov/internal/node"
)

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}

func TestWriteKeepsModeAndAttributes(t *testing.T) {
	dir := t.TempDir()
	p := dir + "/f"
	os.WriteFile(p, []byte("old"), 0o600)
	os.Chmod(p, 0o640)
	label := unix.Setxattr(p, "user.label", []byte("x"), 0) == nil
	l := node.NewLocal(node.LocalOptions{Umask: 0o022})
	if err := l.WriteFile(t.Context(), p, strings.NewReader("new"), node.Keep()); err != nil {
		t.Fatal(err)
	}
	i, _ := l.Lstat(p)
	if b, _ := os.ReadFile(p); string(b) != "new" || i.Mode != 0o640 {
		t.Errorf("%q %04o", b, i.Mode)
	}
	if v := make([]byte, 8); label {
		if n, err := unix.Getxattr(p, "user.label", v); err != nil || string(v[:n]) != "x" {
			t.Errorf("attribute %q %v", v[:max(n, 0)], err)
		}
	}
	if err := l.WriteFile(t.Context(), dir+"/new", strings.NewReader(""), node.Keep()); err != nil {
		t.Fatal(err)
	}
	if i, _ := l.Lstat(dir + "/new"); i.Mode != 0o644 {
		t.Errorf("a new file has %04o", i.Mode)
	}
	if got := names(t, dir); got != "f new" {
		t.Errorf("left behind: %s", got)
	}
}

// failing is content that breaks off.
type failing struct{}

func (failing) Read(p []byte) (int, error) { return copy(p, "half"), errors.New("connection lost") }

func TestWriteIsAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	p := dir + "/f"
	os.WriteFile(p, []byte("old"), 0o600)
	l := node.NewLocal(node.LocalOptions{})
	refuse := node.Keep()
	refuse.Validate = []string{"grep", "-q", "good", "%s"}
	for name, write := range map[string]func() error{
		"content":  func() error { return l.WriteFile(t.Context(), p, failing{}, node.Keep()) },
		"validate": func() error { return l.WriteFile(t.Context(), p, strings.NewReader("bad"), refuse) },
	} {
		if err := write(); err == nil {
			t.Errorf("%s: no error", name)
		}
		if b, _ := os.ReadFile(p); string(b) != "old" || names(t, dir) != "f" {
			t.Errorf("%s: %q, %s", name, b, names(t, dir))
		}
	}
	if err := l.WriteFile(t.Context(), p, strings.NewReader("good"), refuse); err != nil {
		t.Error(err)
	}
}

func TestWriteFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(dir+"/t", []byte("old"), 0o600)
	os.Symlink("t", dir+"/l")
	os.Symlink("later", dir+"/nowhere")
	l := node.NewLocal(node.LocalOptions{})
	if err := l.WriteFile(t.Context(), dir+"/l", strings.NewReader("new"), node.Keep()); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(dir + "/t"); string(b) != "new" {
		t.Errorf("%q", b)
	}
	if err := l.WriteFile(t.Context(), dir+"/nowhere", strings.NewReader("x"), node.Keep()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(dir + "/later"); err != nil {
		t.Error(err)
	}
	o := node.Keep()
	o.ReplaceLink = true
	if err := l.WriteFile(t.Context(), dir+"/l", strings.NewReader("own"), o); err != nil {
		t.Fatal(err)
	}
	if i, _ := l.Lstat(dir + "/l"); !i.IsRegular() {
		t.Error("the link is still one")
	}
}

func TestWriteToDirectory(t *testing.T) {
	dir := t.TempDir()
	l := node.NewLocal(node.LocalOptions{})
	if err := l.WriteFile(t.Context(), dir, strings.NewReader("x"), node.Keep()); !errors.Is(err, syscall.EISDIR) {
		t.Error(err)
	}
	err := l.WriteFile(t.Context(), dir+"/no/f", strings.NewReader("x"), node.Keep())
	if !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// TestWriteMountPoint needs root: a file that is a mount point can only be
// written in place.
func TestWriteMountPoint(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(dir+"/from", []byte("old"), 0o600)
	os.WriteFile(dir+"/f", nil, 0o600)
	if err := unix.Mount(dir+"/from", dir+"/f", "", unix.MS_BIND, ""); err != nil {
		t.Logf("no mount here (%v): nothing to see", err)
		return
	}
	defer unix.Unmount(dir+"/f", 0)
	l := node.NewLocal(node.LocalOptions{})
	err := l.WriteFile(t.Context(), dir+"/f", strings.NewReader("new"), node.Keep())
	if err == nil || !strings.Contains(fault.HintOf(err), "unsafe_writes") {
		t.Errorf("%v, hint %q", err, fault.HintOf(err))
	}
	o := node.Keep()
	o.Unsafe = true
	if err := l.WriteFile(t.Context(), dir+"/f", strings.NewReader("new"), o); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(dir + "/from"); string(b) != "new" {
		t.Errorf("%q", b)
	}
}

func TestRun(t *testing.T) {
	l := node.NewLocal(node.LocalOptions{Env: map[string]string{"GREETING": "hi"}})
	var live bytes.Buffer
	res, err := l.Run(t.Context(), node.Command{
		Argv: []string{"sh", "-c", `echo "$GREETING $MORE"; cat; echo oops >&2; pwd; exit 3`},
		Env:  map[string]string{"MORE": "there"}, Stdin: []byte("in\n"), Dir: "/", Output: func(p []byte) { live.Write(p) },
	})
	if err != nil || res.RC != 3 || string(res.Stdout) != "hi there\nin\n/\n" || string(res.Stderr) != "oops\n" {
		t.Errorf("%+v %v", res, err)
	}
	if live.Len() != len(res.Stdout)+len(res.Stderr) || res.End.Before(res.Start) {
		t.Errorf("live %q", live.String())
	}
	if _, err := l.Run(t.Context(), node.Command{Argv: []string{"no-such-program"}}); !errors.Is(err, exec.ErrNotFound) {
		t.Error(err)
	}
	res, err = l.Run(t.Context(), node.Command{Argv: []string{"sh", "-c", "kill -9 $$"}})
	if err != nil || res.RC != -9 {
		t.Errorf("%+v %v", res, err)
	}
}

func TestRunEndsTheWholeGroup(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithCancel(t.Context())
	l := node.NewLocal(node.LocalOptions{})
	done := make(chan error)
	go func() {
		_, err := l.Run(ctx, node.Command{Argv: []string{"sh", "-c", "sleep 1000 & echo $! >" + file + "; wait"}})
		done <- err
	}()
	var pid int
	for deadline := time.Now().Add(10 * time.Second); pid == 0 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		b, _ := os.ReadFile(file)
		pid, _ = strconv.Atoi(strings.TrimSpace(string(b)))
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	for deadline := time.Now().Add(10 * time.Second); alive(pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d of the group lives on", pid)
		}
	}
}

// alive says whether a process runs; one that nobody has waited for does not.
func alive(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(b), ") Z ")
}

func TestRunLeavesDaemonsAlone(t *testing.T) {
	l := node.NewLocal(node.LocalOptions{})
	start := time.Now()
	res, err := l.Run(t.Context(), node.Command{Argv: []string{"sh", "-c", "sleep 20 & echo started $!"}})
	if err != nil || time.Since(start) > 10*time.Second {
		t.Fatalf("%v after %v", err, time.Since(start))
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(string(res.Stdout), "started ")))
	if !alive(pid) {
		t.Error("the daemon was killed")
	}
	syscall.Kill(pid, syscall.SIGKILL)
}

func TestRunCapsOutput(t *testing.T) {
	l := node.NewLocal(node.LocalOptions{})
	res, err := l.Run(t.Context(), node.Command{Argv: []string{"head", "-c", strconv.Itoa(node.MaxOutput + 1), "/dev/zero"}})
	if err == nil || !strings.Contains(err.Error(), "more than 64 MiB") || len(res.Stdout) != node.MaxOutput {
		t.Errorf("%d bytes, %v", len(res.Stdout), err)
	}
}

func TestRootKeepsLinksInside(t *testing.T) {
	root := t.TempDir()
	os.MkdirAll(root+"/etc", 0o755)
	os.WriteFile(root+"/etc/hostname", []byte("inside"), 0o644)
	os.Symlink("/etc", root+"/abs")
	os.Symlink("../../../etc", root+"/etc/up")
	l := node.NewLocal(node.LocalOptions{Root: root})
	for _, p := range []string{"/abs/hostname", "/etc/up/hostname", "/../etc/hostname"} {
		if b, err := l.ReadFile(p); string(b) != "inside" {
			t.Errorf("%s: %q %v", p, b, err)
		}
	}
	if real, err := l.EvalSymlinks("/etc/up/hostname"); real != "/etc/hostname" {
		t.Errorf("%q %v", real, err)
	}
	if _, err := l.Stat("/etc/nothing"); !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), root) {
		t.Error(err)
	}
}

func TestAccountsAreReadAgain(t *testing.T) {
	root := t.TempDir()
	os.MkdirAll(root+"/etc", 0o755)
	os.WriteFile(root+"/etc/passwd", []byte("a:x:1:1:A:/a:/bin/sh\nbroken\n"), 0o644)
	l := node.NewLocal(node.LocalOptions{Root: root})
	if u, err := l.LookupUID(1); err != nil || u.Name != "a" || u.Home != "/a" {
		t.Errorf("%+v %v", u, err)
	}
	if _, err := l.LookupUser("b"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	os.WriteFile(root+"/etc/passwd", []byte("a:x:1:1:A:/a:/bin/sh\nb:x:2:2::/:/bin/sh\n"), 0o644)
	if u, err := l.LookupUser("b"); err != nil || u.UID != 2 {
		t.Errorf("%+v %v", u, err)
	}
}
