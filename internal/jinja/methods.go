package jinja

import (
	"sort"

	"mageprov/internal/fault"
)

var listMethods = map[string]methodFunc{
	"append": listAppend, "extend": listExtend, "insert": listInsert, "pop": listPop, "remove": listRemove,
	"index": seqIndex, "count": seqCount, "sort": listSort, "reverse": listReverse,
	"copy": func(c *Call, self any) (any, error) {
		l := self.(*List)
		return &List{append([]any(nil), l.Items...), l.Templated}, nil
	},
	"clear": func(c *Call, self any) (any, error) { self.(*List).Items = nil; return nil, nil },
}

var tupleMethods = map[string]methodFunc{"index": seqIndex, "count": seqCount}

func (l *List) add(items ...any) error {
	if len(l.Items)+len(items) > maxItems {
		return errTooLarge("list")
	}
	l.Items = append(l.Items, items...)
	return nil
}

func listAppend(c *Call, self any) (any, error) {
	p := c.bind("object")
	p.need(1)
	if p.err != nil {
		return nil, p.err
	}
	return nil, self.(*List).add(p.any(0, nil))
}

func listExtend(c *Call, self any) (any, error) {
	p := c.bind("iterable")
	p.need(1)
	if p.err != nil {
		return nil, p.err
	}
	items, err := Iterate(c.Ctx, p.any(0, nil))
	if err != nil {
		return nil, err
	}
	return nil, self.(*List).add(items...)
}

func listInsert(c *Call, self any) (any, error) {
	p := c.bind("index", "object")
	p.need(2)
	l, i := self.(*List), p.int(0, 0)
	if p.err != nil {
		return nil, p.err
	}
	if i < 0 {
		i = max(0, i+len(l.Items))
	}
	i = min(i, len(l.Items))
	if err := l.add(nil); err != nil {
		return nil, err
	}
	copy(l.Items[i+1:], l.Items[i:])
	l.Items[i] = p.any(1, nil)
	return nil, nil
}

func listPop(c *Call, self any) (any, error) {
	p := c.bind("index")
	l, i := self.(*List), p.int(0, -1)
	if i < 0 {
		i += len(l.Items)
	}
	switch {
	case p.err != nil:
		return nil, p.err
	case len(l.Items) == 0:
		return nil, fault.New("pop from empty list")
	case i < 0 || i >= len(l.Items):
		return nil, fault.New("pop index out of range")
	}
	v := l.Items[i]
	l.Items = append(l.Items[:i], l.Items[i+1:]...)
	return v, nil
}

func listRemove(c *Call, self any) (any, error) {
	p := c.bind("value")
	p.need(1)
	l := self.(*List)
	i := indexOf(l.Items, p.any(0, nil))
	if p.err == nil && i < 0 {
		p.err = fault.New("list.remove(x): x not in list")
	}
	if p.err != nil {
		return nil, p.err
	}
	l.Items = append(l.Items[:i], l.Items[i+1:]...)
	return nil, nil
}

func seqItems(v any) []any {
	if l, ok := v.(*List); ok {
		return l.Items
	}
	t, _ := v.(Tuple)
	return t
}

func seqIndex(c *Call, self any) (any, error) {
	p := c.bind("value", "start", "stop")
	p.need(1)
	items := seqItems(self)
	lo, hi := int64(p.int(1, 0)), int64(p.int(2, len(items)))
	from, n, _, _ := sliceRange(len(items), [3]*int64{&lo, &hi, nil})
	i := indexOf(items[from:from+n], p.any(0, nil))
	if p.err == nil && i < 0 {
		p.err = fault.New("%s is not in %s", Repr(p.any(0, nil)), TypeName(self))
	}
	return int64(from + i), p.err
}

func seqCount(c *Call, self any) (any, error) {
	p := c.bind("value")
	p.need(1)
	n := int64(0)
	for _, x := range seqItems(self) {
		if Equal(x, p.any(0, nil)) {
			n++
		}
	}
	return n, p.err
}

func listSort(c *Call, self any) (any, error) {
	p := c.bind("reverse")
	if p.err != nil {
		return nil, p.err
	}
	l := self.(*List)
	sorted, err := sortValues(l.Items, l.Items, p.bool(0, false))
	if err == nil {
		l.Items = sorted
	}
	return nil, err
}

// sortValues sorts items by keys, stably; reversed keeps equal ones in order too.
func sortValues(items, keys []any, reverse bool) ([]any, error) {
	order := make([]int, len(items))
	for i := range order {
		order[i] = i
	}
	var failed error
	sort.SliceStable(order, func(i, j int) bool {
		a, b := keys[order[i]], keys[order[j]]
		if reverse {
			a, b = b, a
		}
		c, err := Compare(a, b)
		if err != nil && failed == nil {
			failed = err
		}
		return c < 0
	})
	out := make([]any, len(items))
	for i, j := range order {
		out[i] = items[j]
	}
	return out, failed
}

func listReverse(c *Call, self any) (any, error) {
	items := self.(*List).Items
	for i, j := 0, len(items)-1; i < j; i, j = i+1, j-1 {
		items[i], items[j] = items[j], items[i]
	}
	return nil, c.bind().err
}
