package jinja

import (
	"strconv"
	"strings"

	"mageprov/internal/fault"
)

var listFilters = map[string]Filter{
	"default": filterDefault, "d": filterDefault, "length": filterLength, "count": filterLength, "first": filterFirst,
	"last": filterLast, "list": filterList, "join": filterJoin, "sort": filterSort, "unique": filterUnique,
	"reverse": filterReverse, "min": extreme(-1), "max": extreme(1), "batch": filterBatch, "slice": filterSlice,
	"groupby": filterGroupby, "dictsort": filterDictsort, "items": filterItems, "attr": filterAttr,
}

// filterDefault gives its argument for an undefined value, or for any false one
// if asked. The argument may itself be undefined.
func filterDefault(c *Call, v any) (any, error) {
	names := []string{"default_value", "boolean"}
	args := map[string]any{"default_value": "", "boolean": false}
	if len(c.Args) > 2 {
		return nil, fault.New("%s takes at most 2 arguments, got %d", c.Name, len(c.Args))
	}
	for i, x := range c.Args {
		args[names[i]] = x
	}
	for _, k := range c.Kwargs {
		if _, ok := args[k.Name]; !ok {
			return nil, fault.New("%s has no argument '%s'", c.Name, k.Name).WithHint("%s", fault.DidYouMean(k.Name, names))
		}
		args[k.Name] = k.Value
	}
	if isUndefined(v) || Truth(args["boolean"]) && !Truth(v) {
		return args["default_value"], nil
	}
	return v, nil
}

func filterLength(c *Call, v any) (any, error) {
	n := length(v)
	if n < 0 {
		return nil, fault.New("object of type '%s' has no len()", TypeName(v))
	}
	return int64(n), c.bind().err
}

func filterFirst(c *Call, v any) (any, error) { return edge(c, v, "first", true) }
func filterLast(c *Call, v any) (any, error)  { return edge(c, v, "last", false) }

func edge(c *Call, v any, what string, first bool) (any, error) {
	if err := c.bind().err; err != nil {
		return nil, err
	}
	items, err := Iterate(c.Ctx, v)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return &Undefined{Msg: "no " + what + " item, the sequence was empty", Place: c.Place}, nil
	}
	if first {
		return items[0], nil
	}
	return items[len(items)-1], nil
}

func filterList(c *Call, v any) (any, error) {
	items, err := Iterate(c.Ctx, v)
	if err != nil {
		return nil, err
	}
	return &List{Items: append([]any{}, items...), Templated: IsTemplated(v)}, c.bind().err
}

// elements iterates v and takes an attribute of each element where one is named:
// "a.b.0" goes down. A default stands in for missing ones.
func elements(c *Call, v, attribute, def any) ([]any, error) {
	items, err := Iterate(c.Ctx, v)
	if err != nil || attribute == nil {
		return items, err
	}
	out := make([]any, len(items))
	for i, x := range items {
		if out[i], err = attributeOf(c, x, attribute); err != nil {
			return nil, err
		}
		if isUndefined(out[i]) && def != nil {
			out[i] = def
		}
	}
	return out, nil
}

// attributeOf is what Jinja2's filters do with attribute=: parts that are
// numbers are indices.
func attributeOf(c *Call, v, attribute any) (any, error) {
	if n, ok := toInt64(attribute); ok {
		return GetItem(c.Ctx, v, n)
	}
	name, ok := attribute.(string)
	if !ok {
		return nil, fault.New("attribute must be text or a number, not %s", TypeName(attribute))
	}
	for part := range strings.SplitSeq(name, ".") {
		var key any = part
		if n, err := strconv.ParseInt(part, 10, 64); err == nil && part[0] != '-' && part[0] != '+' {
			key = n
		}
		var err error
		if v, err = GetItem(c.Ctx, v, key); err != nil {
			return nil, err
		}
	}
	m := materializer{ctx: c.Ctx, keepUndefined: true}
	return m.value(v, 0)
}

