package playbook

import (
	"context"
	"errors"
	"path"
	"strings"
	"sync"

	"github.com/hashicorp/go-multierror"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/module"
	"mageprov/internal/vault"
)

// Options say where a Loader reads and what it knows.
type Options struct {
	Files     document.Files
	RolesPath []string // directories of roles, searched after the playbook's own
	// CollectionsPath are directories that hold ansible_collections, searched
	// after collections/ beside the playbook.
	CollectionsPath []string
	Library         []string // directories of a site's own modules, searched after the playbook's own
	// Modules finds a module by any of its names: module.Lookup.
	Modules func(name string) (*module.Spec, bool)
	// ExtraVars may stand in the names of static imports, as the play's literal vars may.
	ExtraVars *jinja.Dict
	// RenderStatic renders such a name instead of plain Jinja2; nil: plain Jinja2.
	RenderStatic func(text *jinja.Text) (string, error)
	// Parse checks the syntax of templates and conditions (and that filters and
	// tests are known); nil: they are not checked.
	Parse func(text *jinja.Text) error
	// Vault decrypts !vault strings when they are read; nil refuses them.
	Vault *vault.Keyring
}

// Loader reads playbooks, roles and task files, each file once. It may be used
// by several goroutines: files that are included at run time go through it too.
type Loader struct {
	o  Options
	mu sync.Mutex

	docs     map[string]*document.Node
	roles    map[roleKey]*Role
	tasks    map[tasksKey][]Node
	args     map[*module.Spec]*argSet
	checked  map[tasksKey]bool // dynamic includes that were looked into
	findings []Finding
	parsed   []Parsed
	playDir  string
	// libraries and foreign are the site's own modules: names by directory, and files.
	libraries map[string]map[string]string
	foreign   map[string]foreign
	// roleLibraries are those of the roles read so far.
	roleLibraries []string
	// defaulted: module_defaults were seen, so a required argument may come from there.
	defaulted bool
}

type tasksKey struct {
	path     string
	role     *Role
	handlers bool
}

// NewLoader makes a Loader.
func NewLoader(o Options) *Loader {
	return &Loader{
		o: o, docs: map[string]*document.Node{}, roles: map[roleKey]*Role{}, tasks: map[tasksKey][]Node{},
		args: map[*module.Spec]*argSet{}, checked: map[tasksKey]bool{},
	}
}

// pass collects the mistakes of one call of the Loader.
type pass struct {
	l    *Loader
	errs []error
	seen map[string]bool
}

// site is the place in the tree of files where something is being read.
type site struct {
	*pass
	file     string
	dir      string // of file
	playDir  string
	role     *Role
	handlers bool
	vars     *jinja.Dict // the play's literal vars, for names of static imports
	chain    []string    // files and roles that are being imported, outermost first
	// collections are those of the play, where short names of roles are looked for.
	collections []string
	// lenient: a dynamic include is looked into ahead of time. It may never run
	// (another distribution's file), so a module that is not known is a finding.
	lenient bool
}

func (l *Loader) site(playDir string) site {
	return site{pass: &pass{l: l, seen: map[string]bool{}}, playDir: playDir}
}

// in is the site of a file.
func (s site) in(file string) site {
	s.file, s.dir = file, document.Dir(file)
	s.chain = append(append([]string(nil), s.chain...), file)
	return s
}

// fail notes a mistake once.
func (p *pass) fail(place fault.Place, format string, args ...any) *fault.Error {
	e := fault.At(place, format, args...)
	if key := e.Error(); !p.seen[key] {
		p.seen[key] = true
		p.errs = append(p.errs, e)
	}
	return e
}

// roleMark tells a role in the chain from a file: directory, mark, tasks_from.
const roleMark = "\x00"

// circle notes that the last link of the chain leads back into it.
func (s site) circle(at fault.Place, what, again string) *fault.Error {
	links := append(append([]string(nil), s.chain...), again)
	for len(links) > 1 && links[0] != again {
		links = links[1:]
	}
	var shown []string
	_, _, roles := strings.Cut(again, roleMark)
	for _, l := range links {
		dir, from, isRole := strings.Cut(l, roleMark)
		switch {
		case isRole && roles:
			shown = append(shown, strings.TrimSpace(path.Base(dir)+" "+from))
		case !isRole && !roles:
			shown = append(shown, l)
		}
	}
	// a circle is met once from each of its members: one message is enough
	key := "circle " + at.String()
	if s.seen[key] {
		return &fault.Error{}
	}
	s.seen[key] = true
	return s.fail(at, "%s in a circle: %s", what, strings.Join(shown, " -> "))
}

