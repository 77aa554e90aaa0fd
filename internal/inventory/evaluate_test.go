package inventory

import (
	"context"

	"mageprov/internal/document"
	"mageprov/internal/jinja"
	"mageprov/internal/template"
)

// variables are those of one host, as templates see them.
type variables struct{ d *jinja.Dict }

func (v variables) Lookup(_ context.Context, name string) (any, bool, error) {
	x, ok := v.d.Get(name)
	return x, ok, nil
}

func (v variables) Names() []string {
	var names []string
	for _, k := range v.d.Keys() {
		names = append(names, jinja.Str(k))
	}
	return names
}

type noSearch struct{ document.Disk }

func (noSearch) Find(_ context.Context, _, name string) (string, error) { return name, nil }

// evaluating are options whose constructed groups are evaluated as in a run.
func evaluating(o Options) Options {
	engine := template.New(template.Options{Files: noSearch{}})
	o.Parse = engine.Parse
	o.Evaluate = func(ctx context.Context, text *jinja.Text, vars *jinja.Dict) (any, error) {
		return engine.Scope(variables{vars}, nil).Render(ctx, text)
	}
	return o
}
