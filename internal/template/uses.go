package template

import (
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// Uses lists the variables that a text or condition of a playbook reads, for
// lint and explain.
func (e *Engine) Uses(t *jinja.Text) ([]jinja.Name, error) {
	if t.Expr && strings.Contains(t.Source, "{{") {
		t = e.expr(withoutBraces(t.Source), t.Place)
	}
	names, _, _, err := e.text.Uses(t)
	return names, err
}

// FileUses lists the variables that a template file reads, but those that the
// template module brings itself.
func (e *Engine) FileUses(path, source string) ([]jinja.Name, error) {
	env := *e.files
	line := 1
	if head, rest, _ := strings.Cut(source, "\n"); strings.HasPrefix(head, "#jinja2:") {
		if err := setHeader(&env, strings.TrimPrefix(head, "#jinja2:"), fault.Place{File: path, Line: 1, Col: 1}); err != nil {
			return nil, err
		}
		source, line = rest, 2
	}
	all, _, _, err := env.Uses(e.source(&env, source, fault.Place{File: path, Line: line, Col: 1}))
	if err != nil {
		return nil, err
	}
	var names []jinja.Name
	for _, n := range all {
		if !strings.HasPrefix(n.Name, "template_") && n.Name != "ansible_managed" {
			names = append(names, n)
		}
	}
	return names, nil
}
