package jinja

import (
	"context"
	"math/big"

	"mageprov/internal/fault"
)

type methodFunc func(c *Call, self any) (any, error)

// boundMethod is a method of a value, ready to be called.
type boundMethod struct {
	self any
	name string
	f    methodFunc
}

// Call calls the method.
func (m *boundMethod) Call(c *Call) (any, error) { return m.f(c, m.self) }

func (m *boundMethod) TypeName() string { return "builtin_function_or_method" }

// call computes the arguments of a call.
func (s *state) call(a *argList, at loc, name string) (*Call, error) {
	c := &Call{Ctx: s.ctx, Env: s.env, Scope: s.view(), Place: at.place(), Name: name, state: s}
	if a == nil {
		return c, nil
	}
	for _, x := range a.pos {
		v, err := s.argument(x)
		if err != nil {
			return nil, err
		}
		c.Args = append(c.Args, v)
	}
	if a.star != nil {
		v, err := s.value(a.star)
		if err != nil {
			return nil, err
		}
		items, err := Iterate(s.ctx, v)
		if err != nil {
			return nil, locate(err, a.star.where())
		}
		c.Args = append(c.Args, items...)
	}
	for i, x := range a.kwVals {
		v, err := s.argument(x)
		if err != nil {
			return nil, err
		}
		c.Kwargs = append(c.Kwargs, Kwarg{a.kwNames[i], v})
	}
	if a.dstar != nil {
		v, err := s.value(a.dstar)
		if err != nil {
			return nil, err
		}
		d, ok := v.(*Dict)
		if !ok {
			return nil, s.fail(a.dstar.where(), "argument after ** must be a mapping, not %s", TypeName(v))
		}
		for k, v := range d.All() {
			c.Kwargs = append(c.Kwargs, Kwarg{Str(k), v})
		}
	}
	return c, nil
}

// argument evaluates one argument. Undefined is passed on: a macro may test it,
// everything else that reads its arguments raises (see params).
func (s *state) argument(x expr) (any, error) {
	v, err := x.eval(s)
	if err != nil {
		return nil, err
	}
	if m, ok := v.(Mapping); ok {
		return m, nil
	}
	return s.use(v, x.where())
}

func (x *callExpr) eval(s *state) (any, error) {
	name, fn, err := x.function(s)
	if err != nil {
		return nil, err
	}
	if u, ok := fn.(*Undefined); ok {
		return nil, s.undefined(u, x.fn.where())
	}
	f, ok := fn.(Callable)
	if !ok {
		return nil, s.fail(x.loc, "'%s' object is not callable", TypeName(fn))
	}
	c, err := s.call(x.args, x.loc, name)
	if err != nil {
		return nil, err
	}
	if _, engine := fn.(engineCallable); !engine {
		if err := c.settle(); err != nil {
			return nil, locate(err, x.loc)
		}
	}
	if err := s.enter(x.loc); err != nil {
		return nil, err
	}
	v, err := f.Call(c)
	s.leave()
	if err != nil {
		return nil, locate(err, x.loc)
	}
	return s.force(v, x.loc)
}

// engineCallable marks macros and loops, which take undefined arguments.
type engineCallable interface{ engineCallable() }

// settle raises for undefined arguments and turns mappings into dictionaries.
func (c *Call) settle() error {
	var err error
	for i, v := range c.Args {
		if c.Args[i], err = settled(c, v); err != nil {
			return err
		}
	}
	for i, k := range c.Kwargs {
		if c.Kwargs[i].Value, err = settled(c, k.Value); err != nil {
			return err
		}
	}
	return nil
}

func settled(c *Call, v any) (any, error) {
	switch v := v.(type) {
	case *Undefined:
		if c.state != nil {
			return nil, c.state.undefined(v, loc{})
		}
		return nil, v.raise()
	case Mapping:
		return Materialize(c.Ctx, v)
	}
	return v, nil
}

