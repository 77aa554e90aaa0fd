package modules

import (
	"context"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

// want is what an entry's mode and owner shall be: the task's, else the archive's.
func (x *unpacker) want(n node.Reader, it item, have *node.Info) (fileWish, error) {
	base := node.Info{Mode: 0o666 &^ n.Umask(), UID: -1, GID: -1}
	if it.Kind == 'd' {
		base = node.Info{Type: node.DirType, Mode: 0o777 &^ n.Umask(), UID: -1, GID: -1}
	}
	if it.Mode != 0 {
		base.Mode = it.Mode
		if n.UID() != 0 {
			base.Mode &^= n.Umask()
		}
	} else if have != nil {
		base.Mode = have.Mode
	}
	w, err := x.wish(n, base)
	if err != nil {
		return w, err
	}
	if w.mode == nil && it.Kind != 'l' {
		mode := base.Mode
		w.mode = &mode
	}
	if n.UID() == 0 && !x.noOwn && it.UID >= 0 {
		if w.uid < 0 {
			if w.uid = it.UID; it.User != "" {
				if u, err := n.LookupUser(it.User); err == nil {
					w.uid = u.UID
				}
			}
		}
		if w.gid < 0 {
			if w.gid = it.GID; it.Group != "" {
				if g, err := n.LookupGroup(it.Group); err == nil {
					w.gid = g.GID
				}
			}
		}
	}
	return w, nil
}

// differs says whether an entry is not on the node as it is in the archive.
func (x *unpacker) differs(it item) (bool, error) {
	if err := x.inside(x.n, it.at); err != nil {
		return false, err
	}
	have, err := lstatOrNil(x.n, it.at)
	if err != nil || have == nil {
		return have == nil, err
	}
	if x.KeepNewer && have.IsRegular() && have.MTime.Unix() > it.MTime {
		return false, nil
	}
	switch it.Kind {
	case 'h':
		target, ok, err := x.linked(it)
		if err != nil || !ok {
			return false, err
		}
		t, err := lstatOrNil(x.n, target)
		return t == nil || t.Inode != have.Inode, err
	case 'l':
		if !have.IsLink() || have.Target != it.Target {
			return true, nil
		}
	case 'd':
		if !have.IsDir() {
			return true, nil
		}
	default:
		if !have.IsRegular() || have.Size != it.Size || have.MTime.Unix() != it.MTime {
			return true, nil
		}
	}
	w, err := x.want(x.n, it, have)
	return w.mode != nil && *w.mode != have.Mode || w.uid >= 0 && w.uid != have.UID || w.gid >= 0 && w.gid != have.GID, err
}

// linked gives the path of the entry that a hard link names.
func (x *unpacker) linked(it item) (string, bool, error) {
	name, ok, err := x.sel.place(member{Name: it.Target, Kind: 'f'})
	return path.Join(x.root, name), ok, err
}

// inside refuses a path whose directory is, by a link on the node, outside of
// the destination.
func (x *unpacker) inside(n node.Reader, at string) error {
	if at == x.root {
		return nil
	}
	for dir := path.Dir(at); dir != x.root; dir = path.Dir(dir) {
		i, err := lstatOrNil(n, dir)
		if err != nil {
			return err
		}
		if i == nil || !i.IsLink() {
			continue
		}
		real, err := n.EvalSymlinks(dir)
		if err != nil || real != x.root && !strings.HasPrefix(real, x.root+"/") {
			return fault.New("%s is not unpacked: %s is a link that leads out of %s", at, dir, x.Dest)
		}
	}
	return nil
}

// extract writes what differs. Files are flushed together at the end.
func (x *unpacker) extract(ctx context.Context, w node.Writer) error {
	var dirs []item
	k := 0
	err := x.walk(w, func(m member, content io.Reader) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		_, ok, err := x.sel.place(m)
		if err != nil || !ok {
			return err
		}
		it := x.items[k]
		k++
		if it.Name != m.Name {
			return fmt.Errorf("%s changed while it was read", x.Src)
		}
		if !x.differ[it.at] {
			return nil
		}
		if it.Kind == 'd' {
			dirs = append(dirs, it)
		}
		return x.put(ctx, w, it, content)
	})
	if err != nil {
		return err
	}
	for k := len(dirs) - 1; k >= 0; k-- { // the innermost first: writing into one changes its time
		if err := w.Chtimes(dirs[k].at, time.Time{}, time.Unix(dirs[k].MTime, 0)); err != nil {
			return err
		}
	}
	return w.Sync(x.root)
}

// put writes one entry.
func (x *unpacker) put(ctx context.Context, w node.Writer, it item, content io.Reader) error {
	if err := x.inside(w, it.at); err != nil {
		return err
	}
	have, err := lstatOrNil(w, it.at)
	if err != nil {
		return err
	}
	if err := x.parents(w, path.Dir(it.at)); err != nil {
		return err
	}
	wish, err := x.want(w, it, have)
	if err != nil {
		return err
	}
	if have != nil && (it.Kind == 'l' || it.Kind == 'h' || have.IsDir() != (it.Kind == 'd')) {
		if err := w.Remove(it.at); err != nil {
			return fault.Wrap(err, "replacing %s", it.at)
		}
		have = nil
	}
	switch it.Kind {
	case 'd':
		if have == nil {
			return makeDirectory(w, it.at, *wish.mode, wish)
		}
		return apply(w, it.at, *have, wish)
	case 'l':
		if err := w.Symlink(it.Target, it.at); err != nil {
			return err
		}
		if wish.uid >= 0 || wish.gid >= 0 {
			return w.Chown(it.at, wish.uid, wish.gid)
		}
		return nil
	case 'h':
		target, ok, err := x.linked(it)
		if err != nil || !ok {
			return err
		}
		return w.Link(target, it.at)
	}
	return w.WriteFile(ctx, it.at, content, node.WriteOptions{
		Mode: wish.mode, UID: wish.uid, GID: wish.gid, MTime: time.Unix(it.MTime, 0), ReplaceLink: true, Bulk: true,
	})
}

