package modules

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "ansible.builtin.copy", Action: copyAction, AsJSON: []string{"content"},
		New: func() any { return &copyFile{Force: true, LocalFollow: true} },
	})
}

// copyFile puts one file, or a directory of the node, in place. Directories of
// the controller are taken apart by copyAction.
type copyFile struct {
	FileArgs
	Src           string      `arg:"src"`
	Content       any         `arg:"content"`
	Dest          string      `arg:"dest,required"`
	Backup        bool        `arg:"backup"`
	Force         bool        `arg:"force" alias:"thirsty"`
	ValidateCmd   string      `arg:"validate"`
	DirectoryMode module.Mode `arg:"directory_mode"`
	RemoteSrc     bool        `arg:"remote_src"`
	Follow        bool        `arg:"follow"`
	LocalFollow   bool        `arg:"local_follow"`
	Checksum      string      `arg:"checksum"`
	Decrypt       *bool       `arg:"decrypt"`

	// from the Action
	Data     *string `arg:"_data"`     // the content in base64
	Upload   string  `arg:"_upload"`   // or the file of the node that holds it
	SHA1     string  `arg:"_sha1"`     // of the content, where it is in neither
	Basename string  `arg:"_basename"` // the name where dest is a directory
	// Directory: dest shall be a directory, with directory_mode if it is new.
	Directory bool `arg:"_directory"`
	// Top: it is dest itself, which keeps what it has where it is there already.
	Top bool `arg:"_top"`
}

// Validate demands one source.
func (c *copyFile) Validate() error {
	switch {
	case c.Data != nil || c.Upload != "" || c.SHA1 != "" || c.Directory:
		return nil
	case c.Src == "" && c.Content == nil:
		return fault.New("src (or content) is required")
	case c.Src != "" && c.Content != nil:
		return fault.New("src and content are mutually exclusive")
	case c.Content != nil && strings.HasSuffix(c.Dest, "/"):
		return fault.New("can not use content with a dir as dest")
	}
	return nil
}

// Check compares source and destination.
func (c *copyFile) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	c.Dest = expandWord(n, c.Dest)
	if c.Directory {
		return c.directory(n)
	}
	if c.RemoteSrc && c.Data == nil {
		c.Src = expandWord(n, c.Src)
		i, err := n.Stat(c.Src)
		if errors.Is(err, fs.ErrNotExist) {
			//lint:ignore ST1005 the words of Ansible, which playbooks look for
			return module.Plan{}, notSure(n, fmt.Errorf("Source %s not found", c.Src))
		}
		if err != nil {
			return module.Plan{}, err
		}
		if i.IsDir() {
			return c.remoteDirectory(ctx, n)
		}
		c.Basename = path.Base(c.Src)
	}
	src, err := c.source(n)
	if err != nil {
		return module.Plan{}, err
	}
	if c.Checksum != "" && !strings.EqualFold(c.Checksum, src.sha1) {
		return module.Plan{}, &module.Failure{
			Msg:    "Copied file does not match the expected checksum. Transfer failed.",
			Return: map[string]any{"checksum": src.sha1, "expected_checksum": c.Checksum},
		}
	}
	p := put{args: c.FileArgs, src: src, dest: c.Dest, force: c.Force, backup: c.Backup, follow: c.Follow, validate: c.ValidateCmd}
	dirs, err := c.directories(n, &p.dest)
	if err != nil {
		return module.Plan{}, err
	}
	plan, err := p.plan(n, len(dirs) > 0)
	plan.Changes = append(dirs, plan.Changes...)
	if c.Src != "" && plan.Return != nil {
		plan.Return["src"] = c.Src
		if sum, e := hashOf(n, c.Src, "md5"); c.RemoteSrc && e == nil {
			plan.Return["md5sum"] = sum
		}
	}
	return plan, err
}

