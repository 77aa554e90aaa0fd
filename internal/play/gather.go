package play

import (
	"context"
	"encoding/json"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/module"
	"mageprov/internal/playbook"
	"mageprov/internal/remote"
	"mageprov/internal/template"
	"mageprov/internal/vars"
	"mageprov/internal/wire"
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
	ask, err := c.x.asker(ctx, c.s)
	if err != nil {
		return nil, err
	}
	c.x.h.facts.SetGather(ask)
	return &module.Result{Return: map[string]any{}}, nil
}

// asker gives the function that asks the node for facts. How to reach the node
// is settled here: working it out reads variables, and those may be facts.
func (x *execution) asker(ctx context.Context, s *template.Scope) (vars.Gather, error) {
	target, err := x.reach(ctx, s)
	if err != nil {
		return nil, err
	}
	become, err := x.become(ctx, s)
	if err != nil {
		return nil, err
	}
	links, check := x.b.run.links, x.check
	return func(ctx context.Context, names []string) (*jinja.Dict, error) {
		link, err := links.get(ctx, target)
		if err != nil {
			return nil, err
		}
		session, err := link.node.Worker(ctx, become)
		if err != nil {
			return nil, err
		}
		return askFacts(ctx, session, names, check)
	}, nil
}

// askFacts runs the setup module for the named facts; none means all.
func askFacts(ctx context.Context, session *remote.Session, names []string, check bool) (*jinja.Dict, error) {
	args := map[string]any{}
	if len(names) > 0 {
		args["keys"] = names
	}
	raw, err := json.Marshal(args)
	if err != nil {
		return nil, err
	}
	reply, err := session.Do(ctx, wire.Task{Module: "ansible.builtin.setup", Args: raw, Check: check}, nil)
	if err != nil {
		return nil, err
	}
	res, err := result(reply)
	if err != nil {
		return nil, err
	}
	if res.Failed {
		return nil, fault.New("gathering facts %s: %s", strings.Join(names, ", "), res.Msg)
	}
	if d, ok := res.Return["ansible_facts"].(*jinja.Dict); ok {
		return d, nil
	}
	return jinja.NewDict(), nil
}
