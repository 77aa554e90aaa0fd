package play

import (
	"context"
	"path"
	"regexp"
	"slices"
	"strings"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/module"
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
func (c *controller) IncludeVars(_ context.Context, args module.Args) (*module.Result, error) {
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
		return nil, err
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
	c.x.learn(assignment{kind: module.VarInclude, vars: all})
	return &module.Result{Return: map[string]any{
		"ansible_facts":              jinja.ToGo(printable(all)),
		"ansible_included_var_files": toAny(files),
	}}, nil
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
		return nil, err
	}
	var match *regexp.Regexp
	if iv.Matching != "" {
		if match, err = regexp.Compile(iv.Matching); err != nil {
			return nil, fault.At(c.x.t.Place, "include_vars: files_matching").Because(err)
		}
	}
	files := c.x.b.run.o.Files
	var out []string
	var walk func(dir string, level int) error
	walk = func(dir string, level int) error {
		names, err := files.ReadDir(dir)
		if err != nil {
			return fault.Wrap(err, "reading %s", dir)
		}
		var dirs []string
		for _, n := range names {
			p := document.Join(dir, n)
			if isDir, err := files.Stat(p); err == nil && isDir {
				dirs = append(dirs, p)
				continue
			}
			if match != nil && !match.MatchString(n) || slices.Contains(iv.Ignore, n) {
				continue
			}
			if !slices.Contains(iv.Extensions, strings.TrimPrefix(path.Ext(n), ".")) {
				if iv.IgnoreExt {
					continue
				}
				return fault.At(c.x.t.Place, "%s does not have a valid extension: %s", p, strings.Join(iv.Extensions, ", "))
			}
			out = append(out, p)
		}
		if iv.Depth > 0 && level >= iv.Depth {
			return nil
		}
		for _, d := range dirs {
			if err := walk(d, level+1); err != nil {
				return err
			}
		}
		return nil
	}
	return out, walk(root, 1)
}
