package lint

import (
	"regexp"
	"slices"
	"sort"
	"strings"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/playbook"
	"mageprov/internal/vars"
)

// use is a variable that a text reads.
type use struct {
	jinja.Name
	task *playbook.Parsed // nil outside tasks
}

// reader collects uses.
type reader struct {
	l       *linter
	uses    []use
	words   map[string]bool            // every word of every template
	guarded map[string]map[string]bool // names that a file asks for with `is defined`
	anyway  map[string]bool            // names that a condition asks for: tasks behind it rely on that
	dynamic bool                       // a variable is read by a name that is made at run time
	walked  map[*document.Node]bool
}

// variables finds what nothing defines and what nothing reads.
func (l *linter) variables() {
	d := l.definitions()
	r := &reader{l: l, words: map[string]bool{}, guarded: map[string]map[string]bool{}, anyway: map[string]bool{}, walked: map[*document.Node]bool{}}
	r.all()
	if !d.open {
		l.undefined(d, r)
	}
	l.unused(r)
}

// all reads every file.
func (r *reader) all() {
	for i := range r.l.read.Parsed {
		p := &r.l.read.Parsed[i]
		if p.Task != nil {
			r.task(p)
		} else {
			r.pairs(p.Node, nil, "block", "rescue", "always")
		}
	}
	files := make([]string, 0, len(r.l.read.Files))
	for f := range r.l.read.Files {
		files = append(files, f)
	}
	sort.Strings(files)
	for _, f := range files {
		r.node(r.l.read.Files[f], nil)
	}
	for _, inv := range r.l.Inventories {
		for _, host := range append(inv.HostNames(), "localhost") {
			for _, layer := range inv.Layers(host) {
				r.value(layer.Vars)
			}
		}
	}
	for _, role := range r.l.read.Roles {
		r.templates(document.Join(role.Path, "templates"))
	}
	for _, b := range r.l.Books {
		r.templates(document.Join(document.Dir(b.Path), "templates"))
	}
}

// conditional are keys whose texts are expressions.
var conditional = []string{"when", "until", "changed_when", "failed_when", "that", "break_when"}

func (r *reader) task(p *playbook.Parsed) {
	r.pairs(p.Node, p)
	if p.Task.Spec != nil && p.Task.Spec.Short() == "template" && p.Task.Args != nil {
		if src, ok := p.Task.Args.Get("src"); ok {
			r.template(source(src), p)
		}
	}
}

func (r *reader) pairs(n *document.Node, p *playbook.Parsed, not ...string) {
	r.walked[n] = true
	for i := range n.Pairs {
		kv := &n.Pairs[i]
		r.text(&jinja.Text{Source: kv.Key, Place: kv.KeyPlace}, p)
		switch {
		case slices.Contains(not, kv.Key):
		case slices.Contains(conditional, kv.Key):
			r.conditions(kv.Val, p)
		case kv.Key == "var" && p != nil && kv.Val.Kind == document.Scalar, bareName(*kv):
			r.note(kv.Val.Raw) // debug shows what is undefined; a bare name is no variable
		default:
			r.node(kv.Val, p)
		}
	}
}

func (r *reader) node(n *document.Node, p *playbook.Parsed) {
	if n == nil || r.walked[n] || n.Tag == "!unsafe" {
		return
	}
	r.walked[n] = true
	if t, ok := n.Value.(*jinja.Text); ok {
		r.text(t, p)
	}
	if n.Kind == document.Map {
		r.pairs(n, p)
	}
	for _, it := range n.Items {
		r.node(it, p)
	}
}

func (r *reader) conditions(n *document.Node, p *playbook.Parsed) {
	r.walked[n] = true
	for _, it := range n.Items {
		r.conditions(it, p)
	}
	if n.Kind != document.Scalar || n.Raw == "" {
		return
	}
	t := &jinja.Text{Source: n.Raw, Place: n.Place, Expr: true}
	if have, ok := n.Value.(*jinja.Text); ok {
		t = &jinja.Text{Source: have.Source, Place: have.Place, Expr: true}
	}
	for _, name := range r.text(t, p) {
		if name.Guarded {
			r.anyway[name.Name] = true
		}
	}
}

var (
	wordsOf = regexp.MustCompile(`[A-Za-z_]\w*`)
	byName  = regexp.MustCompile(`(lookup|query|q)\(\s*['"](ansible\.builtin\.)?(vars|varnames)['"]\s*,\s*([^'"\s]|['"][^'"]*['"]\s*[~+%])|(^|[^t])vars\[\s*[^'"\s]|hostvars\[[^\]]*\]\[\s*[^'"\s]|varnames`)
)

func (r *reader) text(t *jinja.Text, p *playbook.Parsed) []jinja.Name {
	if !t.Expr && !document.IsTemplate(t.Source) {
		return nil
	}
	r.note(t.Source)
	names, err := r.l.Templates.Uses(t)
	if err != nil {
		return nil // said when the file was read
	}
	r.take(names, p)
	return names
}

