package node

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Limits of what the overlay keeps in memory. Beyond them a file's size and
// times are known and its content is ErrUnknown.
const (
	maxKeptFile  = 16 << 20
	maxKeptTotal = 256 << 20
)

// Overlay shows a node as it would be after changes, and keeps them in memory.
// It is what modules write to in check mode. It is safe for concurrent use.
type Overlay struct {
	Reader // the node as it is
	state  *overlayState
}

var _ Writer = (*Overlay)(nil)

// overlayState is shared by all views of one node.
type overlayState struct {
	mu      sync.Mutex
	entries map[string]*entry // by clean path without links
	kept    int64
	inode   uint64
	assumed map[[2]string]string
	users   []User
	groups  []Group
}

// entry is a path that differs from the node below.
type entry struct {
	gone   bool
	info   Info   // Path and names are filled in when read
	opaque bool   // a directory whose old children do not show through
	base   string // the content is that of this path below
	data   []byte
	blank  bool // the content cannot be known
	attrs  *Attrs
}

// NewOverlay lays an overlay over a node.
func NewOverlay(base Reader) *Overlay {
	return &Overlay{Reader: base, state: &overlayState{
		entries: map[string]*entry{}, assumed: map[[2]string]string{}, inode: 1 << 62,
	}}
}

// Over gives the same overlay seen through another Reader of the same node: the
// next task's, with its own environment.
func (o *Overlay) Over(base Reader) *Overlay { return &Overlay{Reader: base, state: o.state} }

// IsCheck is true.
func (o *Overlay) IsCheck() bool { return true }

// at describes a path whose directories are without links. The caller holds the lock.
func (o *Overlay) at(p string) (Info, *entry, error) {
	if e := o.state.entries[p]; e != nil {
		if e.gone {
			return Info{}, nil, &fs.PathError{Op: "lstat", Path: p, Err: syscall.ENOENT}
		}
		i := e.info
		i.Path, i.Owner, i.Group = p, o.userName(i.UID), o.groupName(i.GID)
		return i, e, nil
	}
	for dir := path.Dir(p); ; dir = path.Dir(dir) {
		if e := o.state.entries[dir]; e != nil && (e.gone || e.opaque || !e.info.IsDir()) {
			return Info{}, nil, &fs.PathError{Op: "lstat", Path: p, Err: syscall.ENOENT}
		}
		if dir == "/" {
			break
		}
	}
	i, err := o.Reader.Lstat(p)
	return i, nil, err
}

// find resolves path through the overlay and describes what is there. On an
// error that is ErrNotExist the path where it would be is still good if its
// directory exists.
func (o *Overlay) find(p string, follow bool) (string, Info, *entry, error) {
	at, err := resolve(p, follow, func(p string) (fs.FileMode, string, error) {
		i, _, err := o.at(p)
		return i.Type, i.Target, err
	})
	if err != nil {
		return "", Info{}, nil, err
	}
	i, e, err := o.at(at)
	return at, i, e, err
}

// Lstat describes path; a link at its end is described itself.
func (o *Overlay) Lstat(p string) (Info, error) { return o.statAs(p, false) }

// Stat describes what path leads to.
func (o *Overlay) Stat(p string) (Info, error) { return o.statAs(p, true) }

func (o *Overlay) statAs(p string, follow bool) (Info, error) {
	o.state.mu.Lock()
	defer o.state.mu.Unlock()
	_, i, _, err := o.find(p, follow)
	i.Path = p
	if err == nil && follow && i.IsLink() {
		err = &fs.PathError{Op: "stat", Path: p, Err: syscall.ENOENT}
	}
	return i, err
}

// Open opens a file for reading.
func (o *Overlay) Open(p string) (io.ReadCloser, error) {
	o.state.mu.Lock()
	defer o.state.mu.Unlock()
	at, i, e, err := o.find(p, true)
	switch {
	case err != nil:
		return nil, err
	case e == nil:
		return o.Reader.Open(at)
	case i.IsDir():
		return nil, &fs.PathError{Op: "read", Path: p, Err: syscall.EISDIR}
	case e.blank:
		return nil, fmt.Errorf("the content of %s %w", p, ErrUnknown)
	case e.base != "":
		return o.Reader.Open(e.base)
	}
	return io.NopCloser(bytes.NewReader(e.data)), nil
}