func filterJoin(c *Call, v any) (any, error) {
	p := c.bind("d", "attribute")
	items, err := elements(c, v, p.any(1, nil), nil)
	p.keep(err)
	if p.err != nil {
		return nil, p.err
	}
	parts := make([]string, len(items))
	for i, x := range items {
		if u := findUndefined(x, 0); u != nil {
			return nil, u.raise()
		}
		parts[i] = Str(x)
	}
	return joinParts(parts, Str(p.any(0, "")))
}

// folded is the value to compare by where case does not count.
func folded(v any, caseSensitive bool) any {
	if s, ok := v.(string); ok && !caseSensitive {
		return strings.ToLower(s)
	}
	return v
}

func foldAll(vals []any, caseSensitive bool) ([]any, error) {
	out := make([]any, len(vals))
	for i, v := range vals {
		if u, ok := v.(*Undefined); ok {
			return nil, u.raise()
		}
		out[i] = folded(v, caseSensitive)
	}
	return out, nil
}

func filterSort(c *Call, v any) (any, error) {
	p := c.bind("reverse", "case_sensitive", "attribute")
	items, err := Iterate(c.Ctx, v)
	p.keep(err)
	if p.err != nil {
		return nil, p.err
	}
	keys := items
	if names, ok := p.any(2, nil).(string); ok && strings.Contains(names, ",") {
		keys = make([]any, len(items))
		for i, x := range items {
			var key Tuple
			for name := range strings.SplitSeq(names, ",") {
				k, err := attributeOf(c, x, name)
				if err != nil {
					return nil, err
				}
				key = append(key, folded(k, p.bool(1, false)))
			}
			keys[i] = key
		}
	} else if keys, err = elements(c, v, p.any(2, nil), nil); err != nil {
		return nil, err
	}
	if keys, err = foldAll(keys, p.bool(1, false)); err != nil {
		return nil, err
	}
	sorted, err := sortValues(items, keys, p.bool(0, false))
	return &List{Items: sorted}, err
}

func filterUnique(c *Call, v any) (any, error) {
	p := c.bind("case_sensitive", "attribute")
	items, err := Iterate(c.Ctx, v)
	p.keep(err)
	keys, err := elements(c, v, p.any(1, nil), nil)
	p.keep(err)
	if p.err != nil {
		return nil, p.err
	}
	if keys, err = foldAll(keys, p.bool(0, false)); err != nil {
		return nil, err
	}
	var seen Dict
	var odd []any // keys that no dictionary can hold
	out := &List{Items: []any{}}
	for i, k := range keys {
		if Hashable(k) {
			if _, ok := seen.Get(k); ok {
				continue
			}
			seen.Set(k, nil)
		} else {
			if indexOf(odd, k) >= 0 {
				continue
			}
			odd = append(odd, k)
		}
		out.Items = append(out.Items, items[i])
	}
	return out, nil
}

func filterReverse(c *Call, v any) (any, error) {
	items, err := Iterate(c.Ctx, v)
	if err != nil {
		return nil, err
	}
	out := make([]any, len(items))
	for i, x := range items {
		out[len(items)-1-i] = x
	}
	if _, ok := v.(string); ok {
		var b strings.Builder
		for _, x := range out {
			b.WriteString(x.(string))
		}
		return b.String(), c.bind().err
	}
	return &List{Items: out}, c.bind().err
}

func extreme(sign int) Filter {
	return func(c *Call, v any) (any, error) {
		p := c.bind("case_sensitive", "attribute")
		items, err := Iterate(c.Ctx, v)
		p.keep(err)
		keys, err := elements(c, v, p.any(1, nil), nil)
		p.keep(err)
		if p.err != nil {
			return nil, p.err
		}
		if keys, err = foldAll(keys, p.bool(0, false)); err != nil {
			return nil, err
		}
		if len(items) == 0 {
			return &Undefined{Msg: "no aggregated item, sequence was empty", Place: c.Place}, nil
		}
		best := 0
		for i := range keys {
			r, err := Compare(keys[i], keys[best])
			if err != nil {
				return nil, err
			}
			if r*sign > 0 {
				best = i
			}
		}
		return items[best], nil
	}
}

