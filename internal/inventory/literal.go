package inventory

import (
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// literal reads a value of an INI inventory: a Python literal if it is one
// (number, True, None, quoted text, list, tuple, dictionary), else the text itself.
func literal(s string, at fault.Place) any {
	p := &literalReader{s: strings.Trim(s, " \t"), at: at}
	if v, ok := p.all(); ok {
		return v
	}
	return p.text(s)
}

// literalReader is a reader of Python literals; every method says whether it
// found what it looked for.
type literalReader struct {
	s     string
	i     int
	at    fault.Place
	depth int
}

// maxDepth bounds the nesting of foreign text.
const maxDepth = 100

// text gives a string, or a template where it holds one.
func (p *literalReader) text(s string) any {
	if document.IsTemplate(s) {
		return &jinja.Text{Source: s, Place: p.at}
	}
	return s
}

// all reads the whole of s: one value, or several with commas, a tuple.
func (p *literalReader) all() (any, bool) {
	items, comma, ok := p.items(0)
	if !ok || len(items) == 0 || p.i != len(p.s) {
		return nil, false
	}
	if !comma {
		return items[0], true
	}
	return jinja.Tuple(items), true
}

func (p *literalReader) blanks() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\n':
			p.i++
		case '#':
			p.i = len(p.s)
		default:
			return
		}
	}
}