func (r *reader) note(text string) {
	r.dynamic = r.dynamic || byName.MatchString(text)
	for _, w := range wordsOf.FindAllString(text, -1) {
		r.words[w] = true
	}
}

func (r *reader) take(names []jinja.Name, p *playbook.Parsed) {
	for _, n := range names {
		if n.Guarded {
			if r.guarded[n.Place.File] == nil {
				r.guarded[n.Place.File] = map[string]bool{}
			}
			r.guarded[n.Place.File][n.Name] = true
		}
		r.uses = append(r.uses, use{n, p})
	}
}

// value reads the texts of variables for their words only.
func (r *reader) value(v any) {
	switch v := v.(type) {
	case *jinja.Text:
		r.note(v.Source)
	case *jinja.List:
		for _, x := range v.Items {
			r.value(x)
		}
	case *jinja.Dict:
		if v == nil {
			return
		}
		for _, x := range v.All() {
			r.value(x)
		}
	}
}

// templates reads the words of all files of a directory: which of them a task
// renders, only the run may know.
func (r *reader) templates(dir string) {
	entries, err := r.l.Files.ReadDir(dir)
	if err != nil {
		return // there is no such directory
	}
	for _, n := range entries {
		p := document.Join(dir, n)
		if isDir, err := r.l.Files.Stat(p); err == nil && isDir {
			r.templates(p)
		} else if data, err := r.l.Files.ReadFile(p); err == nil {
			r.note(string(data))
		}
	}
}

// template reads the variables of the template file of a task.
func (r *reader) template(src string, p *playbook.Parsed) {
	if document.IsTemplate(src) || src == "" {
		return
	}
	var dirs []string
	if p.Task.Role != nil {
		dirs = append(dirs, document.Join(p.Task.Role.Path, "templates"), p.Task.Role.Path)
	}
	dirs = append(dirs, document.Join(p.Task.Dir, "templates"), p.Task.Dir)
	for _, b := range r.l.Books {
		dirs = append(dirs, document.Join(document.Dir(b.Path), "templates"), document.Dir(b.Path))
	}
	for _, dir := range dirs {
		file := document.Join(dir, src)
		data, err := r.l.Files.ReadFile(file)
		if err != nil {
			continue
		}
		names, err := r.l.Templates.FileUses(file, string(data))
		if err == nil { // what is wrong with it, the run says: nobody knows yet whether it is rendered
			r.take(names, p)
		}
		return
	}
}

// undefined says which variables nothing defines.
func (l *linter) undefined(d *defined, r *reader) {
	known := make([]string, 0, len(d.names))
	for n := range d.names {
		known = append(known, n)
	}
	sort.Strings(known)
	for _, u := range r.uses {
		name := u.Name.Name
		switch {
		case u.Guarded, d.names[name], vars.IsMagic(name), strings.HasPrefix(name, "ansible_"), strings.HasPrefix(name, "getent_"),
			name == "packages", name == "services", r.anyway[name], r.guarded[u.Place.File][name], inLoop(u.task, name):
			continue
		}
		hint := fault.Nearest(name, known)
		if hint != "" {
			hint = "did you mean " + hint + "?"
		} else {
			hint = "define it, pass it with -i or -e, or say default() where it may be missing"
		}
		l.say("undefined-variable", u.Place, "nothing defines "+name, hint)
	}
}

// inLoop says that a name is a variable of the task's own loop.
func inLoop(p *playbook.Parsed, name string) bool {
	if p == nil || p.Task.Loop == nil {
		return false
	}
	c := p.Task.LoopControl
	if c.LoopVar == nil && name == "item" || name == c.LoopVar || name == c.IndexVar {
		return true
	}
	_, text := c.LoopVar.(*jinja.Text)
	return text
}

// unused says which variables of roles nothing reads. Where names are made at
// run time nobody can tell.
func (l *linter) unused(r *reader) {
	if r.dynamic {
		return
	}
	for _, p := range l.read.Parsed {
		if p.Task != nil && p.Task.Include != nil {
			if _, text := p.Task.Include.Role.(*jinja.Text); text {
				return // a role that nobody knows yet may read anything
			}
		}
	}
	for _, role := range l.read.Roles {
		for _, part := range []struct {
			vars *jinja.Dict
			file string
		}{{role.Defaults, role.DefaultsFile}, {role.Vars, role.VarsFile}} {
			if part.vars == nil {
				continue
			}
			for k := range part.vars.All() {
				name, _ := k.(string)
				if name == "" || r.words[name] || strings.HasPrefix(name, "ansible_") {
					continue
				}
				l.say("unused-variable", l.Loader.KeyPlace(part.file, name), "nothing reads "+name, "remove it, or use it")
			}
		}
	}
}
