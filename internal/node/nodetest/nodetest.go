// Package nodetest has a strict double of a managed node: a tree in a temporary
// directory, commands with answers that are known beforehand, fixed accounts
// and a fixed clock. A command that is not listed fails the test.
package nodetest

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mageprov/internal/node"
)

// Clock is the time on every Node.
var Clock = time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)

// Passwd and Group are the accounts of a Node whose tree has none of its own.
const (
	Passwd = "root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\napp:x:1000:1000:App,,,:/home/app:/bin/bash\n"
	Group  = "root:x:0:\nadm:x:4:app\nsudo:x:27:app\nwww-data:x:33:\napp:x:1000:\n"
)

// Command is a command that may come, and its answer. Commands of equal argv
// answer in turn, the last one for good.
type Command struct {
	Query  []string // argv of a command that only reads: by Query or Run
	Run    []string // argv of one that changes something: by Run alone
	RC     int
	Stdout string
	Stderr string
	// Files are put into the tree when the command runs: what it would have done.
	// A content of "absent" removes the file.
	Files map[string]string

	used bool
}

// Node is the double. Its zero value is not usable, see New.
type Node struct {
	*node.Local
	Root string
	Env  map[string]string
	// Programs are found by LookPath beside those of the commands.
	Programs []string
	t        testing.TB
	uid      int

	mu       sync.Mutex
	commands []*Command
	writes   []string
}

var _ node.Writer = (*Node)(nil)

// New makes a node with an empty tree that holds /etc, /tmp and the accounts.
// Whoever runs the test is root on it.
func New(t testing.TB, commands ...Command) *Node {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{Root: root, t: t, Env: map[string]string{"PATH": "/usr/bin:/bin", "HOME": "/root"}}
	n.Local = node.NewLocal(node.LocalOptions{Root: root, Umask: 0o022, Owners: &owners{}})
	for _, dir := range []string{"/etc", "/tmp"} {
		if err := os.Mkdir(root+dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	n.Put("/etc/passwd", Passwd)
	n.Put("/etc/group", Group)
	n.Expect(commands...)
	return n
}

// Expect replaces the commands that may come.
func (n *Node) Expect(commands ...Command) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.commands = nil
	for _, c := range commands {
		n.commands = append(n.commands, &c)
	}
}

// Put writes a file into the tree, with its directories, behind the record's back.
func (n *Node) Put(path, content string) {
	n.t.Helper()
	real := n.Root + path
	if content == "absent" {
		os.Remove(real)
		return
	}
	if err := os.MkdirAll(filepath.Dir(real), 0o755); err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(real, []byte(content), 0o644); err != nil {
		n.t.Fatal(err)
	}
}

// SetUID makes the worker another user than root.
func (n *Node) SetUID(uid int) { n.uid = uid }

// Writes are the changes so far, such as "write /etc/motd" and "run useradd x".
func (n *Node) Writes() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.writes)
}

// Unused lists the expected commands that never came.
func (n *Node) Unused() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []string
	for _, c := range n.commands {
		if !c.used {
			out = append(out, strings.Join(append(c.Query, c.Run...), " "))
		}
	}
	return out
}

func (n *Node) record(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.writes = append(n.writes, fmt.Sprintf(format, args...))
}

// Query answers a listed command that only reads.
func (n *Node) Query(ctx context.Context, c node.Command) (node.Result, error) {
	return n.answer(c, func(e *Command) []string { return e.Query })
}

// Run answers a listed command.
func (n *Node) Run(ctx context.Context, c node.Command) (node.Result, error) {
	n.record("run %s", strings.Join(c.Argv, " "))
	return n.answer(c, func(e *Command) []string {
		if e.Run != nil {
			return e.Run
		}
		return e.Query
	})
}

func (n *Node) answer(c node.Command, argv func(*Command) []string) (node.Result, error) {
	n.t.Helper()
	e := n.next(c, argv)
	if e == nil {
		n.t.Errorf("unexpected command: %q", c.Argv)
		return node.Result{}, &exec.Error{Name: c.Argv[0], Err: exec.ErrNotFound}
	}
	for path, content := range e.Files {
		n.Put(path, content)
	}
	if c.Output != nil && e.Stdout != "" {
		c.Output([]byte(e.Stdout))
	}
	return node.Result{RC: e.RC, Stdout: []byte(e.Stdout), Stderr: []byte(e.Stderr), Start: Clock, End: Clock}, nil
}

// next picks the answer: the first unused one of this argv, else the last.
func (n *Node) next(c node.Command, argv func(*Command) []string) *Command {
	n.mu.Lock()
	defer n.mu.Unlock()
	var found *Command
	for _, e := range n.commands {
		want := argv(e)
		if len(want) == 0 || len(want) != len(c.Argv) || filepath.Base(want[0]) != filepath.Base(c.Argv[0]) || !slices.Equal(want[1:], c.Argv[1:]) {
			continue
		}
		found = e
		if !e.used {
			break
		}
	}
	if found != nil {
		found.used = true
	}
	return found
}

