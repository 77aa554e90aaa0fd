package pyre

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/dlclark/regexp2"
)

// translator turns a Python pattern into one for regexp2, whose dialect is
// .NET's. Named groups become numbered ones: .NET would number them last.
type translator struct {
	in      []rune
	pos     int
	out     strings.Builder
	names   map[string]int
	total   int // groups in the pattern
	seen    int // groups opened so far
	flags   Flags
	verbose bool
}

func (t *translator) peek(n int) rune {
	if t.pos+n < len(t.in) {
		return t.in[t.pos+n]
	}
	return -1
}

func (t *translator) has(s string) bool {
	for i, r := range []rune(s) {
		if t.peek(i) != r {
			return false
		}
	}
	return true
}

// until takes what stands before the next end.
func (t *translator) until(end rune) (string, bool) {
	for i := t.pos; i < len(t.in); i++ {
		if t.in[i] == end {
			s := string(t.in[t.pos:i])
			t.pos = i + 1
			return s, true
		}
	}
	return "", false
}

// countGroups counts the groups: whether \12 is a group depends on it.
func (t *translator) countGroups() {
	inClass := false
	for i := 0; i < len(t.in); i++ {
		switch c := t.in[i]; {
		case c == '\\':
			i++
		case inClass:
			inClass = c != ']'
		case c == '[':
			inClass = true
			if i+1 < len(t.in) && t.in[i+1] == '^' {
				i++
			}
			if i+1 < len(t.in) && t.in[i+1] == ']' {
				i++
			}
		case c == '(':
			if i+1 >= len(t.in) || t.in[i+1] != '?' || i+3 < len(t.in) && t.in[i+2] == 'P' && t.in[i+3] == '<' {
				t.total++
			}
		}
	}
}

func (t *translator) translate() (string, error) {
	for t.pos < len(t.in) {
		if err := t.step(); err != nil {
			return "", err
		}
	}
	return t.out.String(), nil
}

func (t *translator) step() error {
	c := t.in[t.pos]
	switch {
	case c == '\\':
		return t.escape(false)
	case c == '[':
		return t.class()
	case c == '(':
		return t.group()
	case c == '#' && t.verbose:
		for t.pos < len(t.in) && t.in[t.pos] != '\n' {
			t.pos++
		}
		return nil
	case c == '{' && t.peek(1) == ',' && unicode.IsDigit(t.peek(2)):
		t.out.WriteString("{0") // .NET knows no {,n}
		t.pos++
		return nil
	}
	t.out.WriteRune(c)
	t.pos++
	return nil
}

// group handles what begins with a parenthesis.
func (t *translator) group() error {
	switch {
	case t.has("(?P<"):
		t.pos += 4
		name, ok := t.until('>')
		if !ok || !isName(name) {
			return fmt.Errorf("bad group name %q", name)
		}
		if _, dup := t.names[name]; dup {
			return fmt.Errorf("group name %q is used twice", name)
		}
		t.seen++
		t.names[name] = t.seen
		t.out.WriteByte('(')
	case t.has("(?P="):
		t.pos += 4
		name, _ := t.until(')')
		n, ok := t.names[name]
		if !ok {
			return fmt.Errorf("unknown group name %q", name)
		}
		fmt.Fprintf(&t.out, `(?:\%d)`, n)
	case t.has("(?("):
		t.pos += 3
		name, _ := t.until(')')
		n, ok := t.names[name]
		if i, err := strconv.Atoi(name); err == nil {
			n, ok = i, i <= t.total
		}
		if !ok {
			return fmt.Errorf("unknown group name %q", name)
		}
		fmt.Fprintf(&t.out, "(?(%d)", n)
	case t.has("(?#"):
		if _, ok := t.until(')'); !ok {
			return fmt.Errorf("missing ), unterminated comment")
		}
	case t.has("(?:"), t.has("(?="), t.has("(?!"), t.has("(?>"):
		t.out.WriteString(string(t.in[t.pos : t.pos+3]))
		t.pos += 3
	case t.has("(?<="), t.has("(?<!"):
		t.out.WriteString(string(t.in[t.pos : t.pos+4]))
		t.pos += 4
	case t.has("(?"):
		return t.inlineFlags()
	default:
		t.seen++
		t.out.WriteByte('(')
		t.pos++
	}
	return nil
}

