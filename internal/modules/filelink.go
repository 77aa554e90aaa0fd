package modules

import (
	"context"
	"fmt"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

// link makes the path a symbolic link to src.
func (f *file) link(n node.Reader, i *node.Info) (module.Plan, error) {
	if f.Src == "" {
		if i == nil || !i.IsLink() {
			return module.Plan{}, fault.New("src is required for creating new symlinks")
		}
		f.Src = i.Target // only attributes are wanted
		if t, err := statOrNil(n, f.Path); err != nil || t == nil && f.Follow {
			return f.done(module.Plan{}, "dest"), err // there is nothing to give them to
		}
	}
	target := absolute(f.Path, f.Src)
	t, err := statOrNil(n, target)
	if err != nil {
		return module.Plan{}, err
	}
	have := kindOfPath(i)
	if err := f.mayLink(n, have, t == nil); err != nil {
		return module.Plan{}, err
	}
	var p module.Plan
	if have != "link" || i.Target != f.Src {
		p.Changes = append(p.Changes, stateChange(fmt.Sprintf("link %s to %s", f.Path, f.Src), f.Path, have, "link",
			func(_ context.Context, w node.Writer) error { return f.replaceBy(w, have, w.Symlink, f.Src) }))
	}
	switch {
	case f.Follow && t != nil:
		real := realPath(n, target)
		changes, err := f.changes(n, real, *t)
		if err != nil {
			return p, err
		}
		p.Changes = append(p.Changes, changes...)
	case !f.Follow && i != nil && i.IsLink():
		changes, err := f.changes(n, f.Path, *i)
		if err != nil {
			return p, err
		}
		p.Changes = append(p.Changes, changes...)
	case !f.Follow:
		w, err := f.wish(n, node.Info{Type: node.LinkType})
		if err != nil {
			return p, err
		}
		if w.uid >= 0 || w.gid >= 0 {
			p.Changes = append(p.Changes, module.Change{Quiet: true, What: "set the owner of " + f.Path,
				Apply: func(_ context.Context, nw node.Writer) error { return nw.Chown(f.Path, w.uid, w.gid) }})
		}
	}
	return f.done(p, "dest"), nil
}

// mayLink refuses to lose what is in the way, or to make a link to nowhere.
func (f *file) mayLink(n node.Reader, have string, nowhere bool) error {
	switch {
	case have == "link" && f.Force, have == "absent" && f.Force:
		return nil
	case nowhere && !f.Force && !mayCome(n):
		return fault.New("src file does not exist, use \"force=yes\" if you really want to create the link: %s", absolute(f.Path, f.Src))
	case have == "directory" && !f.Force:
		return fmt.Errorf("refusing to convert from directory to symlink for %s", f.Path)
	case have == "directory":
		infos, err := n.ReadDir(f.Path)
		if err != nil {
			return err
		}
		if len(infos) > 0 {
			return fmt.Errorf("the directory %s is not empty, refusing to convert it", f.Path)
		}
	case (have == "file" || have == "hard") && !f.Force:
		return fmt.Errorf("refusing to convert from %s to symlink for %s", have, f.Path)
	}
	return nil
}

// replaceBy makes a link where something else may be: under another name, then
// moved over it, so that the path is never missing.
func (f *file) replaceBy(w node.Writer, have string, link func(from, to string) error, src string) error {
	switch have {
	case "absent":
		return link(src, f.Path)
	case "directory":
		if err := w.Remove(f.Path); err != nil {
			return err
		}
		return link(src, f.Path)
	}
	tmp := fmt.Sprintf("%s.%d.mageprov", f.Path, w.Now().UnixNano())
	if err := link(src, tmp); err != nil {
		return err
	}
	if err := w.Rename(tmp, f.Path); err != nil {
		w.Remove(tmp)
		return err
	}
	return nil
}

// hard makes the path another name of src.
func (f *file) hard(n node.Reader, i *node.Info) (module.Plan, error) {
	s, err := statOrNil(n, f.Src)
	if err != nil {
		return module.Plan{}, err
	}
	if s == nil {
		return module.Plan{}, notSure(n, fault.New("src does not exist").WithHint("there is no %s", f.Src))
	}
	have := kindOfPath(i)
	same := i != nil && i.Inode == s.Inode && i.Dev == s.Dev
	switch {
	case same:
	case have == "directory":
		return module.Plan{}, fmt.Errorf("refusing to convert from directory to hardlink for %s", f.Path)
	case have == "hard" && !f.Force:
		return module.Plan{}, fault.New("Cannot link, different hard link exists at destination").WithHint("force: true replaces %s", f.Path)
	case have == "file" && !f.Force:
		return module.Plan{}, fault.New("Cannot link, file exists at destination").WithHint("force: true replaces %s", f.Path)
	}
	var p module.Plan
	if !same {
		real := realPath(n, f.Src)
		p.Changes = append(p.Changes, stateChange(fmt.Sprintf("hard link %s to %s", f.Path, f.Src), f.Path, have, "hard",
			func(_ context.Context, w node.Writer) error { return f.replaceBy(w, have, w.Link, real) }))
	}
	changes, err := f.changes(n, f.attrPath(same), *s)
	p.Changes = append(p.Changes, changes...)
	return f.done(p, "dest"), err
}

// attrPath is where the attributes of a hard link are set: both names will do
// once they are the same file.
func (f *file) attrPath(same bool) string {
	if same {
		return f.Path
	}
	return f.Src
}
