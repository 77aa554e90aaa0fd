package template

import (
	"context"
	"maps"
	"os"
	"strings"
	"sync"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/pyre"
)

// Options is what the engine needs from the run. Every field may be left empty.
type Options struct {
	Files   Files                       // for scopes that bring none of their own
	Env     func(string) (string, bool) // the controller's environment; nil: os.LookupEnv
	Managed string                      // ansible_managed; empty: "Ansible managed"
	Warn    func(string)                // receives what Ansible would refuse and we let pass
}

// Files reads the controller's files for lookups and templates.
type Files interface {
	ReadFile(path string) ([]byte, error)
	Glob(pattern string) ([]string, error)
	// Find resolves a relative name along the task's search path; kind is
	// "files", "templates" or "vars". It fails with the places tried.
	Find(ctx context.Context, kind, name string) (string, error)
}

// Vars gives raw variables: values may be, or hold, *jinja.Text.
type Vars interface {
	Lookup(ctx context.Context, name string) (v any, ok bool, err error)
	Names() []string
}

// Engine holds what all scopes of a run share: the two dialects (strings of
// playbooks, template files) and the caches of parsed sources.
type Engine struct {
	opts  Options
	text  *jinja.Env // strings of YAML files
	conds *jinja.Env // conditions, where a backslash in quotes is Python's
	files *jinja.Env // template files

	plugins map[string]plugin // lookups by short name

	exprs    cache[*jinja.Text] // sources of Eval
	sources  cache[*jinja.Text] // template files by settings and content
	patterns cache[*pyre.Regexp]
	warned   sync.Map // texts of warnings
}

// New makes an engine.
func New(o Options) *Engine {
	if o.Env == nil {
		o.Env = os.LookupEnv
	}
	if o.Managed == "" {
		o.Managed = "Ansible managed"
	}
	e := &Engine{opts: o, plugins: lookups()}
	e.text, e.files = e.dialect(), e.dialect()
	e.text.DoubleBackslash = true
	e.text.TrimBlocks, e.files.TrimBlocks = true, true
	conds := *e.text
	conds.DoubleBackslash = false
	e.conds = &conds
	return e
}

// dialect makes an Env with every name that Ansible adds to Jinja's own.
func (e *Engine) dialect() *jinja.Env {
	env := jinja.NewEnv()
	for _, table := range []map[string]jinja.Filter{
		pathFilters, hashFilters, textFilters, regexFilters, listFilters, setFilters, dictFilters,
		dataFilters, timeFilters, urlFilters, addressFilters, generalFilters, numberFilters, nestedFilters, spanFilters, vaultFilters,
	} {
		for name, f := range table {
			env.Filters[name] = f
			for _, full := range fullNames(name) {
				env.Filters[full] = f
			}
		}
	}
	for _, table := range []map[string]jinja.Test{resultTests, valueTests, fileTests, addressTests} {
		for name, t := range table {
			env.Tests[name] = t
			for _, full := range fullNames(name) {
				env.Tests[full] = t
			}
		}
	}
	for name, f := range maps.Clone(env.Filters) { // Jinja's own can be written with the collection, too
		if full := "ansible.builtin." + name; !strings.Contains(name, ".") && env.Filters[full] == nil {
			env.Filters[full] = f
			env.TakesUndefined[full] = env.TakesUndefined[name]
		}
	}
	for name, t := range maps.Clone(env.Tests) {
		if full := "ansible.builtin." + name; !strings.Contains(name, ".") && env.Tests[full] == nil {
			env.Tests[full] = t
			env.TakesUndefined[full] = env.TakesUndefined[name]
		}
	}
	for _, name := range []string{"mandatory", "type_debug"} {
		env.TakesUndefined[name] = true
		env.TakesUndefined["ansible.builtin."+name] = true
	}
	for name, f := range e.globals() {
		env.Globals[name] = f
	}
	return env
}

// warnOnce passes a warning on, each text once per run.
func (e *Engine) warnOnce(msg string) {
	if e.opts.Warn == nil {
		return
	}
	if _, seen := e.warned.LoadOrStore(msg, true); !seen {
		e.opts.Warn(msg)
	}
}

// expr gives the shared Text of an expression, so that it is parsed once.
func (e *Engine) expr(src string, p fault.Place) *jinja.Text {
	key := src + "\x00" + p.String()
	if t := e.exprs.get(key); t != nil {
		return t
	}
	t := &jinja.Text{Source: src, Place: p, Expr: true}
	e.exprs.put(key, t)
	return t
}
