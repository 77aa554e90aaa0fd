package jinja

import (
	"math"
	"math/big"
	"strings"

	"mageprov/internal/fault"
)

// Equal is Python's a == b: numbers compare across types, containers by value.
func Equal(a, b any) bool { return equalDepth(a, b, 0) }

func equalDepth(a, b any, depth int) bool {
	if depth > maxReprDepth {
		return false
	}
	switch x := a.(type) {
	case string:
		y, ok := b.(string)
		return ok && x == y
	case nil:
		return b == nil
	case *List:
		y, ok := b.(*List)
		return ok && (x == y || equalItems(x.Items, y.Items, depth))
	case Tuple:
		y, ok := b.(Tuple)
		return ok && equalItems(x, y, depth)
	case *Dict:
		y, ok := b.(*Dict)
		return ok && equalDicts(x, y, depth)
	case bool, int, int64, *big.Int, float64:
		if !isNumber(b) {
			return false
		}
		c, ok := compareNumbers(x, b)
		return ok && c == 0
	case *Text:
		y, ok := b.(*Text)
		return ok && (x == y || x.Source == y.Source && x.Expr == y.Expr)
	case Func:
		return false
	}
	switch b.(type) {
	case Func, Tuple:
		return false
	}
	return safeSame(a, b)
}

// safeSame compares by identity; values of uncomparable types are never the same.
func safeSame(a, b any) (same bool) {
	defer func() {
		if recover() != nil {
			same = false
		}
	}()
	return a == b
}

func equalItems(a, b []any, depth int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !equalDepth(a[i], b[i], depth+1) {
			return false
		}
	}
	return true
}

func equalDicts(a, b *Dict, depth int) bool {
	if a == b {
		return true
	}
	if a.Len() != b.Len() {
		return false
	}
	for k, x := range a.All() {
		y, ok := b.Get(k)
		if !ok || !equalDepth(x, y, depth+1) {
			return false
		}
	}
	return true
}

func isNumber(v any) bool {
	switch v.(type) {
	case bool, int, int64, *big.Int, float64:
		return true
	}
	return false
}

// compareNumbers orders two numbers; ok is false where one is not a number (NaN).
func compareNumbers(a, b any) (c int, ok bool) {
	x, xIsInt := toInt64(a)
	y, yIsInt := toInt64(b)
	if xIsInt && yIsInt {
		return cmpOrdered(x, y), true
	}
	f, fIsFloat := a.(float64)
	g, gIsFloat := b.(float64)
	if !fIsFloat && !gIsFloat {
		return toBig(a).Cmp(toBig(b)), true
	}
	if fIsFloat && math.IsNaN(f) || gIsFloat && math.IsNaN(g) {
		return 0, false
	}
	if fIsFloat && gIsFloat {
		return cmpOrdered(f, g), true
	}
	if fIsFloat {
		if math.IsInf(f, 0) {
			return int(math.Copysign(1, f)), true
		}
		return big.NewFloat(f).Cmp(new(big.Float).SetInt(toBig(b))), true
	}
	if math.IsInf(g, 0) {
		return -int(math.Copysign(1, g)), true
	}
	return new(big.Float).SetInt(toBig(a)).Cmp(big.NewFloat(g)), true
}

func cmpOrdered[T int64 | float64](x, y T) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// toInt64 reads small integers and booleans.
func toInt64(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case int:
		return int64(v), true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

func toBig(v any) *big.Int {
	if b, ok := v.(*big.Int); ok {
		return b
	}
	i, _ := toInt64(v)
	return big.NewInt(i)
}

// Compare orders a and b as Python's < does: -1, 0 or 1, or an error for types
// that have no order. NaN counts as equal to everything.
func Compare(a, b any) (int, error) { return compareOp(a, b, "<") }

func compareOp(a, b any, op string) (int, error) {
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return strings.Compare(x, y), nil
		}
	case *List:
		if y, ok := b.(*List); ok {
			return compareItems(x.Items, y.Items, op)
		}
	case Tuple:
		if y, ok := b.(Tuple); ok {
			return compareItems(x, y, op)
		}
	default:
		if isNumber(a) && isNumber(b) {
			c, _ := compareNumbers(a, b)
			return c, nil
		}
	}
	return 0, fault.New("'%s' not supported between instances of '%s' and '%s'", op, TypeName(a), TypeName(b))
}

func compareItems(a, b []any, op string) (int, error) {
	for i := 0; i < len(a) && i < len(b); i++ {
		if Equal(a[i], b[i]) {
			continue
		}
		return compareOp(a[i], b[i], op)
	}
	return cmpOrdered(int64(len(a)), int64(len(b))), nil
}
