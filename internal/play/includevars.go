package play

import (
	"context"
	"path"
	"slices"
	"strings"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/module"
	"mageprov/internal/pyre"
)

// includeVars are the arguments of include_vars.
type includeVars struct {
	File       string   `arg:"file" alias:"_raw_params"`
	Dir        string   `arg:"dir"`
	Name       string   `arg:"name"`
	Depth      int      `arg:"depth"`
	Matching   string   `arg:"files_matching"`
	Ignore     []string `arg:"ignore_files"`
	IgnoreExt  bool     `arg:"ignore_unknown_extensions"`
	Extensions []string `arg:"extensions"`
	Behaviour  string   `arg:"hash_behaviour" choices:"replace,merge"`
}

// IncludeVars loads variable files into the host's include_vars layer. What
// they hold stays unrendered: it is rendered when it is used.
func (c *controller) IncludeVars(ctx context.Context, args module.Args) (*module.Result, error) {
	iv := &includeVars{Extensions: []string{"yaml", "yml", "json"}}
	if err := module.Decode(iv, args); err != nil {
		return nil, fault.At(c.x.t.Place, "include_vars").Because(err)
	}
	var files []string
	var err error
	switch {
	case iv.File != "":
		var p string
		if p, err = c.Find("vars", iv.File); err == nil {
			files = []string{p}
		}
	case iv.Dir != "":
		files, err = c.varsDir(iv)
	default:
		err = fault.At(c.x.t.Place, "include_vars needs file or dir")
	}
	if err != nil {
		return &module.Result{Failed: true, Msg: err.Error(), Hint: fault.HintOf(err), Return: map[string]any{
			"message": err.Error(), "ansible_facts": map[string]any{}, "ansible_included_var_files": []any{}}}, nil
	}
	all := jinja.NewDict()
	for _, f := range files {
		d, err := c.x.b.run.o.Loader.VarsFile(f)
		if err != nil {
			return nil, err
		}
		copyInto(all, d)
	}
	if iv.Name != "" {
		named := jinja.NewDict(iv.Name, all)
		named.Templated = all.Templated
		all = named
	}
	if iv.Behaviour == "merge" {
		if all, err = c.mergeKnown(ctx, all); err != nil {
			return nil, err
		}
	}
	c.x.learn(assignment{kind: module.VarInclude, vars: all})
	return &module.Result{Return: map[string]any{
		"ansible_facts":              jinja.ToGo(printable(all)),
		"ansible_included_var_files": toAny(files),
	}}, nil
}

// mergeKnown lays dictionaries over what the variables of their names hold.
func (c *controller) mergeKnown(ctx context.Context, loaded *jinja.Dict) (*jinja.Dict, error) {
	out := loaded.Clone()
	for k, v := range loaded.All() {
		name, isText := k.(string)
		over, isDict := v.(*jinja.Dict)
		if !isText || !isDict {
			continue
		}
		known, ok, err := c.s.Lookup(ctx, name)
		if err == nil && ok {
			known, err = jinja.Materialize(ctx, known)
		}
		if err != nil {
			return nil, err
		}
		if under, isDict := known.(*jinja.Dict); ok && isDict {
			out.Set(k, mergeDicts(under, over))
		}
	}
	return out, nil
}

// mergeDicts merges at every depth; what is no dictionary is replaced.
func mergeDicts(under, over *jinja.Dict) *jinja.Dict {
	out := under.Clone()
	for k, v := range over.All() {
		if d, ok := v.(*jinja.Dict); ok {
			if have, _ := out.Get(k); have != nil {
				if u, ok := have.(*jinja.Dict); ok {
					v = mergeDicts(u, d)
				}
			}
		}
		out.Set(k, v)
	}
	out.Templated = under.Templated || over.Templated
	return out
}

func toAny(ss []string) []any {
	out := make([]any, len(ss))
	for i, s := range ss {
		out[i] = s
	}
	return out
}

// varsDir lists the files of a directory, in order, down to depth (0: all).
func (c *controller) varsDir(iv *includeVars) ([]string, error) {
	root, err := c.Find("vars", iv.Dir)
	if err != nil {
		return nil, fault.New("%s directory does not exist", iv.Dir).WithHint("%s", fault.HintOf(err))
	}
	if isDir, err := c.x.b.run.o.Files.Stat(root); err != nil || !isDir {
		return nil, fault.New("%s is not a directory", root)
	}
	w := varsWalk{files: c.x.b.run.o.Files, iv: iv}
	if iv.Matching != "" {
		if w.match, err = pyre.Compile(iv.Matching, 0); err != nil {
			return nil, fault.Wrap(err, "files_matching")
		}
	}
	for _, name := range iv.Ignore {
		// as Ansible: a pattern for the end of the name
		re, err := pyre.Compile(name+"$", 0)
		if err != nil {
			return nil, fault.Wrap(err, "ignore_files")
		}
		w.ignore = append(w.ignore, re)
	}
	err = w.dir(root, 1)
	return w.found, err
}

// varsWalk gathers the files of a directory of variables.
type varsWalk struct {
	files  document.Files
	iv     *includeVars
	match  *pyre.Regexp
	ignore []*pyre.Regexp
	found  []string
}

// dir reads one directory, files before directories.
func (w *varsWalk) dir(dir string, level int) error {
	names, err := w.files.ReadDir(dir)
	if err != nil {
		return fault.Wrap(err, "reading %s", dir)
	}
	slices.Sort(names)
	var dirs []string
	for _, n := range names {
		p := document.Join(dir, n)
		if isDir, err := w.files.Stat(p); err == nil && isDir {
			dirs = append(dirs, p)
			continue
		}
		wanted, err := w.wanted(n)
		if err != nil {
			return err
		}
		if !wanted {
			continue
		}
		if !slices.Contains(w.iv.Extensions, strings.TrimPrefix(path.Ext(n), ".")) {
			if w.iv.IgnoreExt {
				continue
			}
			return fault.New("%s does not have a valid extension: %s", p, strings.Join(w.iv.Extensions, ", "))
		}
		w.found = append(w.found, p)
	}
	if w.iv.Depth > 0 && level >= w.iv.Depth {
		return nil
	}
	for _, d := range dirs {
		if err := w.dir(d, level+1); err != nil {
			return err
		}
	}
	return nil
}

func (w *varsWalk) wanted(name string) (bool, error) {
	for _, re := range w.ignore {
		if m, err := re.Search(name); m != nil || err != nil {
			return false, err
		}
	}
	if w.match == nil {
		return true, nil
	}
	m, err := w.match.Search(name)
	return m != nil, err
}
