package node_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand"
	"strings"
	"testing"

	"mageprov/internal/node"
	"mageprov/internal/node/nodetest"
)

// view lists a tree with all that a module can see of it, times left out.
func view(t *testing.T, r node.Reader) map[string]string {
	t.Helper()
	out := map[string]string{}
	var walk func(dir string)
	walk = func(dir string) {
		infos, err := r.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range infos {
			content := i.Target
			if i.IsRegular() {
				b, err := r.ReadFile(i.Path)
				if err != nil {
					t.Fatal(err)
				}
				content = fmt.Sprintf("%d %d %s", i.Size, i.NLink, b)
			}
			out[i.Path] = fmt.Sprintf("%v %04o %s:%s %s", i.Type, i.Mode, i.Owner, i.Group, content)
			if i.IsDir() {
				walk(i.Path)
			}
		}
	}
	walk("/")
	return out
}

// TestOverlayIsLikeTheMachine does the same random changes to a machine and to
// an overlay over an equal one: both must answer and look alike after each.
func TestOverlayIsLikeTheMachine(t *testing.T) {
	paths := []string{"/a", "/a/b", "/a/b/c", "/a/f", "/a/l", "/f", "/d", "/d/f", "/l", "/l/f", "/d/up"}
	for seed := int64(0); seed < 40; seed++ {
		rnd := rand.New(rand.NewSource(seed))
		machine, below := nodetest.New(t), nodetest.New(t)
		for _, n := range []*nodetest.Node{machine, below} {
			n.Put("/a/b/c/deep", "deep")
			n.Put("/a/f", "one")
			n.Symlink("a", "/l")
			n.Mkdir("/d", 0o750)
		}
		over := node.NewOverlay(below)
		start := view(t, below)
		var log []string
		for step := 0; step < 40; step++ {
			p, q := paths[rnd.Intn(len(paths))], paths[rnd.Intn(len(paths))]
			op, what := randomOp(rnd, p, q)
			log = append(log, what)
			real, mem := op(machine), op(over)
			if (real == nil) != (mem == nil) {
				t.Fatalf("seed %d: %s: machine %v, overlay %v", seed, strings.Join(log, "; "), real, mem)
			}
			a, b := view(t, machine), view(t, over)
			for k := range a {
				if a[k] != b[k] {
					t.Fatalf("seed %d: %s\n%s: machine %q, overlay %q", seed, strings.Join(log, "; "), k, a[k], b[k])
				}
			}
			if len(a) != len(b) {
				t.Fatalf("seed %d: %s\nmachine %v\noverlay %v", seed, strings.Join(log, "; "), a, b)
			}
		}
		if now := view(t, below); fmt.Sprint(now) != fmt.Sprint(start) {
			t.Fatalf("seed %d: the overlay changed what is below", seed)
		}
	}
}

func randomOp(rnd *rand.Rand, p, q string) (func(node.Writer) error, string) {
	mode, id := uint32(rnd.Intn(0o1000)), rnd.Intn(3)*500
	mode |= 0o700 // the test may not be root
	text := fmt.Sprint("text ", rnd.Intn(100))
	switch rnd.Intn(10) {
	case 0:
		return func(w node.Writer) error { return w.Mkdir(p, mode) }, "mkdir " + p
	case 1:
		return func(w node.Writer) error { return w.Remove(p) }, "remove " + p
	case 2:
		return func(w node.Writer) error { return w.RemoveAll(p) }, "remove all " + p
	case 3:
		return func(w node.Writer) error { return w.Rename(p, q) }, "rename " + p + " " + q
	case 4:
		return func(w node.Writer) error { return w.Symlink(q, p) }, "symlink " + p + " to " + q
	case 5:
		return func(w node.Writer) error { return w.Link(p, q) }, "link " + p + " as " + q
	case 6:
		return func(w node.Writer) error { return w.Chmod(p, mode) }, fmt.Sprintf("chmod %s %04o", p, mode)
	case 7:
		return func(w node.Writer) error { return w.Chown(p, id, -1) }, fmt.Sprintf("chown %s %d", p, id)
	case 8:
		o := node.Keep()
		o.Mode, o.ReplaceLink = &mode, true
		return func(w node.Writer) error {
			return w.WriteFile(context.Background(), p, strings.NewReader(text), o)
		}, "replace " + p
	}
	return func(w node.Writer) error {
		return w.WriteFile(context.Background(), p, strings.NewReader(text), node.Keep())
	}, "write " + p
}

func TestOverlayAccounts(t *testing.T) {
	o := node.NewOverlay(nodetest.New(t))
	o.AssumeUser(node.User{Name: "new", UID: 2000, GID: 2000})
	o.AssumeGroup(node.Group{Name: "new", GID: 2000})
	if u, err := o.LookupUID(2000); err != nil || u.Name != "new" {
		t.Errorf("%v %v", u, err)
	}
	if s, ok := o.Assumed("user", "new"); !ok || s != "present" {
		t.Errorf("assumed %q %v", s, ok)
	}
	o.Chown("/etc", 2000, 2000)
	if i, _ := o.Lstat("/etc"); i.Owner != "new" || i.Group != "new" {
		t.Errorf("%+v", i)
	}
	o.Assume("user", "app", "absent")
	if _, err := o.LookupUser("app"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a user that would be gone: %v", err)
	}
	if v := o.Over(nodetest.New(t)); v != nil {
		if _, err := v.LookupUser("new"); err != nil {
			t.Errorf("the next task does not see the user: %v", err)
		}
	}
}

func TestOverlayUnknownContent(t *testing.T) {
	o := node.NewOverlay(nodetest.New(t))
	if err := o.WriteFile(t.Context(), "/etc/x", node.UnknownContent, node.Keep()); err != nil {
		t.Fatal(err)
	}
	if i, err := o.Stat("/etc/x"); err != nil || !i.IsRegular() {
		t.Errorf("%+v %v", i, err)
	}
	if _, err := o.ReadFile("/etc/x"); !errors.Is(err, node.ErrUnknown) {
		t.Errorf("reading it gives %v", err)
	}
	res, err := o.Run(t.Context(), node.Command{Argv: []string{"reboot"}})
	if err != nil || !res.Unknown {
		t.Errorf("run: %+v %v", res, err)
	}
}

func TestOverlayKeepsLargeFilesOut(t *testing.T) {
	o := node.NewOverlay(nodetest.New(t))
	large := strings.NewReader(strings.Repeat("x", 17<<20))
	if err := o.WriteFile(t.Context(), "/etc/x", large, node.Keep()); err != nil {
		t.Fatal(err)
	}
	if i, _ := o.Stat("/etc/x"); i.Size != 17<<20 {
		t.Errorf("size %d", i.Size)
	}
	if _, err := o.Open("/etc/x"); !errors.Is(err, node.ErrUnknown) {
		t.Errorf("open: %v", err)
	}
}
