package moduletest

import (
	"errors"
	"fmt"
	"path"
	"sort"
	"strconv"
	"strings"
	"testing"

	"mageprov/internal/node"
)

// File is one path of a Tree.
type File struct {
	Kind         string // "file", "dir", "link"
	Mode         uint32
	Owner, Group string
	Content      string // of a file, or the target of a link
}

// Tree is what a test compares: all paths below the root but the root itself,
// with $ROOT in the targets of links.
type Tree map[string]File

// describe gives the form of Case.Tree.
func (f File) describe() string {
	if f.Kind == "link" {
		return "link " + f.Content
	}
	return fmt.Sprintf("%s %04o %s %s", f.Kind, f.Mode, f.Owner, f.Group)
}

// matches compares with a line such as "file 0644 root root", of which only
// what is written counts.
func (f File) matches(want, root string) bool {
	if target, ok := strings.CutPrefix(want, "link "); ok {
		return f.Kind == "link" && f.Content == strings.ReplaceAll(target, "$ROOT", root)
	}
	got := strings.Fields(f.describe())
	words := strings.Fields(want)
	if len(words) > 0 && words[0] != "file" && words[0] != "dir" && words[0] != "link" {
		words = append([]string{got[0]}, words...) // a mode alone
	}
	for i, w := range words {
		if i >= len(got) || w != "-" && w != got[i] {
			return false
		}
	}
	return true
}

// ReadTree reads a tree through a node.Reader.
func ReadTree(t *testing.T, r node.Reader, root string) Tree {
	t.Helper()
	tree := Tree{}
	var walk func(dir string)
	walk = func(dir string) {
		infos, err := r.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range infos {
			f := File{Kind: "file", Mode: i.Mode, Owner: i.Owner, Group: i.Group}
			switch {
			case i.IsDir():
				f.Kind = "dir"
				walk(i.Path)
			case i.IsLink():
				f.Kind, f.Content, f.Mode = "link", i.Target, 0
			case i.IsRegular():
				b, err := r.ReadFile(i.Path)
				if err != nil && !errors.Is(err, node.ErrUnknown) {
					t.Fatal(err)
				}
				f.Content = string(b)
			default:
				f.Kind = "special"
			}
			tree[path.Clean("/"+strings.TrimPrefix(i.Path, root))] = f
		}
	}
	if root == "" {
		walk("/")
	} else {
		walk(root)
	}
	delete(tree, uploads)
	for p := range tree {
		if strings.HasPrefix(p, uploads+"/") {
			delete(tree, p)
		}
	}
	return tree
}

// WriteTree makes the tree a case begins with.
func WriteTree(t *testing.T, w node.Writer, root string, tree Tree) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	paths := make([]string, 0, len(tree))
	for p := range tree {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	for _, p := range paths {
		f, at := tree[p], root+p
		makeDirs(t, w, path.Dir(at))
		switch f.Kind {
		case "dir":
			if _, err := w.Lstat(at); err != nil {
				must(w.Mkdir(at, 0o755))
			}
		case "link":
			must(w.Symlink(strings.ReplaceAll(f.Content, "$ROOT", root), at))
			continue
		default:
			must(w.WriteFile(t.Context(), at, strings.NewReader(f.Content), node.Keep()))
		}
		if f.Owner != "" || f.Group != "" {
			must(w.Chown(at, lookupID(w, f.Owner, true), lookupID(w, f.Group, false)))
		}
		must(w.Chmod(at, f.Mode))
	}
}

func makeDirs(t *testing.T, w node.Writer, dir string) {
	if _, err := w.Stat(dir); err == nil || dir == "/" {
		return
	}
	makeDirs(t, w, path.Dir(dir))
	if err := w.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

func lookupID(w node.Reader, name string, user bool) int {
	if n, err := strconv.Atoi(name); err == nil {
		return n
	}
	if user {
		if u, err := w.LookupUser(name); err == nil {
			return u.UID
		}
	} else if g, err := w.LookupGroup(name); err == nil {
		return g.GID
	}
	return -1
}

// start gives the tree the case begins with.
func (c *Case) start() (Tree, error) {
	tree := Tree{}
	for p, content := range c.before {
		tree[p] = File{Kind: "file", Mode: 0o644, Content: content}
	}
	for p, line := range c.Before {
		f, had := tree[p]
		if target, ok := strings.CutPrefix(line, "link "); ok {
			tree[p] = File{Kind: "link", Content: target}
			continue
		}
		words := strings.Fields(line)
		if len(words) > 0 && (words[0] == "dir" || words[0] == "file") {
			f.Kind, words = words[0], words[1:]
		}
		if !had && f.Kind == "" {
			return nil, fmt.Errorf("before: %s: %q names no kind", p, line)
		}
		if f.Mode = 0o644; f.Kind == "dir" {
			f.Mode = 0o755
		}
		if len(words) > 0 {
			m, err := strconv.ParseUint(words[0], 8, 32)
			if err != nil {
				return nil, fmt.Errorf("before: %s: %q: %v", p, line, err)
			}
			f.Mode = uint32(m)
		}
		if len(words) > 1 {
			f.Owner = words[1]
		}
		if len(words) > 2 {
			f.Group = words[2]
		}
		tree[p] = f
	}
	return tree, nil
}

// compareTree says how got differs from what the case wants.
func (c *Case) compareTree(got Tree, root string) []string {
	var bad []string
	want := map[string]string{}
	for p, content := range c.after {
		want[p] = content
	}
	if c.after == nil {
		for p, content := range c.before {
			want[p] = content
		}
	}
	for p, content := range want {
		content = strings.ReplaceAll(content, "$ROOT", root)
		switch f, ok := got[p]; {
		case !ok:
			bad = append(bad, p+" is missing")
		case f.Kind == "file" && f.Content != content:
			bad = append(bad, fmt.Sprintf("%s holds\n%s\nwant\n%s", p, f.Content, content))
		case f.Kind != "file" && c.Tree[p] == "":
			bad = append(bad, fmt.Sprintf("%s is a %s", p, f.Kind))
		}
	}
	for p, f := range got {
		if _, ok := want[p]; !ok && f.Kind == "file" && !c.mentions(p) {
			bad = append(bad, fmt.Sprintf("%s is there and not expected, with\n%s", p, f.Content))
		}
	}
	for pattern, line := range c.Tree {
		found := false
		for p, f := range got {
			if ok, _ := path.Match(pattern, p); !ok {
				continue
			}
			found = true
			if line == "absent" || !f.matches(line, root) {
				bad = append(bad, fmt.Sprintf("%s is %q, want %q", p, f.describe(), line))
			}
		}
		if !found && line != "absent" {
			bad = append(bad, fmt.Sprintf("%s is missing, want %q", pattern, line))
		}
	}
	sort.Strings(bad)
	return bad
}

// mentions says whether Tree, Before or the accounts name a path.
func (c *Case) mentions(p string) bool {
	if p == "/etc/passwd" || p == "/etc/group" {
		return true
	}
	if _, ok := c.Before[p]; ok && c.after == nil {
		return true
	}
	for pattern := range c.Tree {
		if ok, _ := path.Match(pattern, p); ok {
			return true
		}
	}
	return false
}
