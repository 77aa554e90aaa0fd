package jinja

import (
	"context"
	"unicode/utf8"

	"mageprov/internal/fault"
)

// GetAttr is `v.name`: an entry of a dictionary or a method; *Undefined where there is none.
func GetAttr(ctx context.Context, v any, name string) (any, error) {
	return bare(ctx).attr(v, name, loc{})
}

// GetItem is `v[key]`; *Undefined where there is none.
func GetItem(ctx context.Context, v any, key any) (any, error) {
	return bare(ctx).item(v, key, loc{})
}

// bare is a state for what needs neither environment nor variables.
func bare(ctx context.Context) *state { return &state{ctx: ctx, env: &Env{}, depth: new(int)} }

// attr is `v.name` that is not called: an entry of a dictionary goes before a
// method of the same name, which nobody wants to see uncalled.
func (s *state) attr(v any, name string, at loc) (any, error) {
	v, err := s.force(v, at)
	if err != nil {
		return nil, err
	}
	switch x := v.(type) {
	case *Dict:
		if e, ok := x.Get(name); ok {
			return s.force(e, at)
		}
	case Mapping:
		e, ok, err := x.Get(s.ctx, name)
		if err != nil {
			return s.orUndefined(err, at)
		}
		if ok {
			return s.force(e, at)
		}
	case *Undefined:
		return x, nil
	case Tuple:
		if e, ok := x.group(name); ok {
			return e, nil
		}
	case Object:
		if e, ok := x.Attr(name); ok {
			return e, nil
		}
	}
	if m := method(v, name); m != nil {
		return m, nil
	}
	return s.missing(v, "has no attribute '"+name+"'", name, at), nil
}

// group lets the pairs of groupby answer to names too.
func (t Tuple) group(name string) (any, bool) {
	switch {
	case len(t) == 2 && name == "grouper":
		return t[0], true
	case len(t) == 2 && name == "list":
		return t[1], true
	}
	return nil, false
}

// method gives the bound method, or nil.
func method(v any, name string) Callable {
	var table map[string]methodFunc
	switch v.(type) {
	case string:
		table = strMethods
	case *List:
		table = listMethods
	case Tuple:
		table = tupleMethods
	case *Dict, Mapping:
		table = dictMethods
	}
	if f, ok := table[name]; ok {
		return &boundMethod{v, name, f}
	}
	return nil
}

func (s *state) missing(v any, what, name string, at loc) *Undefined {
	u := &Undefined{Name: "." + name, Msg: "'" + TypeName(v) + " object' " + what, Place: at.place()}
	if d, ok := v.(*Dict); ok && name != "" {
		var keys []string
		for _, k := range d.Keys() {
			if k, ok := k.(string); ok {
				keys = append(keys, k)
			}
		}
		if near := fault.Nearest(name, keys); near != "" {
			u.Hint = "did you mean " + near + "?"
		}
	}
	return u
}

// item is `v[key]`: an element, else for a text key an attribute.
func (s *state) item(v, key any, at loc) (any, error) {
	v, err := s.force(v, at)
	if err != nil {
		return nil, err
	}
	switch x := v.(type) {
	case *Undefined:
		return x, nil
	case *Dict, Mapping:
		return s.entry(v, key, at)
	case string, *List, Tuple:
		if i, ok := toInt64(key); ok {
			return s.index(v, i, at)
		}
	}
	if name, ok := key.(string); ok {
		if t, ok := v.(Tuple); ok {
			if e, ok := t.group(name); ok {
				return e, nil
			}
		}
		if a, ok := v.(Object); ok {
			if e, ok := a.Attr(name); ok {
				return e, nil
			}
		}
		if m := method(v, name); m != nil {
			return m, nil
		}
		return s.missing(v, "has no attribute '"+name+"'", name, at), nil
	}
	return s.missing(v, "has no element "+Repr(key), "", at), nil
}

func (s *state) entry(v, key any, at loc) (any, error) {
	if !Hashable(key) {
		return s.missing(v, "has no element "+Repr(key), "", at), nil
	}
	switch x := v.(type) {
	case *Dict:
		if e, ok := x.Get(key); ok {
			return s.force(e, at)
		}
	case Mapping:
		e, ok, err := x.Get(s.ctx, key)
		if err != nil {
			return s.orUndefined(err, at)
		}
		if ok {
			return s.force(e, at)
		}
	}
	name, isStr := key.(string)
	if !isStr {
		return s.missing(v, "has no element "+Repr(key), "", at), nil
	}
	if m := method(v, name); m != nil {
		return m, nil
	}
	return s.missing(v, "has no attribute '"+name+"'", name, at), nil
}

