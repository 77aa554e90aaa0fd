package jinja

import (
	"strings"
	"testing"
)

func TestUses(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"{{ a.b[c] }}", "a c"},
		{"{{ a | default(b) }}", "a? b"},
		{"{{ a.b is defined and a.b.c == d }}", "a? a? d"},
		{"{{ a is not defined or a == 1 }}", "a? a?"},
		{"{{ a if a is defined else b }}", "a? a? b"},
		{"{% if x is undefined %}{{ x }}{% else %}{{ x }}{% endif %}", "x? x x?"},
		{"{% for i in l if i.on %}{{ i }}{{ loop.index }}{{ j }}{% endfor %}{{ i }}", "l j i"},
		{"{% set a = b %}{{ a }}", "b"},
		{"{% macro m(p, q=r) %}{{ p }}{{ q }}{{ s }}{% endmacro %}{{ m(t) }}", "r s t"},
		{"{% import n as lib %}{{ lib.f() }}", "n"},
		{"{{ range(n) | map('upper') }}", "n"},
		{"{% with a = 1 %}{{ a }}{% endwith %}{{ a }}", "a"},
		{"{{ [x, {'k': y}, (z,)] }}{{ f(g, h=i, *j) }}", "x y z f g i j"},
	} {
		names, _, _, err := NewEnv().Uses(&Text{Source: c.src})
		if err != nil {
			t.Errorf("%s: %v", c.src, err)
			continue
		}
		var got []string
		for _, n := range names {
			s := n.Name
			if n.Guarded {
				s += "?"
			}
			got = append(got, s)
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.src, s, c.want)
		}
	}
}
