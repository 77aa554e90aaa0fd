package jinja

import (
	"strings"

	"mageprov/internal/fault"
)

func (x *constExpr) eval(*state) (any, error)  { return x.v, nil }
func (x *nameExpr) eval(s *state) (any, error) { return s.lookup(x) }

func (s *state) evalAll(xs []expr) ([]any, error) {
	out := make([]any, len(xs))
	for i, x := range xs {
		v, err := x.eval(s)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

func (x *listExpr) eval(s *state) (any, error) {
	items, err := s.evalAll(x.items)
	return &List{Items: items}, err
}

func (x *tupleExpr) eval(s *state) (any, error) {
	items, err := s.evalAll(x.items)
	return Tuple(items), err
}

func (x *dictExpr) eval(s *state) (any, error) {
	d := &Dict{}
	for i := range x.keys {
		k, err := s.value(x.keys[i])
		if err != nil {
			return nil, err
		}
		if !Hashable(k) {
			return nil, s.fail(x.keys[i].where(), "unhashable type: '%s'", TypeName(k))
		}
		v, err := x.vals[i].eval(s)
		if err != nil {
			return nil, err
		}
		d.Set(k, v)
	}
	return d, nil
}

func (x *logicExpr) eval(s *state) (any, error) {
	v, err := x.x.eval(s)
	if err != nil {
		return nil, err
	}
	yes, err := s.isTrue(v, x.x.where())
	if err != nil {
		return nil, err
	}
	if yes == x.or {
		return v, nil
	}
	return x.y.eval(s)
}

func (x *condExpr) eval(s *state) (any, error) {
	yes, err := s.truth(x.test)
	if err != nil {
		return nil, err
	}
	if yes {
		return x.a.eval(s)
	}
	if x.b == nil {
		return &Undefined{Msg: "the inline if is false and has no else", Place: x.place(), lenient: true}, nil
	}
	return x.b.eval(s)
}

func (x *concatExpr) eval(s *state) (any, error) {
	var b strings.Builder
	for _, part := range x.parts {
		v, err := s.value(part)
		if err != nil {
			return nil, err
		}
		b.WriteString(Str(v))
		if b.Len() > maxString {
			return nil, locate(errTooLarge("text"), x.loc)
		}
	}
	return b.String(), nil
}

func (x *unaryExpr) eval(s *state) (any, error) {
	if x.op == "not" {
		yes, err := s.truth(x.x)
		return !yes, err
	}
	v, err := s.value(x.x)
	if err != nil {
		return nil, err
	}
	if !isNumber(v) {
		return nil, s.fail(x.loc, "bad operand type for unary %s: '%s'", x.op, TypeName(v))
	}
	if x.op == "+" {
		r, err := arith("+", int64(0), v)
		return r, locate(err, x.loc)
	}
	if f, ok := v.(float64); ok {
		return -f, nil
	}
	r, err := arith("-", int64(0), v)
	return r, locate(err, x.loc)
}

func (x *binExpr) eval(s *state) (any, error) {
	a, err := s.value(x.x)
	if err != nil {
		return nil, err
	}
	b, err := s.value(x.y)
	if err != nil {
		return nil, err
	}
	v, err := binary(x.op, a, b)
	return v, locate(err, x.loc)
}

func (x *compareExpr) eval(s *state) (any, error) {
	a, err := s.value(x.first)
	if err != nil {
		return nil, err
	}
	for i, op := range x.ops {
		b, err := s.operand(op, x.rest[i])
		if err != nil {
			return nil, err
		}
		ok, err := s.compare(op, a, b, x.loc)
		if err != nil || !ok {
			return false, err
		}
		a = b
	}
	return true, nil
}

// operand evaluates the right side of a comparison. `in` looks only at keys of
// a mapping and at one element after the other of a list.
func (s *state) operand(op string, x expr) (any, error) {
	if op != "in" && op != "not in" {
		return s.value(x)
	}
	v, err := x.eval(s)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case *Undefined:
		return nil, s.undefined(v, x.where())
	case Mapping, *Dict:
		return v, nil
	}
	return s.use(v, x.where())
}

func (s *state) compare(op string, a, b any, at loc) (bool, error) {
	switch op {
	case "==", "!=":
		if v, ok, err := operate("==", a, b); ok || err != nil {
			return Truth(v) == (op == "=="), locate(err, at)
		}
		return Equal(a, b) == (op == "=="), nil
	case "in", "not in":
		in, err := s.contains(b, a)
		return in == (op == "in"), locate(err, at)
	}
	ok, err := order(op, a, b)
	return ok, locate(err, at)
}

// order does < <= > >=.
func order(op string, a, b any) (bool, error) {
	if isNumber(a) && isNumber(b) {
		c, ok := compareNumbers(a, b)
		return ok && holds(op, c), nil
	}
	if v, ok, err := operate(op, a, b); ok || err != nil {
		return Truth(v), err
	}
	c, err := compareOp(a, b, op)
	return err == nil && holds(op, c), err
}

func holds(op string, c int) bool {
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

// contains is `v in c`.
func (s *state) contains(c, v any) (bool, error) {
	switch c := c.(type) {
	case string:
		sub, ok := v.(string)
		if !ok {
			return false, fault.New("'in <string>' requires string as left operand, not %s", TypeName(v))
		}
		return strings.Contains(c, sub), nil
	case *List:
		return indexOf(c.Items, v) >= 0, nil
	case Tuple:
		return indexOf(c, v) >= 0, nil
	case *Dict:
		if !Hashable(v) {
			return false, fault.New("unhashable type: '%s'", TypeName(v))
		}
		_, ok := c.Get(v)
		return ok, nil
	case Mapping:
		_, ok, err := c.Get(s.ctx, v)
		return ok, err
	}
	return false, fault.New("argument of type '%s' is not iterable", TypeName(c))
}

func indexOf(items []any, v any) int {
	for i, x := range items {
		if Equal(x, v) {
			return i
		}
	}
	return -1
}

func (x *attrExpr) eval(s *state) (any, error) {
	v, err := x.x.eval(s)
	if err != nil {
		return nil, err
	}
	return s.attr(v, x.name, x.loc)
}

func (x *itemExpr) eval(s *state) (any, error) {
	v, err := x.x.eval(s)
	if err != nil {
		return nil, err
	}
	if sl, ok := x.key.(*sliceExpr); ok {
		return s.slice(v, sl)
	}
	k, err := s.value(x.key)
	if err != nil {
		return nil, err
	}
	return s.item(v, k, x.loc)
}

func (x *filterExpr) eval(s *state) (any, error) {
	in, err := x.x.eval(s)
	if err != nil {
		return nil, err
	}
	return x.apply(s, in)
}

// apply runs the filter on a value.
func (x *filterExpr) apply(s *state, in any) (any, error) {
	f, name := s.env.filter(x.name)
	if f == nil {
		return nil, s.fail(x.loc, "no filter named '%s'", x.name)
	}
	in, err := s.input(in, name, x.x, x.loc)
	if err != nil {
		return nil, err
	}
	c, err := s.call(x.args, x.loc, x.name)
	if err != nil {
		return nil, err
	}
	if !lazyArgs[name] {
		if err := c.settle(); err != nil {
			return nil, locate(err, x.loc)
		}
	}
	v, err := f(c, in)
	if err != nil {
		return nil, locate(err, x.loc)
	}
	return s.force(v, x.loc)
}

// input prepares what a filter or test works on.
func (s *state) input(in any, name string, x expr, at loc) (any, error) {
	if x != nil {
		at = x.where()
	}
	if u, ok := in.(*Undefined); ok {
		if s.env.TakesUndefined[name] {
			return in, nil
		}
		return nil, s.undefined(u, at)
	}
	if shallow[name] {
		return in, nil
	}
	return s.use(in, at)
}

// shallow names the filters and tests that need not look below the first level,
// so that `hostvars is defined` does not compute every variable of every host.
var shallow = map[string]bool{
	"default": true, "d": true, "defined": true, "undefined": true, "none": true, "mapping": true, "number": true,
	"integer": true, "boolean": true, "true": true, "false": true, "sequence": true, "iterable": true, "callable": true,
	"sameas": true,
}

// lazyArgs names the filters that take their arguments as they come: undefined
// ones that may never be used, and mappings of which one entry is wanted.
var lazyArgs = map[string]bool{
	"default": true, "d": true, "ternary": true, "extract": true, "map": true, "select": true, "reject": true,
	"selectattr": true, "rejectattr": true,
}

func (x *testExpr) eval(s *state) (any, error) {
	in, err := x.x.eval(s)
	if err != nil {
		return nil, err
	}
	t, name := s.env.test(x.name)
	if t == nil {
		return nil, s.fail(x.loc, "no test named '%s'", x.name)
	}
	if in, err = s.input(in, name, x.x, x.loc); err != nil {
		return nil, err
	}
	c, err := s.call(x.args, x.loc, x.name)
	if err != nil {
		return nil, err
	}
	if err := c.settle(); err != nil {
		return nil, locate(err, x.loc)
	}
	ok, err := t(c, in)
	return ok != x.negate, locate(err, x.loc)
}

// lookupName finds a filter or test by its full name, then by what follows the
// last point.
func lookupName[T any](m map[string]T, name string) (v T, found string) {
	if v, ok := m[name]; ok {
		return v, name
	}
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		if v, ok := m[name[i+1:]]; ok {
			return v, name[i+1:]
		}
	}
	return v, ""
}

func (e *Env) filter(name string) (Filter, string) { return lookupName(e.Filters, name) }
func (e *Env) test(name string) (Test, string)     { return lookupName(e.Tests, name) }
