package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"syscall"
	"time"
)

// place resolves a path that is to be made or changed and gives what is there,
// nil when nothing is.
func (o *Overlay) place(p string, follow bool) (string, *Info, *entry, error) {
	at, i, e, err := o.find(p, follow)
	if err != nil && (at == "" || !errors.Is(err, fs.ErrNotExist)) {
		return "", nil, nil, err
	}
	if err != nil {
		if at == "/" {
			return at, nil, nil, nil
		}
		d, _, derr := o.at(path.Dir(at))
		if derr != nil {
			return "", nil, nil, derr
		}
		if !d.IsDir() {
			return "", nil, nil, &fs.PathError{Op: "open", Path: p, Err: syscall.ENOTDIR}
		}
		return at, nil, nil, nil
	}
	return at, &i, e, nil
}

// own gives the entry of an existing path, made from the node's where needed.
func (o *Overlay) own(p string, follow bool) (*entry, error) {
	at, i, e, err := o.place(p, follow)
	if err != nil {
		return nil, err
	}
	if i == nil {
		return nil, &fs.PathError{Op: "open", Path: p, Err: syscall.ENOENT}
	}
	if e == nil {
		e = &entry{info: *i, base: at}
		o.state.entries[at] = e
	}
	e.info.CTime = o.now()
	return e, nil
}

// fresh makes an entry for a new path.
func (o *Overlay) fresh(at string, typ fs.FileMode, mode uint32) *entry {
	now := o.now()
	o.state.inode++
	e := &entry{opaque: true, info: Info{
		Type: typ, Mode: mode, UID: o.UID(), MTime: now, ATime: now, CTime: now, Inode: o.state.inode, NLink: 1,
	}}
	if u, err := o.lookupUID(o.UID()); err == nil {
		e.info.GID = u.GID
	}
	if d, _, err := o.at(path.Dir(at)); err == nil {
		e.info.Dev = d.Dev
		if d.Mode&0o2000 != 0 {
			e.info.GID = d.GID
		}
	}
	o.state.entries[at] = e
	return e
}

// WriteFile records a file. Validation commands are not run: they would have to
// write, and may need what is not there yet.
func (o *Overlay) WriteFile(ctx context.Context, p string, content io.Reader, w WriteOptions) error {
	data, size, blank, err := o.take(content)
	if err != nil {
		return fmt.Errorf("writing %s: %w", p, err)
	}
	o.state.mu.Lock()
	defer o.state.mu.Unlock()
	at, old, _, err := o.place(p, !w.ReplaceLink)
	if err != nil {
		return err
	}
	if old != nil && old.IsDir() {
		return &fs.PathError{Op: "write", Path: p, Err: syscall.EISDIR}
	}
	o.release(at)
	e := o.fresh(at, 0, 0o666&^o.Umask())
	if old != nil && !old.IsLink() {
		e.info.Mode, e.info.UID, e.info.GID = old.Mode, old.UID, old.GID
	}
	if w.Mode != nil {
		e.info.Mode = *w.Mode
	}
	if w.UID >= 0 {
		e.info.UID = w.UID
	}
	if w.GID >= 0 {
		e.info.GID = w.GID
	}
	if !w.MTime.IsZero() {
		e.info.MTime = w.MTime
	}
	if e.info.Size = size; o.state.kept+int64(len(data)) > maxKeptTotal {
		blank = true
	}
	if e.blank = blank; !blank {
		e.data = data
		o.state.kept += int64(len(data))
	}
	return nil
}

// take reads content as far as it is worth keeping, and counts the rest.
func (o *Overlay) take(content io.Reader) (data []byte, size int64, blank bool, err error) {
	data, err = io.ReadAll(io.LimitReader(content, maxKeptFile+1))
	if errors.Is(err, ErrUnknown) {
		return nil, 0, true, nil
	}
	if size = int64(len(data)); err != nil || size <= maxKeptFile {
		return data, size, false, err
	}
	rest, err := io.Copy(io.Discard, content)
	return nil, size + rest, true, err
}

// Mkdir records a directory.
func (o *Overlay) Mkdir(p string, mode uint32) error {
	return o.make(p, func(at string) { o.fresh(at, fs.ModeDir, mode).info.NLink = 2 })
}

// Symlink records a link.
func (o *Overlay) Symlink(target, p string) error {
	return o.make(p, func(at string) {
		e := o.fresh(at, fs.ModeSymlink, 0o777)
		e.info.Target, e.info.Size = target, int64(len(target))
	})
}

func (o *Overlay) make(p string, add func(at string)) error {
	o.state.mu.Lock()
	defer o.state.mu.Unlock()
	at, old, _, err := o.place(p, false)
	if err != nil {
		return err
	}
	if old != nil {
		return &fs.PathError{Op: "create", Path: p, Err: syscall.EEXIST}
	}
	add(at)
	return nil
}