// LookPath finds the programs of the listed commands, those of Programs and
// executable files in the tree.
func (n *Node) LookPath(name string) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	have := slices.Contains(n.Programs, name)
	for _, c := range n.commands {
		for _, argv := range [][]string{c.Query, c.Run} {
			have = have || len(argv) > 0 && (argv[0] == name || filepath.Base(argv[0]) == name)
		}
	}
	switch {
	case have && strings.Contains(name, "/"):
		return name, nil
	case have:
		return "/usr/bin/" + name, nil
	}
	for _, dir := range []string{"", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
		if dir == "" && !strings.Contains(name, "/") {
			continue
		}
		p := filepath.Join(dir, name)
		if i, err := n.Stat(p); err == nil && i.IsRegular() && i.Mode&0o111 != 0 {
			return p, nil
		}
	}
	return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
}

// UID is root unless SetUID said otherwise.
func (n *Node) UID() int { return n.uid }

// Now is Clock.
func (n *Node) Now() time.Time { return Clock }

// Getenv reads Env.
func (n *Node) Getenv(name string) string { return n.Env[name] }

// Environ lists Env.
func (n *Node) Environ() []string {
	var out []string
	for k, v := range n.Env {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return out
}

// WriteFile writes into the tree; a validation command must be a listed one, in
// which the file's name is written %s.
func (n *Node) WriteFile(ctx context.Context, path string, content io.Reader, o node.WriteOptions) error {
	n.record("write %s", path)
	if len(o.Validate) > 0 {
		res, err := n.Run(ctx, node.Command{Argv: o.Validate})
		if err == nil {
			err = node.ValidateError(res)
		}
		if err != nil {
			return err
		}
		o.Validate = nil
	}
	return n.Local.WriteFile(ctx, path, content, o)
}

// Mkdir makes a directory in the tree.
func (n *Node) Mkdir(path string, mode uint32) error {
	n.record("mkdir %s %04o", path, mode)
	return n.Local.Mkdir(path, mode)
}

// Remove removes from the tree.
func (n *Node) Remove(path string) error {
	n.record("remove %s", path)
	return n.Local.Remove(path)
}

// RemoveAll removes from the tree.
func (n *Node) RemoveAll(path string) error {
	n.record("remove all %s", path)
	return n.Local.RemoveAll(path)
}

// Rename moves in the tree.
func (n *Node) Rename(oldpath, newpath string) error {
	n.record("rename %s %s", oldpath, newpath)
	return n.Local.Rename(oldpath, newpath)
}

// Symlink links in the tree.
func (n *Node) Symlink(target, path string) error {
	n.record("symlink %s %s", path, target)
	return n.Local.Symlink(target, path)
}

// Link links in the tree.
func (n *Node) Link(oldpath, newpath string) error {
	n.record("link %s %s", newpath, oldpath)
	return n.Local.Link(oldpath, newpath)
}

// Chmod sets a mode in the tree.
func (n *Node) Chmod(path string, mode uint32) error {
	n.record("chmod %s %04o", path, mode)
	return n.Local.Chmod(path, mode)
}

// Chown sets an owner that only the double knows.
func (n *Node) Chown(path string, uid, gid int) error {
	n.record("chown %s %d:%d", path, uid, gid)
	return n.Local.Chown(path, uid, gid)
}

// Chtimes sets times in the tree.
func (n *Node) Chtimes(path string, atime, mtime time.Time) error {
	n.record("chtimes %s", path)
	return n.Local.Chtimes(path, atime, mtime)
}

// SetAttrs is recorded only: the file system of the tests may have no attributes.
func (n *Node) SetAttrs(path string, flags uint32) error {
	n.record("chattr %s %#x", path, flags)
	return nil
}

// Attrs are none.
func (n *Node) Attrs(path string) (node.Attrs, error) { return node.Attrs{}, nil }

// Assume is recorded as what it is: nothing.
func (n *Node) Assume(kind, name, state string) {}

// owners keeps owners by inode: all files are root's until told otherwise.
type owners struct {
	mu sync.Mutex
	m  map[[2]uint64][2]int
}

func (o *owners) Owner(dev, ino uint64) (uid, gid int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	v := o.m[[2]uint64{dev, ino}]
	return v[0], v[1]
}

func (o *owners) SetOwner(dev, ino uint64, uid, gid int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	k := [2]uint64{dev, ino}
	v := o.m[k]
	if uid >= 0 {
		v[0] = uid
	}
	if gid >= 0 {
		v[1] = gid
	}
	if o.m == nil {
		o.m = map[[2]uint64][2]int{}
	}
	o.m[k] = v
}