func filterBatch(c *Call, v any) (any, error) {
	p := c.bind("linecount", "fill_with")
	p.need(1)
	n := p.int(0, 1)
	items, err := Iterate(c.Ctx, v)
	p.keep(err)
	if p.err == nil && (n < 1 || n > maxItems) {
		p.err = fault.New("batch: the size must be a positive number")
	}
	if p.err != nil {
		return nil, p.err
	}
	out := &List{Items: []any{}}
	for len(items) > 0 {
		k := min(n, len(items))
		row := append([]any{}, items[:k]...)
		items = items[k:]
		for fill := p.any(1, nil); fill != nil && len(row) < n; {
			row = append(row, fill)
		}
		out.Items = append(out.Items, &List{Items: row})
	}
	return out, nil
}

func filterSlice(c *Call, v any) (any, error) {
	p := c.bind("slices", "fill_with")
	p.need(1)
	n := p.int(0, 1)
	items, err := Iterate(c.Ctx, v)
	p.keep(err)
	if p.err == nil && (n < 1 || n > maxItems) {
		p.err = fault.New("slice: the number must be positive")
	}
	if p.err != nil {
		return nil, p.err
	}
	out := &List{Items: []any{}}
	per, extra, at := len(items)/n, len(items)%n, 0
	for i := range n {
		k := per
		if i < extra {
			k++
		}
		row := append([]any{}, items[at:at+k]...)
		at += k
		if fill := p.any(1, nil); fill != nil && i >= extra {
			row = append(row, fill)
		}
		out.Items = append(out.Items, &List{Items: row})
	}
	return out, nil
}

func filterGroupby(c *Call, v any) (any, error) {
	p := c.bind("attribute", "default", "case_sensitive")
	p.need(1)
	items, err := Iterate(c.Ctx, v)
	p.keep(err)
	vals, err := elements(c, v, p.any(0, nil), p.any(1, nil))
	p.keep(err)
	if p.err != nil {
		return nil, p.err
	}
	keys, err := foldAll(vals, p.bool(2, false))
	if err != nil {
		return nil, err
	}
	index := make([]any, len(items))
	for i := range index {
		index[i] = int64(i)
	}
	if index, err = sortValues(index, keys, false); err != nil {
		return nil, err
	}
	out := &List{Items: []any{}}
	for n, x := range index {
		i := x.(int64)
		if n == 0 || !Equal(keys[i], keys[index[n-1].(int64)]) {
			out.Items = append(out.Items, Tuple{vals[i], &List{}})
		}
		g := out.Items[len(out.Items)-1].(Tuple)[1].(*List)
		g.Items = append(g.Items, items[i])
	}
	return out, nil
}

func filterDictsort(c *Call, v any) (any, error) {
	p := c.bind("case_sensitive", "by", "reverse")
	by := p.str(1, "key")
	d, ok := v.(*Dict)
	switch {
	case p.err != nil:
		return nil, p.err
	case !ok:
		return nil, fault.New("dictsort needs a mapping, not %s", TypeName(v))
	case by != "key" && by != "value":
		return nil, fault.New("you can only sort by either 'key' or 'value'")
	}
	keys := d.Keys()
	if by == "value" {
		keys = d.vals
	}
	keys, err := foldAll(keys, p.bool(0, false))
	if err != nil {
		return nil, err
	}
	items := make([]any, d.Len())
	for i := range items {
		items[i] = Tuple{d.keys[i], d.vals[i]}
	}
	items, err = sortValues(items, keys, p.bool(2, false))
	return &List{Items: items}, err
}

func filterItems(c *Call, v any) (any, error) {
	if !isMapping(v) {
		return nil, fault.New("can only get item pairs from a mapping")
	}
	return dictItems(c, v)
}

func filterAttr(c *Call, v any) (any, error) {
	p := c.bind("name")
	p.need(1)
	name := p.str(0, "")
	if p.err != nil {
		return nil, p.err
	}
	if a, ok := v.(Object); ok {
		if x, ok := a.Attr(name); ok {
			return x, nil
		}
	}
	if m := method(v, name); m != nil {
		return m, nil
	}
	return bare(c.Ctx).missing(v, "has no attribute '"+name+"'", name, loc{}), nil
}
