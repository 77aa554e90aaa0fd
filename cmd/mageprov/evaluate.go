package main

import (
	"context"

	"mageprov/internal/document"
	"mageprov/internal/inventory"
	"mageprov/internal/jinja"
	"mageprov/internal/template"
)

// inventoryOptions are those of every command that reads an inventory: engine
// evaluates what constructed groups are made of.
func inventoryOptions(sources []string, files document.Disk, engine *template.Engine, extra *jinja.Dict) inventory.Options {
	return inventory.Options{Sources: sources, Files: files, Vault: files.Vault, Parse: engine.Parse, Extra: extra,
		Evaluate: func(ctx context.Context, text *jinja.Text, vars *jinja.Dict) (any, error) {
			return engine.Scope(hostVariables{vars}, nil).Render(ctx, text)
		}}
}

// hostVariables are those of one host, as templates see them.
type hostVariables struct{ d *jinja.Dict }

// Lookup gives a variable as it was written.
func (v hostVariables) Lookup(_ context.Context, name string) (any, bool, error) {
	x, ok := v.d.Get(name)
	return x, ok, nil
}

// Names lists the variables.
func (v hostVariables) Names() []string {
	names := make([]string, 0, v.d.Len())
	for _, k := range v.d.Keys() {
		names = append(names, jinja.Str(k))
	}
	return names
}
