// Package pyre gives Python's regular expressions, as playbooks write them:
// names by (?P<n>), lookaround, back references, \Z, inline flags, and
// replacement templates with \1 and \g<n>. It works on text, like Python's re
// on str: positions count characters.
//
// The engine is regexp2, which backtracks: every call has a time limit, so that
// a pattern that explodes is an error and not a hang.
package pyre

import (
	"fmt"
	"strings"
	"time"

	"github.com/dlclark/regexp2"
)

// Flags are Python's, by their letters.
type Flags int

// The flags that playbooks can set.
const (
	IgnoreCase Flags = 1 << iota // re.I
	Multiline                    // re.M
	DotAll                       // re.S
	Verbose                      // re.X
)

// Timeout is how long one match may take.
const Timeout = 20 * time.Second

// Regexp is a compiled pattern. It is safe for concurrent use.
type Regexp struct {
	re     *regexp2.Regexp
	src    string // as written
	opts   regexp2.RegexOptions
	names  map[string]int
	groups int
	bound  bool // matches at the beginning of a text only
}

// Match is one match in a text.
type Match struct {
	re    *Regexp
	text  []rune
	spans [][2]int // in characters; -1 where a group took no part
}

// Compile translates and compiles a pattern. Errors name the pattern.
func Compile(pattern string, flags Flags) (*Regexp, error) {
	t := &translator{in: []rune(pattern), names: map[string]int{}, verbose: flags&Verbose != 0}
	t.countGroups()
	out, err := t.translate()
	if err != nil {
		return nil, fmt.Errorf("regular expression %q: %w", pattern, err)
	}
	opts := regexp2.RegexOptions(regexp2.None)
	for _, f := range []struct {
		ours Flags
		opt  regexp2.RegexOptions
	}{
		{IgnoreCase, regexp2.IgnoreCase},
		{Multiline, regexp2.Multiline},
		{DotAll, regexp2.Singleline},
		{Verbose, regexp2.IgnorePatternWhitespace},
	} {
		if (flags|t.flags)&f.ours != 0 {
			opts |= f.opt
		}
	}
	re, err := regexp2.Compile(out, opts)
	if err != nil {
		return nil, fmt.Errorf("regular expression %q: %s", pattern, reason(err, out))
	}
	re.MatchTimeout = Timeout
	return &Regexp{re: re, src: pattern, opts: opts, names: t.names, groups: t.total}, nil
}

// reason leaves out what regexp2 says of itself and of the translated pattern.
func reason(err error, translated string) string {
	s := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
	return strings.TrimSuffix(s, " in `"+translated+"`")
}

// Escape is re.escape.
func Escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune("()[]{}?*+-|^$\\.&~# \t\n\r\v\f", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// String gives the pattern as it was written.
func (r *Regexp) String() string { return r.src }

// NumGroups counts the groups.
func (r *Regexp) NumGroups() int { return r.groups }

// GroupNames gives the number of each named group.
func (r *Regexp) GroupNames() map[string]int { return r.names }

// Search finds the first match anywhere; nil is none.
func (r *Regexp) Search(text string) (*Match, error) { return r.SearchFrom([]rune(text), 0) }

// SearchFrom finds the first match that begins at pos or later.
func (r *Regexp) SearchFrom(text []rune, pos int) (*Match, error) {
	m, err := r.re.FindRunesMatchStartingAt(text, pos)
	if err != nil {
		return nil, fmt.Errorf("regular expression %q: %w", r.src, timeLimit(err))
	}
	return r.match(text, m), nil
}

// Match finds a match at the beginning of the text (re.match).
func (r *Regexp) Match(text string) (*Match, error) {
	if r.bound {
		return r.Search(text)
	}
	anchored, err := r.anchored("")
	if err != nil {
		return nil, err
	}
	return anchored.Search(text)
}

// Anchored gives the pattern for many calls of Match, which would otherwise
// compile it again each time.
func (r *Regexp) Anchored() *Regexp {
	if a, err := r.anchored(""); err == nil {
		return a
	}
	return r
}

// FullMatch finds a match of the whole text (re.fullmatch).
func (r *Regexp) FullMatch(text string) (*Match, error) {
	anchored, err := r.anchored(`\z`)
	if err != nil {
		return nil, err
	}
	return anchored.Search(text)
}

// anchored compiles the pattern bound to the beginning of the text.
func (r *Regexp) anchored(end string) (*Regexp, error) {
	if r.opts&regexp2.IgnorePatternWhitespace != 0 {
		end = "\n)" + end // the pattern may end in a comment
	} else {
		end = ")" + end
	}
	re, err := regexp2.Compile(`\A(?:`+r.re.String()+end, r.opts)
	if err != nil {
		return nil, fmt.Errorf("regular expression %q: %w", r.src, err)
	}
	re.MatchTimeout = Timeout
	return &Regexp{re: re, src: r.src, opts: r.opts, names: r.names, groups: r.groups, bound: true}, nil
}

func timeLimit(err error) error {
	if strings.Contains(err.Error(), "timeout") {
		return fmt.Errorf("it took longer than %s", Timeout)
	}
	return err
}

func (r *Regexp) match(text []rune, m *regexp2.Match) *Match {
	if m == nil {
		return nil
	}
	out := &Match{re: r, text: text, spans: make([][2]int, r.groups+1)}
	for i := range out.spans {
		out.spans[i] = [2]int{-1, -1}
		if g := m.GroupByNumber(i); g != nil && len(g.Captures) > 0 {
			out.spans[i] = [2]int{g.Index, g.Index + g.Length}
		}
	}
	return out
}

// FindAll finds all matches, as re.finditer does: an empty match may follow a
// match directly.
func (r *Regexp) FindAll(text string) ([]*Match, error) {
	runes := []rune(text)
	var all []*Match
	m, err := r.re.FindRunesMatch(runes)
	for m != nil && err == nil {
		all = append(all, r.match(runes, m))
		m, err = r.re.FindNextMatch(m)
	}
	if err != nil {
		return nil, fmt.Errorf("regular expression %q: %w", r.src, timeLimit(err))
	}
	return all, nil
}

// Span gives the place of a group in characters; -1, -1 where it took no part.
func (m *Match) Span(group int) (start, end int) { return m.spans[group][0], m.spans[group][1] }

// Group gives the text of a group; ok is false where it took no part.
func (m *Match) Group(n int) (s string, ok bool) {
	if n < 0 || n >= len(m.spans) || m.spans[n][0] < 0 {
		return "", false
	}
	return string(m.text[m.spans[n][0]:m.spans[n][1]]), true
}

// Named gives the text of a named group.
func (m *Match) Named(name string) (s string, ok bool) {
	n, known := m.re.names[name]
	if !known {
		return "", false
	}
	return m.Group(n)
}
