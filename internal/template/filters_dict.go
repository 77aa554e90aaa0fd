package template

import (
	"slices"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

var dictFilters = map[string]jinja.Filter{
	"combine":    combine,
	"dict2items": dict2items,
	"items2dict": items2dict,
}

var listMerges = []string{"replace", "keep", "append", "prepend", "append_rp", "prepend_rp"}

// combine merges dictionaries, the later ones winning.
func combine(c *jinja.Call, in any) (any, error) {
	a := take(c, "*", "recursive", "list_merge")
	m := merger{c: c, recursive: a.flag("recursive", false), lists: a.str("list_merge", "replace")}
	if a.err != nil {
		return nil, a.err
	}
	if !slices.Contains(listMerges, m.lists) {
		return nil, refuse(c, "list_merge is %q", m.lists).(*fault.Error).
			WithHint("%s", fault.DidYouMean(m.lists, listMerges))
	}
	out := jinja.NewDict()
	for _, x := range flat(nil, append([]any{in}, a.rest...), 1, true) {
		d, err := mapping(c, x)
		if err != nil {
			return nil, err
		}
		if out, err = m.merge(out, d); err != nil {
			return nil, err
		}
	}
	return out, nil
}

type merger struct {
	c         *jinja.Call
	recursive bool
	lists     string
}

func (m merger) merge(x, y *jinja.Dict) (*jinja.Dict, error) {
	out := x.Clone()
	if !m.recursive && m.lists == "replace" {
		for k, v := range y.All() {
			out.Set(k, v)
		}
		return out, nil
	}
	for k, v := range y.All() {
		old, ok := out.Get(k)
		if !ok {
			out.Set(k, v)
			continue
		}
		oldDict, isDict := old.(*jinja.Dict)
		newDict, bothDicts := v.(*jinja.Dict)
		switch {
		case isDict && bothDicts && m.recursive:
			d, err := m.merge(oldDict, newDict)
			if err != nil {
				return nil, err
			}
			out.Set(k, d)
		case isList(old) && isList(v):
			out.Set(k, m.mergeLists(old, v))
		default:
			out.Set(k, v)
		}
	}
	return out, nil
}

// isList tells lists from tuples, which are never merged.
func isList(v any) bool { _, ok := v.(*jinja.List); return ok }

func (m merger) mergeLists(old, new any) any {
	x, y := oneOrMany(old), oneOrMany(new)
	switch m.lists {
	case "keep":
		return old
	case "append":
		return jinja.NewList(slices.Concat(x, y)...)
	case "prepend":
		return jinja.NewList(slices.Concat(y, x)...)
	case "append_rp":
		return jinja.NewList(slices.Concat(without(x, y), y)...)
	case "prepend_rp":
		return jinja.NewList(slices.Concat(y, without(x, y))...)
	}
	return new
}

// without drops from x what is in y; repeats in x stay.
func without(x, y []any) []any {
	set := newSet(y)
	var out []any
	for _, v := range x {
		if !set.has(v) {
			out = append(out, v)
		}
	}
	return out
}

func dict2items(c *jinja.Call, in any) (any, error) {
	a := take(c, "key_name", "value_name")
	key, value := a.str("key_name", "key"), a.str("value_name", "value")
	if a.err != nil {
		return nil, a.err
	}
	d, err := mapping(c, in)
	if err != nil {
		return nil, err
	}
	out := jinja.NewList()
	for k, v := range d.All() {
		out.Items = append(out.Items, jinja.NewDict(key, k, value, v))
	}
	return out, nil
}

func items2dict(c *jinja.Call, in any) (any, error) {
	a := take(c, "key_name", "value_name")
	key, value := a.str("key_name", "key"), a.str("value_name", "value")
	if a.err != nil {
		return nil, a.err
	}
	if !isSequence(in) {
		return nil, refuse(c, "needs a list, not %s", jinja.TypeName(in))
	}
	out := jinja.NewDict()
	for _, x := range oneOrMany(in) {
		d, err := mapping(c, x)
		if err != nil {
			return nil, err
		}
		k, okKey := d.Get(key)
		v, okValue := d.Get(value)
		if !okKey || !okValue {
			return nil, refuse(c, "each element needs the keys %q and %q: %s", key, value, short(jinja.Repr(x)))
		}
		if !jinja.Hashable(k) {
			return nil, refuse(c, "%s cannot be a key", jinja.TypeName(k))
		}
		out.Set(k, v)
	}
	return out, nil
}

// subelements pairs each element of a list with the elements of a list below it.
func subelements(c *jinja.Call, in any) (any, error) {
	a := take(c, "subelements", "skip_missing")
	skip := a.flag("skip_missing", false)
	a.need("subelements")
	if a.err != nil {
		return nil, a.err
	}
	return pairUp(c, in, a.vals["subelements"], skip)
}

// pathOf reads "a.b" or a list of keys.
func pathOf(v any) []any {
	s, ok := v.(string)
	if !ok {
		return oneOrMany(v)
	}
	var keys []any
	for _, k := range strings.Split(s, ".") {
		keys = append(keys, k)
	}
	return keys
}

func pairUp(c *jinja.Call, in, path any, skip bool) (*jinja.List, error) {
	var outer []any
	if d, ok := in.(*jinja.Dict); ok {
		for _, v := range d.All() {
			outer = append(outer, v)
		}
	} else if isSequence(in) {
		outer = oneOrMany(in)
	} else {
		return nil, refuse(c, "needs a list or a dictionary, not %s", jinja.TypeName(in))
	}
	keys := pathOf(path)
	out := jinja.NewList()
	for _, el := range outer {
		var v any = el
		found := true
		for _, k := range keys {
			d, ok := v.(*jinja.Dict)
			if !ok {
				return nil, refuse(c, "the key %s needs a dictionary, found %s", jinja.Repr(k), short(jinja.Repr(v)))
			}
			if v, found = d.Get(k); !found {
				break
			}
		}
		switch {
		case !found && skip:
			continue
		case !found:
			return nil, refuse(c, "no key %s in %s", jinja.Repr(path), short(jinja.Repr(el)))
		case !isSequence(v):
			return nil, refuse(c, "the key %s should point to a list, found %s", jinja.Repr(path), short(jinja.Repr(v)))
		}
		for _, x := range oneOrMany(v) {
			out.Items = append(out.Items, jinja.Tuple{el, x})
		}
	}
	return out, nil
}

// rekeyOnMember makes a dictionary by one member of each element.
func rekeyOnMember(c *jinja.Call, in any) (any, error) {
	a := take(c, "key", "duplicates")
	key, dup := a.value("key", nil), a.str("duplicates", "error")
	a.need("key")
	if a.err != nil {
		return nil, a.err
	}
	if dup != "error" && dup != "overwrite" {
		return nil, refuse(c, "duplicates is %q (known: error, overwrite)", dup)
	}
	items := oneOrMany(in)
	if d, ok := in.(*jinja.Dict); ok {
		items = nil
		for _, v := range d.All() {
			items = append(items, v)
		}
	}
	out := jinja.NewDict()
	for _, x := range items {
		d, err := mapping(c, x)
		if err != nil {
			return nil, err
		}
		k, ok := d.Get(key)
		if !ok {
			return nil, refuse(c, "key %s was not found", jinja.Repr(key))
		}
		if _, seen := out.Get(k); seen && dup == "error" {
			return nil, refuse(c, "key %s is not unique", jinja.Repr(k))
		}
		out.Set(k, x)
	}
	return out, nil
}
