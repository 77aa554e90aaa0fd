package pyre

import "sync"

// Fixed is a pattern that the program itself brings. It is compiled when it is
// first used; a text for which the engine gives up (Timeout) does not match.
type Fixed struct{ compiled func() *Regexp }

// MustCompile makes a Fixed; a pattern that is wrong panics at its first use.
func MustCompile(pattern string) *Fixed {
	return &Fixed{sync.OnceValue(func() *Regexp {
		re, err := Compile(pattern, 0)
		if err != nil {
			panic(err)
		}
		return re
	})}
}

// MatchString says whether there is a match anywhere.
func (f *Fixed) MatchString(text string) bool { return f.Groups(text) != nil }

// Groups gives the first match and its groups, "" for one that took no part;
// nil is no match.
func (f *Fixed) Groups(text string) []string {
	m, err := f.compiled().Search(text)
	if m == nil || err != nil {
		return nil
	}
	return m.all()
}

// AllGroups gives the groups of every match.
func (f *Fixed) AllGroups(text string) (out [][]string) {
	found, err := f.compiled().FindAll(text)
	if err != nil {
		return nil
	}
	for _, m := range found {
		out = append(out, m.all())
	}
	return out
}

// Replace puts a text in place of every match; backslashes in it are the
// template's.
func (f *Fixed) Replace(text, with string) string {
	out, _, err := f.compiled().Sub(text, with, 0)
	if err != nil {
		return text
	}
	return out
}

func (m *Match) all() []string {
	out := make([]string, len(m.spans))
	for i := range out {
		out[i], _ = m.Group(i)
	}
	return out
}
