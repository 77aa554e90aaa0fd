package jinja

import (
	"context"
	"testing"
	"time"
)

var fuzzSeeds = []string{
	"{{ a.b[1:2] | default('x') ~ 1 }}", "{% for i in range(3) recursive %}{{ loop(i) }}{% endfor %}",
	"{% macro m(a, b=1) %}{{ caller() }}{% endmacro %}{% call m(2) %}x{% endcall %}", "{% raw %}{{{% endraw %}",
	"{%- set ns.a = 1 -%}", "{{ '%s %d' % (1, 2) }}{{ '{:>5}'.format(1) }}", "{% block a %}{{ super() }}{% endblock %}",
	"{{ 2 ** 10 // 3 % 4 }}", "{% if a is not defined and b in [1] %}{% elif c %}{% else %}{% endif %}",
	"{{ [1,2]|map('string')|join(',') }}", "{# c #}{{ {'a': (1,)} }}", "{% with a=1 %}{% filter upper %}x{% endfilter %}{% endwith %}",
	"{% set x = [] %}{% do x.append(x) %}{{ x }}", "{{ 'a' * 1000000000 }}", "{{ range(10000000) }}", "{{ 9**9**9 }}",
}

// FuzzRender renders whatever comes: no panic, and an end in time.
func FuzzRender(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add(s)
	}
	scope := vars{NewDict("a", NewDict("b", NewList(int64(1), "x")), "b", int64(1), "s", "text", "l", NewList(int64(1), int64(2)))}
	f.Fuzz(func(t *testing.T, src string) {
		env := NewEnv()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		for _, asExpr := range []bool{false, true} {
			_, _ = env.Render(ctx, &Text{Source: src, Expr: asExpr}, scope)
			_, _, _, _ = env.Uses(&Text{Source: src, Expr: asExpr})
		}
		if d := time.Since(start); d > 8*time.Second {
			t.Errorf("%q took %v", src, d)
		}
	})
}
