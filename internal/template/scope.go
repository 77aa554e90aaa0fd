package template

import (
	"context"
	"slices"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// Scope is the variables one task sees on one host. It renders a variable when
// it is first read and keeps the result. It is not for concurrent use.
type Scope struct {
	engine *Engine
	vars   Vars
	files  Files
	locals map[string]any // on top of vars; nil for none
	done   map[string]any // rendered variables
	busy   *[]reading     // variables being rendered, shared with scopes made by With
	fresh  bool           // containers are copied when read, because the template changes them
	self   string         // path of the template file being rendered
}

// reading is a variable that is being rendered.
type reading struct {
	name  string
	place fault.Place
}

// Scope makes the scope of one task on one host. A nil f means the engine's Files.
func (e *Engine) Scope(v Vars, f Files) *Scope {
	if f == nil {
		f = e.opts.Files
	}
	return &Scope{engine: e, vars: v, files: f, done: map[string]any{}, busy: new([]reading)}
}

// With gives a scope with locals on top, as the turns of a loop need. It renders
// variables anew, because they may depend on the locals.
func (s *Scope) With(locals map[string]any) *Scope {
	n := *s
	n.done = map[string]any{}
	if len(s.locals) == 0 {
		n.locals = locals
		return &n
	}
	n.locals = make(map[string]any, len(s.locals)+len(locals))
	for k, v := range s.locals {
		n.locals[k] = v
	}
	for k, v := range locals {
		n.locals[k] = v
	}
	return &n
}

// scopeName is how a filter or lookup reaches the Scope behind the variables in
// view; no template can write it.
const scopeName = "\x00scope"

// scopeOf gives the Scope in which c was called.
func scopeOf(c *jinja.Call) (*Scope, error) {
	if c.Scope != nil {
		v, _, err := c.Scope.Lookup(c.Ctx, scopeName)
		if err != nil {
			return nil, err
		}
		if s, ok := v.(*Scope); ok {
			return s, nil
		}
	}
	return nil, fault.At(c.Place, "%s can only be used with a task's variables", c.Name)
}

// Lookup gives a variable, rendered.
func (s *Scope) Lookup(ctx context.Context, name string) (any, bool, error) {
	if v, ok := s.done[name]; ok {
		return v, true, nil
	}
	if name == scopeName {
		return s, true, nil
	}
	raw, ok := s.locals[name]
	if !ok {
		var err error
		raw, ok, err = s.raw(ctx, name)
		if !ok || err != nil {
			return nil, false, err
		}
	}
	v, err := s.read(ctx, name, raw)
	if err != nil {
		return nil, false, err
	}
	s.done[name] = v
	return v, true, nil
}

// raw gives a variable below the locals as it was written.
func (s *Scope) raw(ctx context.Context, name string) (any, bool, error) {
	if s.vars != nil {
		v, ok, err := s.vars.Lookup(ctx, name)
		if ok || err != nil {
			return v, ok, err
		}
	}
	switch name {
	case "vars":
		return allVars{s}, true, nil
	case "ansible_managed":
		return s.engine.opts.Managed, true, nil
	}
	return nil, false, nil
}

// read renders a raw variable, or binds its parts so that they are rendered when read.
func (s *Scope) read(ctx context.Context, name string, raw any) (any, error) {
	switch v := raw.(type) {
	case *jinja.Text:
		if err := s.enter(name, v.Place); err != nil {
			return nil, err
		}
		defer s.leave()
		return s.render(ctx, v)
	case jinja.Deferred:
		if err := s.enter(name, fault.Place{}); err != nil {
			return nil, err
		}
		defer s.leave()
		return v.Force(ctx)
	case *jinja.List, *jinja.Dict:
		if jinja.IsTemplated(v) {
			return s.bind(v, name), nil
		}
		if s.fresh {
			return copied(v), nil
		}
	}
	return raw, nil
}

// enter notes that name is being rendered and fails when it already is.
func (s *Scope) enter(name string, p fault.Place) error {
	if i := slices.IndexFunc(*s.busy, func(r reading) bool { return r.name == name }); i >= 0 {
		var loop, places []string
		for _, r := range (*s.busy)[i:] {
			loop = append(loop, r.name)
			if r.place != (fault.Place{}) {
				places = append(places, r.name+" at "+r.place.String())
			}
		}
		hint := "a variable must not refer to itself; give one of them another name"
		if len(places) > 1 {
			hint += ": " + strings.Join(places, ", ")
		}
		return fault.At(p, "recursive loop detected in template: %s", strings.Join(append(loop, name), " -> ")).WithHint("%s", hint)
	}
	*s.busy = append(*s.busy, reading{name, p})
	return nil
}

func (s *Scope) leave() { *s.busy = (*s.busy)[:len(*s.busy)-1] }

// Suggest gives the hint for a variable that is not defined: the one that name
// may be a slip of the pen for, or "".
func (s *Scope) Suggest(name string) string {
	if near := fault.Nearest(name, s.names()); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}

// suggest adds that hint to an error.
func (s *Scope) suggest(err error) error {
	u, ok := jinja.AsUndefined(err)
	if !ok || u.Name == "" || fault.HintOf(err) != "" {
		return err
	}
	return &fault.Error{Err: err, Hint: s.Suggest(u.Name)}
}

// names lists all variables in view, sorted.
func (s *Scope) names() []string {
	var all []string
	if s.vars != nil {
		all = append(all, s.vars.Names()...)
	}
	for name := range s.locals {
		all = append(all, name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// allVars is the variable `vars`: every variable by name.
type allVars struct{ s *Scope }

func (a allVars) Get(ctx context.Context, key any) (any, bool, error) {
	name, ok := key.(string)
	if !ok || name == scopeName {
		return nil, false, nil
	}
	return a.s.Lookup(ctx, name)
}

func (a allVars) Keys(context.Context) ([]any, error) {
	var keys []any
	for _, name := range a.s.names() {
		keys = append(keys, name)
	}
	return keys, nil
}
