package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"mageprov/internal/fault"
)

// spec is a format specification, of % and of str.format alike.
type spec struct {
	fill      string
	align     byte // < > ^ =, 0 for the type's own
	sign      byte // + - or blank
	alt, zero bool
	width     int
	comma     byte // , or _ between thousands
	precision int  // -1 for none
	verb      byte // 0 for none
}

const maxWidth = 1 << 20

// number formats v by the verb of the spec.
func (f spec) number(v any) (string, error) {
	var digits string
	neg := false
	switch f.verb {
	case 'd', 'i', 'u', 'b', 'o', 'x', 'X', 'c', 'n':
		b, err := wholeNumber(v)
		if err != nil {
			return "", err
		}
		if f.verb == 'c' {
			if _, isFloat := v.(float64); isFloat || !b.IsInt64() || b.Int64() < 0 || b.Int64() > unicode.MaxRune {
				return "", fault.New("%%c arg not in range(0x110000)")
			}
			return f.pad(string(rune(b.Int64())), '<'), nil
		}
		neg = b.Sign() < 0
		digits = f.integer(new(big.Int).Abs(b))
	default:
		if !isNumber(v) {
			return "", fault.New("a number is required, not %s", TypeName(v))
		}
		x := toFloat(v)
		neg = math.Signbit(x) && !math.IsNaN(x)
		digits = f.float(math.Abs(x))
	}
	sign := ""
	switch {
	case neg:
		sign = "-"
	case f.sign == '+' || f.sign == ' ':
		sign = string(f.sign)
	}
	if f.zero && f.align == 0 {
		f.fill, f.align = "0", '='
	}
	if f.align == '=' {
		return sign + pad(digits, f.width-len(sign), f.fillOr(" "), 1), nil
	}
	return f.pad(sign+digits, '>'), nil
}

func wholeNumber(v any) (*big.Int, error) {
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fault.New("cannot convert float %s to integer", formatFloat(v))
		}
		b, _ := big.NewFloat(v).Int(nil)
		return b, nil
	case bool, int, int64, *big.Int:
		return toBig(v), nil
	}
	return nil, fault.New("a number is required, not %s", TypeName(v))
}

func (f spec) integer(b *big.Int) string {
	base, prefix := 10, ""
	switch f.verb {
	case 'b':
		base, prefix = 2, "0b"
	case 'o':
		base, prefix = 8, "0o"
	case 'x', 'X':
		base, prefix = 16, "0"+string(f.verb)
	}
	s := b.Text(base)
	if f.verb == 'X' {
		s = strings.ToUpper(s)
	}
	if n := f.precision - len(s); n > 0 {
		s = strings.Repeat("0", n) + s
	}
	if f.comma != 0 {
		size := 3
		if base != 10 {
			size = 4
		}
		s = group(s, f.comma, size)
	}
	if f.alt {
		s = prefix + s
	}
	return s
}

// group puts a mark between groups of digits.
func group(s string, mark byte, size int) string {
	var out []byte
	for i := range len(s) {
		if i > 0 && (len(s)-i)%size == 0 {
			out = append(out, mark)
		}
		out = append(out, s[i])
	}
	return string(out)
}

func (f spec) float(x float64) string {
	if math.IsInf(x, 0) || math.IsNaN(x) {
		s := strings.TrimPrefix(formatFloat(x), "-")
		if f.verb >= 'A' && f.verb <= 'Z' {
			s = strings.ToUpper(s)
		}
		return s
	}
	prec := f.precision
	if prec < 0 {
		prec = 6
	}
	var s string
	switch f.verb {
	case 'f', 'F':
		s = strconv.FormatFloat(x, 'f', prec, 64)
	case 'e', 'E':
		s = strconv.FormatFloat(x, f.verb, prec, 64)
	case '%':
		s = strconv.FormatFloat(x*100, 'f', prec, 64) + "%"
	case 0:
		if f.precision < 0 {
			s = formatFloat(x)
			break
		}
		s = general(x, max(prec, 1), 'g')
		if !strings.ContainsAny(s, ".e") {
			s += ".0"
		}
	default:
		s = general(x, max(prec, 1), f.verb)
	}
	if f.comma != 0 {
		whole, rest := s, ""
		if i := strings.IndexAny(s, ".e%"); i >= 0 {
			whole, rest = s[:i], s[i:]
		}
		s = group(whole, f.comma, 3) + rest
	}
	return s
}

// general is %g: the shorter of fixed and exponent, without trailing zeros.
func general(x float64, prec int, verb byte) string {
	e := strconv.FormatFloat(x, 'e', prec-1, 64)
	i := strings.IndexByte(e, 'e')
	exp, _ := strconv.Atoi(e[i+1:])
	trim := func(s string) string {
		if strings.Contains(s, ".") {
			s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
		}
		return s
	}
	s := ""
	if exp < -4 || exp >= prec {
		s = trim(e[:i]) + e[i:]
	} else {
		s = trim(strconv.FormatFloat(x, 'f', max(0, prec-1-exp), 64))
	}
	if verb == 'G' {
		s = strings.ToUpper(s)
	}
	return s
}

func (f spec) fillOr(def string) string {
	if f.fill == "" {
		return def
	}
	return f.fill
}

