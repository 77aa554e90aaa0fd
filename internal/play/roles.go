package play

import (
	"context"

	"mageprov/internal/jinja"
	"mageprov/internal/playbook"
	"mageprov/internal/vars"
)

// runRole runs one entry of roles: on all active hosts.
func (b *batch) runRole(ctx context.Context, in inherited, use *playbook.RoleUse) {
	hosts := b.active()
	if len(hosts) == 0 || ctx.Err() != nil || b.ended || b.stopped {
		return
	}
	run := func(hs []*host) []*host { return b.runRoleOn(ctx, in, use, nil, hs) }
	if !b.free {
		for _, h := range run(hosts) {
			b.lose(h)
		}
		return
	}
	b.each(hosts, func(h *host) {
		for _, f := range run([]*host{h}) {
			b.lose(f)
		}
	})
}

// runRoleOn runs a role's dependencies and then its tasks. around holds
// keywords of the task that imported it, if any.
func (b *batch) runRoleOn(ctx context.Context, in inherited, use *playbook.RoleUse, around *playbook.Base, hosts []*host) (failed []*host) {
	if around != nil {
		in = in.with(around).param("import vars", around.Vars)
	}
	in = in.enter(use)
	for _, dep := range use.Role.Dependencies {
		if !b.fresh(dep, hosts) {
			continue
		}
		f := b.runRoleOn(ctx, in, dep, nil, without(b.alive(hosts), failed))
		failed = append(failed, f...)
	}
	if around == nil && !b.fresh(use, hosts) {
		return failed
	}
	return append(failed, b.runNodes(ctx, in, use.Role.Tasks, without(b.alive(hosts), failed))...)
}

// enter descends into a role: its keywords, parameters and search path.
func (in inherited) enter(use *playbook.RoleUse) inherited {
	out := in.with(&use.Base).param("role params", use.Params).param("role vars of the entry", use.Base.Vars)
	if in.role != nil {
		out.chain = append(append([]*playbook.Role(nil), in.chain...), in.role)
	}
	out.role = use.Role
	out.dir = use.Role.Path + "/tasks"
	return out
}

// fresh says whether a role with these parameters has still to run on these
// hosts, and notes that it does: a role runs once per play unless it allows
// duplicates or gets other parameters.
func (b *batch) fresh(use *playbook.RoleUse, hosts []*host) bool {
	if use.Role.AllowDuplicates {
		return true
	}
	key := use.Role.Path + "\x00" + use.Role.TasksFile + "\x00" + jinja.Repr(printable(use.Params)) + jinja.Repr(printable(use.Base.Vars))
	b.mu.Lock()
	defer b.mu.Unlock()
	any := false
	for _, h := range hosts {
		k := h.name + "\x00" + key
		if !b.ran[k] {
			any = true
			b.ran[k] = true
		}
	}
	return any
}

// printable gives a dictionary whose repr tells two sets of parameters apart:
// source text stands for itself.
func printable(d *jinja.Dict) any {
	out := jinja.NewDict()
	for k, v := range d.All() {
		out.Set(k, sourceOf(v))
	}
	return out
}

func sourceOf(v any) any {
	switch v := v.(type) {
	case *jinja.Text:
		return v.Source
	case *jinja.List:
		out := jinja.NewList()
		for _, x := range v.Items {
			out.Items = append(out.Items, sourceOf(x))
		}
		return out
	case *jinja.Dict:
		return printable(v)
	}
	return v
}

// roleLayers gives the defaults and vars that a role's tasks see: those of the
// play's roles below, of the roles around it above, its own on top. Strongest first.
func (b *batch) roleLayers(in inherited) (roleVars, defaults []vars.Layer) {
	add := func(r *playbook.Role) {
		roleVars = append(roleVars, vars.Layer{Name: "role vars: " + r.Name, Source: vars.Dict(r.Vars)})
		defaults = append(defaults, vars.Layer{Name: "role defaults: " + r.Name, Source: vars.Dict(r.Defaults)})
	}
	if in.role != nil {
		add(in.role)
		for i := len(in.chain) - 1; i >= 0; i-- {
			add(in.chain[i])
		}
	}
	b.mu.Lock()
	public := b.public
	b.mu.Unlock()
	for i := len(public) - 1; i >= 0; i-- {
		add(public[i])
	}
	return roleVars, defaults
}
