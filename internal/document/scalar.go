package document

import (
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// The plain scalars of YAML 1.1, with its numbers in base 60: 12:30 is 750.
// Dates stay text: nobody who writes 2024-01-31 in a playbook means an object.
var (
	sixtyPattern = regexp.MustCompile(`^[-+]?(?:[1-9][0-9_]*(?::[0-5]?[0-9])+|[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*)$`)
	intPattern   = regexp.MustCompile(`^[-+]?(?:0b[01_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)$`)
	floatPattern = regexp.MustCompile(`^[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$`)
)

// plainValue reads an unquoted scalar.
func plainValue(s string) any {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return nil
	case "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON":
		return true
	case "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF":
		return false
	}
	if c := s[0]; (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' {
		return s
	}
	if intPattern.MatchString(s) {
		if v, ok := intValue(s); ok {
			return v
		}
		return s
	}
	if strings.Contains(s, ":") {
		if sixtyPattern.MatchString(s) {
			return base60(s)
		}
		return s
	}
	if floatPattern.MatchString(s) {
		if v, ok := floatValue(s); ok {
			return v
		}
	}
	return s
}

// base60 reads what sixtyPattern has found: a number, or its whole part, in base 60.
func base60(s string) any {
	digits := strings.TrimLeft(strings.ReplaceAll(s, "_", ""), "+-")
	sum, whole := new(big.Int), true
	for _, d := range strings.Split(digits, ":") {
		if strings.Contains(d, ".") {
			whole = false
			break
		}
		n, _ := new(big.Int).SetString(d, 10)
		sum.Add(sum.Mul(sum, big.NewInt(60)), n)
	}
	if whole {
		if s[0] == '-' {
			sum.Neg(sum)
		}
		return smallest(sum)
	}
	last, _ := strconv.ParseFloat(digits[strings.LastIndexByte(digits, ':')+1:], 64)
	f, _ := new(big.Float).SetInt(sum).Float64()
	if f = f*60 + last; s[0] == '-' {
		f = -f
	}
	return f
}

// jsonValue reads an unquoted scalar of a JSON file, where 1e3 is a number.
func jsonValue(s string) any {
	switch s {
	case "null":
		return nil
	case "true":
		return true
	case "false":
		return false
	}
	if v, ok := new(big.Int).SetString(s, 10); ok {
		return smallest(v)
	}
	if v, err := strconv.ParseFloat(s, 64); err == nil {
		return v
	}
	return s
}

func intValue(s string) (any, bool) {
	t := strings.ReplaceAll(s, "_", "")
	sign := ""
	if t != "" && (t[0] == '-' || t[0] == '+') {
		sign, t = strings.TrimPrefix(t[:1], "+"), t[1:]
	}
	base := 10
	switch {
	case strings.HasPrefix(t, "0b"):
		base, t = 2, t[2:]
	case strings.HasPrefix(t, "0x"):
		base, t = 16, t[2:]
	case len(t) > 1 && t[0] == '0':
		base, t = 8, t[1:]
	}
	v, ok := new(big.Int).SetString(sign+t, base)
	if !ok {
		return nil, false
	}
	return smallest(v), true
}

func smallest(v *big.Int) any {
	if v.IsInt64() {
		return v.Int64()
	}
	return v
}

func floatValue(s string) (any, bool) {
	t := strings.ToLower(strings.ReplaceAll(s, "_", ""))
	switch strings.TrimLeft(t, "+-") {
	case ".inf":
		if t[0] == '-' {
			return math.Inf(-1), true
		}
		return math.Inf(1), true
	case ".nan":
		return math.NaN(), true
	}
	v, err := strconv.ParseFloat(t, 64)
	return v, err == nil || v != 0 // out of range gives an infinity, as Python's does
}
