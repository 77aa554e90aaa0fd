package jinja

import (
	"math/big"

	"mageprov/internal/fault"
)

// globalRange is range(stop), range(start, stop, step), as a list.
func globalRange(c *Call) (any, error) {
	p := c.bind("start", "stop", "step")
	p.need(1)
	bounds := [3]int64{0, 0, 1}
	for i := range c.Args {
		n, ok := toInt64(c.Args[i])
		if _, isBig := c.Args[i].(*big.Int); isBig {
			return nil, errTooLarge("range")
		}
		if !ok {
			return nil, fault.New("'%s' object cannot be interpreted as an integer", TypeName(c.Args[i]))
		}
		bounds[i] = n
	}
	if p.err != nil {
		return nil, p.err
	}
	start, stop, step := bounds[0], bounds[1], bounds[2]
	if len(c.Args) == 1 {
		start, stop = 0, start
	}
	if step == 0 {
		return nil, fault.New("range() arg 3 must not be zero")
	}
	l := &List{Items: []any{}}
	for i := start; step > 0 && i < stop || step < 0 && i > stop; i += step {
		if len(l.Items) >= maxItems {
			return nil, errTooLarge("range")
		}
		l.Items = append(l.Items, i)
		if next := i + step; (next > i) != (step > 0) {
			break
		}
	}
	return l, nil
}

func globalDict(c *Call) (any, error) {
	if len(c.Args) > 1 {
		return nil, fault.New("dict expected at most 1 argument, got %d", len(c.Args))
	}
	d := &Dict{}
	return d, fillDict(c, d)
}

func globalNamespace(c *Call) (any, error) {
	d, err := globalDict(c)
	if err != nil {
		return nil, err
	}
	return &namespace{d.(*Dict)}, nil
}

// cycler goes round its items, one at each next().
type cycler struct {
	items []any
	i     int
}

func globalCycler(c *Call) (any, error) {
	if len(c.Args) == 0 {
		return nil, fault.New("at least one item has to be provided")
	}
	return &cycler{items: c.Args}, nil
}

func (*cycler) TypeName() string { return "Cycler" }

// Attr implements Object.
func (y *cycler) Attr(name string) (any, bool) {
	switch name {
	case "current":
		return y.items[y.i], true
	case "next":
		return Func(func(*Call) (any, error) {
			v := y.items[y.i]
			y.i = (y.i + 1) % len(y.items)
			return v, nil
		}), true
	case "reset":
		return Func(func(*Call) (any, error) { y.i = 0; return nil, nil }), true
	}
	return nil, false
}

// globalJoiner gives a function that is empty the first time and the separator after.
func globalJoiner(c *Call) (any, error) {
	p := c.bind("sep")
	sep, used := p.str(0, ", "), false
	return Func(func(*Call) (any, error) {
		if !used {
			used = true
			return "", nil
		}
		return sep, nil
	}), p.err
}
