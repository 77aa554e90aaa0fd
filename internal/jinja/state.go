package jinja

import (
	"context"
	"errors"
	"strings"

	"mageprov/internal/fault"
)

// state is one rendering: what a node needs to be evaluated. It is not shared
// by goroutines.
type state struct {
	ctx    context.Context
	env    *Env
	scope  Scope
	frame  *frame // names set by the template itself, innermost first
	root   *frame // of the template; blocks see this one
	blocks map[string][]*blockStmt
	parent *tree // set by extends
	depth  *int  // calls, includes and lazily rendered values, shared with sub-renderings
	steps  int
}

// frame holds the names of one scope of a template.
type frame struct {
	up    *frame
	names []string
	vals  []any
}

func (f *frame) get(name string) (any, bool) {
	for ; f != nil; f = f.up {
		for i, n := range f.names {
			if n == name {
				return f.vals[i], true
			}
		}
	}
	return nil, false
}

func (f *frame) set(name string, v any) {
	for i, n := range f.names {
		if n == name {
			f.vals[i] = v
			return
		}
	}
	f.names = append(f.names, name)
	f.vals = append(f.vals, v)
}

func (s *state) push() { s.frame = &frame{up: s.frame} }
func (s *state) pop()  { s.frame = s.frame.up }

// tick notices cancellation every now and then.
func (s *state) tick() error {
	if s.steps++; s.steps&63 == 0 {
		return s.ctx.Err()
	}
	return nil
}

// enter counts nested calls, so that a macro that calls itself ends with an
// error and not with the stack.
func (s *state) enter(at loc) error {
	if *s.depth++; *s.depth > maxDepth {
		return s.fail(at, "too many nested calls (is there a loop?)")
	}
	return s.ctx.Err()
}

func (s *state) leave() { *s.depth-- }

func (s *state) fail(at loc, format string, args ...any) error {
	return fault.At(at.place(), format, args...)
}

// locate adds the place to an error that has none.
func locate(err error, at loc) error {
	var fe *fault.Error
	switch {
	case err == nil:
		return nil
	case err == errBreak || err == errContinue:
		return err
	case errors.As(err, &fe):
		if !fe.Place.IsZero() {
			return err
		}
		if fe == err {
			c := *fe
			c.Place = at.place()
			return &c
		}
	}
	return &fault.Error{Place: at.place(), Err: err}
}

// lookup finds a name in the template, then in the caller's scope, then among
// the globals.
func (s *state) lookup(n *nameExpr) (any, error) {
	if v, ok := s.frame.get(n.name); ok {
		return v, nil
	}
	if s.scope != nil {
		v, ok, err := s.scope.Lookup(s.ctx, n.name)
		if err != nil {
			return s.orUndefined(err, n.loc)
		}
		if ok {
			return s.force(v, n.loc)
		}
	}
	if v, ok := s.env.Globals[n.name]; ok {
		return v, nil
	}
	u := &Undefined{Name: n.name, Msg: "'" + n.name + "' is undefined", Place: n.place()}
	return u, nil
}

// orUndefined keeps the errors of lazily computed values that died of an
// undefined variable as values, so that default works on them.
func (s *state) orUndefined(err error, at loc) (any, error) {
	if u := fromUndefinedError(err); u != nil {
		return u, nil
	}
	return nil, locate(err, at)
}

// force computes a value that is computed when it is read, itself only, not
// what it holds.
func (s *state) force(v any, at loc) (any, error) {
	for n := 0; ; n++ {
		switch x := v.(type) {
		case Deferred:
			var err error
			if v, err = x.Force(s.ctx); err != nil {
				return s.orUndefined(err, at)
			}
		case *Text:
			if err := s.enter(at); err != nil {
				return nil, err
			}
			r, err := s.env.render(s.ctx, x, s.scope, s.depth)
			s.leave()
			if err != nil {
				return s.orUndefined(err, at)
			}
			v = r
		default:
			return v, nil
		}
		if n > maxDepth {
			return nil, s.fail(at, "a value refers to itself")
		}
	}
}

// use forces v wholly, for what looks inside: filters, operators, output. A
// plain value comes back as it is. Undefined values within stay.
func (s *state) use(v any, at loc) (any, error) {
	switch v.(type) {
	case string, int64, bool, nil, float64:
		return v, nil
	}
	m := materializer{ctx: s.ctx, keepUndefined: true, force: func(v any) (any, error) { return s.force(v, at) }}
	r, err := m.value(v, 0)
	return r, locate(err, at)
}

// defined is use, and an error for an undefined value.
func (s *state) defined(v any, at loc) (any, error) {
	switch v := v.(type) {
	case string, int64, bool, nil, float64:
		return v, nil
	case *Undefined:
		return nil, s.undefined(v, at)
	}
	return s.use(v, at)
}

// undefined is the error of using u, with a hint at names that are nearly the same.
func (s *state) undefined(u *Undefined, at loc) error {
	if u.err == nil && u.Hint == "" && u.Name != "" && !strings.Contains(u.Name, ".") {
		if n, ok := s.scope.(interface{ Names() []string }); ok {
			if near := fault.Nearest(u.Name, n.Names()); near != "" {
				u.Hint = "did you mean " + near + "?"
			}
		}
	}
	return locate(u.raise(), at)
}

// eval evaluates x and forces the result wholly; an undefined result is an error.
func (s *state) value(x expr) (any, error) {
	v, err := x.eval(s)
	if err != nil {
		return nil, err
	}
	return s.defined(v, x.where())
}

// truth evaluates a condition. A mapping need not be forced for that.
func (s *state) truth(x expr) (bool, error) {
	v, err := x.eval(s)
	if err != nil {
		return false, err
	}
	return s.isTrue(v, x.where())
}

func (s *state) isTrue(v any, at loc) (bool, error) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case *Undefined:
		if v.lenient {
			return false, nil
		}
		return false, s.undefined(v, at)
	case Mapping:
		keys, err := v.Keys(s.ctx)
		return len(keys) > 0, locate(err, at)
	}
	return Truth(v), nil
}
