package template

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/module"
)

// filePlugins read files of the controller.
var filePlugins = map[string]plugin{
	"file":        lookFile,
	"unvault":     lookFile,
	"fileglob":    lookGlob,
	"first_found": lookFirstFound,
	"template":    lookTemplate,
	"ini":         lookINI,
	"csvfile":     lookCSV,
}

// find resolves a name along the task's search path.
func (l *lookup) find(kind, name string) (string, error) {
	if l.s.files == nil || absolute(name) {
		return name, nil
	}
	return l.s.files.Find(l.ctx, kind, name)
}

func (l *lookup) read(name string) (string, error) {
	p, err := l.find("files", name)
	if err != nil {
		return "", fault.Wrap(err, "lookup %s", l.c.Name)
	}
	data, err := l.s.readFile(p)
	if err != nil {
		return "", fault.At(l.c.Place, "lookup %s: could not read %s", l.c.Name, name).Because(err)
	}
	return string(data), nil
}

func lookFile(l *lookup) ([]any, error) {
	a := l.options("rstrip", "lstrip")
	rstrip, lstrip := a.flag("rstrip", l.c.Name == "file"), a.flag("lstrip", false)
	if a.err != nil {
		return nil, a.err
	}
	var out []any
	for _, t := range l.terms {
		s, err := l.read(jinja.Str(t))
		if err != nil {
			return nil, err
		}
		if lstrip {
			s = strings.TrimLeft(s, " \t\r\n\v\f")
		}
		if rstrip {
			s = strings.TrimRight(s, " \t\r\n\v\f")
		}
		out = append(out, s)
	}
	return out, nil
}

// lookGlob lists matching files, sorted; a relative pattern is looked for along
// the search path, the first directory that has it winning.
func lookGlob(l *lookup) ([]any, error) {
	a := l.options()
	if a.err != nil {
		return nil, a.err
	}
	var out []any
	for _, t := range flat(nil, l.terms, 1, false) {
		pattern := jinja.Str(t)
		if dir, err := l.find("files", path.Dir(pattern)); err == nil && !absolute(pattern) {
			pattern = document.Join(dir, path.Base(pattern))
		} else if !absolute(pattern) {
			continue
		}
		names, err := l.s.glob(pattern)
		if err != nil {
			return nil, refuse(l.c, "%v", err)
		}
		slices.Sort(names)
		for _, n := range names {
			out = append(out, n)
		}
	}
	return out, nil
}

// lookFirstFound gives the first of several files that is there. The engine
// says with _kind where the task at hand looks: templates, vars or files.
func lookFirstFound(l *lookup) ([]any, error) {
	a := l.options("files", "paths", "skip", "_kind")
	if a.err != nil {
		return nil, a.err
	}
	var names []string
	skip := a.flag("skip", false)
	names = append(names, candidates(a.value("files", nil), a.value("paths", nil))...)
	for _, t := range flat(nil, l.terms, -1, true) {
		d, ok := t.(*jinja.Dict)
		if !ok {
			names = append(names, candidates(t, a.value("paths", nil))...)
			continue
		}
		files, _ := d.Get("files")
		paths, _ := d.Get("paths")
		if v, has := d.Get("skip"); has {
			skip = jinja.Truth(v)
			if s, isText := v.(string); isText {
				skip, _ = boolWord(s)
			}
		}
		names = append(names, candidates(files, paths)...)
	}
	kinds := []string{"files", "vars", "templates"}
	if k := a.str("_kind", ""); k != "" {
		kinds = []string{k}
	}
	for _, n := range names {
		for _, kind := range kinds {
			if p, err := l.find(kind, n); err == nil {
				if l.exists(p) {
					return []any{p}, nil
				}
			}
		}
	}
	if skip {
		return nil, nil
	}
	return nil, refuse(l.c, "no file was found when using first_found").(*fault.Error).
		WithHint("looked for: %s; skip: true lets the task go on without", strings.Join(names, ", "))
}

// exists says whether a file or directory is there.
func (l *lookup) exists(p string) bool {
	_, err := l.s.readFile(p)
	return err == nil || !errors.Is(err, fs.ErrNotExist)
}

// candidates joins each path with each file; both may be comma lists.
func candidates(files, paths any) []string {
	split := func(v any, marks string) []string {
		var out []string
		for _, x := range oneOrMany(v) {
			for _, s := range strings.FieldsFunc(jinja.Str(x), func(r rune) bool { return strings.ContainsRune(marks, r) }) {
				out = append(out, strings.TrimSpace(s))
			}
		}
		return out
	}
	dirs := split(paths, ",;:")
	if len(dirs) == 0 {
		return split(files, ",;")
	}
	var out []string
	for _, d := range dirs {
		for _, f := range split(files, ",;") {
			if absolute(f) {
				out = append(out, f)
				continue
			}
			out = append(out, document.Join(d, f))
		}
	}
	return out
}

// lookTemplate renders a template file; its text is data afterwards.
func lookTemplate(l *lookup) ([]any, error) {
	a := l.options("convert_data", "template_vars", "jinja2_native", "variable_start_string", "variable_end_string",
		"comment_start_string", "comment_end_string", "trim_blocks", "lstrip_blocks")
	o := module.TemplateOptions{
		VariableStart: a.str("variable_start_string", ""), VariableEnd: a.str("variable_end_string", ""),
		CommentStart: a.str("comment_start_string", ""), CommentEnd: a.str("comment_end_string", ""),
	}
	for name, to := range map[string]**bool{"trim_blocks": &o.TrimBlocks, "lstrip_blocks": &o.LstripBlocks} {
		if a.has(name) {
			b := a.flag(name, true)
			*to = &b
		}
	}
	if a.err != nil {
		return nil, a.err
	}
	s := l.s
	if d, ok := a.value("template_vars", nil).(*jinja.Dict); ok {
		extra := make(map[string]any, d.Len())
		for k, v := range d.All() {
			extra[jinja.Str(k)] = v
		}
		s = s.With(extra)
	}
	var out []any
	for _, t := range l.terms {
		name := jinja.Str(t)
		p, err := l.find("templates", name)
		if err != nil {
			return nil, fault.Wrap(err, "lookup template")
		}
		text, err := s.RenderFile(l.ctx, p, o)
		if err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	return out, nil
}
