package template

import (
	"math"

	"mageprov/internal/jinja"
)

var numberFilters = map[string]jinja.Filter{
	"log":  logFilter,
	"pow":  powFilter,
	"root": rootFilter,
}

func logFilter(c *jinja.Call, in any) (any, error) {
	a := take(c, "base")
	x, ok := number(in)
	base, okBase := number(a.value("base", math.E))
	switch {
	case a.err != nil:
		return nil, a.err
	case !ok || !okBase:
		return nil, refuse(c, "can only be used on numbers, not %s", jinja.Repr(in))
	case x <= 0 || base <= 0 || base == 1:
		return nil, refuse(c, "math domain error: %s", jinja.Repr(in))
	case base == 10:
		return math.Log10(x), nil
	}
	return math.Log(x) / math.Log(base), nil
}

func powFilter(c *jinja.Call, in any) (any, error) {
	a := take(c, "y")
	a.need("y")
	x, ok := number(in)
	y, okY := number(a.value("y", nil))
	if a.err != nil {
		return nil, a.err
	}
	if !ok || !okY {
		return nil, refuse(c, "can only be used on numbers, not %s", jinja.Repr(in))
	}
	return math.Pow(x, y), nil
}

func rootFilter(c *jinja.Call, in any) (any, error) {
	a := take(c, "base")
	x, ok := number(in)
	base, okBase := number(a.value("base", int64(2)))
	switch {
	case a.err != nil:
		return nil, a.err
	case !ok || !okBase || base == 0:
		return nil, refuse(c, "can only be used on numbers, not %s", jinja.Repr(in))
	case base == 2 && x >= 0:
		return math.Sqrt(x), nil
	}
	r := math.Pow(x, 1/base)
	if whole := math.Round(r); math.Pow(whole, base) == x {
		return whole, nil // Pow is off by a digit where C's is not
	}
	if math.IsNaN(r) {
		return nil, refuse(c, "math domain error: %s", jinja.Repr(in))
	}
	return r, nil
}