// take eats c if it comes next.
func (p *literalReader) take(c byte) bool {
	p.blanks()
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

// items reads values with commas between them up to end, 0 being the end of the text.
func (p *literalReader) items(end byte) (items []any, comma, ok bool) {
	for {
		if p.blanks(); end == 0 && p.i == len(p.s) || end != 0 && p.take(end) {
			return items, comma, true
		}
		if len(items) > 0 && !comma {
			return nil, false, false
		}
		v, ok := p.value()
		if !ok {
			return nil, false, false
		}
		items = append(items, v)
		if p.take(',') {
			comma = true
		} else if p.blanks(); end == 0 && p.i == len(p.s) || end != 0 && p.take(end) {
			return items, comma, true
		} else {
			return nil, false, false
		}
	}
}

func (p *literalReader) value() (any, bool) {
	if p.depth++; p.depth > maxDepth {
		return nil, false
	}
	defer func() { p.depth-- }()
	p.blanks()
	if p.i == len(p.s) {
		return nil, false
	}
	switch c := p.s[p.i]; {
	case c == '[':
		p.i++
		items, _, ok := p.items(']')
		return listOf(items), ok
	case c == '(':
		p.i++
		items, comma, ok := p.items(')')
		if ok && len(items) == 1 && !comma {
			return items[0], true
		}
		return jinja.Tuple(items), ok
	case c == '{':
		p.i++
		return p.braces()
	case c == '-' || c == '+' || c == '.' || c >= '0' && c <= '9':
		return p.number()
	}
	if s, ok := p.strings(); ok {
		return p.text(s), true
	}
	for word, v := range map[string]any{"None": nil, "True": true, "False": false} {
		rest := p.s[p.i:]
		if strings.HasPrefix(rest, word) && (len(rest) == len(word) || !isWordByte(rest[len(word)])) {
			p.i += len(word)
			return v, true
		}
	}
	return nil, false
}

func isWordByte(c byte) bool {
	return c == '_' || c >= 0x80 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func listOf(items []any) *jinja.List {
	l := jinja.NewList(items...)
	for _, v := range items {
		l.Templated = l.Templated || jinja.IsTemplated(v)
	}
	return l
}

// braces reads a dictionary, or a set, which becomes a list.
func (p *literalReader) braces() (any, bool) {
	d := jinja.NewDict()
	if p.take('}') {
		return d, true
	}
	var members []any
	for {
		k, ok := p.value()
		if !ok || !jinja.Hashable(k) {
			return nil, false
		}
		if p.take(':') && len(members) == 0 {
			v, ok := p.value()
			if !ok {
				return nil, false
			}
			d.Set(k, v)
			d.Templated = d.Templated || jinja.IsTemplated(v)
		} else {
			members = append(members, k)
		}
		comma := p.take(',')
		if p.take('}') {
			break
		}
		if !comma {
			return nil, false
		}
	}
	switch {
	case len(members) > 0 && d.Len() > 0:
		return nil, false
	case len(members) > 0:
		return listOf(members), true
	}
	return d, true
}

func (p *literalReader) number() (any, bool) {
	start, neg := p.i, false
	if c := p.s[p.i]; c == '-' || c == '+' {
		neg = c == '-'
		p.i++
		p.blanks()
	}
	from := p.i
	for p.i < len(p.s) && (isWordByte(p.s[p.i]) || p.s[p.i] == '.' ||
		(p.s[p.i] == '-' || p.s[p.i] == '+') && p.i > from && (p.s[p.i-1]|0x20) == 'e' && !strings.HasPrefix(p.s[from:], "0x")) {
		p.i++
	}
	v, ok := number(p.s[from:p.i])
	if !ok {
		p.i = start
		return nil, false
	}
	if neg {
		switch n := v.(type) {
		case int64:
			return -n, true
		case float64:
			return -n, true
		case *big.Int:
			n.Neg(n)
			if n.IsInt64() {
				return n.Int64(), true
			}
		}
	}
	return v, true
}

// number reads digits as Python does: no leading zeros but in zero itself,
// single underscores between digits.
func number(s string) (any, bool) {
	if s == "" || strings.Contains(s, "__") || s[0] == '_' || s[len(s)-1] == '_' {
		return nil, false
	}
	t := strings.ToLower(strings.ReplaceAll(s, "_", ""))
	hex := strings.HasPrefix(t, "0x") || strings.HasPrefix(t, "0o") || strings.HasPrefix(t, "0b")
	if hex || !strings.ContainsAny(t, ".e") {
		if !hex && len(t) > 1 && t[0] == '0' && strings.Trim(t, "0") != "" {
			return nil, false
		}
		base := 10
		if hex {
			base = 0
		}
		v, ok := new(big.Int).SetString(t, base)
		switch {
		case !ok:
			return nil, false
		case v.IsInt64():
			return v.Int64(), true
		}
		return v, true
	}
	if strings.ContainsAny(t, "pxin") || t[0] == 'e' {
		return nil, false
	}
	f, err := strconv.ParseFloat(t, 64)
	if err != nil && f == 0 {
		return nil, false
	}
	return f, true
}

// strings reads one or more string literals in a row.
func (p *literalReader) strings() (string, bool) {
	var out strings.Builder
	found := false
	for {
		p.blanks()
		j := p.i
		for j < len(p.s) && j < p.i+2 && strings.IndexByte("rRuUbB", p.s[j]) >= 0 {
			j++
		}
		if j == len(p.s) || p.s[j] != '\'' && p.s[j] != '"' {
			return out.String(), found
		}
		raw := strings.ContainsAny(p.s[p.i:j], "rR")
		q := p.s[j : j+1]
		if strings.HasPrefix(p.s[j:], q+q+q) {
			q += q + q
		}
		n, ok := unquote(p.s[j+len(q):], q, raw, &out)
		if !ok {
			return "", false
		}
		p.i = j + len(q) + n
		found = true
	}
}

// unquote reads up to the closing quote and gives how much it read.
func unquote(s, q string, raw bool, out *strings.Builder) (int, bool) {
	for i := 0; i < len(s); {
		if strings.HasPrefix(s[i:], q) {
			return i + len(q), true
		}
		if s[i] == '\\' && i+1 < len(s) {
			if raw {
				out.WriteString(s[i : i+2])
				i += 2
				continue
			}
			i += escape(s[i:], out)
			continue
		}
		out.WriteByte(s[i])
		i++
	}
	return 0, false
}

// escape reads one backslash sequence; unknown ones stand for themselves.
func escape(s string, out *strings.Builder) int {
	simple := map[byte]string{'n': "\n", 't': "\t", 'r': "\r", '\\': "\\", '\'': "'", '"': "\"", '0': "\x00", 'a': "\a", 'b': "\b", 'f': "\f", 'v': "\v", '\n': ""}
	if r, ok := simple[s[1]]; ok {
		out.WriteString(r)
		return 2
	}
	if n := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[1]]; n > 0 && len(s) >= 2+n {
		if v, err := strconv.ParseUint(s[2:2+n], 16, 32); err == nil && utf8.ValidRune(rune(v)) {
			out.WriteRune(rune(v))
			return 2 + n
		}
	}
	out.WriteByte('\\')
	return 1
}