// directories completes a destination that is a directory by the file's name,
// and makes it where dest ends in a slash.
func (c *copyFile) directories(n node.Reader, dest *string) ([]module.Change, error) {
	d := *dest
	i, err := statOrNil(n, d)
	if err != nil {
		return nil, err
	}
	isDir := i != nil && i.IsDir()
	if (isDir || strings.HasSuffix(d, "/")) && c.Basename == "" {
		return nil, fault.New("can not use content with a dir as dest")
	}
	switch {
	case isDir:
		*dest = path.Join(d, c.Basename)
		return nil, nil
	case strings.HasSuffix(d, "/"):
		*dest = path.Join(d, c.Basename)
		return c.makeDirectories(n, strings.TrimRight(d, "/"))
	}
	*dest = cleanPath(d)
	parent, err := statOrNil(n, path.Dir(*dest))
	if err != nil {
		return nil, err
	}
	if parent == nil && mayCome(n) {
		dirs, err := mkdirs(n, path.Dir(*dest), 0o777&^n.Umask())
		for k := range dirs {
			dirs[k].Quiet = true // the task itself would not make them
		}
		return dirs, err
	}
	if parent == nil {
		return nil, fault.New("Destination directory %s does not exist", path.Dir(*dest)).
			WithHint("make it before, or end dest in a slash")
	}
	return nil, nil
}

// directory makes dest. One that is there gets the mode and owner of new ones,
// but for the directory that the user named.
func (c *copyFile) directory(n node.Reader) (module.Plan, error) {
	i, err := statOrNil(n, c.Dest)
	if err != nil {
		return module.Plan{}, err
	}
	if i != nil && !i.IsDir() {
		return module.Plan{}, fmt.Errorf("%s is in the way and not a directory", c.Dest)
	}
	var p module.Plan
	switch {
	case i == nil:
		p.Changes, err = c.makeDirectories(n, c.Dest)
	case !c.Top:
		a := c.FileArgs
		a.Mode = c.DirectoryMode
		p.Changes, err = a.changes(n, realPath(n, c.Dest), *i)
	}
	return p, err
}

// makeDirectories makes what is missing, with directory_mode, owner and group.
func (c *copyFile) makeDirectories(n node.Reader, dir string) ([]module.Change, error) {
	a := c.FileArgs
	a.Mode = c.DirectoryMode
	f := &file{FileArgs: a, Path: dir}
	return f.makeDirectories(n)
}

// source gives what is to be put in place.
func (c *copyFile) source(n node.Reader) (source, error) {
	switch {
	case c.Data != nil:
		b, err := base64.StdEncoding.DecodeString(*c.Data)
		return bytesSource(b), err
	case c.Upload != "":
		return fileSource(n, c.Upload)
	case c.SHA1 != "":
		return source{sha1: c.SHA1, unknown: true}, nil
	case c.Content != nil:
		s, err := contentText(c.Content)
		return bytesSource([]byte(s)), err
	}
	s, err := fileSource(n, c.Src)
	if c.Mode == "preserve" && err == nil {
		i, e := n.Stat(c.Src)
		c.Mode, err = module.Mode(modeString(i.Mode)), e
	}
	return s, err
}

// remoteDirectory copies a directory of the node. Without a slash at the end of
// src the directory itself goes into dest.
func (c *copyFile) remoteDirectory(ctx context.Context, n node.Reader) (module.Plan, error) {
	dest, said := strings.TrimRight(c.Dest, "/"), c.Dest
	if !strings.HasSuffix(c.Src, "/") {
		there, err := statOrNil(n, dest)
		if err != nil {
			return module.Plan{}, err
		}
		dest = path.Join(dest, path.Base(c.Src))
		if there != nil || strings.HasSuffix(c.Dest, "/") {
			said = dest
		}
	}
	p := module.Plan{Return: map[string]any{"dest": said, "src": c.Src, "checksum": nil, "md5sum": nil}}
	if err := c.copyTree(ctx, n, strings.TrimRight(c.Src, "/"), dest, &p.Changes); err != nil {
		return p, err
	}
	p.After = func(_ context.Context, n node.Reader, ret map[string]any) error {
		addPathInfo(n, strings.TrimRight(said, "/"), ret)
		return nil
	}
	return p, nil
}

