package inventory

import (
	"errors"
	"strings"
)

// word is a token of a host line; offset is where it starts.
type word struct {
	text   string
	offset int
}

// splitWords cuts a host line as a POSIX shell would: quotes, backslashes, and a
// # that starts a comment, even in the middle of a word.
func splitWords(s string) ([]word, error) {
	var words []word
	var cur strings.Builder
	start := -1 // of the current word, -1 between words
	begin := func(i int) {
		if start < 0 {
			start = i
		}
	}
	end := func() {
		if start >= 0 {
			words = append(words, word{cur.String(), start})
			cur.Reset()
			start = -1
		}
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ' ', '\t', '\r', '\n':
			end()
		case '#':
			end()
			return words, nil
		case '\\':
			begin(i)
			i++
			if i == len(s) {
				return nil, errors.New("nothing stands after the last backslash")
			}
			cur.WriteByte(s[i])
		case '\'', '"':
			begin(i)
			n, err := quoted(s[i:], &cur)
			if err != nil {
				return nil, err
			}
			i += n - 1
		default:
			begin(i)
			cur.WriteByte(c)
		}
	}
	end()
	return words, nil
}

// quoted reads the quoted text that s starts with and gives its length with quotes.
func quoted(s string, out *strings.Builder) (int, error) {
	q := s[0]
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == q:
			return i + 1, nil
		case c == '\\' && q == '"' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
			out.WriteByte(s[i])
		default:
			out.WriteByte(c)
		}
	}
	return 0, errors.New("no closing quotation")
}

// splitOutside cuts s at sep, but not within [ ].
func splitOutside(s string, sep byte) []string {
	var parts []string
	depth, start := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '[':
			depth++
		case ']':
			if depth > 0 {
				depth--
			}
		case sep:
			if depth == 0 {
				parts = append(parts, s[start:i])
				start = i + 1
			}
		}
	}
	return append(parts, s[start:])
}
