package jinja

import (
	"context"
	"sync/atomic"

	"mageprov/internal/fault"
)

// parsedCache holds the syntax trees of a Text: a short list, since a source is
// read with one set of delimiters nearly always.
type parsedCache struct {
	head atomic.Pointer[parsed]
}

type parsed struct {
	syn     syntax
	tree    *tree
	err     error
	checked atomic.Pointer[Env] // the environment that knows all its filters and tests
	next    *parsed
}

// parse gives the tree of t, every filter and test of which e knows.
func (e *Env) parse(t *Text, asExpr bool) (*tree, error) {
	p := cached(t, e.syntaxOf(asExpr))
	if p.err != nil {
		return nil, p.err
	}
	if p.checked.Load() != e {
		if err := e.check(p.tree); err != nil {
			return nil, err
		}
		p.checked.Store(e)
	}
	return p.tree, nil
}

func parseCached(t *Text, syn syntax) (*tree, error) {
	p := cached(t, syn)
	return p.tree, p.err
}

// cached parses t once for each set of delimiters and settings.
func cached(t *Text, syn syntax) *parsed {
	p := t.cache.head.Load()
	for p != nil && p.syn != syn {
		p = p.next
	}
	if p != nil {
		return p
	}
	p = &parsed{syn: syn}
	p.tree, p.err = parseText(t, syn)
	for {
		p.next = t.cache.head.Load()
		if t.cache.head.CompareAndSwap(p.next, p) {
			return p
		}
	}
}

// check makes sure that every filter and test is known.
func (e *Env) check(t *tree) error {
	for _, f := range t.filters {
		if _, name := e.filter(f.Name); name == "" {
			return unknown(f, "filter", sortedKeys(e.Filters))
		}
	}
	for _, f := range t.tests {
		if _, name := e.test(f.Name); name == "" {
			return unknown(f, "test", sortedKeys(e.Tests))
		}
	}
	return nil
}

func unknown(n Name, what string, known []string) error {
	err := fault.At(n.Place, "no %s named '%s'", what, n.Name)
	if near := fault.Nearest(n.Name, known); near != "" {
		err.Hint = "did you mean " + near + "?"
	}
	return err
}

// Parse checks the syntax and that every filter and test is known.
func (e *Env) Parse(t *Text) error {
	_, err := e.parse(t, t.Expr)
	return err
}

// Render gives the native value of an expression, or of a template that puts
// out nothing but the value of one expression; the text of any other template.
func (e *Env) Render(ctx context.Context, t *Text, s Scope) (any, error) {
	v, err := e.render(ctx, t, s, new(int))
	if err != nil {
		return nil, err
	}
	if u, ok := v.(*Undefined); ok && !u.lenient {
		return nil, u.raise()
	}
	return Materialize(ctx, v)
}

// RenderText renders to text whatever the source is: template files.
func (e *Env) RenderText(ctx context.Context, t *Text, s Scope) (string, error) {
	w := &output{}
	if t.Expr {
		v, err := e.Render(ctx, t, s)
		return Str(v), err
	}
	if err := e.run(ctx, t, s, new(int), w); err != nil {
		return "", err
	}
	return w.text(), nil
}

// render gives the value of t; an undefined one comes back as such.
func (e *Env) render(ctx context.Context, t *Text, s Scope, depth *int) (any, error) {
	tr, err := e.parse(t, t.Expr)
	if err != nil {
		return nil, err
	}
	if tr.expr != nil || tr.only != nil {
		x := tr.expr
		if x == nil {
			x = tr.only
		}
		st := &state{ctx: ctx, env: e, scope: s, depth: depth}
		v, err := x.eval(st)
		if err != nil {
			return nil, err
		}
		if u, ok := v.(*Undefined); ok {
			if !u.lenient && u.err == nil {
				return nil, st.undefined(u, x.where())
			}
			return u, nil
		}
		return st.use(v, x.where())
	}
	w := &output{native: true}
	if err := e.run(ctx, t, s, depth, w); err != nil {
		return nil, err
	}
	return w.value(), nil
}