// pad brings s to the width; def is the alignment where the spec has none.
func (f spec) pad(s string, def byte) string {
	align := f.align
	if align == 0 {
		align = def
	}
	n := f.width - utf8.RuneCountInString(s)
	if n <= 0 {
		return s
	}
	left := 0
	switch align {
	case '>', '=':
		left = n
	case '^':
		left = n / 2
	}
	fill := f.fillOr(" ")
	return strings.Repeat(fill, left) + s + strings.Repeat(fill, n-left)
}

// text formats a string: precision cuts it.
func (f spec) text(s string) string {
	if f.precision >= 0 && utf8.RuneCountInString(s) > f.precision {
		s = string([]rune(s)[:f.precision])
	}
	return f.pad(s, '<')
}

// formatPercent is `text % values`.
func formatPercent(format string, v any) (any, error) {
	args, isTuple := v.(Tuple)
	if !isTuple {
		args = Tuple{v}
	}
	a := &percentArgs{format: format, args: args, dict: v}
	var b strings.Builder
	for i := 0; i < len(format); {
		j := strings.IndexByte(format[i:], '%')
		if j < 0 {
			b.WriteString(format[i:])
			break
		}
		b.WriteString(format[i : i+j])
		s, n, err := a.directive(i + j + 1)
		if err != nil {
			return nil, err
		}
		b.WriteString(s)
		if i = n; b.Len() > maxString {
			return nil, errTooLarge("text")
		}
	}
	_, isDict := v.(*Dict)
	_, isList := v.(*List)
	if a.next < len(args) && !isDict && !isList {
		return nil, fault.New("not all arguments converted during string formatting")
	}
	return b.String(), nil
}

type percentArgs struct {
	format string
	args   Tuple
	dict   any
	next   int
}

func (a *percentArgs) take() (any, error) {
	if a.next >= len(a.args) {
		return nil, fault.New("not enough arguments for format string")
	}
	a.next++
	return a.args[a.next-1], nil
}

// directive formats what follows a % at i and gives the offset behind it.
func (a *percentArgs) directive(i int) (string, int, error) {
	f := spec{precision: -1}
	format := a.format
	incomplete := fault.New("incomplete format")
	var val any
	var err error
	keyed := false
	if i < len(format) && format[i] == '(' {
		end := strings.IndexByte(format[i:], ')')
		d, ok := a.dict.(*Dict)
		if end < 0 || !ok {
			return "", 0, fault.New("format requires a mapping")
		}
		key := format[i+1 : i+end]
		if val, ok = d.Get(key); !ok {
			return "", 0, fault.New("no key '%s' for the format", key)
		}
		keyed = true
		i += end + 1
	}
	left := false
	for ; i < len(format) && strings.IndexByte("-+ #0", format[i]) >= 0; i++ {
		switch format[i] {
		case '-':
			left = true
		case '+':
			f.sign = '+'
		case ' ':
			if f.sign == 0 {
				f.sign = ' '
			}
		case '#':
			f.alt = true
		case '0':
			f.zero = true
		}
	}
	if f.width, i, err = a.count(i); err != nil {
		return "", 0, err
	}
	if f.width < 0 {
		left, f.width = true, -f.width
	}
	if i < len(format) && format[i] == '.' {
		if f.precision, i, err = a.count(i + 1); err != nil {
			return "", 0, err
		}
	}
	for i < len(format) && strings.IndexByte("hlL", format[i]) >= 0 {
		i++
	}
	if i >= len(format) {
		return "", 0, incomplete
	}
	if f.width > maxWidth || f.precision > maxWidth {
		return "", 0, errTooLarge("text")
	}
	f.verb = format[i]
	i++
	if f.verb == '%' {
		return "%", i, nil
	}
	if !keyed {
		if val, err = a.take(); err != nil {
			return "", 0, err
		}
	}
	if left {
		f.align = '<'
	}
	s, err := f.percent(val)
	return s, i, err
}

// count reads digits or *.
func (a *percentArgs) count(i int) (int, int, error) {
	if i < len(a.format) && a.format[i] == '*' {
		v, err := a.take()
		n, ok := toInt64(v)
		if err == nil && !ok {
			err = fault.New("* wants an integer")
		}
		return int(max(-maxWidth-1, min(n, maxWidth+1))), i + 1, err
	}
	n := 0
	for ; i < len(a.format) && isDigit(a.format[i]); i++ {
		n = min(n*10+int(a.format[i]-'0'), maxWidth+1)
	}
	return n, i, nil
}

func (f spec) percent(v any) (string, error) {
	if u, ok := v.(*Undefined); ok {
		return "", u.raise()
	}
	switch f.verb {
	case 's', 'r', 'a':
		s := Str(v)
		if f.verb != 's' {
			s = Repr(v)
		}
		if f.align == 0 {
			f.align = '>'
		}
		f.fill = ""
		return f.text(s), nil
	case 'c':
		if s, ok := v.(string); ok && utf8.RuneCountInString(s) == 1 {
			return f.pad(s, '>'), nil
		}
		return f.number(v)
	case 'd', 'i', 'u', 'e', 'E', 'f', 'F', 'g', 'G':
		return f.number(v)
	case 'o', 'x', 'X':
		if _, isFloat := v.(float64); isFloat {
			return "", fault.New("%%%c format: an integer is required, not float", f.verb)
		}
		return f.number(v)
	}
	return "", fault.New("unsupported format character '%c'", f.verb)
}
