package play

import (
	"context"

	"mageprov/internal/jinja"
	"mageprov/internal/module"
	"mageprov/internal/playbook"
)

// gatherSpec is the task that plays begin with. It makes the connection and
// turns lazy facts on; it is not a module that a playbook can name.
var gatherSpec = &module.Spec{Name: "ansible.builtin.gather_facts", Action: gather}

func gatherTask(p *playbook.Play) *playbook.Task {
	t := &playbook.Task{Action: "gather_facts", Spec: gatherSpec, Args: jinja.NewDict()}
	t.Name, t.Place = "Gathering Facts", p.Place
	if len(p.Tags) == 0 {
		t.Tags = []any{"always"}
	}
	// A play's when: is for its tasks; facts are needed to evaluate it.
	return t
}

func gather(ctx context.Context, mc module.Controller, _ module.Args) (*module.Result, error) {
	c := mc.(*controller)
	if _, err := c.x.session(ctx, c.s); err != nil {
		return nil, err
	}
	x := c.x
	x.h.facts.SetGather(func(ctx context.Context, names []string) (*jinja.Dict, error) {
		return x.askFacts(ctx, names)
	})
	return &module.Result{Return: map[string]any{}}, nil
}

// askFacts runs the setup module for the named facts; none means all.
func (x *execution) askFacts(ctx context.Context, names []string) (*jinja.Dict, error) {
	spec, ok := module.Lookup("ansible.builtin.setup")
	if !ok {
		return jinja.NewDict(), nil
	}
	args := module.Args{}
	if len(names) > 0 {
		keys := make([]any, len(names))
		for i, n := range names {
			keys[i] = n
		}
		args["keys"] = keys
	}
	c := &controller{x: x, s: x.scope}
	res, err := c.onNode(ctx, spec, args)
	if err != nil {
		return nil, err
	}
	if d, ok := res.Return["ansible_facts"].(*jinja.Dict); ok {
		return d, nil
	}
	return jinja.NewDict(), nil
}