// Link gives a file a second name; both share what happens to it later.
func (o *Overlay) Link(oldpath, newpath string) error {
	o.state.mu.Lock()
	defer o.state.mu.Unlock()
	e, err := o.own(oldpath, false)
	if err != nil {
		return err
	}
	if e.info.IsDir() {
		return &fs.PathError{Op: "link", Path: oldpath, Err: syscall.EPERM}
	}
	at, old, _, err := o.place(newpath, false)
	if err != nil {
		return err
	}
	if old != nil {
		return &fs.PathError{Op: "link", Path: newpath, Err: syscall.EEXIST}
	}
	e.info.NLink++
	o.state.entries[at] = e
	return nil
}

// Remove records a removal.
func (o *Overlay) Remove(p string) error {
	o.state.mu.Lock()
	defer o.state.mu.Unlock()
	at, i, _, err := o.place(p, false)
	if err != nil {
		return err
	}
	if i == nil {
		return &fs.PathError{Op: "remove", Path: p, Err: syscall.ENOENT}
	}
	if i.IsDir() {
		children, err := o.list(at)
		if err != nil {
			return err
		}
		if len(children) > 0 {
			return &fs.PathError{Op: "remove", Path: p, Err: syscall.ENOTEMPTY}
		}
	}
	o.release(at)
	o.state.entries[at] = &entry{gone: true}
	return nil
}

// release takes one name from a file that may have several.
func (o *Overlay) release(at string) {
	if e := o.state.entries[at]; e != nil && !e.gone && !e.info.IsDir() {
		e.info.NLink--
	}
}

// RemoveAll records a removal with all that is below.
func (o *Overlay) RemoveAll(p string) error {
	o.state.mu.Lock()
	defer o.state.mu.Unlock()
	at, i, _, err := o.place(p, false)
	if err != nil || i == nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return err
	}
	o.drop(at, true)
	return nil
}

// drop forgets at and all below. gone: the files are removed, not moved.
func (o *Overlay) drop(at string, gone bool) {
	for name := range o.state.entries {
		if within(name, at) {
			if gone {
				o.release(name)
			}
			delete(o.state.entries, name)
		}
	}
	o.state.entries[at] = &entry{gone: true}
}

// Rename records a move, of a directory with all that is in it.
func (o *Overlay) Rename(oldpath, newpath string) error {
	o.state.mu.Lock()
	defer o.state.mu.Unlock()
	from, i, _, err := o.place(oldpath, false)
	if err != nil {
		return err
	}
	if i == nil {
		return &fs.PathError{Op: "rename", Path: oldpath, Err: syscall.ENOENT}
	}
	to, old, _, err := o.place(newpath, false)
	if err != nil {
		return err
	}
	switch {
	case old != nil && old.IsDir():
		return &fs.PathError{Op: "rename", Path: newpath, Err: syscall.EEXIST}
	case old != nil && i.IsDir():
		return &fs.PathError{Op: "rename", Path: newpath, Err: syscall.ENOTDIR}
	case old != nil && old.Inode == i.Inode && old.Dev == i.Dev:
		return nil // two names of one file: both stay
	case within(to, from):
		return &fs.PathError{Op: "rename", Path: newpath, Err: syscall.EINVAL}
	}
	moved := map[string]*entry{}
	if err := o.collect(from, to, moved); err != nil {
		return err
	}
	o.drop(from, false)
	o.drop(to, true)
	for name, e := range moved {
		o.state.entries[name] = e
	}
	return nil
}

// collect gives entries for from and all below it, under their new names.
func (o *Overlay) collect(from, to string, moved map[string]*entry) error {
	i, e, err := o.at(from)
	if err != nil {
		return err
	}
	if e == nil {
		e = &entry{info: i, base: from}
	}
	if i.IsDir() {
		children, err := o.list(from)
		if err != nil {
			return err
		}
		for _, c := range children {
			if err := o.collect(c.Path, path.Join(to, path.Base(c.Path)), moved); err != nil {
				return err
			}
		}
		e.opaque = true
	}
	moved[to] = e
	return nil
}

// change edits what is known of an existing path; links are not followed.
func (o *Overlay) change(p string, edit func(i *Info)) error {
	o.state.mu.Lock()
	defer o.state.mu.Unlock()
	e, err := o.own(p, false)
	if err == nil {
		edit(&e.info)
	}
	return err
}

// Chmod records a mode. A link has none.
func (o *Overlay) Chmod(p string, mode uint32) error {
	return o.change(p, func(i *Info) {
		if !i.IsLink() {
			i.Mode = mode
		}
	})
}

