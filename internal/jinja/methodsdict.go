package jinja

import "mageprov/internal/fault"

// dictMethods work on a Dict; those that only read also take a Mapping.
var dictMethods = map[string]methodFunc{
	"get": dictGet, "items": dictItems, "keys": dictKeys, "values": dictValues, "update": dictUpdate, "pop": dictPop,
	"popitem": dictPopitem, "setdefault": dictSetdefault, "copy": dictCopy, "clear": dictClear, "fromkeys": dictFromkeys,
	"__setitem__": dictSetitem, "__getitem__": dictGetitem, "__contains__": dictContains,
}

// own gives the dictionary to change; one that is computed cannot be changed.
func own(self any) (*Dict, error) {
	d, ok := self.(*Dict)
	if !ok {
		return nil, fault.New("this mapping cannot be changed")
	}
	return d, nil
}

func hashable(v any) error {
	if !Hashable(v) {
		return fault.New("unhashable type: '%s'", TypeName(v))
	}
	return nil
}

// find reads one entry without computing the others.
func find(c *Call, self, key any) (any, bool, error) {
	if err := hashable(key); err != nil {
		return nil, false, err
	}
	if m, ok := self.(Mapping); ok {
		return m.Get(c.Ctx, key)
	}
	v, ok := self.(*Dict).Get(key)
	return v, ok, nil
}

func dictGet(c *Call, self any) (any, error) {
	p := c.bind("key", "default")
	p.need(1)
	if p.err != nil {
		return nil, p.err
	}
	v, ok, err := find(c, self, p.any(0, nil))
	if !ok || err != nil {
		return p.any(1, nil), err
	}
	return v, nil
}

func dictGetitem(c *Call, self any) (any, error) {
	p := c.bind("key")
	p.need(1)
	if p.err != nil {
		return nil, p.err
	}
	v, ok, err := find(c, self, p.any(0, nil))
	if err == nil && !ok {
		err = fault.New("no key %s", Repr(p.any(0, nil)))
	}
	return v, err
}

func dictContains(c *Call, self any) (any, error) {
	p := c.bind("key")
	p.need(1)
	if p.err != nil {
		return nil, p.err
	}
	_, ok, err := find(c, self, p.any(0, nil))
	return ok, err
}

// pairs lists the entries; of a Mapping they are computed.
func pairs(c *Call, self any) (keys, vals []any, err error) {
	if err := c.bind().err; err != nil {
		return nil, nil, err
	}
	if d, ok := self.(*Dict); ok {
		return d.keys, d.vals, nil
	}
	v, err := Materialize(c.Ctx, self)
	if err != nil {
		return nil, nil, err
	}
	d := v.(*Dict)
	return d.keys, d.vals, nil
}

func dictItems(c *Call, self any) (any, error) {
	keys, vals, err := pairs(c, self)
	l := &List{Items: make([]any, len(keys)), Templated: IsTemplated(self)}
	for i := range keys {
		l.Items[i] = Tuple{keys[i], vals[i]}
	}
	return l, err
}

func dictKeys(c *Call, self any) (any, error) {
	if err := c.bind().err; err != nil {
		return nil, err
	}
	keys, err := Iterate(c.Ctx, self)
	return &List{Items: append([]any(nil), keys...)}, err
}

func dictValues(c *Call, self any) (any, error) {
	_, vals, err := pairs(c, self)
	return &List{Items: append([]any(nil), vals...), Templated: IsTemplated(self)}, err
}

func dictUpdate(c *Call, self any) (any, error) {
	d, err := own(self)
	if err != nil {
		return nil, err
	}
	if len(c.Args) > 1 {
		return nil, fault.New("update takes at most 1 argument, got %d", len(c.Args))
	}
	return nil, fillDict(c, d)
}

// fillDict adds what dict(...) and update(...) take: a mapping or pairs, and
// keyword arguments.
func fillDict(c *Call, d *Dict) error {
	if err := c.settle(); err != nil {
		return err
	}
	for _, v := range c.Args {
		if from, ok := v.(*Dict); ok {
			for k, x := range from.All() {
				d.Set(k, x)
			}
			d.Templated = d.Templated || from.Templated
			continue
		}
		items, err := Iterate(c.Ctx, v)
		if err != nil {
			return err
		}
		for i, item := range items {
			kv, err := Iterate(c.Ctx, item)
			if err != nil {
				return err
			}
			if len(kv) != 2 {
				return fault.New("dictionary update sequence element #%d has length %d; 2 is required", i, len(kv))
			}
			if err := hashable(kv[0]); err != nil {
				return err
			}
			d.Set(kv[0], kv[1])
		}
	}
	for _, k := range c.Kwargs {
		d.Set(k.Name, k.Value)
	}
	if d.Len() > maxItems {
		return errTooLarge("dictionary")
	}
	return nil
}

func dictPop(c *Call, self any) (any, error) {
	d, err := own(self)
	p := c.bind("key", "default")
	p.keep(err)
	p.need(1)
	key := p.any(0, nil)
	p.keep(hashable(key))
	if p.err != nil {
		return nil, p.err
	}
	v, ok := d.Get(key)
	if !ok {
		if !p.set[1] {
			return nil, fault.New("no key %s to pop", Repr(key))
		}
		return p.vals[1], nil
	}
	d.Delete(key)
	return v, nil
}

func dictPopitem(c *Call, self any) (any, error) {
	d, err := own(self)
	if err != nil {
		return nil, err
	}
	n := d.Len()
	if n == 0 {
		return nil, fault.New("popitem(): dictionary is empty")
	}
	t := Tuple{d.keys[n-1], d.vals[n-1]}
	d.Delete(t[0])
	return t, c.bind().err
}

func dictSetdefault(c *Call, self any) (any, error) {
	d, err := own(self)
	p := c.bind("key", "default")
	p.keep(err)
	p.need(1)
	key := p.any(0, nil)
	p.keep(hashable(key))
	if p.err != nil {
		return nil, p.err
	}
	if v, ok := d.Get(key); ok {
		return v, nil
	}
	d.Set(key, p.any(1, nil))
	return p.any(1, nil), nil
}

func dictSetitem(c *Call, self any) (any, error) {
	d, err := own(self)
	p := c.bind("key", "value")
	p.keep(err)
	p.need(2)
	p.keep(hashable(p.any(0, nil)))
	if p.err == nil {
		d.Set(p.any(0, nil), p.any(1, nil))
	}
	return nil, p.err
}

func dictCopy(c *Call, self any) (any, error) {
	if d, ok := self.(*Dict); ok {
		return d.Clone(), c.bind().err
	}
	return Materialize(c.Ctx, self)
}

func dictClear(c *Call, self any) (any, error) {
	d, err := own(self)
	if err != nil {
		return nil, err
	}
	d.keys, d.vals, d.index = nil, nil, nil
	return nil, c.bind().err
}

func dictFromkeys(c *Call, _ any) (any, error) {
	p := c.bind("iterable", "value")
	p.need(1)
	if p.err != nil {
		return nil, p.err
	}
	items, err := Iterate(c.Ctx, p.any(0, nil))
	if err != nil {
		return nil, err
	}
	d := &Dict{}
	for _, k := range items {
		if err := hashable(k); err != nil {
			return nil, err
		}
		d.Set(k, p.any(1, nil))
	}
	return d, nil
}
