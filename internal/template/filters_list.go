package template

import (
	"mageprov/internal/jinja"
)

var listFilters = map[string]jinja.Filter{
	"combinations":    combinations,
	"permutations":    permutations,
	"product":         product,
	"zip":             zip,
	"zip_longest":     zipLongest,
	"flatten":         flatten,
	"extract":         extract,
	"random":          random,
	"shuffle":         shuffle,
	"subelements":     subelements,
	"rekey_on_member": rekeyOnMember,
}

// resultLimit keeps a product of lists from eating all memory.
const resultLimit = 1 << 20

func allElements(c *jinja.Call, in any, more []any) ([][]any, error) {
	var out [][]any
	for _, x := range append([]any{in}, more...) {
		if s, ok := x.(string); ok {
			var chars []any
			for _, r := range s {
				chars = append(chars, string(r))
			}
			out = append(out, chars)
			continue
		}
		items, err := elements(c, x)
		if err != nil {
			return nil, err
		}
		out = append(out, items)
	}
	return out, nil
}

func product(c *jinja.Call, in any) (any, error) {
	a := take(c, "*", "repeat")
	lists, err := allElements(c, in, a.rest)
	repeat := a.num("repeat", 1)
	if a.err != nil || err != nil {
		return nil, firstError(a.err, err)
	}
	all := lists
	for range repeat - 1 {
		all = append(all, lists...)
	}
	return cartesian(c, all)
}

// cartesian gives every choice of one element of each list, the last turning fastest.
func cartesian(c *jinja.Call, lists [][]any) (*jinja.List, error) {
	out := jinja.NewList(jinja.Tuple{})
	for _, l := range lists {
		if len(out.Items)*len(l) > resultLimit {
			return nil, refuse(c, "the result has more than %d elements", resultLimit)
		}
		next := make([]any, 0, len(out.Items)*len(l))
		for _, head := range out.Items {
			h := head.(jinja.Tuple)
			for _, x := range l {
				next = append(next, append(h[:len(h):len(h)], x))
			}
		}
		out.Items = next
	}
	return out, nil
}

func combinations(c *jinja.Call, in any) (any, error) {
	return choose(c, in, false)
}

func permutations(c *jinja.Call, in any) (any, error) {
	return choose(c, in, true)
}

// choose lists the ways to take r elements, with regard to order or without.
func choose(c *jinja.Call, in any, ordered bool) (any, error) {
	a := take(c, "r")
	lists, err := allElements(c, in, nil)
	if a.err != nil || err != nil {
		return nil, firstError(a.err, err)
	}
	pool := lists[0]
	r := a.num("r", len(pool))
	if !ordered {
		a.need("r")
	}
	if a.err != nil {
		return nil, a.err
	}
	out := jinja.NewList()
	used := make([]bool, len(pool))
	var walk func(start int, head jinja.Tuple) error
	walk = func(start int, head jinja.Tuple) error {
		if len(head) == r {
			if len(out.Items) >= resultLimit {
				return refuse(c, "the result has more than %d elements", resultLimit)
			}
			out.Items = append(out.Items, append(jinja.Tuple{}, head...))
			return nil
		}
		for i := start; i < len(pool); i++ {
			if used[i] {
				continue
			}
			next := i + 1
			if ordered {
				next = 0
			}
			used[i] = true
			err := walk(next, append(head, pool[i]))
			used[i] = false
			if err != nil {
				return err
			}
		}
		return nil
	}
	if r < 0 {
		return nil, refuse(c, "r must not be negative")
	}
	if r > len(pool) {
		return out, nil
	}
	return out, walk(0, nil)
}

func zip(c *jinja.Call, in any) (any, error) {
	lists, err := allElements(c, in, c.Args)
	if err != nil {
		return nil, err
	}
	n := len(lists[0])
	for _, l := range lists {
		n = min(n, len(l))
	}
	return zipped(lists, n, nil), nil
}

func zipLongest(c *jinja.Call, in any) (any, error) {
	a := take(c, "*", "fillvalue")
	lists, err := allElements(c, in, a.rest)
	if a.err != nil || err != nil {
		return nil, firstError(a.err, err)
	}
	n := 0
	for _, l := range lists {
		n = max(n, len(l))
	}
	return zipped(lists, n, a.value("fillvalue", nil)), nil
}

func zipped(lists [][]any, n int, fill any) *jinja.List {
	out := jinja.NewList()
	for i := range n {
		t := make(jinja.Tuple, len(lists))
		for j, l := range lists {
			t[j] = fill
			if i < len(l) {
				t[j] = l[i]
			}
		}
		out.Items = append(out.Items, t)
	}
	return out
}

func flatten(c *jinja.Call, in any) (any, error) {
	a := take(c, "levels", "skip_nulls")
	levels, skip := a.num("levels", -1), a.flag("skip_nulls", true)
	lists, err := allElements(c, in, nil)
	if a.err != nil || err != nil {
		return nil, firstError(a.err, err)
	}
	return &jinja.List{Items: flat(nil, lists[0], levels, skip)}, nil
}

func flat(out, items []any, levels int, skipNulls bool) []any {
	for _, x := range items {
		switch {
		case skipNulls && (x == nil || x == "None" || x == "null"):
		case isSequence(x) && levels != 0:
			out = flat(out, oneOrMany(x), levels-1, skipNulls)
		default:
			out = append(out, x)
		}
	}
	return out
}

// extract is container[in], and then [key] for each of morekeys.
func extract(c *jinja.Call, in any) (any, error) {
	a := take(c, "container", "morekeys")
	a.need("container")
	if a.err != nil {
		return nil, a.err
	}
	v, err := jinja.GetItem(c.Ctx, a.vals["container"], in)
	for _, k := range a.list("morekeys") {
		if err != nil {
			return nil, err
		}
		if u, ok := v.(*jinja.Undefined); ok {
			return u, nil
		}
		v, err = jinja.GetItem(c.Ctx, v, k)
	}
	return v, err
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
