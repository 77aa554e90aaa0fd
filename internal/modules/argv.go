package modules

import (
	"errors"
	"os/user"
	"strings"

	"mageprov/internal/node"
)

// splitArgv splits a line as a POSIX shell would read its words, without any
// expansion: 'a b' and "a b" are one word, a backslash takes the next letter as
// it is. It is what Ansible does with the text after `command:`.
func splitArgv(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord := false
	rs := []rune(line)
	for i := 0; i < len(rs); i++ {
		switch r := rs[i]; r {
		case ' ', '\t', '\n', '\r':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		case '\'':
			end := i + 1
			for end < len(rs) && rs[end] != '\'' {
				end++
			}
			if end == len(rs) {
				return nil, errors.New("no closing quotation")
			}
			word.WriteString(string(rs[i+1 : end]))
			i, inWord = end, true
		case '"':
			i++
			for ; i < len(rs) && rs[i] != '"'; i++ {
				if rs[i] == '\\' && i+1 < len(rs) && (rs[i+1] == '"' || rs[i+1] == '\\') {
					i++
				}
				word.WriteRune(rs[i])
			}
			if i >= len(rs) {
				return nil, errors.New("no closing quotation")
			}
			inWord = true
		case '\\':
			if i+1 == len(rs) {
				return nil, errors.New("no escaped character")
			}
			i++
			word.WriteRune(rs[i])
			inWord = true
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// expandWord replaces a leading ~ or ~user and every $NAME and ${NAME} that is
// set in the task's environment. What is not set stays as it is written.
func expandWord(n node.Reader, s string) string {
	return expandVars(expandHome(n, s), n.Getenv)
}

func expandHome(n node.Reader, s string) string {
	if !strings.HasPrefix(s, "~") {
		return s
	}
	name, rest, _ := strings.Cut(s[1:], "/")
	if strings.Contains(s, "/") {
		rest = "/" + rest
	}
	home := ""
	if name == "" {
		home = n.Getenv("HOME")
		if home == "" {
			if u, err := user.Current(); err == nil {
				home = u.HomeDir
			}
		}
	} else if u, err := n.LookupUser(name); err == nil && u != nil {
		home = u.Home
	}
	if home == "" {
		return s
	}
	return strings.TrimRight(home, "/") + rest
}

// expandVars is Python's os.path.expandvars: getenv giving "" counts as unset,
// which differs only for variables that are set to nothing.
func expandVars(s string, getenv func(string) string) string {
	if !strings.Contains(s, "$") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '$' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		name, width := varName(s[i+1:])
		if v := getenv(name); name != "" && v != "" {
			b.WriteString(v)
			i += width
			continue
		}
		b.WriteByte('$')
	}
	return b.String()
}

// varName reads NAME or {NAME} at the start of s and says how many bytes it took.
func varName(s string) (string, int) {
	if s[0] == '{' {
		end := strings.IndexByte(s, '}')
		if end < 0 {
			return "", 0
		}
		return s[1:end], end + 1
	}
	i := 0
	for i < len(s) && (s[i] == '_' || s[i] >= '0' && s[i] <= '9' || s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z') {
		i++
	}
	return s[:i], i
}

// splitLines splits text as Python's str.splitlines does, which is what
// stdout_lines holds: no empty last line, and all of Unicode's line ends.
func splitLines(s string) []any {
	lines := []any{}
	start := 0
	rest := s
	pos := 0
	for len(rest) > 0 {
		i := strings.IndexAny(rest, "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029")
		if i < 0 {
			break
		}
		width := 1
		switch {
		case strings.HasPrefix(rest[i:], "\r\n"):
			width = 2
		case rest[i] == 0xc2:
			width = 2
		case rest[i] == 0xe2:
			width = 3
		}
		lines = append(lines, s[start:pos+i])
		pos += i + width
		start, rest = pos, s[pos:]
	}
	if start < len(s) {
		lines = append(lines, s[start:])
	}
	return lines
}

// cleanText makes output printable as JSON text: each byte that is not UTF-8
// becomes U+FFFD.
func cleanText(b []byte) string { return string([]rune(string(b))) }

// shellQuote makes one word of s for a POSIX shell.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