// add notes err, taking it apart where it holds several.
func (p *pass) add(place fault.Place, err error) {
	var many *multierror.Error
	if errors.As(err, &many) {
		for _, e := range many.Errors {
			p.add(place, e)
		}
		return
	}
	var f *fault.Error
	if !errors.As(err, &f) || f.Place.IsZero() {
		f = &fault.Error{Place: place, Err: err, Hint: fault.HintOf(err)}
	}
	if key := f.Error(); !p.seen[key] {
		p.seen[key] = true
		p.errs = append(p.errs, f)
	}
}

func (p *pass) err() error {
	if len(p.errs) == 0 {
		return nil
	}
	sortByPlace(p.errs)
	return &multierror.Error{Errors: p.errs}
}

// note adds a finding, once.
func (p *pass) note(f Finding) {
	for _, have := range p.l.findings {
		if have == f {
			return
		}
	}
	p.l.findings = append(p.l.findings, f)
}

// read gives a YAML file; ok is false if it cannot be used at all, and then the
// reason has been noted.
func (s site) read(path string, from fault.Place) (n *document.Node, shown string, ok bool) {
	shown = s.l.shown(path)
	if n, ok := s.l.docs[shown]; ok {
		return n, shown, true
	}
	data, err := s.l.o.Files.ReadFile(path)
	if err != nil {
		if document.Missing(err) {
			s.fail(from, "the file %s does not exist", path)
		} else {
			s.add(from, document.Reading(err, "", path))
		}
		return nil, shown, false
	}
	n, err = document.LoadSealed(shown, data, s.l.o.Vault)
	if err != nil {
		s.add(fault.Place{File: shown}, err)
		return n, shown, n != nil
	}
	s.texts(n)
	s.l.docs[shown] = n
	return n, shown, true
}

// shown is a path as places name it: "builtin:..." for what the binary brings.
func (l *Loader) shown(path string) string {
	if r, ok := l.o.Files.(interface{ Resolve(string) (string, bool) }); ok {
		path, _ = r.Resolve(path)
	}
	return path
}

// isFile says whether there is a file (not a directory) at path.
func (l *Loader) isFile(path string) bool {
	dir, err := l.o.Files.Stat(path)
	return err == nil && !dir
}

func (l *Loader) isDir(path string) bool {
	dir, err := l.o.Files.Stat(path)
	return err == nil && dir
}

// texts checks the syntax of every template of a file.
func (s site) texts(n *document.Node) {
	if s.l.o.Parse == nil {
		return
	}
	if t, ok := n.Value.(*jinja.Text); ok {
		s.syntax(t)
	}
	for _, it := range n.Items {
		s.texts(it)
	}
	for i := range n.Pairs {
		s.texts(n.Pairs[i].Val)
	}
}

// syntax checks one template or condition.
func (s site) syntax(t *jinja.Text) {
	if s.l.o.Parse == nil {
		return
	}
	if err := s.l.o.Parse(t); err != nil {
		s.add(t.Place, s.explainPlugin(err))
	}
}

// static gives a name that must be known before the play starts.
func (s site) static(keyword string, n *document.Node) (string, bool) {
	t, ok := n.Value.(*jinja.Text)
	if !ok {
		name, ok := scalarText(n)
		if !ok || name == "" {
			s.fail(n.Place, "%s: expected a name, found %s", keyword, describe(n))
			return "", false
		}
		return name, true
	}
	render := s.l.o.RenderStatic
	if render == nil {
		render = s.renderPlain
	}
	name, err := render(t)
	if err != nil || name == "" {
		e := s.fail(n.Place, "%s is read before the play starts, so its name can use extra vars and literal vars of the play only", keyword)
		e.Err = err
		if keyword == "import_playbook" {
			e.WithHint("pass the variable with -e, or name the file")
		} else {
			e.WithHint("use include_%s, which is read when the task is reached", keyword[len("import_"):])
		}
		return "", false
	}
	return name, true
}

func (s site) renderPlain(t *jinja.Text) (string, error) {
	v, err := jinja.NewEnv().Render(context.Background(), t, staticScope{s.l.o.ExtraVars, s.vars})
	if err != nil {
		return "", err
	}
	name, ok := v.(string)
	if !ok || document.IsTemplate(name) {
		return "", nil
	}
	return name, nil
}

// staticScope is what static names may use, strongest first.
type staticScope []*jinja.Dict

func (s staticScope) Lookup(_ context.Context, name string) (any, bool, error) {
	for _, d := range s {
		if d != nil {
			if v, ok := d.Get(name); ok && !jinja.IsTemplated(v) {
				return v, true, nil
			}
		}
	}
	return nil, false, nil
}
