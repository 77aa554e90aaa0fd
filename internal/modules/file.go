package modules

import (
	"context"
	"fmt"
	"path"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{Name: "ansible.builtin.file", New: func() any {
		return &file{Follow: true, AccessTimeFormat: stampFormat, ModificationTimeFormat: stampFormat}
	}})
}

// file sets attributes of files, makes directories and links, and removes.
type file struct {
	FileArgs
	Path                   string `arg:"path,required" alias:"dest,name"`
	State                  string `arg:"state" choices:"absent,directory,file,hard,link,touch"`
	Src                    string `arg:"src"`
	Recurse                bool   `arg:"recurse"`
	Force                  bool   `arg:"force"`
	Follow                 bool   `arg:"follow"`
	AccessTime             string `arg:"access_time"`
	AccessTimeFormat       string `arg:"access_time_format"`
	ModificationTime       string `arg:"modification_time"`
	ModificationTimeFormat string `arg:"modification_time_format"`
}

// Validate refuses what cannot go together.
func (f *file) Validate() error {
	switch {
	case f.Recurse && f.State != "directory" && f.State != "":
		return fault.New("recurse option requires state to be 'directory'")
	case f.Src != "" && f.State != "" && f.State != "link" && f.State != "hard":
		return fault.New("src option requires state to be 'link' or 'hard'")
	case f.Src == "" && f.State == "hard":
		return fault.New("src is required for creating new hardlinks")
	}
	return nil
}

// kindOfPath is Ansible's word for what is at a path.
func kindOfPath(i *node.Info) string {
	switch {
	case i == nil:
		return "absent"
	case i.IsLink():
		return "link"
	case i.IsDir():
		return "directory"
	case i.NLink > 1:
		return "hard"
	}
	return "file"
}

// Check finds out what is at the path and leaves the rest to the state.
func (f *file) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	f.Path, f.Src = cleanPath(expandWord(n, f.Path)), expandWord(n, f.Src)
	i, err := lstatOrNil(n, f.Path)
	if err != nil {
		return module.Plan{}, err
	}
	have, state := kindOfPath(i), f.State
	if state == "" {
		switch state = have; {
		case have == "absent" && f.Recurse:
			state = "directory"
		case have == "absent", have == "hard":
			state = "file"
		}
	}
	var p module.Plan
	switch state {
	case "absent":
		p, err = f.absent(i)
	case "directory":
		p, err = f.directory(n, i)
	case "link":
		p, err = f.link(n, i)
	case "hard":
		p, err = f.hard(n, i)
	case "touch":
		p, err = f.touch(n, i)
	default:
		p, err = f.file(n, i)
	}
	if err != nil {
		return module.Plan{Return: f.failed(n, state, i)}, err
	}
	return p, nil
}

// failed is what is returned beside an error: the path under the name that the
// state gives it, and what is there.
func (f *file) failed(n node.Reader, state string, i *node.Info) map[string]any {
	ret := map[string]any{"path": f.Path}
	switch {
	case state == "hard":
		ret = map[string]any{"dest": f.Path, "src": f.Src}
	case state == "link" && i == nil && f.Src != "":
		ret["src"] = f.Src
	}
	if i != nil || state == "file" {
		addPathInfo(n, f.Path, ret)
	}
	return ret
}

// cleanPath takes a slash at the end away, which Ansible ignores too.
func cleanPath(p string) string {
	if len(p) > 1 {
		return strings.TrimRight(p, "/")
	}
	return p
}

// stateChange is a step that makes something of path, with its diff.
func stateChange(what, p, before, after string, apply func(context.Context, node.Writer) error) module.Change {
	show := func(state string) string {
		return fmt.Sprintf("{\n    \"path\": %q,\n    \"state\": %q\n}\n", p, state)
	}
	return module.Change{What: what, Before: show(before), After: show(after), BeforeName: p, AfterName: p, Apply: apply}
}

// done completes a plan: what is returned about a path is what is there at the end.
func (f *file) done(p module.Plan, key string) module.Plan {
	p.Return = map[string]any{key: f.Path}
	if f.Src != "" {
		p.Return["src"] = f.Src
	}
	p.After = func(_ context.Context, n node.Reader, ret map[string]any) error {
		if _, err := n.Stat(f.Path); err == nil { // Ansible says nothing of a link to nowhere
			addPathInfo(n, f.Path, ret)
		}
		return nil
	}
	return p
}

func (f *file) absent(i *node.Info) (module.Plan, error) {
	p := module.Plan{Return: map[string]any{"path": f.Path, "state": "absent"}}
	if i == nil {
		return p, nil
	}
	what := "remove " + f.Path
	if i.IsDir() {
		what = "remove directory " + f.Path + " and all in it"
	}
	p.Changes = []module.Change{stateChange(what, f.Path, kindOfPath(i), "absent",
		func(_ context.Context, w node.Writer) error {
			if i.IsDir() {
				return w.RemoveAll(f.Path)
			}
			return w.Remove(f.Path)
		})}
	return p, nil
}

// target follows a link at the path where the task wants that.
func (f *file) target(n node.Reader, i *node.Info) (string, *node.Info, error) {
	if i == nil || !i.IsLink() || !f.Follow {
		return f.Path, i, nil
	}
	real, err := n.EvalSymlinks(f.Path)
	if err != nil {
		return f.Path, i, nil // leads nowhere: the link itself
	}
	t, err := lstatOrNil(n, real)
	return real, t, err
}

