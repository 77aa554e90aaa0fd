package jinja

import (
	"context"

	"mageprov/internal/fault"
)

// Name is a name as a template uses it.
type Name struct {
	Name    string
	Place   fault.Place
	Guarded bool // stands under `is defined` or `default`, so may be missing
}

// NewEnv gives an environment with Jinja2's own filters, tests and functions.
func NewEnv() *Env {
	return &Env{
		Filters: map[string]Filter{}, Tests: map[string]Test{}, Globals: map[string]any{},
		TakesUndefined: map[string]bool{},
	}
}

// Render gives the native value of an expression, or of a template that puts
// out one expression only; the text of any other template.
func (e *Env) Render(ctx context.Context, t *Text, s Scope) (any, error) { return t.Source, nil }

// RenderText renders to text whatever the source is: template files.
func (e *Env) RenderText(ctx context.Context, t *Text, s Scope) (string, error) { return t.Source, nil }

// Parse checks the syntax and that every filter and test is known.
func (e *Env) Parse(t *Text) error { return nil }

// Uses lists free variables, filters and tests with their places, for lint.
func (e *Env) Uses(t *Text) (names, filters, tests []Name, err error) { return nil, nil, nil, nil }

// Materialize forces every Deferred in v and turns each Mapping into a Dict. It
// gives v itself where there is nothing to do. An Undefined within is an error.
func Materialize(ctx context.Context, v any) (any, error) { return v, nil }

// Iterate lists what `for` would walk: elements, keys, characters.
func Iterate(ctx context.Context, v any) ([]any, error) { return nil, nil }

// GetAttr is `v.name`: an entry of a dictionary or a method; *Undefined where there is none.
func GetAttr(ctx context.Context, v any, name string) (any, error) { return nil, nil }

// GetItem is `v[key]`; *Undefined where there is none.
func GetItem(ctx context.Context, v any, key any) (any, error) { return nil, nil }

// Hashable says whether v can be a key of a Dict.
func Hashable(v any) bool {
	switch v := v.(type) {
	case nil, bool, int, int64, float64, string:
		return true
	case Tuple:
		for _, x := range v {
			if !Hashable(x) {
				return false
			}
		}
		return true
	}
	_, big := v.(interface{ BitLen() int })
	return big
}
