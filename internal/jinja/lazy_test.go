package jinja

import (
	"context"
	"errors"
	"strings"
	"testing"

	"mageprov/internal/fault"
)

// lazy is a Deferred that counts how often it is computed.
type lazy struct {
	v   any
	err error
	n   *int
}

func (l lazy) Force(context.Context) (any, error) { *l.n++; return l.v, l.err }

// table is a Mapping that counts reads.
type table struct {
	d     *Dict
	reads *int
}

func (m table) Get(_ context.Context, k any) (any, bool, error) {
	*m.reads++
	v, ok := m.d.Get(k)
	return v, ok, nil
}
func (m table) Keys(context.Context) ([]any, error) { return m.d.Keys(), nil }

func TestLazy(t *testing.T) {
	for _, c := range []struct {
		src   string
		want  any
		reads int // of the mapping and of deferred values
	}{
		{"host.a.x", int64(1), 1},
		{"host['a'].x", int64(1), 1},
		{"host.get('a').x", int64(1), 1},
		{"'a' in host", true, 1},
		{"host is mapping", true, 0},
		{"host is defined", true, 0},
		{"host | length", int64(3), 3},
		{"host.keys() | list", NewList("a", "b", "c"), 0},
		{"mixed[0]", "now", 0},
		{"mixed[1]", "later", 1},
		{"mixed | join('-')", "now-later", 1},
		{"deep.k.l + 1", int64(3), 1},
		{"deep", NewDict("k", NewDict("l", int64(2))), 1},
		{"[deep.k]", NewList(NewDict("l", int64(2))), 1},
		{"broken | default('d')", "d", 1},
		{"broken.x.y | default('d')", "d", 1},
		{"broken is defined", false, 1},
		{"text + 1", int64(6), 0},
		{"{{ loops }}", nil, 0},
	} {
		n := 0
		gone := &Undefined{Name: "gone"}
		scope := vars{NewDict(
			"host", table{NewDict("a", NewDict("x", int64(1)), "b", int64(2), "c", int64(3)), &n},
			"mixed", NewList("now", lazy{"later", nil, &n}), "deep", NewDict("k", lazy{NewDict("l", int64(2)), nil, &n}),
			"broken", lazy{nil, gone.Err(), &n}, "five", int64(5), "text", &Text{Source: "{{ five }}"},
			"loops", &Text{Source: "{{ loops }}"})}
		got, err := NewEnv().Render(t.Context(), &Text{Source: c.src, Expr: !strings.HasPrefix(c.src, "{{")}, scope)
		if c.want == nil {
			if err == nil {
				t.Errorf("%s gives %s, want an error", c.src, Repr(got))
			}
			continue
		}
		if err != nil || !Equal(got, c.want) || n != c.reads {
			t.Errorf("%s = %s after %d reads, %v; want %s after %d", c.src, Repr(got), n, err, Repr(c.want), c.reads)
		}
	}
}

func TestErrors(t *testing.T) {
	scope := vars{NewDict("packages", NewList(), "user", NewDict("name", "bob"), "port", int64(22))}
	for _, c := range []struct{ src, want, hint string }{
		{"a\n  {{ pakages }}", "f.j2:11:6: 'pakages' is undefined", "did you mean packages?"},
		{"{{ user.nmae }}", "f.j2:10:12: 'dict object' has no attribute 'nmae'", "did you mean name?"},
		{"{{ gone.a.b }}", "f.j2:10:8: 'gone' is undefined", ""},
		{"{{ 1 | uper }}", "f.j2:10:12: no filter named 'uper'", "did you mean upper?"},
		{"{{ 1 is defind }}", "f.j2:10:13: no test named 'defind'", "did you mean defined?"},
		{"{{ [1] | map('uper') }}", "f.j2:10:18: no filter named 'uper'", "did you mean upper?"},
		{"{{ [1] | selectattr('a', 'defind') }}", "f.j2:10:30: no test named 'defind'", "did you mean defined?"},
		{"x\ny {% fi %}", "f.j2:11:6: template syntax: unknown tag 'fi'", ""},
		{"{% for x in y %}", "f.j2:10:21: template syntax: unexpected end of the template, expected else or endfor", ""},
		{"{{ 'a' + 1 }}", "f.j2:10:12: can only concatenate str (not \"int\") to str", "use ~ to join text with other values"},
		{"{{ 'abc }}", "f.j2:10:8: template syntax: unexpected end of template: the string is not closed", ""},
		{"{{ a && b }}", "f.j2:10:10: template syntax: unexpected character '&'", "write and"},
		{"{{ port | int(defalt=1) }}", "f.j2:10:15: int has no argument 'defalt'", "did you mean default?"},
		{"{{ 1 // 0 }}", "f.j2:10:10: division by zero", ""},
	} {
		_, err := NewEnv().Render(t.Context(), &Text{Source: c.src, Place: fault.Place{File: "f.j2", Line: 10, Col: 5}}, scope)
		var fe *fault.Error
		if !errors.As(err, &fe) || err.Error() != c.want || fault.HintOf(err) != c.hint && c.hint != "" {
			t.Errorf("%q\n got %v (%s)\nwant %s (%s)", c.src, err, fault.HintOf(err), c.want, c.hint)
		}
	}
}

func TestNative(t *testing.T) {
	scope := vars{NewDict("l", NewList(int64(1)), "n", int64(5))}
	for _, c := range []struct {
		src  string
		want any
	}{
		{"{{ l }}", NewList(int64(1))},
		{"{{ n }}", int64(5)},
		{"{{ none }}", nil},
		{"{{ n }} ", "5 "},
		{"{% if n %}{{ l }}{% endif %}", NewList(int64(1))},
		{"{{ l }}{{ n }}", "[1]5"},
		{"{% if not n %}x{% endif %}", ""},
		{"{{ 'x' if not n }}", ""},
		{"plain", "plain"},
		{"", ""},
	} {
		got, err := NewEnv().Render(t.Context(), &Text{Source: c.src}, scope)
		if err != nil || !Equal(got, c.want) || TypeName(got) != TypeName(c.want) {
			t.Errorf("%q gives %s, %v; want %s", c.src, Repr(got), err, Repr(c.want))
		}
	}
}
