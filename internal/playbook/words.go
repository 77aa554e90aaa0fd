package playbook

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// word is one word of an argument string.
type word struct {
	text string
	off  int // of its first byte
	end  int
}

var (
	errQuote    = errors.New("a quote is not closed")
	errTemplate = errors.New("{{ or {% is not closed")
)

// splitWords cuts at blanks that stand neither in quotes nor in {{ }}, {% %} or
// {# #}. Quotes and backslashes stay in the words.
func splitWords(s string) ([]word, error) {
	var out []word
	start := -1
	var quote byte
	closer := "" // of the template being read
	for i := 0; i < len(s); i++ {
		c := s[i]
		if closer != "" {
			switch {
			case strings.HasPrefix(s[i:], closer):
				closer = ""
				i++
			case closer != "#}" && (c == '"' || c == '\''): // text in an expression may hold braces
				if end := strings.IndexByte(s[i+1:], c); end >= 0 {
					i += 1 + end
				}
			}
			continue
		}
		if start < 0 && !isBlank(c) {
			start = i
		}
		if c == '{' && i+1 < len(s) {
			if j := strings.IndexByte("{%#", s[i+1]); j >= 0 {
				closer = []string{"}}", "%}", "#}"}[j]
				i++
				continue
			}
		}
		switch {
		case c == '\\' && i+1 < len(s) && (quote != 0 || !isBlank(s[i+1])):
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case isBlank(c) && start >= 0:
			out = append(out, word{s[start:i], start, i})
			start = -1
		}
	}
	switch {
	case closer != "":
		return nil, errTemplate
	case quote != 0:
		return nil, errQuote
	}
	if start >= 0 {
		out = append(out, word{s[start:], start, len(s)})
	}
	return out, nil
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// keyValue cuts a word at its first = that has no backslash before it. The key
// is a bare name: in --opt=x, or "a=b" in quotes, there is none.
func keyValue(w string) (key, value string, ok bool) {
	i := strings.IndexByte(w, '=')
	if i <= 0 || !keyName.MatchString(w[:i]) {
		return "", "", false
	}
	return w[:i], w[i+1:], true
}

var keyName = regexp.MustCompile(`^[A-Za-z_][\w.-]*$`)

var escapes = regexp.MustCompile(`\\(?:U[0-9a-fA-F]{8}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[0-7]{1,3}|[\\'"abfnrtv])`)

// unescape reads Python's escapes, as Ansible does in the value of key=value.
func unescape(s string) string {
	return escapes.ReplaceAllStringFunc(s, func(e string) string {
		switch c := e[1]; c {
		case 'U', 'u', 'x':
			n, _ := strconv.ParseUint(e[2:], 16, 32)
			return string(rune(n))
		case '\\', '\'', '"':
			return string(c)
		default:
			if i := strings.IndexByte("abfnrtv", c); i >= 0 {
				return "\a\b\f\n\r\t\v"[i : i+1]
			}
			n, _ := strconv.ParseUint(e[1:], 8, 32)
			return string(rune(n))
		}
	})
}

// unquote drops a pair of quotes around all of s.
func unquote(s string) string {
	if len(s) > 1 && s[0] == s[len(s)-1] && (s[0] == '"' || s[0] == '\'') && s[len(s)-2] != '\\' {
		return s[1 : len(s)-1]
	}
	return s
}

// KeyValues reads "a=1 b='x y'" as -e takes it. Templates in it are the user's own.
func KeyValues(text string, at fault.Place) (*jinja.Dict, error) {
	words, err := splitWords(text)
	if err != nil {
		return nil, fault.At(at, "%v in: %s", err, text)
	}
	d := jinja.NewDict()
	for _, w := range words {
		k, v, ok := keyValue(w.text)
		if !ok {
			return nil, fault.At(at, "expected key=value, found %q", w.text).WithHint("put quotes around a value with blanks: key='a b'")
		}
		val := textOrString(unquote(strings.TrimSpace(unescape(v))), at, true)
		d.Set(k, val)
		d.Templated = d.Templated || jinja.IsTemplated(val)
	}
	return d, nil
}

func textOrString(s string, at fault.Place, templates bool) any {
	if templates && document.IsTemplate(s) {
		return &jinja.Text{Source: s, Place: at}
	}
	return s
}

// shift is the place of a byte of text that starts at p.
func shift(p fault.Place, text string, off int) fault.Place {
	before := text[:off]
	if i := strings.LastIndexByte(before, '\n'); i >= 0 {
		// the indentation of a block is not in its text; its first line tells it
		p.Line += strings.Count(before, "\n")
		p.Col += utf8.RuneCountInString(before[i+1:])
		return p
	}
	p.Col += utf8.RuneCountInString(before)
	return p
}

// parsedArgs is an argument string taken apart.
type parsedArgs struct {
	pairs []document.Pair // key=value words
	free  string          // the rest, blanks kept
	at    fault.Place     // of free
}

// splitArgs takes an argument string apart. With only, just these keys are
// taken out of the text, and the rest keeps its quotes and escapes.
func (s site) splitArgs(n *document.Node, only []string) (out parsedArgs, ok bool) {
	text, isText := n.Text()
	if !isText {
		text = n.Raw
	}
	words, err := splitWords(text)
	if err != nil {
		s.fail(n.Place, "%v in the arguments", err).WithHint("write the arguments as a dictionary, or quote the whole value and double what is inside")
		return out, false
	}
	var free strings.Builder
	last := 0
	for _, w := range words {
		k, v, isPair := keyValue(w.text)
		if isPair && (only == nil || contains(only, k)) {
			at := shift(n.Place, text, w.off)
			val := &document.Node{Place: shift(n.Place, text, w.off+len(k)+1), Raw: v}
			val.Value = textOrString(unquote(strings.TrimSpace(unescape(v))), val.Place, template(n))
			if str, ok := val.Value.(string); ok {
				val.Raw = str
			}
			out.pairs = append(out.pairs, document.Pair{Key: k, KeyValue: k, KeyPlace: at, Val: val})
			last = w.end
			continue
		}
		if free.Len() == 0 {
			out.at = shift(n.Place, text, w.off)
		} else {
			free.WriteString(text[last:w.off])
		}
		free.WriteString(strings.ReplaceAll(w.text, `\=`, "="))
		last = w.end
	}
	out.free = free.String()
	if out.free != "" && strings.HasSuffix(text, "\n") {
		out.free += "\n" // a script keeps its last newline
	}
	return out, true
}
