package jinja

import (
	"math/big"
	"strings"
	"unicode"
)

// builtinTests are Jinja2's own tests.
var builtinTests = map[string]Test{
	"defined":     func(_ *Call, v any) (bool, error) { return !isUndefined(v), nil },
	"undefined":   func(_ *Call, v any) (bool, error) { return isUndefined(v), nil },
	"none":        func(_ *Call, v any) (bool, error) { return v == nil, nil },
	"boolean":     func(_ *Call, v any) (bool, error) { _, ok := v.(bool); return ok, nil },
	"true":        func(_ *Call, v any) (bool, error) { b, ok := v.(bool); return ok && b, nil },
	"false":       func(_ *Call, v any) (bool, error) { b, ok := v.(bool); return ok && !b, nil },
	"integer":     func(_ *Call, v any) (bool, error) { return isInteger(v), nil },
	"float":       func(_ *Call, v any) (bool, error) { _, ok := v.(float64); return ok, nil },
	"number":      func(_ *Call, v any) (bool, error) { return isNumber(v), nil },
	"string":      func(_ *Call, v any) (bool, error) { _, ok := v.(string); return ok, nil },
	"lower":       func(_ *Call, v any) (bool, error) { return isCase(v, unicode.IsLower, unicode.IsUpper), nil },
	"upper":       func(_ *Call, v any) (bool, error) { return isCase(v, unicode.IsUpper, unicode.IsLower), nil },
	"mapping":     func(_ *Call, v any) (bool, error) { return isMapping(v), nil },
	"sequence":    func(_ *Call, v any) (bool, error) { return isSequence(v), nil },
	"iterable":    func(_ *Call, v any) (bool, error) { return isSequence(v), nil },
	"callable":    func(_ *Call, v any) (bool, error) { _, ok := v.(Callable); return ok, nil },
	"sameas":      testSameas,
	"escaped":     func(*Call, any) (bool, error) { return false, nil },
	"odd":         func(c *Call, v any) (bool, error) { return modIs(c, v, 2, 1) },
	"even":        func(c *Call, v any) (bool, error) { return modIs(c, v, 2, 0) },
	"divisibleby": testDivisibleby,
	"in":          testIn,
	"filter":      func(c *Call, v any) (bool, error) { _, n := c.Env.filter(Str(v)); return n != "", nil },
	"test":        func(c *Call, v any) (bool, error) { _, n := c.Env.test(Str(v)); return n != "", nil },

	"==": comparing("=="), "eq": comparing("=="), "equalto": comparing("=="),
	"!=": comparing("!="), "ne": comparing("!="),
	"<": comparing("<"), "lt": comparing("<"), "lessthan": comparing("<"),
	"<=": comparing("<="), "le": comparing("<="),
	">": comparing(">"), "gt": comparing(">"), "greaterthan": comparing(">"),
	">=": comparing(">="), "ge": comparing(">="),
}

func isUndefined(v any) bool { _, ok := v.(*Undefined); return ok }

func isInteger(v any) bool {
	switch v.(type) {
	case int, int64, *big.Int:
		return true
	}
	return false
}

func isMapping(v any) bool {
	switch v.(type) {
	case *Dict, Mapping:
		return true
	}
	return false
}

func isSequence(v any) bool {
	switch v.(type) {
	case string, *List, Tuple:
		return true
	}
	return isMapping(v)
}

// isCase is str.islower and str.isupper, of any value's text.
func isCase(v any, want, other func(rune) bool) bool {
	s := Str(v)
	return strings.IndexFunc(s, want) >= 0 && strings.IndexFunc(s, other) < 0
}

func testSameas(c *Call, v any) (bool, error) {
	p := c.bind("other")
	p.need(1)
	other := p.any(0, nil)
	if p.err != nil || TypeName(v) != TypeName(other) {
		return false, p.err
	}
	switch v.(type) {
	case *List, *Dict:
		return safeSame(v, other), nil
	}
	return Equal(v, other), nil
}

func modIs(c *Call, v any, by, want int64) (bool, error) {
	if err := c.bind().err; err != nil {
		return false, err
	}
	r, err := binary("%", v, by)
	return err == nil && Equal(r, want), err
}

func testDivisibleby(c *Call, v any) (bool, error) {
	p := c.bind("num")
	p.need(1)
	if p.err != nil {
		return false, p.err
	}
	r, err := binary("%", v, p.any(0, nil))
	return err == nil && Equal(r, int64(0)), err
}

func testIn(c *Call, v any) (bool, error) {
	p := c.bind("seq")
	p.need(1)
	if p.err != nil {
		return false, p.err
	}
	return bare(c.Ctx).contains(p.any(0, nil), v)
}

func comparing(op string) Test {
	return func(c *Call, v any) (bool, error) {
		p := c.bind("other")
		p.need(1)
		if p.err != nil {
			return false, p.err
		}
		return bare(c.Ctx).compare(op, v, p.any(0, nil), loc{})
	}
}
