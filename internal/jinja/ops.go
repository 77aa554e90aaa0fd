package jinja

import (
	"math"
	"math/big"
	"math/bits"
	"strings"

	"mageprov/internal/fault"
)

// binary does + - * / // % ** on forced values.
func binary(op string, a, b any) (any, error) {
	if isNumber(a) && isNumber(b) {
		return arith(op, a, b)
	}
	if v, ok, err := operate(op, a, b); ok || err != nil {
		return v, err
	}
	switch op {
	case "+":
		return add(a, b)
	case "*":
		if n, ok := toInt64(b); ok {
			return repeat(a, n, b)
		}
		if n, ok := toInt64(a); ok {
			return repeat(b, n, a)
		}
	case "%":
		if s, ok := a.(string); ok {
			return formatPercent(s, b)
		}
	}
	return nil, operandError(op, a, b)
}

// operate asks the operands themselves.
func operate(op string, a, b any) (any, bool, error) {
	if x, is := a.(Operand); is {
		if v, ok, err := x.Operate(op, b, false); ok || err != nil {
			return v, true, err
		}
	}
	if y, is := b.(Operand); is {
		return y.Operate(op, a, true)
	}
	return nil, false, nil
}

func operandError(op string, a, b any) error {
	return fault.New("unsupported operand type(s) for %s: '%s' and '%s'", op, TypeName(a), TypeName(b))
}

func add(a, b any) (any, error) {
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			if len(x)+len(y) > maxString {
				return nil, errTooLarge("text")
			}
			return x + y, nil
		}
		return nil, fault.New(`can only concatenate str (not "%s") to str`, TypeName(b)).WithHint("use ~ to join text with other values")
	case *List:
		if y, ok := b.(*List); ok {
			items, err := concatItems(x.Items, y.Items)
			return &List{Items: items, Templated: x.Templated || y.Templated}, err
		}
		return nil, fault.New(`can only concatenate list (not "%s") to list`, TypeName(b))
	case Tuple:
		if y, ok := b.(Tuple); ok {
			items, err := concatItems(x, y)
			return Tuple(items), err
		}
		return nil, fault.New(`can only concatenate tuple (not "%s") to tuple`, TypeName(b))
	}
	return nil, operandError("+", a, b)
}

func concatItems(a, b []any) ([]any, error) {
	if len(a)+len(b) > maxItems {
		return nil, errTooLarge("list")
	}
	return append(append(make([]any, 0, len(a)+len(b)), a...), b...), nil
}

func repeat(v any, n int64, other any) (any, error) {
	n = max(n, 0)
	switch v := v.(type) {
	case string:
		if len(v) > 0 && n > int64(maxString/len(v)) {
			return nil, errTooLarge("text")
		}
		return strings.Repeat(v, int(n)), nil
	case *List:
		items, err := repeatItems(v.Items, n)
		return &List{Items: items, Templated: v.Templated}, err
	case Tuple:
		items, err := repeatItems(v, n)
		return Tuple(items), err
	}
	return nil, operandError("*", v, other)
}

func repeatItems(items []any, n int64) ([]any, error) {
	if len(items) > 0 && n > int64(maxItems/len(items)) {
		return nil, errTooLarge("list")
	}
	out := make([]any, 0, len(items)*int(n))
	for range n {
		if len(items) == 0 {
			break
		}
		out = append(out, items...)
	}
	return out, nil
}

// arith computes with two numbers: floats if one is a float or for /, integers
// of any size otherwise.
func arith(op string, a, b any) (any, error) {
	_, af := a.(float64)
	_, bf := b.(float64)
	if af || bf {
		return arithFloat(op, toFloat(a), toFloat(b))
	}
	x, xok := toInt64(a)
	y, yok := toInt64(b)
	if xok && yok {
		if v, ok, err := arithInt(op, x, y); ok || err != nil {
			return v, err
		}
	}
	return arithBig(op, toBig(a), toBig(b))
}

func toFloat(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f
	}
	i, _ := toInt64(v)
	return float64(i)
}

var errZero = fault.New("division by zero")