// function finds what is called. A called attribute is a method first, so that
// d.items() works on a dictionary with a key "items".
func (x *callExpr) function(s *state) (string, any, error) {
	switch f := x.fn.(type) {
	case *attrExpr:
		if mutating[f.name] {
			if err := s.localise(f.x); err != nil {
				return "", nil, err
			}
		}
		v, err := f.x.eval(s)
		if err != nil {
			return "", nil, err
		}
		if v, err = s.force(v, f.loc); err != nil {
			return "", nil, err
		}
		if m := method(v, f.name); m != nil {
			return f.name, m, nil
		}
		fn, err := s.attr(v, f.name, f.loc)
		return f.name, fn, err
	case *nameExpr:
		fn, err := s.lookup(f)
		return f.name, fn, err
	}
	fn, err := x.fn.eval(s)
	return "", fn, err
}

// params are the arguments of a call, sorted by the names of the parameters.
type params struct {
	c     *Call
	names []string
	vals  []any
	set   []bool
	err   error
}

// bind matches the arguments with parameter names.
func (c *Call) bind(names ...string) *params {
	p := &params{c: c, names: names, vals: make([]any, len(names)), set: make([]bool, len(names))}
	if len(c.Args) > len(names) {
		p.err = fault.New("%s takes at most %d arguments, got %d", c.Name, len(names), len(c.Args))
		return p
	}
	for i, v := range c.Args {
		p.put(i, v)
	}
	for _, k := range c.Kwargs {
		i := 0
		for i < len(names) && names[i] != k.Name {
			i++
		}
		switch {
		case i == len(names):
			p.keep(fault.New("%s has no argument '%s'", c.Name, k.Name).WithHint("%s", fault.DidYouMean(k.Name, names)))
		case p.set[i]:
			p.keep(fault.New("%s got two values for argument '%s'", c.Name, k.Name))
		default:
			p.put(i, k.Value)
		}
	}
	return p
}

func (p *params) put(i int, v any) {
	v, err := settled(p.c, v)
	p.keep(err)
	p.vals[i], p.set[i] = v, true
}

// keep remembers the first error.
func (p *params) keep(err error) {
	if p.err == nil && err != nil {
		p.err = err
	}
}

func (p *params) need(n int) {
	for i := range n {
		if !p.set[i] {
			p.keep(fault.New("%s needs argument '%s'", p.c.Name, p.names[i]))
		}
	}
}

func (p *params) any(i int, def any) any {
	if i < len(p.set) && p.set[i] {
		return p.vals[i]
	}
	return def
}

func (p *params) bool(i int, def bool) bool {
	if !p.set[i] {
		return def
	}
	return Truth(p.vals[i])
}

func (p *params) wrong(i int, want string) {
	p.keep(fault.New("%s: argument '%s' must be %s, not %s", p.c.Name, p.names[i], want, TypeName(p.vals[i])))
}

func (p *params) int(i int, def int) int {
	if !p.set[i] {
		return def
	}
	n, ok := toInt64(p.vals[i])
	if !ok {
		if b, isBig := p.vals[i].(*big.Int); isBig {
			return b.Sign() * maxString * 16
		}
		p.wrong(i, "an integer")
		return def
	}
	return int(n)
}

func (p *params) str(i int, def string) string {
	if !p.set[i] {
		return def
	}
	s, ok := p.vals[i].(string)
	if !ok {
		p.wrong(i, "text")
	}
	return s
}

// view is the scope a called function sees: the template's own names first.
func (s *state) view() Scope {
	if s.frame == nil || s.frame.up == nil && len(s.frame.names) == 0 {
		return s.scope
	}
	return &view{s.frame, s.scope}
}

// view joins a template's own names with the caller's variables.
type view struct {
	frame *frame
	scope Scope
}

// Lookup finds a name.
func (v *view) Lookup(ctx context.Context, name string) (any, bool, error) {
	if x, ok := v.frame.get(name); ok {
		return x, true, nil
	}
	if v.scope == nil {
		return nil, false, nil
	}
	return v.scope.Lookup(ctx, name)
}

// Names lists the names of both.
func (v *view) Names() []string {
	var names []string
	for f := v.frame; f != nil; f = f.up {
		names = append(names, f.names...)
	}
	if n, ok := v.scope.(interface{ Names() []string }); ok {
		names = append(names, n.Names()...)
	}
	return names
}
