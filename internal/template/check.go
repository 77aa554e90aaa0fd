package template

import "mageprov/internal/jinja"

// Parse checks the syntax of a playbook's template or condition, and that its
// filters and tests are known, without rendering it.
func (e *Engine) Parse(t *jinja.Text) error { return e.text.Parse(t) }
