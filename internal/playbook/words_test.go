package playbook

import (
	"strings"
	"testing"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

func TestSplitWords(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"a b  c", "a|b|c"},
		{"a='b c' d", "a='b c'|d"},
		{`a="b \" c" d`, `a="b \" c"|d`},
		{"x={{ a b }} y", "x={{ a b }}|y"},
		{`x="{{ a["b c"] }}" y`, `x="{{ a["b c"] }}"|y`},
		{"{% if a %}b c{% endif %} d", "{% if a %}b|c{% endif %}|d"},
		{"{# a b #} c", "{# a b #}|c"},
		{"a\n\tb\n", "a|b"},
		{"'a'b' c'", "'a'b' c'"},
		{"a {b c}", "a|{b|c}"},
		{"{{ a }", "error"},
		{"it's", "error"},
		{`a\`, `a\`},
	} {
		words, err := splitWords(c.in)
		var got []string
		for _, w := range words {
			got = append(got, w.text)
		}
		s := strings.Join(got, "|")
		if err != nil {
			s = "error"
		}
		if s != c.want {
			t.Errorf("%q: got %s, want %s", c.in, s, c.want)
		}
	}
}

// The answers are those of ansible-core 2.14.
func TestFreeForm(t *testing.T) {
	for _, c := range []struct{ in, free, args string }{
		{"echo   a    b creates=/nope chdir=/tmp  c", "echo   a    b  c", "{creates: \"/nope\", chdir: \"/tmp\"}"},
		{"echo   'a  b'    b  x=y", "echo   'a  b'    b  x=y", "{}"},
		{"echo one   two\n  if true; then echo \"a=b\"; fi\nchdir=/tmp\n", "echo one   two\n  if true; then echo \"a=b\"; fi\n", "{chdir: \"/tmp\"}"},
		{`echo a\=b creates\=x "creates=/zz"`, `echo a=b creates=x "creates=/zz"`, "{}"},
		{`echo executable=/bin/sh x=1 chdir=/tmp`, `echo x=1`, `{executable: "/bin/sh", chdir: "/tmp"}`},
	} {
		s := testLoader(Options{}).site(".")
		got, ok := s.splitArgs(&document.Node{Value: c.in, Raw: c.in}, commandKeys)
		d := jinja.NewDict()
		for _, p := range got.pairs {
			d.Set(p.Key, p.Val.Value)
		}
		if !ok || got.free != c.free || show(d) != c.args {
			t.Errorf("%q: got %q %s", c.in, got.free, show(d))
		}
	}
}

func TestKeyValues(t *testing.T) {
	d, err := KeyValues(`a=1 b='x y' c="\x41\t\"q\"" d={{ e f }} g=`, fault.Place{File: "-e"})
	if got, want := show(d), `{a: "1", b: "x y", c: "A\t\"q\"", d: text("{{ e f }}" @0:0), g: ""}`; err != nil || got != want {
		t.Errorf("got %s, %v", got, err)
	}
	for _, bad := range []string{"a", "a='b", "=x", "--x=y"} {
		if _, err := KeyValues(bad, fault.Place{File: "-e"}); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func FuzzSplitWords(f *testing.F) {
	for _, s := range []string{"a b='c d' {{ e f }}", `a="\"" b`, "{% x %}", "a\\ b", "\xff='"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		words, err := splitWords(s)
		if err != nil {
			return
		}
		last := 0
		for _, w := range words {
			if s[w.off:w.end] != w.text || w.off < last || strings.TrimSpace(s[last:w.off]) != "" && strings.Trim(s[last:w.off], " \t\r\n") != "" {
				t.Fatalf("%q: word %q at %d", s, w.text, w.off)
			}
			last = w.end
		}
		if strings.Trim(s[last:], " \t\r\n") != "" {
			t.Fatalf("%q: %q is lost", s, s[last:])
		}
		KeyValues(s, fault.Place{})
	})
}