// arithInt computes in 64 bits; ok is false where the result may not fit.
func arithInt(op string, x, y int64) (any, bool, error) {
	switch op {
	case "+":
		r := x + y
		return r, (x^r)&(y^r) >= 0, nil
	case "-":
		r := x - y
		return r, (x^y)&(x^r) >= 0, nil
	case "*":
		hi, lo := bits.Mul64(uint64(abs64(x)), uint64(abs64(y)))
		if hi != 0 || lo > math.MaxInt64 || x == math.MinInt64 || y == math.MinInt64 {
			return nil, false, nil
		}
		return x * y, true, nil
	}
	if y == 0 && op != "**" {
		return nil, false, errZero
	}
	switch op {
	case "/":
		if abs64(x) < 1<<53 && abs64(y) < 1<<53 {
			return float64(x) / float64(y), true, nil
		}
	case "//", "%":
		if x == math.MinInt64 {
			return nil, false, nil
		}
		q, r := x/y, x%y
		if r != 0 && (r < 0) != (y < 0) {
			q--
			r += y
		}
		if op == "%" {
			return r, true, nil
		}
		return q, true, nil
	}
	return nil, false, nil
}

func abs64(x int64) int64 {
	if x < 0 {
		return -x
	}
	return x
}

func arithBig(op string, x, y *big.Int) (any, error) {
	if op != "**" && op != "+" && op != "-" && op != "*" && y.Sign() == 0 {
		return nil, errZero
	}
	switch op {
	case "+":
		return checkBits(new(big.Int).Add(x, y))
	case "-":
		return checkBits(new(big.Int).Sub(x, y))
	case "*":
		return checkBits(new(big.Int).Mul(x, y))
	case "/":
		f, _ := new(big.Rat).SetFrac(x, y).Float64()
		if math.IsInf(f, 0) {
			return nil, fault.New("integer division result too large for a float")
		}
		return f, nil
	case "//", "%":
		q, r := new(big.Int).QuoRem(x, y, new(big.Int))
		if r.Sign() != 0 && r.Sign() != y.Sign() {
			q.Sub(q, big.NewInt(1))
			r.Add(r, y)
		}
		if op == "%" {
			return normInt(r), nil
		}
		return normInt(q), nil
	}
	return powInt(x, y)
}

func checkBits(b *big.Int) (any, error) {
	if b.BitLen() > maxBits {
		return nil, errTooLarge("integer")
	}
	return normInt(b), nil
}

func powInt(x, y *big.Int) (any, error) {
	if y.Sign() < 0 {
		if x.Sign() == 0 {
			return nil, fault.New("0.0 cannot be raised to a negative power")
		}
		return math.Pow(toFloat(x), toFloat(y)), nil
	}
	if x.BitLen() > 1 && (!y.IsInt64() || y.Int64()*int64(x.BitLen()) > maxBits || y.Int64() > maxBits) {
		return nil, errTooLarge("integer")
	}
	if x.BitLen() <= 1 { // -1, 0, 1
		if y.Sign() == 0 || x.Sign() > 0 || x.Sign() < 0 && y.Bit(0) == 0 {
			return int64(1), nil
		}
		return normInt(x), nil
	}
	return normInt(new(big.Int).Exp(x, y, nil)), nil
}

func arithFloat(op string, x, y float64) (any, error) {
	switch op {
	case "+":
		return x + y, nil
	case "-":
		return x - y, nil
	case "*":
		return x * y, nil
	case "**":
		if x == 0 && y < 0 {
			return nil, fault.New("0.0 cannot be raised to a negative power")
		}
		return math.Pow(x, y), nil
	}
	if y == 0 {
		return nil, fault.New("float division by zero")
	}
	switch op {
	case "/":
		return x / y, nil
	case "%":
		return floatMod(x, y), nil
	}
	r := floatMod(x, y)
	return math.Round((x - r) / y), nil
}

// floatMod has the sign of the divisor.
func floatMod(x, y float64) float64 {
	r := math.Mod(x, y)
	switch {
	case r == 0:
		return math.Copysign(0, y)
	case (r < 0) != (y < 0):
		r += y
	}
	return r
}
