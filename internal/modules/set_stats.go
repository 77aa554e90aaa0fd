//go:build !worker

package modules

import (
	"context"

	"mageprov/internal/fault"
	"mageprov/internal/module"
)

func init() {
	module.Register(module.Spec{
		Name:   "ansible.builtin.set_stats",
		New:    func() any { return &setStats{Aggregate: true} },
		Action: runSetStats,
		Local:  true,
	})
}

// setStats notes figures that are shown at the end of the run.
type setStats struct {
	Data      map[string]any `arg:"data,required"`
	PerHost   bool           `arg:"per_host"`
	Aggregate bool           `arg:"aggregate"`
}

// runSetStats checks the names; the engine collects what is returned.
func runSetStats(_ context.Context, c module.Controller, args module.Args) (*module.Result, error) {
	m := setStats{Aggregate: true}
	if err := module.Decode(&m, args); err != nil {
		return nil, err
	}
	for name := range m.Data {
		if !isVarName(name) {
			return nil, fault.At(c.Place(), "set_stats: the name %q is not valid", name).
				WithHint("a name starts with a letter or underscore and holds only letters, digits and underscores")
		}
	}
	return &module.Result{Return: map[string]any{"ansible_stats": map[string]any{"data": m.Data, "per_host": m.PerHost, "aggregate": m.Aggregate}}}, nil
}
