package template

import (
	"context"
	"testing"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// BenchmarkCachedExpression is a condition of a task on the next host: parsed
// already, the variables in view new.
func BenchmarkCachedExpression(b *testing.B) {
	e := New(Options{})
	vars := dictVars{jinja.NewDict("n", int64(5), "state", text("{{ 'present' if n > 3 else 'absent' }}"))}
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		s := e.Scope(vars, nil)
		v, err := s.Eval(ctx, "state == 'present' and n | int in [4, 5]", fault.Place{})
		if err != nil || v != true {
			b.Fatal(v, err)
		}
	}
}

// BenchmarkCachedText is a short string of a playbook.
func BenchmarkCachedText(b *testing.B) {
	s := New(Options{}).Scope(dictVars{jinja.NewDict("name", "web1", "port", int64(80))}, nil)
	t := text("server {{ name }}:{{ port }}")
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Render(ctx, t); err != nil {
			b.Fatal(err)
		}
	}
}