func (s *state) index(v any, i int64, at loc) (any, error) {
	n := int64(length(v))
	j := i
	if j < 0 {
		j += n
	}
	if j < 0 || j >= n {
		return s.missing(v, "has no element "+Repr(i), "", at), nil
	}
	switch v := v.(type) {
	case string:
		if len(v) == int(n) {
			return v[j : j+1], nil
		}
		return string([]rune(v)[j]), nil
	case *List:
		return s.force(v.Items[j], at)
	case Tuple:
		return s.force(v[j], at)
	}
	return nil, nil
}

// length is Python's len, or -1 for what has none.
func length(v any) int {
	switch v := v.(type) {
	case string:
		return utf8.RuneCountInString(v)
	case *List:
		return len(v.Items)
	case Tuple:
		return len(v)
	case *Dict:
		return v.Len()
	}
	return -1
}

// slice is `v[lo:hi:step]`.
func (s *state) slice(v any, x *sliceExpr) (any, error) {
	v, err := s.force(v, x.loc)
	if err != nil {
		return nil, err
	}
	if u, ok := v.(*Undefined); ok {
		return u, nil
	}
	var b [3]*int64
	for i, e := range []expr{x.lo, x.hi, x.step} {
		if e == nil {
			continue
		}
		k, err := s.value(e)
		if err != nil {
			return nil, err
		}
		n, ok := toInt64(k)
		if !ok && k != nil {
			return nil, s.fail(e.where(), "slice indices must be integers or None")
		}
		if ok {
			b[i] = &n
		}
	}
	var items []any
	var runes []rune
	n := 0
	switch v := v.(type) {
	case string:
		runes = []rune(v)
		n = len(runes)
	case *List:
		items, n = v.Items, len(v.Items)
	case Tuple:
		items, n = v, len(v)
	default:
		return s.missing(v, "cannot be sliced", "", x.loc), nil
	}
	from, count, step, err := sliceRange(n, b)
	if err != nil {
		return nil, locate(err, x.loc)
	}
	if runes != nil || items == nil {
		out := make([]rune, count)
		for i := range out {
			out[i] = runes[from+i*step]
		}
		if _, ok := v.(string); ok {
			return string(out), nil
		}
	}
	out := make([]any, count)
	for i := range out {
		out[i] = items[from+i*step]
	}
	if _, ok := v.(Tuple); ok {
		return Tuple(out), nil
	}
	return &List{Items: out, Templated: IsTemplated(v)}, nil
}

// sliceRange gives the first index, how many, and the step, as Python does.
func sliceRange(n int, b [3]*int64) (from, count, step int, err error) {
	st := int64(1)
	if b[2] != nil {
		st = *b[2]
	}
	if st == 0 {
		return 0, 0, 0, fault.New("slice step cannot be zero")
	}
	size := int64(n)
	st = max(-size-1, min(size+1, st))
	clamp := func(p *int64, def int64) int64 {
		if p == nil {
			return def
		}
		i := *p
		if i < 0 {
			i += size
		}
		if st < 0 {
			return max(-1, min(i, size-1))
		}
		return max(0, min(i, size))
	}
	var lo, hi int64
	if st > 0 {
		lo, hi = clamp(b[0], 0), clamp(b[1], size)
		if lo < hi {
			count = int((hi - lo + st - 1) / st)
		}
	} else {
		lo, hi = clamp(b[0], size-1), clamp(b[1], -1)
		if lo > hi {
			count = int((lo - hi - st - 1) / -st)
		}
	}
	return int(lo), count, int(st), nil
}

// Iterate lists what `for` would walk: elements, keys, characters. Elements
// that are computed when read come out as they are.
func Iterate(ctx context.Context, v any) ([]any, error) {
	v, err := bare(ctx).force(v, loc{})
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case *List:
		return v.Items, nil
	case Tuple:
		return v, nil
	case *Dict:
		return append([]any(nil), v.Keys()...), nil
	case Mapping:
		return v.Keys(ctx)
	case string:
		out := make([]any, 0, len(v))
		for _, r := range v {
			out = append(out, string(r))
		}
		return out, nil
	case *Undefined:
		return nil, v.raise()
	}
	return nil, fault.New("'%s' object is not iterable", TypeName(v))
}
