package jinja

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"

	"mageprov/internal/fault"
)

var numberFilters = map[string]Filter{
	"int": filterInt, "float": filterFloat, "abs": filterAbs, "round": filterRound, "sum": filterSum,
	"filesizeformat": filterFilesize, "random": filterRandom,
}

func filterInt(c *Call, v any) (any, error) {
	p := c.bind("default", "base")
	def, base := p.any(0, int64(0)), p.int(1, 10)
	if p.err != nil {
		return nil, p.err
	}
	switch v := v.(type) {
	case string:
		if b, ok := parseInt(v, base); ok {
			return b, nil
		}
		f, err := parseFloat(v)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return def, nil
		}
		b, _ := wholeNumber(f)
		return normInt(b), nil
	case float64:
		b, err := wholeNumber(v)
		if err != nil {
			return def, nil
		}
		return normInt(b), nil
	}
	if isNumber(v) {
		return normInt(toBig(v)), nil
	}
	return def, nil
}

// parseInt is Python's int(text, base).
func parseInt(s string, base int) (any, bool) {
	s = strings.ToLower(strings.Trim(s, pySpace))
	neg := strings.HasPrefix(s, "-")
	if neg || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	for prefix, b := range map[string]int{"0x": 16, "0o": 8, "0b": 2} {
		if strings.HasPrefix(s, prefix) && (base == b || base == 0) {
			s, base = strings.TrimPrefix(s[2:], "_"), b
			break
		}
	}
	if base == 0 {
		base = 10
	}
	if s == "" || s[0] == '_' || s[len(s)-1] == '_' || strings.Contains(s, "__") || base < 2 || base > 36 || len(s) > maxBits/4 {
		return nil, false
	}
	s = strings.ReplaceAll(s, "_", "")
	if s == "" || s[0] == '-' || s[0] == '+' {
		return nil, false
	}
	b, ok := new(big.Int).SetString(s, base)
	if !ok {
		return nil, false
	}
	if neg {
		b.Neg(b)
	}
	return normInt(b), true
}

// parseFloat is Python's float(text).
func parseFloat(s string) (float64, error) {
	s = strings.Trim(s, pySpace)
	if strings.ContainsAny(s, "xXpP") {
		return 0, strconv.ErrSyntax
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
	if err != nil && math.IsInf(f, 0) {
		return f, nil
	}
	return f, err
}

func filterFloat(c *Call, v any) (any, error) {
	p := c.bind("default")
	if s, ok := v.(string); ok {
		if f, err := parseFloat(s); err == nil {
			return f, p.err
		}
	} else if isNumber(v) {
		return toFloat(v), p.err
	}
	return p.any(0, 0.0), p.err
}

func filterAbs(c *Call, v any) (any, error) {
	if err := c.bind().err; err != nil {
		return nil, err
	}
	if f, ok := v.(float64); ok {
		return math.Abs(f), nil
	}
	if !isNumber(v) {
		return nil, fault.New("bad operand type for abs(): '%s'", TypeName(v))
	}
	return normInt(new(big.Int).Abs(toBig(v))), nil
}

func filterRound(c *Call, v any) (any, error) {
	p := c.bind("precision", "method")
	prec, how := p.int(0, 0), p.str(1, "common")
	if p.err != nil {
		return nil, p.err
	}
	if !isNumber(v) {
		return nil, fault.New("round needs a number, not %s", TypeName(v))
	}
	if prec > 300 || prec < -300 {
		return nil, fault.New("round: precision out of range")
	}
	f := toFloat(v)
	scale := math.Pow(10, float64(prec))
	switch how {
	case "common":
		if isNumber(v) && !isFloat(v) {
			return roundInt(toBig(v), prec), nil
		}
		return roundFloat(f, prec), nil
	case "ceil":
		return math.Ceil(f*scale) / scale, nil
	case "floor":
		return math.Floor(f*scale) / scale, nil
	}
	return nil, fault.New("method must be common, ceil or floor")
}

func isFloat(v any) bool { _, ok := v.(float64); return ok }

// roundInt rounds to tens, hundreds... for a negative precision, halves to even.
func roundInt(b *big.Int, prec int) any {
	if prec >= 0 {
		return normInt(b)
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-prec)), nil)
	q, r := new(big.Int).DivMod(b, unit, new(big.Int))
	switch r.Lsh(r, 1).Cmp(unit) {
	case 1:
		q.Add(q, big.NewInt(1))
	case 0:
		if q.Bit(0) == 1 {
			q.Add(q, big.NewInt(1))
		}
	}
	return normInt(q.Mul(q, unit))
}

// roundFloat rounds the exact decimal value, halves to even, as Python does.
func roundFloat(f float64, prec int) float64 {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return f
	}
	if prec >= 0 {
		r, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', prec, 64), 64)
		return r
	}
	unit := math.Pow(10, float64(-prec))
	return math.RoundToEven(f/unit) * unit
}

func filterSum(c *Call, v any) (any, error) {
	p := c.bind("attribute", "start")
	items, err := elements(c, v, p.any(0, nil), nil)
	p.keep(err)
	total := p.any(1, int64(0))
	for _, x := range items {
		if p.err != nil {
			break
		}
		if u, ok := x.(*Undefined); ok {
			return nil, u.raise()
		}
		total, err = binary("+", total, x)
		p.keep(err)
	}
	return total, p.err
}

func filterFilesize(c *Call, v any) (any, error) {
	p := c.bind("binary")
	isBinary := p.bool(0, false)
	var f float64
	if s, ok := v.(string); ok {
		var err error
		f, err = parseFloat(s)
		p.keep(fault.Wrap(err, "filesizeformat"))
	} else if isNumber(v) {
		f = toFloat(v)
	} else {
		p.keep(fault.New("filesizeformat needs a number, not %s", TypeName(v)))
	}
	if p.err != nil {
		return nil, p.err
	}
	base, names := 1000.0, []string{"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"}
	if isBinary {
		base, names = 1024, []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"}
	}
	switch {
	case f == 1:
		return "1 Byte", nil
	case f < base:
		return fmt.Sprintf("%d Bytes", int64(f)), nil
	}
	unit, name := base, names[0]
	for i := 1; i < len(names) && f >= unit*base; i++ {
		unit, name = unit*base, names[i]
	}
	return fmt.Sprintf("%.1f %s", f/unit, name), nil
}

func filterRandom(c *Call, v any) (any, error) {
	if err := c.bind().err; err != nil {
		return nil, err
	}
	items, err := Iterate(c.Ctx, v)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return &Undefined{Msg: "no random item, the sequence was empty", Place: c.Place}, nil
	}
	return items[rand.IntN(len(items))], nil
}
