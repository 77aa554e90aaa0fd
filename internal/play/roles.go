package play

import (
	"context"

	"mageprov/internal/document"
	"mageprov/internal/jinja"
	"mageprov/internal/playbook"
	"mageprov/internal/report"
	"mageprov/internal/vars"
)

// runRole runs one entry of roles: on the hosts that are still in the play.
func (b *batch) runRole(ctx context.Context, in inherited, use *playbook.RoleUse, hosts []*host) {
	hosts = b.alive(hosts)
	if len(hosts) == 0 || ctx.Err() != nil || b.ended.Load() || b.stopped.Load() {
		return
	}
	for _, h := range b.runRoleOn(ctx, in, use, nil, hosts) {
		b.lose(h)
	}
}

// runRoleOn runs a role's dependencies and then its tasks. around holds
// keywords of the task that imported it, if any.
func (b *batch) runRoleOn(ctx context.Context, in inherited, use *playbook.RoleUse, around *playbook.Base, hosts []*host) (failed []*host) {
	if around != nil {
		in = in.block(around, "import vars").calls()
	}
	in = in.enter(use)
	for _, dep := range use.Role.Dependencies {
		f := b.runRoleOn(ctx, in, dep, nil, without(b.alive(hosts), failed))
		failed = append(failed, f...)
	}
	hosts = b.fresh(in, use, hosts)
	if v := use.Role.Validation; v != nil && !use.Unchecked {
		failed = append(failed, b.runNodes(ctx, in, []playbook.Node{v}, without(b.alive(hosts), failed))...)
	}
	return append(failed, b.runNodes(ctx, in, use.Role.Tasks, without(b.alive(hosts), failed))...)
}

// calls notes that the role at hand imports or includes another.
func (in inherited) calls() inherited {
	if in.role != nil {
		in.parents = append([]string{in.role.Name}, in.parents...)
	}
	return in
}

// enter descends into a role: its keywords, parameters and search path.
func (in inherited) enter(use *playbook.RoleUse) inherited {
	out := in.with(&use.Base).param("role params", use.Params)
	if in.role != nil {
		out.chain = append(append([]*playbook.Role(nil), in.chain...), in.role)
	}
	out.use, out.role, out.instance, out.left = use, use.Role, instanceOf(use), &leavers{}
	out.dir = use.Role.Path + "/tasks"
	return out
}

// fresh gives the hosts that a role has still to run on: it runs once per host
// and play, unless it allows duplicates or is used with other parameters, vars,
// conditions or tags.
func (b *batch) fresh(in inherited, use *playbook.RoleUse, hosts []*host) []*host {
	if use.Included && !use.Once || !use.Included && use.Role.AllowDuplicates {
		return hosts
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]*host, 0, len(hosts))
	for _, h := range hosts {
		if !b.ran[roleRun{h, in.instance}] {
			out = append(out, h)
		}
	}
	return out
}

// roleRun is a use of a role on a host.
type roleRun struct {
	h        *host
	instance string
}

// tookPart notes that a task of a role has run on a host. A role whose tasks
// were all skipped has not run.
func (b *batch) tookPart(out *outcome) {
	if out.x.in.role == nil || out.x.in.handler || out.status == report.Skipped {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ran[roleRun{out.host, out.x.in.instance}] = true
}

// instanceOf tells two uses of a role apart.
func instanceOf(use *playbook.RoleUse) string {
	key := use.Role.Path + "\x00" + use.Role.TasksFile
	if use.Included {
		key += "\x00included"
	}
	for _, part := range []any{printable(use.Params), printable(use.Base.Vars), sourceOf(jinja.NewList(use.When...)), sourceOf(jinja.NewList(use.Tags...))} {
		key += "\x00" + jinja.Repr(part)
	}
	return key
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
	case *document.Sealed:
		return v.Shown()
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
	add := func(r *playbook.Role, entry *jinja.Dict) {
		roleVars = append(roleVars, vars.Layer{Name: "role vars: " + r.Name, Source: vars.Dict(r.Vars)})
		if entry.Len() > 0 {
			roleVars = append(roleVars, vars.Layer{Name: "vars of the use of role " + r.Name, Source: vars.Dict(entry)})
		}
		defaults = append(defaults, vars.Layer{Name: "role defaults: " + r.Name, Source: vars.Dict(r.Defaults)})
	}
	if in.role != nil {
		add(in.role, in.use.Vars)
		for i := len(in.chain) - 1; i >= 0; i-- {
			add(in.chain[i], nil)
		}
	}
	b.mu.Lock()
	public := b.public
	b.mu.Unlock()
	for i := len(public) - 1; i >= 0; i-- {
		add(public[i].Role, public[i].Vars)
	}
	return roleVars, defaults
}
