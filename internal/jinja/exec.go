package jinja

import (
	"context"
	"errors"
	"slices"

	"mageprov/internal/fault"
)

var (
	errBreak    = errors.New("break outside of a loop")
	errContinue = errors.New("continue outside of a loop")
)

// run renders a template into w.
func (e *Env) run(ctx context.Context, t *Text, scope Scope, depth *int, w *output) error {
	tr, err := e.parse(t, false)
	if err != nil {
		return err
	}
	s := &state{ctx: ctx, env: e, scope: scope, depth: depth}
	return s.template(tr, w)
}

// template runs a tree in a fresh root frame, and what it extends.
func (s *state) template(tr *tree, w *output) error {
	s.frame = &frame{up: s.frame}
	s.root = s.frame
	if len(tr.blocks) > 0 {
		s.frame.set("self", &selfBlocks{s})
	}
	for {
		s.addBlocks(tr)
		s.parent = nil
		if err := s.run(tr.body, w); err != nil {
			return err
		}
		w.mute = false
		if s.parent == nil {
			return nil
		}
		tr = s.parent
		if err := s.enter(loc{}); err != nil {
			return err
		}
	}
}

func (s *state) addBlocks(tr *tree) {
	if len(tr.blocks) > 0 && s.blocks == nil {
		s.blocks = map[string][]*blockStmt{}
	}
	for name, b := range tr.blocks {
		if !slices.Contains(s.blocks[name], b) {
			s.blocks[name] = append(s.blocks[name], b)
		}
	}
}

func (s *state) run(body []stmt, w *output) error {
	for _, st := range body {
		if err := st.exec(s, w); err != nil {
			return err
		}
	}
	return nil
}

// capture renders a body to text.
func (s *state) capture(body []stmt) (string, error) {
	w := &output{}
	err := s.run(body, w)
	return w.text(), err
}

func (x *dataStmt) exec(s *state, w *output) error { return w.write(x.text) }

func (x *outputStmt) exec(s *state, w *output) error {
	if w.mute {
		return nil
	}
	v, err := x.x.eval(s)
	if err != nil {
		return err
	}
	if u, ok := v.(*Undefined); ok {
		if u.lenient {
			return nil
		}
		return s.undefined(u, x.x.where())
	}
	if v, err = s.use(v, x.x.where()); err != nil {
		return err
	}
	if u := findUndefined(v, 0); u != nil {
		return s.undefined(u, x.x.where())
	}
	return locate(w.put(v), x.x.where())
}

// findUndefined looks for an undefined value inside a list or dictionary.
func findUndefined(v any, depth int) *Undefined {
	if depth > maxReprDepth {
		return nil
	}
	var items []any
	switch v := v.(type) {
	case *Undefined:
		if v.lenient {
			return nil
		}
		return v
	case *List:
		items = v.Items
	case Tuple:
		items = v
	case *Dict:
		items = v.vals
	}
	for _, x := range items {
		if u := findUndefined(x, depth+1); u != nil {
			return u
		}
	}
	return nil
}

func (x *doStmt) exec(s *state, _ *output) error {
	_, err := x.x.eval(s)
	return err
}

func (x *groupStmt) exec(s *state, w *output) error {
	s.push()
	defer s.pop()
	return s.run(x.body, w)
}

func (x *jumpStmt) exec(*state, *output) error { return x.err }

func (x *ifStmt) exec(s *state, w *output) error {
	for i, test := range x.tests {
		yes, err := s.truth(test)
		if err != nil {
			return err
		}
		if yes {
			return s.run(x.bodies[i], w)
		}
	}
	return s.run(x.els, w)
}

func (x *setStmt) exec(s *state, _ *output) error {
	v, err := x.x.eval(s)
	if err != nil {
		return err
	}
	switch v.(type) {
	case *List, *Dict:
		name, _, err := s.callers(x.x)
		if err != nil {
			return err
		}
		if name != "" { // a method may change what the name stands for
			v = copyDeep(v, 0)
		}
	}
	return s.assign(x.target, v, x.loc)
}

func (x *setBlockStmt) exec(s *state, _ *output) error {
	s.push()
	text, err := s.capture(x.body)
	s.pop()
	if err != nil {
		return err
	}
	var v any = text
	if x.filter != nil {
		if v, err = s.pipe(x.filter, text); err != nil {
			return err
		}
	}
	return s.assign(x.target, v, x.loc)
}

// pipe runs text through a chain of filters that has no input of its own.
func (s *state) pipe(x expr, in any) (any, error) {
	f := x.(*filterExpr)
	if f.x != nil {
		var err error
		if in, err = s.pipe(f.x, in); err != nil {
			return nil, err
		}
	}
	return f.apply(s, in)
}

func (x *filterStmt) exec(s *state, w *output) error {
	s.push()
	text, err := s.capture(x.body)
	s.pop()
	if err != nil {
		return err
	}
	v, err := s.pipe(x.filter, text)
	if err != nil {
		return err
	}
	return locate(w.write(outText(v)), x.filter.where())
}

func (x *withStmt) exec(s *state, w *output) error {
	vals, err := s.evalAll(x.vals)
	if err != nil {
		return err
	}
	s.push()
	defer s.pop()
	for i, t := range x.targets {
		if err := s.assign(t, vals[i], t.where()); err != nil {
			return err
		}
	}
	return s.run(x.body, w)
}

// assign binds v to a name, to an attribute of a namespace, or its elements to
// several names.
func (s *state) assign(target expr, v any, at loc) error {
	switch t := target.(type) {
	case *nameExpr:
		s.frame.set(t.name, v)
		return nil
	case *nsTarget:
		ns, _ := s.frame.get(t.name)
		n, ok := ns.(*namespace)
		if !ok {
			return s.fail(t.loc, "cannot assign to an attribute of '%s': it is not a namespace", t.name).(*fault.Error).
				WithHint("begin with {%% set %s = namespace() %%}", t.name)
		}
		n.vars.Set(t.attr, v)
		return nil
	}
	names := target.(*tupleExpr).items
	v, err := s.force(v, at)
	if err != nil {
		return err
	}
	if u, ok := v.(*Undefined); ok {
		return s.undefined(u, at)
	}
	items, err := Iterate(s.ctx, v)
	if err != nil {
		return locate(err, at)
	}
	switch {
	case len(items) < len(names):
		return s.fail(at, "not enough values to unpack (expected %d, got %d)", len(names), len(items))
	case len(items) > len(names):
		return s.fail(at, "too many values to unpack (expected %d)", len(names))
	}
	for i, n := range names {
		if err := s.assign(n, items[i], at); err != nil {
			return err
		}
	}
	return nil
}

// namespace is what namespace() gives: attributes that inner scopes may set.
type namespace struct{ vars *Dict }

// Attr implements Object.
func (n *namespace) Attr(name string) (any, bool) { return n.vars.Get(name) }
func (n *namespace) TypeName() string             { return "Namespace" }
func (n *namespace) String() string               { return "<Namespace " + Repr(n.vars) + ">" }
