package template

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dlclark/regexp2"
)

// regexTimeout ends a match that would run for ever, as (a+)+b does.
const regexTimeout = 5 * time.Second

// pattern is a compiled regular expression of Python's dialect.
type pattern struct {
	re    *regexp2.Regexp
	names map[string]int
}

// compilePattern translates and compiles. flags are those of re: i, m, s, x.
func compilePattern(src string, flags string) (*pattern, error) {
	out, names, err := translatePattern(src)
	if err != nil {
		return nil, err
	}
	opts := regexp2.None
	for _, f := range flags {
		switch f {
		case 'i':
			opts |= regexp2.IgnoreCase
		case 'm':
			opts |= regexp2.Multiline
		case 's':
			opts |= regexp2.Singleline
		}
	}
	re, err := regexp2.Compile(out, opts)
	if err != nil {
		return nil, fmt.Errorf("%q is not a valid regular expression: %w", src, err)
	}
	re.MatchTimeout = regexTimeout
	return &pattern{re, names}, nil
}

// translatePattern turns Python's notation into .NET's. Named groups become
// numbered ones, because .NET would number them after all others.
func translatePattern(src string) (out string, names map[string]int, err error) {
	t := translator{src: src, names: map[string]int{}}
	for t.pos < len(src) && err == nil {
		err = t.step()
	}
	return t.out.String(), t.names, err
}

type translator struct {
	src    string
	pos    int
	out    strings.Builder
	groups int
	names  map[string]int
}

func (t *translator) rest() string { return t.src[t.pos:] }

// copy takes n bytes over as they stand.
func (t *translator) copy(n int) {
	t.out.WriteString(t.src[t.pos : t.pos+n])
	t.pos += n
}

func (t *translator) step() error {
	rest := t.rest()
	switch rest[0] {
	case '\\':
		return t.escape(false)
	case '[':
		return t.class()
	case '(':
		return t.group()
	case '{':
		if strings.HasPrefix(rest, "{,") { // .NET knows no {,n}
			if end := strings.IndexByte(rest, '}'); end > 2 && isDigits(rest[2:end]) {
				t.out.WriteString("{0," + rest[2:end] + "}")
				t.pos += end + 1
				return nil
			}
		}
	}
	t.copy(1)
	return nil
}