// inlineFlags handles (?i) and (?i-s:...). Those of the whole pattern are flags
// wherever they stand, as Python had it until 3.10.
func (t *translator) inlineFlags() error {
	start := t.pos
	t.pos += 2
	var on Flags
	var keep strings.Builder
	for ; t.pos < len(t.in); t.pos++ {
		switch c := t.in[t.pos]; c {
		case 'i', 'm', 's', 'x':
			on |= map[rune]Flags{'i': IgnoreCase, 'm': Multiline, 's': DotAll, 'x': Verbose}[c]
			keep.WriteRune(c)
		case 'a', 'u', 'L': // text is Unicode here
		case '-':
			keep.WriteRune(c)
		case ')':
			t.pos++
			t.flags |= on
			t.verbose = t.verbose || on&Verbose != 0
			return nil
		case ':':
			t.pos++
			t.out.WriteString("(?" + keep.String() + ":")
			return nil
		default:
			return fmt.Errorf("unknown extension %s", string(t.in[start+1:t.pos+1]))
		}
	}
	return fmt.Errorf("missing )")
}

// class handles a set. What .NET would take for a set in a set is literal here.
func (t *translator) class() error {
	t.out.WriteByte('[')
	t.pos++
	if t.peek(0) == '^' {
		t.out.WriteByte('^')
		t.pos++
	}
	for first := true; ; first = false {
		switch c := t.peek(0); {
		case c == -1:
			return fmt.Errorf("unterminated character set")
		case c == ']' && !first:
			t.out.WriteByte(']')
			t.pos++
			return nil
		case c == '\\':
			if err := t.escape(true); err != nil {
				return err
			}
		case c == '[' || c == ']':
			t.out.WriteString(`\` + string(c))
			t.pos++
		default:
			t.out.WriteRune(c)
			t.pos++
		}
	}
}

func (t *translator) escape(inClass bool) error {
	c := t.peek(1)
	switch {
	case c == -1:
		return fmt.Errorf("bad escape (end of pattern)")
	case c >= '0' && c <= '9':
		return t.number(inClass)
	case c == 'Z' && !inClass:
		t.out.WriteString(`\z`)
	case c == 'x', c == 'u', c == 'U':
		return t.code(map[rune]int{'x': 2, 'u': 4, 'U': 8}[c])
	case strings.ContainsRune("dDsSwWnrtfvab", c), !inClass && strings.ContainsRune("AB", c):
		t.out.WriteString(`\` + string(c))
	case c < 128 && unicode.IsLetter(c):
		return fmt.Errorf(`bad escape \%c`, c)
	case c == '_' || c >= 128:
		t.out.WriteRune(c)
	default:
		t.out.WriteString(`\` + string(c))
	}
	t.pos += 2
	return nil
}

// code handles \xhh, \uhhhh and \Uhhhhhhhh.
func (t *translator) code(digits int) error {
	end := t.pos + 2 + digits
	if end > len(t.in) {
		return fmt.Errorf("incomplete escape %s", string(t.in[t.pos:]))
	}
	n, err := strconv.ParseUint(string(t.in[t.pos+2:end]), 16, 32)
	if err != nil || n > unicode.MaxRune {
		return fmt.Errorf("incomplete escape %s", string(t.in[t.pos:end]))
	}
	t.char(rune(n))
	t.pos = end
	return nil
}

// char writes a character so that it stands for itself, in a set too.
func (t *translator) char(r rune) {
	switch {
	case r == '-' || r == ']' || r == '^':
		t.out.WriteString(`\` + string(r))
	default:
		t.out.WriteString(regexp2.Escape(string(r)))
	}
}

// number handles back references and octal codes.
func (t *translator) number(inClass bool) error {
	n := 0
	for n < 3 && t.peek(1+n) >= '0' && t.peek(1+n) <= '9' {
		n++
	}
	digits := string(t.in[t.pos+1 : t.pos+1+n])
	octal := n == 3 && digits[0] <= '3' || digits[0] == '0' || inClass
	if octal {
		end := 0
		for end < len(digits) && digits[end] <= '7' {
			end++
		}
		code, err := strconv.ParseUint(digits[:end], 8, 16)
		if err != nil || code > 0o377 {
			return fmt.Errorf(`bad escape \%s`, digits)
		}
		t.char(rune(code))
		t.pos += 1 + end
		return nil
	}
	if n == 3 {
		digits = digits[:2]
	}
	group, _ := strconv.Atoi(digits)
	if group > t.total {
		return fmt.Errorf("invalid group reference %d", group)
	}
	fmt.Fprintf(&t.out, `(?:\%d)`, group)
	t.pos += 1 + len(digits)
	return nil
}

func isName(s string) bool {
	for i, r := range s {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return false
		}
	}
	return s != ""
}
