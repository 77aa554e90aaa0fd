package lint

import (
	"path"
	"regexp"
	"strings"

	"mageprov/internal/document"
	"mageprov/internal/jinja"
	"mageprov/internal/module"
	"mageprov/internal/playbook"
)

// defined is every name that something may define, in any play, for any host.
type defined struct {
	l     *linter
	names map[string]bool
	// open: names are made at run time that nobody can know before.
	open bool
	read map[string]bool // files of variables that were looked into
}

func (l *linter) definitions() *defined {
	d := &defined{l: l, names: map[string]bool{}, read: map[string]bool{}}
	d.dict(l.Extra)
	for _, inv := range l.Inventories {
		for _, host := range append(inv.HostNames(), "localhost") {
			for _, layer := range inv.Layers(host) {
				d.dict(layer.Vars)
			}
		}
	}
	for _, b := range l.Books {
		for _, p := range b.Plays {
			d.play(p)
		}
	}
	for _, r := range l.read.Roles {
		d.role(r)
	}
	for file, n := range l.read.Files {
		if strings.Contains(file, "/meta/") {
			d.options(n)
		}
	}
	for _, p := range l.read.Parsed {
		if p.Block != nil {
			d.dict(p.Block.Vars)
		} else {
			d.task(p)
		}
	}
	return d
}

func (d *defined) dict(v *jinja.Dict) {
	if v == nil {
		return
	}
	for k := range v.All() {
		if name, ok := k.(string); ok {
			d.names[name] = true
		}
	}
}

func (d *defined) text(v any) {
	switch v := v.(type) {
	case string:
		d.names[v] = true
	case *jinja.Text:
		d.open = true
	}
}

func (d *defined) play(p *playbook.Play) {
	d.dict(p.Vars)
	for _, q := range p.VarsPrompt {
		d.names[q.Name] = true
	}
	dir := document.Dir(p.File)
	for _, f := range p.VarsFiles {
		d.files(f, dir, document.Join(dir, "vars"))
	}
	for _, where := range []string{"group_vars", "host_vars"} {
		d.below(document.Join(dir, where))
		d.below(document.Join(dir, "..", where))
	}
	for _, u := range p.Roles {
		d.use(u)
	}
}

func (d *defined) use(u *playbook.RoleUse) {
	d.dict(u.Params)
	d.dict(u.Vars)
	if u.Role != nil {
		for _, dep := range u.Role.Dependencies {
			d.dict(dep.Params)
			d.dict(dep.Vars)
		}
	}
}

// role takes all files of defaults and vars: which are included, the host decides.
func (d *defined) role(r *playbook.Role) {
	d.dict(r.Defaults)
	d.dict(r.Vars)
	d.below(document.Join(r.Path, "defaults"))
	d.below(document.Join(r.Path, "vars"))
	for _, u := range r.Dependencies {
		d.use(u)
	}
}

// options takes the names that an argument specification describes.
func (d *defined) options(n *document.Node) {
	if o := n.Get("options"); o != nil {
		for i := range o.Pairs {
			d.names[o.Pairs[i].Key] = true
		}
	}
	for i := range n.Pairs {
		d.options(n.Pairs[i].Val)
	}
}

var expression = regexp.MustCompile(`(?s)\{\{.*?\}\}|\{%.*?%\}`)

// ownDir is a directory that is looked into anyway.
var ownDir = regexp.MustCompile(`^\{\{\s*(playbook_dir|role_path)\s*\}\}/+`)

// files takes what a name may mean: a template may become anything in its place.
func (d *defined) files(v any, dirs ...string) {
	switch v := v.(type) {
	case *jinja.List:
		for _, x := range v.Items {
			d.files(x, dirs...)
		}
	case string, *jinja.Text:
		pattern := expression.ReplaceAllString(ownDir.ReplaceAllString(source(v), ""), "*")
		found := false
		for _, dir := range dirs {
			p := document.Join(dir, pattern)
			if !strings.Contains(pattern, "*") {
				found = d.file(p) || found
				continue
			}
			matches, err := d.l.Files.Glob(p)
			for _, m := range matches {
				found = d.file(m) || found
			}
			if strings.Trim(pattern, "*") == "" || err != nil {
				d.open = true // the name comes from elsewhere, and so may the file
			}
		}
		if !found {
			d.open = true
		}
	}
}

