package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// operators, the longest first.
var operators = []string{
	"**", "//", "==", "!=", "<=", ">=",
	"+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")", "[", "]", "{", "}", "|", ",", ".", ":", ";",
}

// expression reads tokens up to the closing delimiter ("" for the end of the
// source, "\n" for a line statement). Inside brackets the delimiter does not count.
func (l *lexer) expression(end string, block bool) error {
	start := l.pos
	var open []byte
	for l.pos < len(l.src) {
		if len(open) == 0 && l.closes(end, block) {
			return nil
		}
		c := l.src[l.pos]
		switch {
		case isSpace(c):
			l.pos++
		case c == '\'' || c == '"':
			if err := l.str(c, l.doubleBackslash && !block); err != nil {
				return err
			}
		case c >= '0' && c <= '9':
			l.number()
		case isNameStart(l.src[l.pos:]):
			l.name()
		default:
			var err error
			if open, err = l.operator(open); err != nil {
				return err
			}
		}
	}
	if len(open) > 0 {
		return l.fail(l.pos, "unexpected end of template: "+string(open[len(open)-1])+" is missing", "")
	}
	switch end {
	case "":
	case "\n":
		l.add(tBlockEnd, l.pos, "")
	default:
		return l.fail(start, "unexpected end of template: "+end+" is missing", "")
	}
	return nil
}

// closes reads the closing delimiter if it comes next.
func (l *lexer) closes(end string, block bool) bool {
	if end == "" {
		return false
	}
	at, rest := l.pos, l.src[l.pos:]
	if end == "\n" {
		i := 0
		for i < len(rest) && rest[i] != '\n' && isSpace(rest[i]) {
			i++
		}
		if i < len(rest) && rest[i] != '\n' {
			return false
		}
		l.pos = min(len(l.src), l.pos+i+1)
		l.add(tBlockEnd, at, "")
		return true
	}
	sign := byte(0)
	switch {
	case strings.HasPrefix(rest, end):
	case (rest[0] == '-' || rest[0] == '+' && block) && strings.HasPrefix(rest[1:], end):
		sign = rest[0]
		l.pos++
	default:
		return false
	}
	l.pos += len(end)
	if block {
		l.add(tBlockEnd, at, "")
		l.afterBlock(sign)
		return true
	}
	l.add(tVarEnd, at, "")
	if sign == '-' {
		l.pos = l.skipSpace(l.pos)
	}
	return true
}

func (l *lexer) operator(open []byte) ([]byte, error) {
	rest := l.src[l.pos:]
	for _, op := range operators {
		if !strings.HasPrefix(rest, op) {
			continue
		}
		switch op {
		case "(":
			open = append(open, ')')
		case "[":
			open = append(open, ']')
		case "{":
			open = append(open, '}')
		case ")", "]", "}":
			if len(open) == 0 {
				return nil, l.fail(l.pos, "unexpected '"+op+"'", "")
			}
			if want := open[len(open)-1]; want != op[0] {
				return nil, l.fail(l.pos, "unexpected '"+op+"', expected '"+string(want)+"'", "")
			}
			open = open[:len(open)-1]
		}
		l.add(tOp, l.pos, op)
		l.pos += len(op)
		return open, nil
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return nil, l.fail(l.pos, "unexpected character "+reprString(string(r)), exclaimHint(rest))
}

// exclaimHint helps those who write another language's operators.
func exclaimHint(rest string) string {
	switch {
	case strings.HasPrefix(rest, "&&"):
		return "write and"
	case strings.HasPrefix(rest, "!"):
		return "write not"
	}
	return ""
}

func isNameStart(s string) bool {
	c := s[0]
	if c < utf8.RuneSelf {
		return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	}
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsLetter(r)
}

func (l *lexer) name() {
	start := l.pos
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		if c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			l.pos++
			continue
		}
		if c < utf8.RuneSelf {
			break
		}
		r, n := utf8.DecodeRuneInString(l.src[l.pos:])
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.Mn, r) {
			break
		}
		l.pos += n
	}
	l.add(tName, start, l.src[start:l.pos])
}

// number reads 12, 1_000, 0xff, 0o17, 0b1, 1.5, 1e3. A point after a point
// (a.0.1) does not begin a fraction.
func (l *lexer) number() {
	start, s := l.pos, l.src
	afterPoint := start > 0 && s[start-1] == '.'
	if s[start] == '0' && start+2 < len(s) && strings.IndexByte("xXoObB", s[start+1]) >= 0 {
		i := start + 2
		for i < len(s) && (isHex(s[i]) || s[i] == '_') {
			i++
		}
		if i > start+2 {
			l.pos = i
			l.add(tInt, start, strings.ReplaceAll(s[start:i], "_", ""))
			return
		}
	}
	i, k := digits(s, start), tInt
	if !afterPoint {
		if i+1 < len(s) && s[i] == '.' && isDigit(s[i+1]) {
			i, k = digits(s, i+1), tFloat
		}
		if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
			j := i + 1
			if j < len(s) && (s[j] == '+' || s[j] == '-') {
				j++
			}
			if j < len(s) && isDigit(s[j]) {
				i, k = digits(s, j), tFloat
			}
		}
	}
	l.pos = i
	l.add(k, start, strings.ReplaceAll(s[start:i], "_", ""))
}

func digits(s string, i int) int {
	for i < len(s) && (isDigit(s[i]) || s[i] == '_' && i+1 < len(s) && isDigit(s[i+1])) {
		i++
	}
	return i
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }

// str reads a quoted string; literal keeps its backslashes.
func (l *lexer) str(quote byte, literal bool) error {
	start := l.pos
	for i := start + 1; i < len(l.src); i++ {
		switch l.src[i] {
		case '\\':
			i++
		case quote:
			l.pos = i + 1
			raw := l.src[start+1 : i]
			if !strings.Contains(raw, `\`) {
				l.add(tString, start, raw)
				return nil
			}
			if literal {
				l.add(tString, start, strings.ReplaceAll(raw, `\`+string(quote), string(quote)))
				return nil
			}
			s, err := unescape(raw)
			if err != "" {
				return l.fail(start, err, "")
			}
			l.add(tString, start, s)
			return nil
		}
	}
	return l.fail(start, "unexpected end of template: the string is not closed", "")
}

// unescape does Python's escapes; an unknown one stands for itself.
func unescape(s string) (string, string) {
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			i++
			continue
		}
		c := s[i+1]
		i += 2
		switch c {
		case '\n':
		case '\\', '\'', '"':
			b.WriteByte(c)
		case 'a':
			b.WriteByte('\a')
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'v':
			b.WriteByte('\v')
		case 'x', 'u', 'U':
			n := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
			r, ok := parseDigits(s[i:], n, 16)
			if ok != n || r > unicode.MaxRune {
				return "", `truncated \` + string(c) + " escape in string"
			}
			b.WriteRune(rune(r))
			i += n
		case '0', '1', '2', '3', '4', '5', '6', '7':
			r, n := parseDigits(s[i-1:], 3, 8)
			b.WriteRune(rune(r))
			i += n - 1
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}

// parseDigits reads at most most digits of the given base and says how many.
func parseDigits(s string, most int, base uint64) (v uint64, n int) {
	for n < most && n < len(s) {
		d := uint64(strings.IndexByte("0123456789abcdef", s[n]|0x20))
		if !isHex(s[n]) || d >= base {
			break
		}
		v = v*base + d
		n++
	}
	return v, n
}
