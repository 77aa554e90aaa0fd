package jinja

import (
	"context"

	"mageprov/internal/fault"
)

// Materialize forces every Deferred in v and turns each Mapping into a Dict. It
// gives v itself where there is nothing to do. An Undefined within is an error.
// A Text stays as it is: it needs an environment to be rendered.
func Materialize(ctx context.Context, v any) (any, error) {
	m := materializer{ctx: ctx}
	return m.value(v, 0)
}

type materializer struct {
	ctx           context.Context
	keepUndefined bool
	force         func(any) (any, error) // nil forces Deferred only
}

func (m *materializer) value(v any, depth int) (any, error) {
	if depth > maxReprDepth {
		return nil, fault.New("a value is nested too deeply, or holds itself")
	}
	switch x := v.(type) {
	case string, int64, bool, nil, float64:
		return v, nil
	case *List:
		items, err := m.items(x.Items, depth)
		if err != nil || items == nil {
			return v, err
		}
		return &List{Items: items}, nil
	case Tuple:
		items, err := m.items(x, depth)
		if err != nil || items == nil {
			return v, err
		}
		return Tuple(items), nil
	case *Dict:
		return m.dict(x, depth)
	case Deferred:
		return m.deferred(x, depth)
	case *Text:
		if m.force == nil {
			return v, nil
		}
		return m.deferred(x, depth)
	case Mapping:
		return m.mapping(x, depth)
	case *Undefined:
		if !m.keepUndefined {
			if x.lenient {
				return "", nil
			}
			return nil, x.raise()
		}
	}
	return v, nil
}

func (m *materializer) deferred(v any, depth int) (any, error) {
	var err error
	if m.force != nil {
		v, err = m.force(v)
	} else {
		v, err = v.(Deferred).Force(m.ctx)
	}
	if err != nil {
		return nil, err
	}
	return m.value(v, depth+1)
}

// items gives nil where nothing had to be done.
func (m *materializer) items(items []any, depth int) ([]any, error) {
	var out []any
	for i, x := range items {
		y, err := m.value(x, depth+1)
		if err != nil {
			return nil, err
		}
		if out == nil && !sameValue(x, y) {
			out = append(make([]any, 0, len(items)), items[:i]...)
		}
		if out != nil {
			out = append(out, y)
		}
	}
	return out, nil
}

// sameValue says that materialising changed nothing: plain values come back
// themselves, containers by reference.
func sameValue(x, y any) bool {
	switch x := x.(type) {
	case string, int64, bool, nil, float64:
		return true
	case Tuple:
		t, ok := y.(Tuple)
		return ok && len(t) == len(x) && (len(t) == 0 || &t[0] == &x[0])
	case *List:
		return any(x) == y
	case *Dict:
		return any(x) == y
	case Deferred, *Text, Mapping:
		return false
	}
	return true
}

func (m *materializer) dict(d *Dict, depth int) (any, error) {
	out := d
	for i, x := range d.vals {
		y, err := m.value(x, depth+1)
		if err != nil {
			return nil, err
		}
		if sameValue(x, y) {
			continue
		}
		if out == d {
			out = d.Clone()
			out.Templated = false
		}
		out.vals[i] = y
	}
	return out, nil
}

func (m *materializer) mapping(mp Mapping, depth int) (any, error) {
	keys, err := mp.Keys(m.ctx)
	if err != nil {
		return nil, err
	}
	d := &Dict{}
	for _, k := range keys {
		v, ok, err := mp.Get(m.ctx, k)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if v, err = m.value(v, depth+1); err != nil {
			return nil, err
		}
		d.Set(k, v)
	}
	return d, nil
}
