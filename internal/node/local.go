package node

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// LocalOptions are the settings of one task on the real machine. The zero value
// is the process as it is.
type LocalOptions struct {
	Env   map[string]string // added to the process's environment
	Umask int               // 0: the process's own
	// Output receives what commands print that have no Output of their own.
	Output func(p []byte)
	// Root makes a directory tree look like the machine: for tests and images.
	Root string
	// Owners, if set, keeps owners instead of the file system: for tests without root.
	Owners Owners
}

// Owners keeps the owner of files by inode.
type Owners interface {
	Owner(dev, ino uint64) (uid, gid int)
	SetOwner(dev, ino uint64, uid, gid int) // -1: keep
}

// Local is the machine the process runs on. It is cheap to make, one per task;
// accounts are cached for its lifetime. It is safe for concurrent use.
type Local struct {
	opts     LocalOptions
	umask    uint32
	accounts *accounts
}

var _ Writer = (*Local)(nil)

// NewLocal gives the machine the process runs on.
func NewLocal(o LocalOptions) *Local {
	l := &Local{opts: o, umask: uint32(o.Umask)}
	if o.Umask == 0 {
		l.umask = processUmask()
	}
	l.accounts = newAccounts(l)
	return l
}

// processUmask reads the mask without changing it, which umask(2) cannot.
func processUmask() uint32 {
	b, err := os.ReadFile("/proc/self/status")
	if err == nil {
		for _, line := range strings.Split(string(b), "\n") {
			if v, ok := strings.CutPrefix(line, "Umask:"); ok {
				return parseOctal(strings.TrimSpace(v))
			}
		}
	}
	return 0o022
}

func parseOctal(s string) (n uint32) {
	for _, c := range s {
		n = n*8 + uint32(c-'0')
	}
	return n
}

// real gives the path in the tree under Root, with links resolved inside it.
// last says whether a link at the end is followed.
func (l *Local) real(path string, last bool) (string, error) {
	if l.opts.Root == "" {
		return path, nil
	}
	p, err := resolve(path, last, func(p string) (fs.FileMode, string, error) {
		fi, err := os.Lstat(l.opts.Root + p)
		if err != nil {
			return 0, "", err
		}
		target := ""
		if fi.Mode()&fs.ModeSymlink != 0 {
			target, err = os.Readlink(l.opts.Root + p)
		}
		return fi.Mode(), target, err
	})
	return l.opts.Root + p, err
}

// named puts the path the module knows into an error about a path under Root.
func (l *Local) named(err error, path string) error {
	if pe, ok := err.(*fs.PathError); ok && l.opts.Root != "" {
		return &fs.PathError{Op: pe.Op, Path: path, Err: pe.Err}
	}
	return err
}

// Lstat describes path; a link at its end is described itself.
func (l *Local) Lstat(path string) (Info, error) { return l.stat(path, false) }

// Stat describes what path leads to.
func (l *Local) Stat(path string) (Info, error) { return l.stat(path, true) }

func (l *Local) stat(path string, follow bool) (Info, error) {
	real, err := l.real(path, follow)
	if err != nil {
		return Info{}, l.named(err, path)
	}
	call := os.Lstat
	if follow {
		call = os.Stat
	}
	fi, err := call(real)
	if err != nil {
		return Info{}, l.named(err, path)
	}
	return l.info(path, real, fi), nil
}

func (l *Local) info(path, real string, fi fs.FileInfo) Info {
	st := fi.Sys().(*syscall.Stat_t)
	i := Info{
		Path: path, Type: fi.Mode().Type(), Mode: st.Mode & 0o7777,
		UID: int(st.Uid), GID: int(st.Gid), Size: fi.Size(),
		MTime: fi.ModTime(), ATime: time.Unix(st.Atim.Unix()), CTime: time.Unix(st.Ctim.Unix()),
		Inode: st.Ino, Dev: uint64(st.Dev), NLink: uint64(st.Nlink),
	}
	if l.opts.Owners != nil {
		i.UID, i.GID = l.opts.Owners.Owner(i.Dev, i.Inode)
	}
	i.Owner, i.Group = l.accounts.userName(i.UID), l.accounts.groupName(i.GID)
	if i.IsLink() {
		i.Target, _ = os.Readlink(real)
	}
	return i
}