func (c *copyFile) copyTree(ctx context.Context, n node.Reader, from, to string, steps *[]module.Change) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	i, err := statOrNil(n, to)
	switch {
	case err != nil:
		return err
	case i == nil:
		dirs, err := c.makeCopy(n, from, to)
		if err != nil {
			return err
		}
		*steps = append(*steps, newSteps(*steps, dirs)...)
	case !i.IsDir():
		return fmt.Errorf("%s is in the way and not a directory", to)
	}
	infos, err := n.ReadDir(from)
	if err != nil {
		return err
	}
	for _, i := range infos {
		if err := c.copyEntry(ctx, n, i, path.Join(to, path.Base(i.Path)), steps); err != nil {
			return err
		}
	}
	return nil
}

// makeCopy makes the directory to, and without other wishes with the mode of
// from: what was private stays private. Only a directory that the user names
// with a slash at its end is made as any other.
func (c *copyFile) makeCopy(n node.Reader, from, to string) ([]module.Change, error) {
	like := *c
	named := strings.HasSuffix(c.Src, "/") && to+"/" == c.Dest && c.Mode != "preserve"
	if i, err := n.Stat(from); err != nil {
		return nil, err
	} else if like.DirectoryMode == "" && !named {
		like.DirectoryMode = module.Mode(modeString(i.Mode))
	}
	var dirs []module.Change
	parent, err := statOrNil(n, path.Dir(to))
	if err == nil && parent == nil {
		dirs, err = c.makeDirectories(n, path.Dir(to))
	}
	if err != nil {
		return nil, err
	}
	own, err := like.makeDirectories(n, to)
	return append(dirs, newSteps(dirs, own)...), err
}

// newSteps leaves out what is planned already: a directory that several need.
func newSteps(have, more []module.Change) []module.Change {
	planned := map[string]bool{}
	for _, c := range have {
		planned[c.What] = true
	}
	var out []module.Change
	for _, c := range more {
		if !planned[c.What] {
			out = append(out, c)
		}
	}
	return out
}

func (c *copyFile) copyEntry(ctx context.Context, n node.Reader, i node.Info, to string, steps *[]module.Change) error {
	if i.IsLink() && !c.LocalFollow {
		return copyLink(ctx, n, i, to, steps)
	}
	if i.IsLink() {
		t, err := statOrNil(n, i.Path)
		if err != nil {
			return err
		}
		if t == nil {
			return copyLink(ctx, n, i, to, steps) // a link to nowhere can only be copied
		}
		t.Path = i.Path
		i = *t
	}
	switch {
	case i.IsDir():
		return c.copyTree(ctx, n, i.Path, to, steps)
	case !i.IsRegular():
		return fmt.Errorf("%s is not a regular file", i.Path)
	}
	src, err := fileSource(n, i.Path)
	if err != nil {
		return err
	}
	args := c.FileArgs
	have, err := statOrNil(n, to)
	if err != nil {
		return err
	}
	if args.Mode == "preserve" || args.Mode == "" && have == nil {
		args.Mode = module.Mode(modeString(i.Mode))
	}
	p := put{args: args, src: src, dest: to, force: c.Force, backup: c.Backup, follow: c.Follow, validate: c.ValidateCmd}
	plan, err := p.plan(n, false)
	*steps = append(*steps, plan.Changes...)
	return err
}

func copyLink(ctx context.Context, n node.Reader, i node.Info, to string, steps *[]module.Change) error {
	f := &file{Path: to, Src: i.Target, State: "link", Force: true}
	plan, err := f.Check(ctx, n)
	*steps = append(*steps, plan.Changes...)
	return err
}
