//go:build !worker

package modules

import (
	"context"

	"mageprov/internal/fault"
	"mageprov/internal/module"
)

func init() {
	module.Register(module.Spec{
		Name:     "ansible.builtin.set_fact",
		New:      func() any { return &setFact{} },
		Action:   runSetFact,
		Local:    true,
		OpenArgs: true,
	})
}

// setFact sets variables of the host; every other argument is one of them.
type setFact struct {
	// Cacheable makes them facts too, so that ansible_facts holds them.
	Cacheable bool `arg:"cacheable"`
}

func runSetFact(ctx context.Context, c module.Controller, args module.Args) (*module.Result, error) {
	var m setFact
	vars := map[string]any{}
	for name, v := range args {
		if name == "cacheable" {
			if err := module.Decode(&m, module.Args{name: v}); err != nil {
				return nil, err
			}
			continue
		}
		if !isVarName(name) {
			return nil, fault.At(c.Place(), "the variable name %q is not valid", name).
				WithHint("a name starts with a letter or underscore and holds only letters, digits and underscores")
		}
		vars[name] = v
	}
	if len(vars) == 0 {
		return nil, fault.At(c.Place(), "set_fact needs at least one variable").WithHint("write set_fact: {name: value}")
	}
	kind := module.VarFacts
	if m.Cacheable {
		kind = module.VarCached
	}
	if err := c.SetVars(ctx, kind, vars); err != nil {
		return nil, err
	}
	return &module.Result{Return: map[string]any{"ansible_facts": vars}}, nil
}
