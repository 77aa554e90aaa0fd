// Package node is all that a module may read (Reader) and change (Writer) on a
// managed node. Local is the machine itself; Overlay lies over a Reader in
// check mode and keeps changes in memory; nodetest has a strict double.
package node

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"time"
)

// Info describes a file. It is what lstat gives, plus names.
type Info struct {
	Path   string
	Type   fs.FileMode // type bits only; 0 is a regular file
	Mode   uint32      // permission bits with setuid, setgid, sticky: 04755
	UID    int
	GID    int
	Owner  string // name, or the number as text where there is none
	Group  string
	Size   int64
	MTime  time.Time
	ATime  time.Time
	CTime  time.Time
	Inode  uint64
	Dev    uint64
	NLink  uint64
	Target string // of a symbolic link
}

// The type bits of what is neither regular nor special.
const (
	DirType  = fs.ModeDir
	LinkType = fs.ModeSymlink
)

// IsDir is true for a directory itself, not for a link to one.
func (i Info) IsDir() bool { return i.Type == fs.ModeDir }

// IsRegular is true for a plain file.
func (i Info) IsRegular() bool { return i.Type == 0 }

// IsLink is true for a symbolic link, which only Lstat gives.
func (i Info) IsLink() bool { return i.Type == fs.ModeSymlink }

// ErrUnknown is the error of a read whose answer depends on something that has
// not really happened: check mode knows that a download would be there, but not
// what is in it. A module passes it on; the task then reports that it cannot know.
var ErrUnknown = errors.New("cannot be known in check mode")

// UnknownContent stands for content that only a real run could have (a
// download). The overlay records a file whose content is unknown.
var UnknownContent io.Reader = unknownReader{}

type unknownReader struct{}

func (unknownReader) Read([]byte) (int, error) { return 0, ErrUnknown }

// Attrs are the file attributes that lsattr shows.
type Attrs struct {
	Flags   uint32
	Version uint32
}

// AnyOf is the kind to ask Assumed with whether anything of a kind was assumed
// at all: Assumed(AnyOf, "package"), or Assumed(AnyOf, "command") for commands
// that did not run. Files may come from them that the overlay cannot show.
const AnyOf = "any"

// Command is a program to run: argv, never a shell line.
type Command struct {
	Argv  []string
	Dir   string            // "" is the worker's own
	Env   map[string]string // added to the task's environment
	Stdin []byte
	// Output, if set, receives stdout and stderr as they come (live view).
	Output func(p []byte)
}

// Result of a command that ran. A non-zero RC is not an error of Run or Query.
type Result struct {
	RC     int
	Stdout []byte
	Stderr []byte
	Start  time.Time
	End    time.Time
	// Unknown: check mode, the command did not run and its outcome cannot be known.
	Unknown bool
}

// User is an entry of passwd (and shadow where it can be read).
type User struct {
	Name, Passwd, Gecos, Home, Shell string
	UID, GID                         int
}

// Group is an entry of group.
type Group struct {
	Name    string
	GID     int
	Members []string
}

// Reader is what a module may use to find out how the node is. Missing files
// give an error that is fs.ErrNotExist.
type Reader interface {
	// Lstat does not follow a link at the end of path, Stat does.
	Lstat(path string) (Info, error)
	Stat(path string) (Info, error)
	ReadFile(path string) ([]byte, error)
	Open(path string) (io.ReadCloser, error)
	// ReadDir lists names, sorted.
	ReadDir(path string) ([]Info, error)
	// EvalSymlinks gives the real path.
	EvalSymlinks(path string) (string, error)
	// Query runs a program that only reads. The strict double fails on one that
	// is not expected; the overlay runs it as it is.
	Query(ctx context.Context, c Command) (Result, error)
	// LookPath finds a program in the node's PATH plus the sbin directories.
	LookPath(name string) (string, error)
	// Users and Groups are the node's, through the overlay: nil, fs.ErrNotExist when unknown.
	LookupUser(name string) (*User, error)
	LookupGroup(name string) (*Group, error)
	LookupUID(uid int) (*User, error)
	LookupGID(gid int) (*Group, error)
	// Assumed gives what an earlier task of this check run would have brought
	// about (see Writer.Assume). ok is false on a real node.
	Assumed(kind, name string) (state string, ok bool)
	// Attrs gives the attributes lsattr shows; an error where the file system has none.
	Attrs(path string) (Attrs, error)
	// Access says whether the worker's user may read (4), write (2) or run (1) path.
	Access(path string, mode uint32) bool
	// UID is the effective user, Umask the mask for new files.
	UID() int
	Umask() uint32
	// Getenv and Environ give the task's environment.
	Getenv(name string) string
	Environ() []string
	Now() time.Time
	// IsCheck says that changes go nowhere: for the rare message, never for a decision what to do.
	IsCheck() bool
}

// WriteOptions say how a file is put in place. Negative or nil: keep what an
// existing file has, otherwise the default (umask, the worker's user).
type WriteOptions struct {
	Mode  *uint32
	UID   int // -1: keep
	GID   int // -1: keep
	MTime time.Time
	// Validate, if set, is run on the temporary file before it is put in place:
	// argv in which %s stands for the path.
	Validate []string
	// ReplaceLink: a symbolic link at path gives way to the file. Otherwise the
	// file that the link points to is written.
	ReplaceLink bool
	// Bulk leaves out the flush to disk; the caller ends with Writer.Sync.
	Bulk bool
	// Unsafe writes in place where a rename is impossible (bind-mounted files).
	Unsafe bool
}

// Keep is WriteOptions that change neither owner nor mode.
func Keep() WriteOptions { return WriteOptions{UID: -1, GID: -1} }

// Writer changes the node. Every write is atomic and durable: temporary file
// in the same directory, fsync, rename; owner, mode and extended attributes of
// an existing file are kept.
type Writer interface {
	Reader
	WriteFile(ctx context.Context, path string, content io.Reader, o WriteOptions) error
	// Mkdir makes one directory; its parent must exist.
	Mkdir(path string, mode uint32) error
	Remove(path string) error
	RemoveAll(path string) error
	Rename(oldpath, newpath string) error
	Symlink(target, path string) error
	Link(oldpath, newpath string) error
	// Symlink, Link and Mkdir fail when path exists; for a replacement in one
	// step make it under another name and Rename.
	// Chmod and Chown do not follow a link at the end of path.
	Chmod(path string, mode uint32) error
	Chown(path string, uid, gid int) error // -1: keep
	// Chtimes leaves a zero time as it is, and does not follow a link.
	Chtimes(path string, atime, mtime time.Time) error
	SetAttrs(path string, flags uint32) error
	// Sync flushes the file system that holds path.
	Sync(path string) error
	// Run runs a program that may change the node. In check mode it is not run
	// and the Result says Unknown.
	Run(ctx context.Context, c Command) (Result, error)
	// Assume tells the overlay what a change would have brought about that its
	// files cannot show: kind "package", "unit", "unit-enabled", "user", "group",
	// "mount", "sysctl", "module"; state in the module's own words ("present",
	// "absent", "started"). On a real node it does nothing.
	Assume(kind, name, state string)
	// AssumeUser and AssumeGroup tell the overlay of an account that would exist.
	AssumeUser(u User)
	AssumeGroup(g Group)
}