// apply gives a directory that is there its mode and owner.
func apply(w node.Writer, at string, have node.Info, wish fileWish) error {
	if wish.uid >= 0 && wish.uid != have.UID || wish.gid >= 0 && wish.gid != have.GID {
		if err := w.Chown(at, wish.uid, wish.gid); err != nil {
			return err
		}
	}
	if wish.mode != nil && *wish.mode != have.Mode {
		return w.Chmod(at, *wish.mode)
	}
	return nil
}

// parents makes directories that the archive does not name.
func (x *unpacker) parents(w node.Writer, dir string) error {
	if dir == x.root {
		return nil
	}
	if _, err := w.Stat(dir); err == nil {
		return nil
	}
	if err := x.parents(w, path.Dir(dir)); err != nil {
		return err
	}
	return w.Mkdir(dir, 0o777&^w.Umask())
}

// withTar leaves it to the node's tar program: compressions and options that
// only it knows. tar refuses names and links that lead out by itself.
func (x *unpacker) withTar(ctx context.Context) (module.Plan, error) {
	if x.file == "" {
		return module.Plan{}, fault.New("internal: the archive was not uploaded")
	}
	if x.kind == "zip" {
		return module.Plan{}, fault.New("extra_opts of unzip are not supported: %s", strings.Join(x.ExtraOpts, " "))
	}
	prog, err := x.n.LookPath("tar")
	if err != nil {
		return module.Plan{}, fault.Wrap(err, "unpacking %s", x.Src)
	}
	args := append([]string{"-C", x.Dest}, x.ExtraOpts...)
	if x.KeepNewer {
		args = append(args, "--keep-newer-files")
	}
	for _, e := range x.Exclude {
		args = append(args, "--exclude="+e)
	}
	args = append(append(args, "-f", x.file), x.Include...)
	list, err := x.n.Query(ctx, node.Command{Argv: append([]string{prog, "--list", "--show-transformed-names"}, args...)})
	if err == nil && list.RC != 0 {
		err = fmt.Errorf("unpacking %s: %s", x.Src, strings.TrimSpace(string(list.Stderr)))
	}
	if err != nil {
		return module.Plan{}, err
	}
	for _, line := range strings.Split(strings.TrimSpace(string(list.Stdout)), "\n") {
		x.names = append(x.names, line)
	}
	diff, err := x.n.Query(ctx, node.Command{Argv: append([]string{prog, "--diff"}, args...)})
	if err != nil {
		return module.Plan{}, err
	}
	p := module.Plan{Return: x.result(), After: x.after}
	if diff.RC == 0 || !x.tarDiffers(string(diff.Stdout)+string(diff.Stderr)) {
		p.Changes, err = x.dressAll(x.n)
		return p, err
	}
	p.Changes = []module.Change{{What: "unpack " + x.Src + " into " + x.Dest, Apply: func(ctx context.Context, w node.Writer) error {
		res, err := w.Run(ctx, node.Command{Argv: append([]string{prog, "--extract"}, args...)})
		if err == nil && res.RC != 0 {
			err = fmt.Errorf("failed to unpack %s to %s: %s", x.Src, x.Dest, strings.TrimSpace(string(res.Stderr)))
		}
		if err != nil || res.Unknown {
			return err
		}
		steps, err := x.dressAll(w)
		for _, s := range steps {
			if err == nil {
				err = s.Apply(ctx, w)
			}
		}
		return err
	}}}
	return p, nil
}

// dressAll gives the steps that set the task's mode and owner on what tar has
// unpacked.
func (x *unpacker) dressAll(n node.Reader) ([]module.Change, error) {
	var out []module.Change
	for _, name := range x.names {
		at := path.Join(x.root, path.Clean("/"+fmt.Sprint(name)))
		i, err := lstatOrNil(n, at)
		if err != nil {
			return nil, err
		}
		if i == nil {
			continue
		}
		steps, err := x.changes(n, at, *i)
		if err != nil {
			return nil, err
		}
		out = append(out, steps...)
	}
	return out, nil
}

// tarDiffers reads what tar --diff said; what the task sets itself, or what a
// plain user cannot set, does not count.
func (x *unpacker) tarDiffers(said string) bool {
	plain := x.n.UID() != 0 || x.noOwn
	for _, line := range strings.Split(said, "\n") {
		switch {
		case line == "",
			strings.HasSuffix(line, ": Uid differs") && (x.Owner != "" || plain),
			strings.HasSuffix(line, ": Gid differs") && (x.Group != "" || plain),
			strings.HasSuffix(line, ": Mode differs") && (x.Mode != "" || plain):
			continue
		}
		return true
	}
	return false
}
