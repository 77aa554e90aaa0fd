package node

import (
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Mkdir makes a directory with exactly this mode.
func (l *Local) Mkdir(path string, mode uint32) error {
	real, err := l.real(path, false)
	if err != nil {
		return l.named(err, path)
	}
	if err := os.Mkdir(real, 0o700); err != nil {
		return l.named(err, path)
	}
	l.disown(real)
	if err := chmod(real, mode); err != nil {
		return err
	}
	return syncDir(filepath.Dir(real))
}

// Remove removes a file or an empty directory.
func (l *Local) Remove(path string) error {
	real, err := l.real(path, false)
	if err != nil {
		return l.named(err, path)
	}
	return l.named(os.Remove(real), path)
}

// RemoveAll removes path and what is below it. What is not there is no error.
func (l *Local) RemoveAll(path string) error {
	real, err := l.real(path, false)
	if err != nil {
		if isNotExist(err) {
			return nil
		}
		return l.named(err, path)
	}
	return l.named(os.RemoveAll(real), path)
}

// Rename moves within a file system.
func (l *Local) Rename(oldpath, newpath string) error {
	return l.pair(os.Rename, oldpath, newpath)
}

// pair calls f for the real places of two paths, and sees that the second lasts.
func (l *Local) pair(f func(from, to string) error, oldpath, newpath string) error {
	from, err := l.real(oldpath, false)
	if err != nil {
		return l.named(err, oldpath)
	}
	to, err := l.real(newpath, false)
	if err != nil {
		return l.named(err, newpath)
	}
	if err := f(from, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

// Symlink makes path a link to target.
func (l *Local) Symlink(target, path string) error {
	real, err := l.real(path, false)
	if err != nil {
		return l.named(err, path)
	}
	if err := os.Symlink(target, real); err != nil {
		return err
	}
	l.disown(real)
	return syncDir(filepath.Dir(real))
}

// Link makes newpath a second name of oldpath.
func (l *Local) Link(oldpath, newpath string) error {
	return l.pair(os.Link, oldpath, newpath)
}

// Chmod sets the mode. Links have none: a link is left alone.
func (l *Local) Chmod(path string, mode uint32) error {
	real, err := l.real(path, false)
	if err != nil {
		return l.named(err, path)
	}
	return l.named(chmod(real, mode), path)
}

// chmod goes through a handle, so that nobody can put a link in between.
func chmod(real string, mode uint32) error {
	fd, err := unix.Open(real, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "chmod", Path: real, Err: err}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return &os.PathError{Op: "chmod", Path: real, Err: err}
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return nil
	}
	if err := unix.Chmod("/proc/self/fd/"+strconv.Itoa(fd), mode); err != nil {
		return &os.PathError{Op: "chmod", Path: real, Err: err}
	}
	return nil
}

// Chown sets owner and group of a file, or of a link itself.
func (l *Local) Chown(path string, uid, gid int) error {
	real, err := l.real(path, false)
	if err != nil {
		return l.named(err, path)
	}
	if l.opts.Owners == nil {
		return l.named(os.Lchown(real, uid, gid), path)
	}
	i, err := l.Lstat(path)
	if err == nil {
		l.opts.Owners.SetOwner(i.Dev, i.Inode, uid, gid)
	}
	return err
}

// Chtimes sets the times.
func (l *Local) Chtimes(path string, atime, mtime time.Time) error {
	real, err := l.real(path, false)
	if err != nil {
		return l.named(err, path)
	}
	times := []unix.Timespec{timespec(atime), timespec(mtime)}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, real, times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &os.PathError{Op: "chtimes", Path: path, Err: err}
	}
	return nil
}

func timespec(t time.Time) unix.Timespec {
	if t.IsZero() {
		return unix.Timespec{Nsec: unix.UTIME_OMIT}
	}
	ts, err := unix.TimeToTimespec(t)
	if err != nil {
		return unix.Timespec{Nsec: unix.UTIME_NOW}
	}
	return ts
}

// Attrs reads the attributes of a file or directory.
func (l *Local) Attrs(path string) (Attrs, error) {
	real, err := l.real(path, true)
	if err != nil {
		return Attrs{}, l.named(err, path)
	}
	f, err := os.OpenFile(real, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return Attrs{}, l.named(err, path)
	}
	defer f.Close()
	flags, err := unix.IoctlGetUint32(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil {
		return Attrs{}, &os.PathError{Op: "lsattr", Path: path, Err: err}
	}
	// FS_IOC_GETVERSION, on 64 bit machines; many file systems have none.
	version, err := unix.IoctlGetUint32(int(f.Fd()), 0x80087601)
	if err != nil {
		version = 0
	}
	return Attrs{Flags: flags, Version: version}, nil
}

// SetAttrs writes the flags.
func (l *Local) SetAttrs(path string, flags uint32) error {
	real, err := l.real(path, true)
	if err != nil {
		return l.named(err, path)
	}
	f, err := os.OpenFile(real, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return l.named(err, path)
	}
	defer f.Close()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, int(flags)); err != nil {
		return &os.PathError{Op: "chattr", Path: path, Err: err}
	}
	return nil
}

// Sync flushes the file system that holds path.
func (l *Local) Sync(path string) error {
	real, err := l.real(path, true)
	if err != nil {
		return l.named(err, path)
	}
	f, err := os.Open(real)
	if err != nil {
		return l.named(err, path)
	}
	defer f.Close()
	return unix.Syncfs(int(f.Fd()))
}