func (t *translator) escape(inClass bool) error {
	rest := t.rest()
	if len(rest) < 2 {
		return fmt.Errorf("bad escape (end of pattern) in %q", t.src)
	}
	switch {
	case rest[1] == 'Z' && !inClass:
		t.out.WriteString(`\z`)
		t.pos += 2
	case rest[1] == 'U' && len(rest) >= 10:
		n, err := strconv.ParseUint(rest[2:10], 16, 32)
		if err != nil || n > 0x10ffff {
			return fmt.Errorf("bad escape %s in %q", rest[:10], t.src)
		}
		t.out.WriteString(regexp2.Escape(string(rune(n))))
		t.pos += 10
	case rest[1] >= '1' && rest[1] <= '9' && !inClass:
		// \12 is group 12 where it exists; a brace keeps following digits apart
		n := 2
		if len(rest) > 2 && rest[2] >= '0' && rest[2] <= '9' {
			n = 3
		}
		t.out.WriteString(`(?:\` + rest[1:n] + `)`)
		t.pos += n
	case strings.IndexByte("zCGKklpPRXyYgHhceEijJlLmMNoOqQ", rest[1]) >= 0:
		return fmt.Errorf("bad escape %s in %q", rest[:2], t.src)
	default:
		t.copy(2)
	}
	return nil
}

// class takes [...] over; an inner [ is a plain character in Python.
func (t *translator) class() error {
	start := t.pos
	t.copy(1)
	if strings.HasPrefix(t.rest(), "^") {
		t.copy(1)
	}
	for first := true; t.pos < len(t.src); first = false {
		switch t.src[t.pos] {
		case ']':
			if first {
				t.out.WriteString(`\]`)
				t.pos++
				continue
			}
			t.copy(1)
			return nil
		case '[':
			t.out.WriteString(`\[`)
			t.pos++
		case '\\':
			if err := t.escape(true); err != nil {
				return err
			}
		default:
			t.copy(1)
		}
	}
	return fmt.Errorf("unterminated character set at %d in %q", start, t.src)
}

func (t *translator) group() error {
	rest := t.rest()
	switch {
	case !strings.HasPrefix(rest, "(?"):
		t.groups++
		t.copy(1)
	case strings.HasPrefix(rest, "(?P<"):
		end := strings.IndexByte(rest, '>')
		if end < 0 {
			return fmt.Errorf("missing >, unterminated name in %q", t.src)
		}
		name := rest[4:end]
		if !isIdentifier(name) {
			return fmt.Errorf("bad group name %q in %q", name, t.src)
		}
		if _, dup := t.names[name]; dup {
			return fmt.Errorf("redefinition of group %q in %q", name, t.src)
		}
		t.groups++
		t.names[name] = t.groups
		t.out.WriteByte('(')
		t.pos += end + 1
	case strings.HasPrefix(rest, "(?P="):
		end := strings.IndexByte(rest, ')')
		if end < 0 {
			return fmt.Errorf("missing ), unterminated name in %q", t.src)
		}
		n, ok := t.names[rest[4:end]]
		if !ok {
			return fmt.Errorf("unknown group name %q in %q", rest[4:end], t.src)
		}
		fmt.Fprintf(&t.out, `(?:\%d)`, n)
		t.pos += end + 1
	case strings.HasPrefix(rest, "(?P"):
		return fmt.Errorf("unknown extension %s in %q", rest[:min(4, len(rest))], t.src)
	case strings.HasPrefix(rest, "(?("):
		end := strings.IndexByte(rest, ')')
		if end < 0 {
			return fmt.Errorf("missing ), unterminated name in %q", t.src)
		}
		ref := rest[3:end]
		if n, ok := t.names[ref]; ok {
			ref = strconv.Itoa(n)
		} else if !isDigits(ref) {
			return fmt.Errorf("unknown group name %q in %q", ref, t.src)
		}
		t.out.WriteString("(?(" + ref + ")")
		t.pos += end + 1
	case strings.HasPrefix(rest, "(?#"):
		end := strings.IndexByte(rest, ')')
		if end < 0 {
			return fmt.Errorf("missing ), unterminated comment in %q", t.src)
		}
		t.pos += end + 1
	case len(rest) > 2 && strings.IndexByte("aiLmsux-", rest[2]) >= 0:
		t.flags()
	case len(rest) > 3 && rest[2] == '<' && rest[3] != '=' && rest[3] != '!',
		len(rest) > 2 && rest[2] == '\'':
		return fmt.Errorf("unknown extension %s in %q", rest[:4], t.src)
	default:
		t.copy(2)
	}
	return nil
}

// flags takes (?im) or (?i:...) over without the letters that .NET does not know.
func (t *translator) flags() {
	t.pos += 2
	t.out.WriteString("(?")
	for t.pos < len(t.src) && strings.IndexByte("aiLmsux-", t.src[t.pos]) >= 0 {
		if strings.IndexByte("aLu", t.src[t.pos]) < 0 {
			t.out.WriteByte(t.src[t.pos])
		}
		t.pos++
	}
	if strings.HasPrefix(t.rest(), ")") && strings.HasSuffix(t.out.String(), "(?") {
		t.out.WriteByte(':')
	}
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func isIdentifier(s string) bool {
	for i, r := range s {
		if r < 128 && !isWordByte(byte(r)) || i == 0 && r >= '0' && r <= '9' {
			return false
		}
	}
	return s != ""
}

// group gives group n of a match, "" where it took no part.
func group(m *regexp2.Match, n int) string {
	g := m.GroupByNumber(n)
	if g == nil {
		return ""
	}
	return g.String()
}

// find gives the first match or nil.
func (p *pattern) find(text string) (*regexp2.Match, error) {
	m, err := p.re.FindStringMatch(text)
	return m, matchError(err)
}

// all gives all matches that do not overlap.
func (p *pattern) all(text string) ([]*regexp2.Match, error) {
	var out []*regexp2.Match
	m, err := p.re.FindStringMatch(text)
	for m != nil && err == nil {
		out = append(out, m)
		m, err = p.re.FindNextMatch(m)
	}
	return out, matchError(err)
}

func matchError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the regular expression took longer than %s: %w", regexTimeout, err)
}

// replace is re.sub; it says how many places were replaced. A count of 0 means all.
func (p *pattern) replace(text, repl string, count int) (string, int, error) {
	parts, err := p.parseReplacement(repl)
	if err != nil {
		return "", 0, err
	}
	if count <= 0 {
		count = -1
	}
	n := 0
	out, err := p.re.ReplaceFunc(text, func(m regexp2.Match) string {
		n++
		var b strings.Builder
		for _, part := range parts {
			b.WriteString(part.text)
			if part.group >= 0 {
				b.WriteString(group(&m, part.group))
			}
		}
		return b.String()
	}, -1, count)
	return out, n, matchError(err)
}

// piece of a replacement: text, then a group unless it is negative.
type piece struct {
	text  string
	group int
}

// parseReplacement reads \1, \g<1>, \g<name>, \n and so on.
func (p *pattern) parseReplacement(repl string) ([]piece, error) {
	if !strings.Contains(repl, `\`) {
		return []piece{{repl, -1}}, nil
	}
	var out []piece
	var text strings.Builder
	emit := func(n int) error {
		if n >= len(p.re.GetGroupNumbers()) {
			return fmt.Errorf("invalid group reference %d", n)
		}
		out = append(out, piece{text.String(), n})
		text.Reset()
		return nil
	}
	for i := 0; i < len(repl); i++ {
		if repl[i] != '\\' || i+1 == len(repl) {
			if repl[i] == '\\' {
				return nil, fmt.Errorf("bad escape (end of pattern) in replacement %q", repl)
			}
			text.WriteByte(repl[i])
			continue
		}
		i++
		ch := repl[i]
		switch {
		case ch == 'g':
			end := strings.IndexByte(repl[i:], '>')
			if i+1 >= len(repl) || repl[i+1] != '<' || end < 0 {
				return nil, fmt.Errorf("missing group name in replacement %q", repl)
			}
			n, err := p.groupNumber(repl[i+2 : i+end])
			if err != nil {
				return nil, err
			}
			if err := emit(n); err != nil {
				return nil, err
			}
			i += end
		case ch == '0':
			n := octalLen(repl[i:], 3)
			v, _ := strconv.ParseUint(repl[i:i+n], 8, 16)
			text.WriteRune(rune(v))
			i += n - 1
		case ch >= '1' && ch <= '9':
			if octalLen(repl[i:], 3) == 3 && ch <= '3' {
				v, _ := strconv.ParseUint(repl[i:i+3], 8, 16)
				text.WriteRune(rune(v))
				i += 2
				continue
			}
			n := int(ch - '0')
			if i+1 < len(repl) && repl[i+1] >= '0' && repl[i+1] <= '9' {
				i++
				n = n*10 + int(repl[i]-'0')
			}
			if err := emit(n); err != nil {
				return nil, err
			}
		default:
			s, err := simpleEscape(ch)
			if err != nil {
				return nil, fmt.Errorf("%w in replacement %q", err, repl)
			}
			text.WriteString(s)
		}
	}
	return append(out, piece{text.String(), -1}), nil
}

func octalLen(s string, most int) int {
	n := 0
	for n < most && n < len(s) && s[n] >= '0' && s[n] <= '7' {
		n++
	}
	return n
}

func simpleEscape(ch byte) (string, error) {
	if i := strings.IndexByte(`abfnrtv\`, ch); i >= 0 {
		return "\a\b\f\n\r\t\v\\"[i : i+1], nil
	}
	if ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' {
		return "", fmt.Errorf(`bad escape \%c`, ch)
	}
	return `\` + string(ch), nil
}

func (p *pattern) groupNumber(name string) (int, error) {
	if n, err := strconv.Atoi(name); err == nil && n >= 0 && n < len(p.re.GetGroupNumbers()) {
		return n, nil
	}
	if n, ok := p.names[name]; ok {
		return n, nil
	}
	return 0, fmt.Errorf("unknown group name %q", name)
}