// ReadFile reads a whole file.
func (l *Local) ReadFile(path string) ([]byte, error) {
	real, err := l.real(path, true)
	if err != nil {
		return nil, l.named(err, path)
	}
	b, err := os.ReadFile(real)
	return b, l.named(err, path)
}

// Open opens a file for reading. It does not wait for a writer of a pipe.
func (l *Local) Open(path string) (io.ReadCloser, error) {
	real, err := l.real(path, true)
	if err != nil {
		return nil, l.named(err, path)
	}
	f, err := os.OpenFile(real, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, l.named(err, path)
	}
	return f, nil
}

// ReadDir lists a directory, sorted by name. An entry that goes away meanwhile is left out.
func (l *Local) ReadDir(path string) ([]Info, error) {
	real, err := l.real(path, true)
	if err != nil {
		return nil, l.named(err, path)
	}
	entries, err := os.ReadDir(real)
	if err != nil {
		return nil, l.named(err, path)
	}
	infos := make([]Info, 0, len(entries))
	for _, e := range entries {
		if fi, err := e.Info(); err == nil {
			infos = append(infos, l.info(filepath.Join(path, e.Name()), filepath.Join(real, e.Name()), fi))
		}
	}
	sort.Slice(infos, func(i, j int) bool { return infos[i].Path < infos[j].Path })
	return infos, nil
}

// EvalSymlinks gives the path without links.
func (l *Local) EvalSymlinks(path string) (string, error) {
	if l.opts.Root == "" {
		return filepath.EvalSymlinks(path)
	}
	real, err := l.real(path, true)
	if err == nil {
		_, err = os.Lstat(real)
	}
	if err != nil {
		return "", l.named(err, path)
	}
	return "/" + strings.TrimPrefix(strings.TrimPrefix(real, l.opts.Root), "/"), nil
}

// Access asks the kernel.
func (l *Local) Access(path string, mode uint32) bool {
	real, err := l.real(path, true)
	return err == nil && unix.Faccessat(unix.AT_FDCWD, real, mode, unix.AT_EACCESS) == nil
}

// Assumed knows nothing: this is the real machine.
func (l *Local) Assumed(kind, name string) (string, bool) { return "", false }

// Assume, AssumeUser and AssumeGroup do nothing: this is the real machine.
func (l *Local) Assume(kind, name, state string) {}

// AssumeUser does nothing.
func (l *Local) AssumeUser(u User) {}

// AssumeGroup does nothing.
func (l *Local) AssumeGroup(g Group) {}

// UID is the effective user.
func (l *Local) UID() int { return os.Geteuid() }

// Umask is the mask for new files.
func (l *Local) Umask() uint32 { return l.umask }

// Now is the machine's clock.
func (l *Local) Now() time.Time { return time.Now() }

// IsCheck is false.
func (l *Local) IsCheck() bool { return false }

// Getenv gives a variable of the task's environment.
func (l *Local) Getenv(name string) string {
	if v, ok := l.opts.Env[name]; ok {
		return v
	}
	return os.Getenv(name)
}

// Environ gives the task's environment.
func (l *Local) Environ() []string { return mergeEnv(os.Environ(), l.opts.Env) }

func mergeEnv(env []string, over map[string]string) []string {
	out := make([]string, 0, len(env)+len(over))
	for _, kv := range env {
		k, _, _ := strings.Cut(kv, "=")
		if _, ok := over[k]; !ok {
			out = append(out, kv)
		}
	}
	names := make([]string, 0, len(over))
	for k := range over {
		names = append(names, k)
	}
	sort.Strings(names)
	for _, k := range names {
		out = append(out, k+"="+over[k])
	}
	return out
}