// file wants a file to be there, and sets its attributes.
func (f *file) file(n node.Reader, i *node.Info) (module.Plan, error) {
	at, t, err := f.target(n, i)
	if err != nil {
		return module.Plan{}, err
	}
	if k := kindOfPath(t); k != "file" && k != "hard" {
		err := fault.New("file (%s) is %s, cannot continue", f.Path, k).
			WithHint("state: touch makes an empty file, state: directory a directory")
		if k == "absent" {
			return module.Plan{}, notSure(n, err)
		}
		return module.Plan{}, err
	}
	changes, err := f.changes(n, at, *t)
	if err != nil {
		return module.Plan{}, err
	}
	times, err := f.times(n, at, *t, "preserve")
	if err != nil {
		return module.Plan{}, err
	}
	return f.done(module.Plan{Changes: append(changes, times...)}, "path"), nil
}

func (f *file) directory(n node.Reader, i *node.Info) (module.Plan, error) {
	at, t, err := f.target(n, i)
	if err != nil {
		return module.Plan{}, err
	}
	var changes []module.Change
	switch {
	case t == nil:
		changes, err = f.makeDirectories(n)
	case t.IsLink() && f.Follow:
		// a link to nowhere: the directory it leads to is wanted
		f.Path = absolute(f.Path, t.Target)
		changes, err = f.makeDirectories(n)
	case !t.IsDir():
		return module.Plan{}, fmt.Errorf("%s already exists as a %s", f.Path, kindOfPath(t))
	default:
		if changes, err = f.changes(n, at, *t); err == nil && f.Recurse {
			var below []module.Change
			below, err = f.below(n, at, map[string]bool{})
			changes = append(changes, below...)
		}
	}
	if err == nil && t != nil && t.IsDir() {
		f.Path = at
		var times []module.Change
		times, err = f.times(n, at, *t, "preserve")
		changes = append(changes, times...)
	}
	return f.done(module.Plan{Changes: changes}, "path"), err
}

// makeDirectories makes the path and what is missing above it, all with the
// attributes of the task.
func (f *file) makeDirectories(n node.Reader) ([]module.Change, error) {
	steps, err := mkdirs(n, f.Path, 0o777&^n.Umask())
	if err != nil {
		return nil, err
	}
	w, err := f.wish(n, node.Info{Type: node.DirType, Mode: 0o777 &^ n.Umask(), UID: -1, GID: -1})
	if err != nil {
		return nil, err
	}
	mode := 0o777 &^ n.Umask()
	if w.mode != nil {
		mode = *w.mode
	}
	for k := range steps {
		dir := strings.TrimPrefix(steps[k].What, "create directory ")
		steps[k] = stateChange(steps[k].What, dir, "absent", "directory",
			func(_ context.Context, nw node.Writer) error { return makeDirectory(nw, dir, mode, w) })
	}
	if f.Attributes != "" && len(steps) > 0 {
		steps = append(steps, module.Change{Quiet: true, What: "set the attributes of " + f.Path,
			Apply: func(ctx context.Context, nw node.Writer) error { return f.setAttrs(ctx, nw, f.Path) }})
	}
	return steps, nil
}

// makeDirectory makes one directory: closed until it has its owner.
func makeDirectory(w node.Writer, dir string, mode uint32, wish fileWish) error {
	if wish.uid < 0 && wish.gid < 0 {
		return w.Mkdir(dir, mode)
	}
	if err := w.Mkdir(dir, mode&0o700); err != nil {
		return err
	}
	if err := w.Chown(dir, wish.uid, wish.gid); err != nil {
		return err
	}
	return w.Chmod(dir, mode)
}

// setAttrs sets the attributes of what has just been made.
func (a FileArgs) setAttrs(ctx context.Context, w node.Writer, p string) error {
	i, err := w.Stat(p)
	if err != nil {
		return err
	}
	steps, err := a.attrChanges(w, p, i)
	for _, s := range steps {
		if err == nil {
			err = s.Apply(ctx, w)
		}
	}
	return err
}

// below gives the attribute changes of all that is in dir.
func (f *file) below(n node.Reader, dir string, seen map[string]bool) ([]module.Change, error) {
	if seen[dir] {
		return nil, nil
	}
	seen[dir] = true
	infos, err := n.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []module.Change
	for _, i := range infos {
		changes, err := f.changes(n, i.Path, i)
		if err != nil {
			return nil, err
		}
		out = append(out, changes...)
		at := i.Path
		if i.IsLink() && f.Follow {
			real, err := n.EvalSymlinks(i.Path)
			if err != nil {
				continue // leads nowhere
			}
			if at = real; seen[at] {
				continue
			}
			if i, err = n.Lstat(at); err != nil {
				return nil, err
			}
			if changes, err = f.changes(n, at, i); err != nil {
				return nil, err
			}
			out = append(out, changes...)
		}
		if i.IsDir() {
			changes, err := f.below(n, at, seen)
			if err != nil {
				return nil, err
			}
			out = append(out, changes...)
		}
	}
	return out, nil
}

// absolute gives the target of a link at p as a path.
func absolute(p, target string) string {
	if path.IsAbs(target) {
		return target
	}
	return path.Join(path.Dir(p), target)
}
