package jinja

import (
	"sync"
	"testing"
)

var benchVars = vars{NewDict("a", NewDict("b", "x"), "n", int64(5), "users", NewList(
	NewDict("name", "alice", "groups", NewList("sudo", "docker")), NewDict("name", "bob", "groups", NewList("docker"))))}

const benchTemplate = `{% for u in users %}
{{ loop.index }}:{{ u.name | upper }}{% if 'sudo' in u.groups %} admin{% endif %} {{ u.groups | join(',') }}
{% endfor %}
n={{ n + 1 }} {{ missing | default('d') }}
`

func BenchmarkExpression(b *testing.B) {
	env := NewEnv()
	for _, src := range []string{"a.b == 'x' and n > 3", "x | default('y')"} {
		b.Run(src, func(b *testing.B) {
			t := &Text{Source: src, Expr: true}
			for b.Loop() {
				if _, err := env.Render(b.Context(), t, benchVars); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkTemplate(b *testing.B) {
	env := NewEnv()
	b.Run("cached", func(b *testing.B) {
		t := &Text{Source: benchTemplate}
		for b.Loop() {
			if _, err := env.RenderText(b.Context(), t, benchVars); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parsed each time", func(b *testing.B) {
		for b.Loop() {
			if _, err := env.RenderText(b.Context(), &Text{Source: benchTemplate}, benchVars); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestConcurrent renders one Text from many goroutines, with two environments.
func TestConcurrent(t *testing.T) {
	text := &Text{Source: benchTemplate}
	plain, trim := NewEnv(), NewEnv()
	trim.TrimBlocks = true
	want := map[*Env]string{}
	for _, e := range []*Env{plain, trim} {
		s, err := e.RenderText(t.Context(), &Text{Source: benchTemplate}, benchVars)
		if err != nil {
			t.Fatal(err)
		}
		want[e] = s
	}
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			e := []*Env{plain, trim}[i%2]
			for range 50 {
				if s, err := e.RenderText(t.Context(), text, benchVars); err != nil || s != want[e] {
					t.Errorf("got %q, %v", s, err)
				}
			}
		})
	}
	wg.Wait()
}
