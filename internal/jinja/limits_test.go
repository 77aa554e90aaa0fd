package jinja

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// TestLimits feeds what would eat all memory or never end.
func TestLimits(t *testing.T) {
	for _, src := range []string{
		"{{ range(10000000) | list }}", "{{ 'a' * 10**9 }}", "{{ [1] * 10**9 }}", "{{ 9 ** (9 ** 9) }}", "{{ 10 ** (10 ** 10) }}",
		"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "{{ '%1000000000d' % 1 }}", "{{ 'x'.ljust(10**10) }}",
		"{{ '{:>1000000000}'.format(1) }}", "{{ 'x'.center(10**12) }}", "{{ 'a' | indent(10**9) }}",
		"{% set x = [] %}{% do x.append(x) %}{{ x == x }}{{ x | string | length }}{{ [x] < [x] }}",
		"{{ " + strings.Repeat("(", 10000) + " }}", "{{ " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + " }}",
		"{{ " + strings.Repeat("not ", 10000) + "1 }}", "{{ " + strings.Repeat("-", 10000) + "1 }}",
		strings.Repeat("{% if 1 %}", 5000) + strings.Repeat("{% endif %}", 5000),
		"{% set s = 'aaaaaaaaaaaaaaaa' %}{% for i in range(100) %}{% set s = s ~ s %}{{ s * 1000000 }}{% endfor %}",
		"{{ 1" + strings.Repeat("+1", 200000) + " }}", "{{ 1" + strings.Repeat(" and 1", 200000) + " }}", "{% include 'self' %}", "{% extends 'self2' %}", "{{ ('a' * 1000000).replace('a', 'b' * 1000000) }}",
		"{{ '{}'.format('a' * 1000000) * 1000 }}", "{% for a in range(1000000) %}{{ 'x' * 1000 }}{% endfor %}",
	} {
		env := NewEnv()
		env.Load = loadFrom(map[string]string{"self": "{% include 'self' %}", "self2": "{% extends 'self2' %}"})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // generous: machines are slow under load
		if _, err := env.Render(ctx, &Text{Source: src}, nil); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%.60s: %v, want a limit", src, err)
		}
		cancel()
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	src := "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}"
	if _, err := NewEnv().Render(ctx, &Text{Source: src}, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
