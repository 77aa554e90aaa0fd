package play

import (
	"context"
	"fmt"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/playbook"
	"mageprov/internal/template"
	"mageprov/internal/vars"
)

// inherited is what a task has from the play, roles and blocks around it: the
// nearest value of each keyword; when, tags, vars and environment add up. It is
// passed down by value and never changed.
type inherited struct {
	base   playbook.Base     // effective keywords; When, Tags, Environment from the outside in
	blocks []vars.Layer      // vars: of blocks, innermost first
	params []vars.Layer      // role params and vars of includes, innermost first
	use    *playbook.RoleUse // how role came to run; nil outside roles
	role   *playbook.Role
	// instance tells this use of role from others of it
	instance string
	chain    []*playbook.Role // roles around role: its parents, outermost first
	// parents names the roles that imported or included role, the nearest first;
	// a dependency has none.
	parents []string
	dir     string // of the file that is being run
	left    *leavers
	// rescuable: a failure here is caught by a rescue further out.
	rescuable bool
	handler   bool
}

// with descends into a block, role use or task.
func (in inherited) with(b *playbook.Base) inherited {
	out := in
	out.base = merge(in.base, b)
	return out
}

// block descends into a block: its vars become a layer.
func (in inherited) block(b *playbook.Base, layer string) inherited {
	out := in.with(b)
	if b.Vars.Len() > 0 {
		out.blocks = prepend(vars.Layer{Name: layer, Source: vars.Dict(b.Vars)}, in.blocks)
	}
	return out
}

func (in inherited) param(name string, d *jinja.Dict) inherited {
	if d.Len() > 0 {
		in.params = prepend(vars.Layer{Name: name, Source: vars.Dict(d)}, in.params)
	}
	return in
}

func prepend(l vars.Layer, ls []vars.Layer) []vars.Layer {
	return append([]vars.Layer{l}, ls...)
}

// merge puts a child's keywords over its parent's.
func merge(parent playbook.Base, child *playbook.Base) playbook.Base {
	out := parent
	for _, p := range []struct{ to, from *any }{
		{&out.Become, &child.Become}, {&out.BecomeUser, &child.BecomeUser}, {&out.BecomeMethod, &child.BecomeMethod},
		{&out.BecomeFlags, &child.BecomeFlags}, {&out.BecomeExe, &child.BecomeExe}, {&out.Connection, &child.Connection},
		{&out.RemoteUser, &child.RemoteUser}, {&out.Port, &child.Port}, {&out.IgnoreErrors, &child.IgnoreErrors},
		{&out.IgnoreUnreachable, &child.IgnoreUnreachable}, {&out.AnyErrorsFatal, &child.AnyErrorsFatal},
		{&out.NoLog, &child.NoLog}, {&out.CheckMode, &child.CheckMode}, {&out.Diff, &child.Diff},
		{&out.RunOnce, &child.RunOnce}, {&out.Throttle, &child.Throttle}, {&out.Timeout, &child.Timeout},
		{&out.DelegateTo, &child.DelegateTo}, {&out.DelegateFacts, &child.DelegateFacts}, {&out.Debugger, &child.Debugger},
	} {
		if *p.from != nil {
			*p.to = over(*p.from, *p.to)
		}
	}
	out.Place, out.Name, out.Vars = child.Place, child.Name, child.Vars
	out.When = join(parent.When, child.When)
	out.Tags = join(parent.Tags, child.Tags)
	out.Environment = join(parent.Environment, child.Environment)
	out.ModuleDefaults = join(parent.ModuleDefaults, child.ModuleDefaults)
	return out
}

// orInherited is a keyword that may turn out to be omitted: then what it stands
// over holds.
type orInherited struct{ own, outer any }

func over(own, outer any) any {
	if t, ok := own.(*jinja.Text); ok && outer != nil && strings.Contains(t.Source, "omit") {
		return orInherited{own, outer}
	}
	return own
}

// keyword renders a keyword; nil where it is not set, or omitted.
func keyword(ctx context.Context, s *template.Scope, v any) (any, error) {
	outer := any(nil)
	if o, ok := v.(orInherited); ok {
		v, outer = o.own, o.outer
	}
	r, err := s.Render(ctx, v)
	if err != nil {
		return nil, err
	}
	if r == template.Omit {
		if outer == nil {
			return nil, nil
		}
		return keyword(ctx, s, outer)
	}
	return r, nil
}

// join never shares a backing array between siblings.
func join(a, b []any) []any {
	if len(b) == 0 {
		return a
	}
	return append(append(make([]any, 0, len(a)+len(b)), a...), b...)
}

// flag renders a boolean keyword; nil gives def.
func (in inherited) flag(ctx context.Context, s *template.Scope, v any, def bool) (bool, error) {
	switch v := v.(type) {
	case nil:
		return def, nil
	case bool:
		return v, nil
	}
	r, err := keyword(ctx, s, v)
	if err != nil {
		return false, err
	}
	if r == nil {
		return def, nil
	}
	yes, err := truth(r)
	if err != nil {
		return false, fault.At(in.base.Place, "%s", err)
	}
	return yes, nil
}

// truth reads a boolean as playbooks write it. Unlike jinja.Truth it refuses
// what is neither: a keyword that cannot be understood must not steer a run.
func truth(v any) (bool, error) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case int64:
		return v != 0, nil
	case string:
		switch v {
		case "yes", "Yes", "true", "True", "on", "1", "TRUE", "YES":
			return true, nil
		case "no", "No", "false", "False", "off", "0", "", "FALSE", "NO":
			return false, nil
		}
	}
	return false, fmt.Errorf("expected yes or no, found %s", jinja.Repr(v))
}