// ReadFile reads a whole file.
func (o *Overlay) ReadFile(p string) ([]byte, error) {
	f, err := o.Open(p)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// ReadDir lists a directory, sorted by name.
func (o *Overlay) ReadDir(p string) ([]Info, error) {
	o.state.mu.Lock()
	defer o.state.mu.Unlock()
	at, i, _, err := o.find(p, true)
	if err != nil {
		return nil, err
	}
	if !i.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: p, Err: syscall.ENOTDIR}
	}
	infos, err := o.list(at)
	for n := range infos {
		infos[n].Path = path.Join(p, path.Base(infos[n].Path))
	}
	return infos, err
}

// list lists a directory given without links. The caller holds the lock.
func (o *Overlay) list(at string) ([]Info, error) {
	var infos []Info
	if o.below(at) {
		base, err := o.Reader.ReadDir(at)
		if err != nil {
			return nil, err
		}
		for _, i := range base {
			if o.state.entries[i.Path] == nil {
				infos = append(infos, i)
			}
		}
	}
	for name, e := range o.state.entries {
		if path.Dir(name) == at && name != "/" && !e.gone {
			i, _, err := o.at(name)
			if err == nil {
				infos = append(infos, i)
			}
		}
	}
	sort.Slice(infos, func(a, b int) bool { return infos[a].Path < infos[b].Path })
	return infos, nil
}

// below says whether the directory's old children show through.
func (o *Overlay) below(dir string) bool {
	for d := dir; ; d = path.Dir(d) {
		if e := o.state.entries[d]; e != nil && (e.gone || e.opaque) {
			return false
		}
		if d == "/" {
			return true
		}
	}
}

// EvalSymlinks gives the path without links.
func (o *Overlay) EvalSymlinks(p string) (string, error) {
	o.state.mu.Lock()
	defer o.state.mu.Unlock()
	at, _, _, err := o.find(p, true)
	return at, err
}

// LookPath finds a program. One that a change of this run would bring is not there yet.
func (o *Overlay) LookPath(name string) (string, error) { return o.Reader.LookPath(name) }

// Access answers for changed files by their mode bits.
func (o *Overlay) Access(p string, mode uint32) bool {
	o.state.mu.Lock()
	defer o.state.mu.Unlock()
	at, i, e, err := o.find(p, true)
	if err != nil {
		return false
	}
	if e == nil {
		return o.Reader.Access(at, mode)
	}
	if o.UID() == 0 {
		return mode&1 == 0 || i.IsDir() || i.Mode&0o111 != 0
	}
	bits := i.Mode
	if o.UID() == i.UID {
		bits >>= 6
	}
	return bits&mode == mode
}

// Attrs gives what SetAttrs was given, else the node's.
func (o *Overlay) Attrs(p string) (Attrs, error) {
	o.state.mu.Lock()
	defer o.state.mu.Unlock()
	at, i, e, err := o.find(p, true)
	switch {
	case err != nil:
		return Attrs{}, err
	case e == nil:
		return o.Reader.Attrs(at)
	case e.attrs != nil:
		return *e.attrs, nil
	case e.base != "":
		return o.Reader.Attrs(e.base)
	}
	return o.Reader.Attrs(path.Dir(i.Path))
}

// Assumed gives what an earlier task would have brought about.
func (o *Overlay) Assumed(kind, name string) (string, bool) {
	o.state.mu.Lock()
	defer o.state.mu.Unlock()
	s, ok := o.state.assumed[[2]string{kind, name}]
	return s, ok
}

// Query runs the program for real: it only reads.
func (o *Overlay) Query(ctx context.Context, c Command) (Result, error) {
	return o.Reader.Query(ctx, c)
}

// Run does not run the program.
func (o *Overlay) Run(ctx context.Context, c Command) (Result, error) {
	o.state.mu.Lock()
	o.state.assumed[[2]string{AnyOf, "command"}] = "run"
	o.state.mu.Unlock()
	now := o.Now()
	return Result{Unknown: true, Start: now, End: now}, nil
}

// Sync has nothing to flush.
func (o *Overlay) Sync(string) error { return nil }

// now is the time of a change: a clock that never gives zero.
func (o *Overlay) now() time.Time { return o.Reader.Now() }

func within(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}