// file takes the names of a file of variables; one that cannot be read is
// somebody else's finding.
func (d *defined) file(p string) bool {
	if dir, err := d.l.Files.Stat(p); err != nil || dir {
		return false
	}
	if d.read[p] {
		return true
	}
	d.read[p] = true
	if vars, err := d.l.Loader.VarsFile(p); err == nil {
		d.dict(vars)
	} else {
		d.open = true
	}
	return true
}

// below takes all files of a directory of variables.
func (d *defined) below(dir string) {
	entries, err := d.l.Files.ReadDir(dir)
	if err != nil {
		return // there is no such directory
	}
	for _, n := range entries {
		p := document.Join(dir, n)
		if isDir, err := d.l.Files.Stat(p); err == nil && isDir {
			d.below(p)
			continue
		}
		switch path.Ext(n) {
		case ".yml", ".yaml", ".json", "":
			if !strings.HasPrefix(n, ".") {
				d.file(p)
			}
		}
	}
}

// task takes what a task may define when it runs.
func (d *defined) task(p playbook.Parsed) {
	t := p.Task
	d.dict(t.Vars)
	d.text(t.Register)
	if p.Include != "" || t.Include != nil {
		for _, v := range []any{t.LoopControl.LoopVar, t.LoopControl.IndexVar} {
			d.text(v)
		}
		if t.Loop != nil {
			d.names["item"] = true // the included tasks see it
		}
		if t.Include != nil && t.Include.ApplyBase != nil {
			d.dict(t.Include.ApplyBase.Vars)
		}
	}
	if t.Spec == nil {
		d.open = d.open || p.Include == "" // a module that nobody knows may return any facts
		return
	}
	if _, shipped := module.Lookup(t.Spec.Name); !shipped {
		d.open = true // nor what a module of the site's own returns
	}
	switch t.Spec.Short() {
	case "set_fact", "add_host":
		if t.ArgsText != nil {
			d.open = true
		}
		if t.Args != nil {
			for k := range t.Args.All() {
				d.text(k)
			}
			if name := source(firstKey(t.Args)); expression.MatchString(name) {
				d.open = true
			}
		}
		for i := range p.Node.Pairs {
			d.keys(p.Node.Pairs[i].Val)
		}
	case "include_vars":
		d.includeVars(p)
	}
}

// keys notices a name that is a template: "{{ prefix }}_x": value.
func (d *defined) keys(n *document.Node) {
	for i := range n.Pairs {
		if strings.Contains(n.Pairs[i].Key, "{{") {
			d.open = true
		}
	}
}

func firstKey(d *jinja.Dict) any {
	for k := range d.All() {
		return k
	}
	return nil
}

func (d *defined) includeVars(p playbook.Parsed) {
	t := p.Task
	if t.Args == nil {
		d.open = true
		return
	}
	if name, ok := t.Args.Get("name"); ok {
		d.text(name)
	}
	dirs := []string{t.Dir, document.Join(t.Dir, "vars")}
	if t.Role != nil {
		dirs = append(dirs, document.Join(t.Role.Path, "vars"), t.Role.Path)
	}
	for _, b := range d.l.Books {
		dir := document.Dir(b.Path)
		dirs = append(dirs, dir, document.Join(dir, "vars"))
	}
	for _, key := range []string{"file", "_raw_params"} {
		if v, ok := t.Args.Get(key); ok {
			whole := expression.ReplaceAllString(source(v), "") == ""
			if whole && t.Role != nil && (t.Loop != nil || strings.Contains(source(v), "first_found")) {
				continue // one of the role's own files: all of them have been taken
			}
			d.files(v, dirs...)
		}
	}
	if v, ok := t.Args.Get("dir"); ok {
		for _, dir := range dirs {
			d.below(document.Join(dir, source(v)))
		}
		if _, text := v.(*jinja.Text); text {
			d.open = true
		}
	}
}
