package jinja

import (
	"context"
	"iter"
	"math/big"

	"mageprov/internal/fault"
)

// A value of the language is one of
//
//	nil        None
//	bool, int64, *big.Int (outside int64), float64, string
//	*List, Tuple, *Dict
//	Mapping    a dictionary that computes its entries on demand
//	*Text      template source that has not been rendered yet
//	Deferred   a value that is computed when it is read
//	*Undefined
//	Callable   and the engine's own objects (loop, namespace, macro, module)
//	Object     what other packages add: dates
//
// Nothing else may be handed in; FromGo converts what Go programs have.

// List is Python's list: mutable, shared by reference.
type List struct {
	Items []any
	// Templated says that a *Text stands somewhere below, so that readers need not look.
	Templated bool
}

// NewList makes a list of the given values.
func NewList(items ...any) *List { return &List{Items: items} }

// Tuple is Python's tuple.
type Tuple []any

// Text is template source from a file the user wrote. Only Text is ever
// rendered: strings that came from a node, a lookup or another template are
// data, so remote facts can never become code.
type Text struct {
	Source string
	Place  fault.Place // of the first character of Source, as well as it is known
	Expr   bool        // Source is a bare expression (when:, until:), not text with {{ }}

	cache parsedCache // filled by the first use; owned by the engine
}

// Deferred is a value that is computed when it is read, at most once.
type Deferred interface {
	Force(ctx context.Context) (any, error)
}

// Mapping is a dictionary that computes its entries on demand, as hostvars and
// lazily gathered facts do.
type Mapping interface {
	// Get gives the value of key; ok is false where there is none.
	Get(ctx context.Context, key any) (v any, ok bool, err error)
	// Keys lists all keys in order.
	Keys(ctx context.Context) ([]any, error)
}

// Undefined is what a missing variable, attribute or element gives. It is an
// error to use it for anything but `is defined`, `default` and passing it on.
type Undefined struct {
	Name  string      // "foo", or "foo.bar" as far as known
	Msg   string      // "'foo' is undefined", "'dict object' has no attribute 'bar'"
	Hint  string      // near misses
	Place fault.Place // of the expression

	err     error // what a lazily computed value died of
	lenient bool  // an inline if without else: prints as nothing
}

// Callable is anything that can be called from a template.
type Callable interface {
	Call(c *Call) (any, error)
}

// Object is a value with attributes of its own, such as a date or a namespace.
// What it prints is its String method's.
type Object interface {
	// Attr gives `object.name`, a value or a Callable; ok is false where there is none.
	Attr(name string) (v any, ok bool)
}

// Operand is an Object that takes part in arithmetic: dates can be subtracted.
type Operand interface {
	// Operate computes `object op other`, or `other op object` if swapped. op is
	// one of + - * / // % ** == < and so on, where the last give a bool. ok is
	// false where the two do not go together.
	Operate(op string, other any, swapped bool) (v any, ok bool, err error)
}

// Func makes a Go function Callable.
type Func func(c *Call) (any, error)

// Call calls f.
func (f Func) Call(c *Call) (any, error) { return f(c) }

// Call is one call of a function, method, filter or test: its arguments, fully
// computed, and what it may use.
type Call struct {
	Ctx    context.Context
	Env    *Env
	Scope  Scope // the variables in view at the call
	Args   []any
	Kwargs []Kwarg
	Place  fault.Place
	Name   string // as written, for messages

	state *state // nil outside of a rendering
}

// Kwarg is one keyword argument.
type Kwarg struct {
	Name  string
	Value any
}

// Scope gives variables by name. ok is false for an unknown name.
type Scope interface {
	Lookup(ctx context.Context, name string) (v any, ok bool, err error)
}

// Dict is Python's dict: insertion order, keys of any hashable value, shared by reference.
type Dict struct {
	keys  []any
	vals  []any
	index map[any]int
	// Templated says that a *Text stands somewhere below, so that readers need not look.
	Templated bool
}

// NewDict makes a dictionary from key, value, key, value...
func NewDict(kv ...any) *Dict {
	d := &Dict{}
	for i := 0; i+1 < len(kv); i += 2 {
		d.Set(kv[i], kv[i+1])
	}
	return d
}

// Get gives the value of key. It does not force a Deferred.
func (d *Dict) Get(key any) (any, bool) {
	i, ok := d.index[hashKey(key)]
	if !ok {
		return nil, false
	}
	return d.vals[i], true
}

// Set adds or replaces key; a replaced key keeps its place, as in Python.
// It panics on an unhashable key: ask Hashable first where the key is foreign.
func (d *Dict) Set(key, val any) {
	h := hashKey(key)
	if i, ok := d.index[h]; ok {
		d.vals[i] = val
		return
	}
	if d.index == nil {
		d.index = make(map[any]int, 8)
	}
	d.index[h] = len(d.keys)
	d.keys = append(d.keys, key)
	d.vals = append(d.vals, val)
}

// Delete removes key and says whether it was there. Order is kept; O(n).
func (d *Dict) Delete(key any) bool {
	h := hashKey(key)
	i, ok := d.index[h]
	if !ok {
		return false
	}
	d.keys = append(d.keys[:i], d.keys[i+1:]...)
	d.vals = append(d.vals[:i], d.vals[i+1:]...)
	delete(d.index, h)
	for k, j := range d.index {
		if j > i {
			d.index[k] = j - 1
		}
	}
	return true
}

// Len is the number of entries; 0 for a nil Dict.
func (d *Dict) Len() int {
	if d == nil {
		return 0
	}
	return len(d.keys)
}

// Keys lists the keys in order. The slice is the dictionary's own: do not change it.
func (d *Dict) Keys() []any {
	if d == nil {
		return nil
	}
	return d.keys
}

// All walks the entries in order.
func (d *Dict) All() iter.Seq2[any, any] {
	return func(yield func(any, any) bool) {
		if d == nil {
			return
		}
		for i := range d.keys {
			if !yield(d.keys[i], d.vals[i]) {
				return
			}
		}
	}
}

// Clone makes a shallow copy.
func (d *Dict) Clone() *Dict {
	c := &Dict{}
	if d == nil {
		return c
	}
	c.Templated = d.Templated
	c.keys = append([]any(nil), d.keys...)
	c.vals = append([]any(nil), d.vals...)
	c.index = make(map[any]int, len(d.index))
	for k, v := range d.index {
		c.index[k] = v
	}
	return c
}

// IsTemplated says whether v is, or holds, source that has still to be rendered
// or a value that is computed when it is read.
func IsTemplated(v any) bool {
	switch v := v.(type) {
	case *Text, Deferred:
		return true
	case *List:
		return v.Templated
	case *Dict:
		return v.Templated
	}
	return false
}

// tupleKey stands for a tuple in a Dict's index, by its repr: equal tuples of
// hashable values have equal reprs once numbers are normalised.
type tupleKey string

// hashKey gives the Go value that stands for key in the index: Python treats
// 1, 1.0 and True as one key.
func hashKey(key any) any {
	switch k := key.(type) {
	case string, int64, nil:
		return k
	case int:
		return int64(k)
	case bool:
		if k {
			return int64(1)
		}
		return int64(0)
	case float64:
		if i := int64(k); float64(i) == k {
			return i
		}
		return k
	case *big.Int:
		return tupleKey("big:" + k.String())
	case Tuple:
		s := "("
		for _, x := range k {
			s += Repr(normalKey(x)) + ","
		}
		return tupleKey(s)
	}
	return key
}

func normalKey(v any) any {
	switch h := hashKey(v).(type) {
	case tupleKey:
		return string(h)
	default:
		return h
	}
}
