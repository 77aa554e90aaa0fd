package jinja

import "mageprov/internal/fault"

// sub is the call of another filter or test, named in the arguments of c.
func (c *Call) sub(args []any, kwargs []Kwarg) (name string, s *Call, err error) {
	if len(args) == 0 {
		return "", nil, fault.New("%s needs the name of a filter or test", c.Name)
	}
	name, ok := args[0].(string)
	if !ok {
		return "", nil, fault.New("%s: the name of a filter or test must be text, not %s", c.Name, TypeName(args[0]))
	}
	return name, &Call{Ctx: c.Ctx, Env: c.Env, Scope: c.Scope, Args: args[1:], Kwargs: kwargs, Place: c.Place, Name: name, state: c.state}, nil
}

// undefinedInput is the error for an undefined element, unless the filter or
// test may see one.
func (c *Call) undefinedInput(v any, name string) error {
	u, ok := v.(*Undefined)
	if !ok || c.Env.TakesUndefined[name] {
		return nil
	}
	return u.raise()
}

func filterMap(c *Call, v any) (any, error) {
	if !Truth(v) {
		return &List{Items: []any{}}, nil
	}
	items, err := Iterate(c.Ctx, v)
	if err != nil {
		return nil, err
	}
	if len(c.Args) == 0 {
		return mapAttribute(c, items)
	}
	name, sub, err := c.sub(c.Args, c.Kwargs)
	if err != nil {
		return nil, err
	}
	f, name := c.Env.filter(name)
	if f == nil {
		return nil, unknown(Name{Name: sub.Name, Place: c.Place}, "filter", sortedKeys(c.Env.Filters))
	}
	if !lazyArgs[name] {
		if err := sub.settle(); err != nil {
			return nil, err
		}
	}
	out := make([]any, len(items))
	for i, x := range items {
		if err := c.undefinedInput(x, name); err != nil {
			return nil, err
		}
		one := *sub
		if out[i], err = f(&one, x); err != nil {
			return nil, err
		}
		if i&63 == 63 && c.Ctx.Err() != nil {
			return nil, c.Ctx.Err()
		}
	}
	return &List{Items: out}, nil
}

// mapAttribute is map(attribute=..., default=...).
func mapAttribute(c *Call, items []any) (any, error) {
	p := c.bind("attribute", "default")
	if p.err == nil && !p.set[0] {
		p.err = fault.New("map requires a filter argument")
	}
	if p.err != nil {
		return nil, p.err
	}
	out := make([]any, len(items))
	for i, x := range items {
		if err := c.undefinedInput(x, ""); err != nil {
			return nil, err
		}
		v, err := attributeOf(c, x, p.vals[0])
		if err != nil {
			return nil, err
		}
		if isUndefined(v) && p.set[1] {
			v = p.vals[1]
		}
		out[i] = v
	}
	return &List{Items: out}, nil
}

func filterSelect(c *Call, v any) (any, error) { return choose(c, v, c.Args, nil, true) }
func filterReject(c *Call, v any) (any, error) { return choose(c, v, c.Args, nil, false) }

func filterSelectattr(c *Call, v any) (any, error) { return chooseBy(c, v, true) }
func filterRejectattr(c *Call, v any) (any, error) { return chooseBy(c, v, false) }

func chooseBy(c *Call, v any, keep bool) (any, error) {
	if len(c.Args) == 0 {
		return nil, fault.New("missing parameter for attribute name")
	}
	return choose(c, v, c.Args[1:], c.Args[0], keep)
}

// choose keeps the elements of which a test, or their truth, is as wanted.
func choose(c *Call, v any, args []any, attribute any, keep bool) (any, error) {
	if !Truth(v) {
		return &List{Items: []any{}}, nil
	}
	items, err := Iterate(c.Ctx, v)
	if err != nil {
		return nil, err
	}
	check := func(x any) (bool, error) {
		if u, ok := x.(*Undefined); ok {
			return false, u.raise()
		}
		return Truth(x), nil
	}
	if len(args) > 0 {
		if check, err = c.chosenTest(args); err != nil {
			return nil, err
		}
	}
	out := &List{Items: []any{}}
	for i, item := range items {
		x := item
		if attribute != nil {
			if x, err = attributeOf(c, item, attribute); err != nil {
				return nil, err
			}
		}
		ok, err := check(x)
		if err != nil {
			return nil, err
		}
		if ok == keep {
			out.Items = append(out.Items, item)
		}
		if i&63 == 63 && c.Ctx.Err() != nil {
			return nil, c.Ctx.Err()
		}
	}
	return out, nil
}

// chosenTest prepares the test that the arguments name.
func (c *Call) chosenTest(args []any) (func(any) (bool, error), error) {
	name, sub, err := c.sub(args, c.Kwargs)
	if err != nil {
		return nil, err
	}
	t, name := c.Env.test(name)
	if t == nil {
		return nil, unknown(Name{Name: sub.Name, Place: c.Place}, "test", sortedKeys(c.Env.Tests))
	}
	if err := sub.settle(); err != nil {
		return nil, err
	}
	return func(x any) (bool, error) {
		if err := c.undefinedInput(x, name); err != nil {
			return false, err
		}
		one := *sub
		return t(&one, x)
	}, nil
}
