package node

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"mageprov/internal/fault"
)

// WriteFile puts content at path in one step.
func (l *Local) WriteFile(ctx context.Context, path string, content io.Reader, o WriteOptions) error {
	real, err := l.real(path, !o.ReplaceLink)
	if err == nil && l.opts.Root == "" && !o.ReplaceLink {
		real, err = followLink(path)
	}
	if err != nil {
		return l.named(err, path)
	}
	old, err := os.Lstat(real)
	switch {
	case err == nil && old.IsDir():
		return &fs.PathError{Op: "write", Path: path, Err: syscall.EISDIR}
	case err == nil && !old.Mode().IsRegular() && old.Mode()&fs.ModeSymlink == 0:
		return fmt.Errorf("%s is not a regular file", path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return l.named(err, path)
	case err != nil || old.Mode()&fs.ModeSymlink != 0:
		old = nil
	}
	tmp, err := createTemp(real)
	if err != nil {
		if o.Unsafe && old != nil {
			return l.inPlace(real, content, o)
		}
		return l.named(err, path)
	}
	defer func() {
		tmp.Close()
		os.Remove(tmp.Name()) // gone after the rename
	}()
	if err := l.fill(ctx, tmp, real, old, content, o); err != nil {
		if _, refused := err.(*Invalid); refused {
			return err
		}
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := os.Rename(tmp.Name(), real); err != nil {
		return l.afterRename(err, path, real, tmp.Name(), o)
	}
	if o.Bulk {
		return nil
	}
	return syncDir(filepath.Dir(real))
}

// followLink gives the path a file is written to: where links at the end of
// path lead, even to what does not exist yet.
func followLink(path string) (string, error) {
	for range maxLinks {
		target, err := os.Readlink(path)
		if err != nil {
			return path, nil
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return "", &fs.PathError{Op: "open", Path: path, Err: syscall.ELOOP}
}

// createTemp makes the temporary file. Its name begins with a dot and ends at
// random, so that no drop-in directory takes it for one of its own.
func createTemp(path string) (*os.File, error) {
	dir, base := filepath.Split(path)
	if len(base) > 200 {
		base = base[:200]
	}
	var r [6]byte
	rand.Read(r[:])
	return os.OpenFile(dir+"."+base+"."+hex.EncodeToString(r[:]), os.O_RDWR|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
}

// fill writes, validates and flushes the temporary file.
func (l *Local) fill(ctx context.Context, tmp *os.File, real string, old fs.FileInfo, content io.Reader, o WriteOptions) error {
	if _, err := io.Copy(tmp, content); err != nil {
		return err
	}
	if err := l.dress(tmp, real, old, o); err != nil {
		return err
	}
	if !o.MTime.IsZero() {
		if err := os.Chtimes(tmp.Name(), o.MTime, o.MTime); err != nil {
			return err
		}
	}
	if len(o.Validate) > 0 {
		if err := l.validate(ctx, tmp.Name(), o.Validate); err != nil {
			return err
		}
	}
	if o.Bulk {
		return nil
	}
	return tmp.Sync()
}

// dress gives the temporary file its owner, attributes and mode, in this order:
// a change of owner drops setuid, and a mode must come after an ACL.
func (l *Local) dress(tmp *os.File, real string, old fs.FileInfo, o WriteOptions) error {
	mode := 0o666 &^ l.umask
	uid, gid := o.UID, o.GID
	l.disown(tmp.Name())
	if old != nil {
		st := old.Sys().(*syscall.Stat_t)
		mode = st.Mode & 0o7777
		oldUID, oldGID := int(st.Uid), int(st.Gid)
		if l.opts.Owners != nil {
			oldUID, oldGID = l.opts.Owners.Owner(uint64(st.Dev), st.Ino)
		}
		// A plain user who may write the directory cannot give files away: the
		// file becomes theirs, as with any editor.
		for _, e := range []error{l.fchown(tmp, oldUID, -1), l.fchown(tmp, -1, oldGID)} {
			if e != nil && !errors.Is(e, fs.ErrPermission) {
				return e
			}
		}
		copyXattrs(real, tmp)
	}
	if uid >= 0 || gid >= 0 {
		if err := l.fchown(tmp, uid, gid); err != nil {
			return err
		}
	}
	if o.Mode != nil {
		mode = *o.Mode
	}
	return unix.Fchmod(int(tmp.Fd()), mode)
}

// disown makes a new file root's where owners are kept apart: its inode may
// have been another file's before.
func (l *Local) disown(real string) {
	if l.opts.Owners == nil {
		return
	}
	if fi, err := os.Lstat(real); err == nil {
		st := fi.Sys().(*syscall.Stat_t)
		l.opts.Owners.SetOwner(uint64(st.Dev), st.Ino, 0, 0)
	}
}

func (l *Local) fchown(f *os.File, uid, gid int) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	if l.opts.Owners != nil {
		l.opts.Owners.SetOwner(uint64(st.Dev), st.Ino, uid, gid)
		return nil
	}
	if (uid < 0 || int(st.Uid) == uid) && (gid < 0 || int(st.Gid) == gid) {
		return nil
	}
	return f.Chown(uid, gid)
}

// copyXattrs carries ACLs, labels and user attributes over. Capabilities and
// integrity hashes belong to the old content.
func copyXattrs(from string, to *os.File) {
	list := make([]byte, 64<<10)
	n, err := unix.Llistxattr(from, list)
	if err != nil {
		return
	}
	for _, name := range strings.Split(strings.TrimRight(string(list[:n]), "\x00"), "\x00") {
		if name == "" || name == "security.capability" || name == "security.ima" || name == "security.evm" {
			continue
		}
		val := make([]byte, 64<<10)
		if n, err := unix.Lgetxattr(from, name, val); err == nil {
			unix.Fsetxattr(int(to.Fd()), name, val[:n], 0)
		}
	}
}

func (l *Local) validate(ctx context.Context, tmp string, argv []string) error {
	line := make([]string, len(argv))
	for i, a := range argv {
		line[i] = strings.ReplaceAll(a, "%s", strings.TrimPrefix(tmp, l.opts.Root))
	}
	res, err := l.Run(ctx, Command{Argv: line})
	if err != nil {
		return fmt.Errorf("failed to validate: %w", err)
	}
	return ValidateError(res)
}

// Invalid is the error of WriteFile when the validation command refuses the new
// content.
type Invalid struct{ Result Result }

// Error says it as Ansible's modules for text files do.
func (e *Invalid) Error() string {
	return fmt.Sprintf("failed to validate: rc:%d error:%s", e.Result.RC, strings.TrimSpace(string(e.Result.Stderr)))
}

// ValidateError is the error of a validation command that ended with res, or nil.
func ValidateError(res Result) error {
	if res.RC == 0 {
		return nil
	}
	return &Invalid{res}
}

// afterRename deals with a rename that failed: a file that is itself a mount
// point (containers) can only be written in place, an immutable one not at all.
func (l *Local) afterRename(err error, path, real, tmp string, o WriteOptions) error {
	switch {
	case o.Unsafe && (errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.EXDEV) || errors.Is(err, syscall.EPERM)):
		f, e := os.Open(tmp)
		if e != nil {
			return e
		}
		defer f.Close()
		return l.inPlace(real, f, o)
	case errors.Is(err, syscall.EBUSY):
		return fault.New("writing %s: it is a mount point and cannot be replaced", path).
			WithHint("unsafe_writes: true writes it in place")
	case errors.Is(err, syscall.EPERM):
		if a, e := l.Attrs(path); e == nil && a.Flags&0x30 != 0 {
			return fault.New("writing %s: it has the attribute immutable or append-only", path).
				WithHint("remove it first: chattr -i -a %s", path)
		}
	}
	return l.named(rootPathError(err, path), path)
}

func rootPathError(err error, path string) error {
	var le *os.LinkError
	if errors.As(err, &le) {
		return &fs.PathError{Op: le.Op, Path: path, Err: le.Err}
	}
	return err
}

// inPlace overwrites the file: not atomic, by the user's leave (unsafe_writes).
func (l *Local) inPlace(real string, content io.Reader, o WriteOptions) error {
	f, err := os.OpenFile(real, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(f, content); err != nil {
		return err
	}
	if o.UID >= 0 || o.GID >= 0 {
		if err := l.fchown(f, o.UID, o.GID); err != nil {
			return err
		}
	}
	if o.Mode != nil {
		if err := unix.Fchmod(int(f.Fd()), *o.Mode); err != nil {
			return err
		}
	}
	return f.Sync()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return nil // may be written, but not read: there is no handle to flush
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}
