package template

import (
	"mageprov/internal/jinja"
)

var setFilters = map[string]jinja.Filter{
	"difference":                 onLists(func(a, b *valueSet) []any { return a.keep(b, false) }),
	"intersect":                  onLists(func(a, b *valueSet) []any { return a.keep(b, true) }),
	"union":                      onLists(unionOf),
	"symmetric_difference":       onLists(exclusive),
	"lists_difference":           onManyLists(func(a, b *valueSet) []any { return a.keep(b, false) }),
	"lists_intersect":            onManyLists(func(a, b *valueSet) []any { return a.keep(b, true) }),
	"lists_union":                onManyLists(unionOf),
	"lists_symmetric_difference": onManyLists(exclusive),
}

// valueSet is a list without its repeats, in order of first appearance.
type valueSet struct {
	items    []any
	hashable *jinja.Dict
	other    []any // values that cannot be keys
}

func newSet(items []any) *valueSet {
	s := &valueSet{hashable: jinja.NewDict()}
	for _, x := range items {
		s.add(x)
	}
	return s
}

func (s *valueSet) has(x any) bool {
	if jinja.Hashable(x) {
		_, ok := s.hashable.Get(x)
		return ok
	}
	for _, y := range s.other {
		if jinja.Equal(x, y) {
			return true
		}
	}
	return false
}

func (s *valueSet) add(x any) {
	if s.has(x) {
		return
	}
	s.items = append(s.items, x)
	if jinja.Hashable(x) {
		s.hashable.Set(x, nil)
	} else {
		s.other = append(s.other, x)
	}
}

// keep gives the elements that are in o, or those that are not.
func (s *valueSet) keep(o *valueSet, in bool) []any {
	var out []any
	for _, x := range s.items {
		if o.has(x) == in {
			out = append(out, x)
		}
	}
	return out
}

func unionOf(a, b *valueSet) []any {
	for _, x := range b.items {
		a.add(x)
	}
	return a.items
}

func exclusive(a, b *valueSet) []any {
	return append(a.keep(b, false), b.keep(a, false)...)
}

// onLists makes a filter with one list as argument.
func onLists(f func(a, b *valueSet) []any) jinja.Filter {
	return func(c *jinja.Call, in any) (any, error) {
		a := take(c, "b")
		a.need("b")
		if a.err != nil {
			return nil, a.err
		}
		return combineLists(c, f, in, []any{a.vals["b"]})
	}
}

// onManyLists makes a filter with any number of lists as arguments; with
// flatten, the lists may also come as one list of lists.
func onManyLists(f func(a, b *valueSet) []any) jinja.Filter {
	return func(c *jinja.Call, in any) (any, error) {
		a := take(c, "*", "flatten")
		lists := append([]any{in}, a.rest...)
		if a.flag("flatten", false) {
			lists = nil
			for _, x := range append([]any{in}, a.rest...) {
				nested := false
				for _, y := range oneOrMany(x) {
					nested = nested || isSequence(y)
				}
				if nested {
					lists = append(lists, oneOrMany(x)...)
				} else {
					lists = append(lists, x)
				}
			}
		}
		if a.err != nil {
			return nil, a.err
		}
		if len(lists) == 0 {
			return jinja.NewList(), nil
		}
		return combineLists(c, f, lists[0], lists[1:])
	}
}

func combineLists(c *jinja.Call, f func(a, b *valueSet) []any, first any, more []any) (any, error) {
	lists, err := allElements(c, first, more)
	if err != nil {
		return nil, err
	}
	acc := newSet(lists[0])
	for _, l := range lists[1:] {
		acc = newSet(f(acc, newSet(l)))
	}
	return &jinja.List{Items: append([]any{}, acc.items...)}, nil
}
