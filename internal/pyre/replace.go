package pyre

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Sub replaces up to count matches (0: all) by a Python template and says how
// many there were (re.subn).
func (r *Regexp) Sub(text, template string, count int) (string, int, error) {
	t, err := r.template(template)
	if err != nil {
		return "", 0, err
	}
	return r.SubFunc(text, t.expand, count)
}

// SubFunc replaces up to count matches (0: all) by what f makes of them.
func (r *Regexp) SubFunc(text string, f func(*Match) string, count int) (string, int, error) {
	runes := []rune(text)
	var out strings.Builder
	done, n := 0, 0
	m, err := r.re.FindRunesMatch(runes)
	for ; m != nil && err == nil && (count <= 0 || n < count); n++ {
		match := r.match(runes, m)
		start, end := match.Span(0)
		out.WriteString(string(runes[done:start]))
		out.WriteString(f(match))
		done = end
		m, err = r.re.FindNextMatch(m)
	}
	if err != nil {
		return "", 0, fmt.Errorf("regular expression %q: %w", r.src, timeLimit(err))
	}
	out.WriteString(string(runes[done:]))
	return out.String(), n, nil
}

// Expand fills a template with the match's groups (match.expand).
func (m *Match) Expand(template string) (string, error) {
	t, err := m.re.template(template)
	if err != nil {
		return "", err
	}
	return t.expand(m), nil
}

// template is a parsed replacement: text and groups in turn.
type template []piece

type piece struct {
	text  string
	group int // -1: text
}

func (t template) expand(m *Match) string {
	var b strings.Builder
	for _, p := range t {
		if p.group < 0 {
			b.WriteString(p.text)
		} else if s, ok := m.Group(p.group); ok {
			b.WriteString(s)
		}
	}
	return b.String()
}

// controls are the escapes that stand for one character.
var controls = map[byte]string{'n': "\n", 't': "\t", 'r': "\r", 'a': "\a", 'f': "\f", 'v': "\v", 'b': "\b", '\\': `\`}

func (r *Regexp) template(s string) (template, error) {
	var t template
	text := func(s string) { t = append(t, piece{s, -1}) }
	bad := func(format string, args ...any) error {
		return fmt.Errorf("replacement %q: %s", s, fmt.Sprintf(format, args...))
	}
	for rest := s; rest != ""; {
		i := strings.IndexByte(rest, '\\')
		if i < 0 {
			text(rest)
			break
		}
		text(rest[:i])
		rest = rest[i+1:]
		if rest == "" {
			return nil, bad("bad escape (end of pattern)")
		}
		switch c := rest[0]; {
		case c == 'g':
			name, after, ok := strings.Cut(strings.TrimPrefix(rest[1:], "<"), ">")
			if !ok || !strings.HasPrefix(rest[1:], "<") {
				return nil, bad("missing group name")
			}
			n, known := r.names[name]
			if i, err := strconv.Atoi(name); err == nil {
				n, known = i, i >= 0 && i <= r.groups
			}
			if !known {
				return nil, bad("unknown group %q", name)
			}
			t, rest = append(t, piece{group: n}), after
		case c >= '0' && c <= '9':
			p, n, err := r.numbered(rest)
			if err != nil {
				return nil, bad("%v", err)
			}
			t, rest = append(t, p), rest[n:]
		case controls[c] != "":
			text(controls[c])
			rest = rest[1:]
		case c < 128 && unicode.IsLetter(rune(c)):
			return nil, bad(`bad escape \%c`, c)
		default: // the backslash stands for itself
			text(`\` + rest[:1])
			rest = rest[1:]
		}
	}
	return t, nil
}

// numbered reads \1, \12 or an octal code, and how long it is.
func (r *Regexp) numbered(s string) (piece, int, error) {
	n := 1
	for n < 3 && n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	isOctal := func(s string) bool { return strings.Trim(s, "01234567") == "" }
	if s[0] == '0' || n == 3 && s[0] <= '3' && isOctal(s[:3]) {
		for !isOctal(s[:n]) {
			n--
		}
		code, _ := strconv.ParseUint(s[:n], 8, 16)
		return piece{string(rune(code)), -1}, n, nil
	}
	n = min(n, 2)
	group, _ := strconv.Atoi(s[:n])
	if group > r.groups {
		return piece{}, 0, fmt.Errorf("invalid group reference %d", group)
	}
	return piece{group: group}, n, nil
}