// Chown records owner and group.
func (o *Overlay) Chown(p string, uid, gid int) error {
	return o.change(p, func(i *Info) {
		if uid >= 0 {
			i.UID = uid
		}
		if gid >= 0 {
			i.GID = gid
		}
	})
}

// Chtimes records times.
func (o *Overlay) Chtimes(p string, atime, mtime time.Time) error {
	return o.change(p, func(i *Info) {
		if !atime.IsZero() {
			i.ATime = atime
		}
		if !mtime.IsZero() {
			i.MTime = mtime
		}
	})
}

// SetAttrs records attributes.
func (o *Overlay) SetAttrs(p string, flags uint32) error {
	o.state.mu.Lock()
	defer o.state.mu.Unlock()
	e, err := o.own(p, true)
	if err == nil {
		e.attrs = &Attrs{Flags: flags}
	}
	return err
}

// Assume records what a change would have brought about.
func (o *Overlay) Assume(kind, name, state string) {
	o.state.mu.Lock()
	defer o.state.mu.Unlock()
	o.state.assumed[[2]string{kind, name}] = state
	if state != "absent" {
		o.state.assumed[[2]string{AnyOf, kind}] = state
	}
}

// AssumeUser records an account. Assume("user", name, "absent") takes it away.
func (o *Overlay) AssumeUser(u User) {
	o.state.mu.Lock()
	defer o.state.mu.Unlock()
	o.state.assumed[[2]string{"user", u.Name}] = "present"
	for i := range o.state.users {
		if o.state.users[i].Name == u.Name {
			o.state.users[i] = u
			return
		}
	}
	o.state.users = append(o.state.users, u)
}

// AssumeGroup records a group. Assume("group", name, "absent") takes it away.
func (o *Overlay) AssumeGroup(g Group) {
	o.state.mu.Lock()
	defer o.state.mu.Unlock()
	o.state.assumed[[2]string{"group", g.Name}] = "present"
	for i := range o.state.groups {
		if o.state.groups[i].Name == g.Name {
			o.state.groups[i] = g
			return
		}
	}
	o.state.groups = append(o.state.groups, g)
}

func (o *Overlay) userGone(name string) bool {
	return o.state.assumed[[2]string{"user", name}] == "absent"
}

func (o *Overlay) groupGone(name string) bool {
	return o.state.assumed[[2]string{"group", name}] == "absent"
}

// LookupUser finds a user by name.
func (o *Overlay) LookupUser(name string) (*User, error) {
	o.state.mu.Lock()
	defer o.state.mu.Unlock()
	if o.userGone(name) {
		return nil, fs.ErrNotExist
	}
	for _, u := range o.state.users {
		if u.Name == name {
			return &u, nil
		}
	}
	return o.Reader.LookupUser(name)
}

// LookupUID finds a user by number.
func (o *Overlay) LookupUID(uid int) (*User, error) {
	o.state.mu.Lock()
	defer o.state.mu.Unlock()
	return o.lookupUID(uid)
}

func (o *Overlay) lookupUID(uid int) (*User, error) {
	for _, u := range o.state.users {
		if u.UID == uid && !o.userGone(u.Name) {
			return &u, nil
		}
	}
	u, err := o.Reader.LookupUID(uid)
	if err == nil && o.userGone(u.Name) {
		return nil, fs.ErrNotExist
	}
	return u, err
}

// LookupGroup finds a group by name.
func (o *Overlay) LookupGroup(name string) (*Group, error) {
	o.state.mu.Lock()
	defer o.state.mu.Unlock()
	if o.groupGone(name) {
		return nil, fs.ErrNotExist
	}
	for _, g := range o.state.groups {
		if g.Name == name {
			return &g, nil
		}
	}
	return o.Reader.LookupGroup(name)
}

// LookupGID finds a group by number.
func (o *Overlay) LookupGID(gid int) (*Group, error) {
	o.state.mu.Lock()
	defer o.state.mu.Unlock()
	return o.lookupGID(gid)
}

func (o *Overlay) lookupGID(gid int) (*Group, error) {
	for _, g := range o.state.groups {
		if g.GID == gid && !o.groupGone(g.Name) {
			return &g, nil
		}
	}
	g, err := o.Reader.LookupGID(gid)
	if err == nil && o.groupGone(g.Name) {
		return nil, fs.ErrNotExist
	}
	return g, err
}

func (o *Overlay) userName(uid int) string {
	if u, err := o.lookupUID(uid); err == nil {
		return u.Name
	}
	return strconv.Itoa(uid)
}

func (o *Overlay) groupName(gid int) string {
	if g, err := o.lookupGID(gid); err == nil {
		return g.Name
	}
	return strconv.Itoa(gid)
}
