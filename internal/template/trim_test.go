package template

import "testing"

// Ansible drops the line end after a block tag in strings of YAML, too; the
// answers are those of ansible-core 2.14.
func TestTextsDropTheLineEndAfterATag(t *testing.T) {
	for src, want := range map[string]any{
		"x\n{% for f in [1, 2] %}\n{{ f }}\n{% endfor %}\n": "x\n1\n2\n",
		"  {% set x = 1 %}\n  y{{ x }}":                     "    y1",
		"{# c #}\n\nz{{ 1 }}\n\n":                           "\nz1\n\n",
	} {
		got, err := testScope(t, nil).Render(t.Context(), text(src))
		if err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", src, got, err, want)
		}
	}
}
