package template

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// lookup is one call of a lookup plugin: its terms and options, rendered.
type lookup struct {
	*args
	ctx   context.Context
	s     *Scope
	vars  jinja.Scope // variables in view, those of the template included
	terms []any
}

// plugin gives the values of a lookup. Its options are bound with l.options.
type plugin func(l *lookup) ([]any, error)

// lookups gives all plugins by short name.
func lookups() map[string]plugin {
	all := map[string]plugin{}
	for _, table := range []map[string]plugin{listPlugins, filePlugins, varPlugins, commandPlugins, generalPlugins} {
		maps.Copy(all, table)
	}
	return all
}

// options binds the keyword arguments that the plugin knows.
func (l *lookup) options(names ...string) *args {
	c := *l.c
	c.Args = nil
	l.args = take(&c, append([]string{"*"}, names...)...)
	return l.args
}

// LookupPlugin runs a lookup: with_X of a task, or lookup() in a template.
func (s *Scope) LookupPlugin(ctx context.Context, name string, terms any, kwargs map[string]any) ([]any, error) {
	c := &jinja.Call{Ctx: ctx, Env: s.engine.text, Scope: s, Name: name}
	for _, k := range slices.Sorted(maps.Keys(kwargs)) {
		c.Kwargs = append(c.Kwargs, jinja.Kwarg{Name: k, Value: kwargs[k]})
	}
	v, err := s.Render(ctx, terms)
	if err != nil {
		return nil, err
	}
	list, ok := v.(*jinja.List)
	if !ok {
		list = jinja.NewList(v)
	}
	return s.look(c, name, list.Items)
}

// look runs the plugin with terms; c carries the options.
func (s *Scope) look(c *jinja.Call, name string, terms []any) ([]any, error) {
	short := name
	for _, home := range []string{"ansible.builtin.", "ansible.legacy.", "community.general.", "ansible.utils."} {
		short = strings.TrimPrefix(short, home)
	}
	p, ok := s.engine.plugins[short]
	if !ok {
		return nil, fault.At(c.Place, "unknown lookup %q", name).
			WithHint("%s", fault.DidYouMean(short, slices.Sorted(maps.Keys(s.engine.plugins))))
	}
	call := *c
	call.Name = short
	l := &lookup{ctx: c.Ctx, s: s, vars: c.Scope, terms: terms, args: &args{c: &call}}
	out, err := p(l)
	if err != nil {
		return nil, err
	}
	for i, v := range out {
		if out[i], err = jinja.Materialize(c.Ctx, v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// globals are the functions that Ansible adds to Jinja's own.
func (e *Engine) globals() map[string]any {
	return map[string]any{
		"omit":   Omit,
		"lookup": jinja.Func(func(c *jinja.Call) (any, error) { return callLookup(c, false) }),
		"query":  jinja.Func(func(c *jinja.Call) (any, error) { return callLookup(c, true) }),
		"q":      jinja.Func(func(c *jinja.Call) (any, error) { return callLookup(c, true) }),
		"now":    jinja.Func(now),
		"undef":  jinja.Func(undef),
	}
}

// callLookup is lookup(name, terms..., options...). With wantlist the result is
// a list; else several values become one text with commas, as Ansible does.
func callLookup(c *jinja.Call, wantlist bool) (any, error) {
	s, err := scopeOf(c)
	if err != nil {
		return nil, err
	}
	if len(c.Args) == 0 {
		return nil, refuse(c, "needs the name of a lookup")
	}
	call, onError := *c, "strict"
	call.Args, call.Kwargs = make([]any, len(c.Args)), nil
	for i, v := range c.Args {
		if call.Args[i], err = jinja.Materialize(c.Ctx, v); err != nil {
			return nil, err
		}
	}
	for _, kw := range c.Kwargs {
		if kw.Value, err = jinja.Materialize(c.Ctx, kw.Value); err != nil {
			return nil, err
		}
		switch kw.Name {
		case "wantlist":
			wantlist = jinja.Truth(kw.Value)
		case "errors":
			onError = jinja.Str(kw.Value)
			if known := []string{"strict", "warn", "ignore"}; !slices.Contains(known, onError) {
				return nil, refuse(c, "errors is %q", onError).(*fault.Error).WithHint("%s", fault.DidYouMean(onError, known))
			}
		case "allow_unsafe": // results are never templates here
		default:
			call.Kwargs = append(call.Kwargs, kw)
		}
	}
	out, err := s.look(&call, jinja.Str(call.Args[0]), call.Args[1:])
	if err != nil {
		if _, undefined := jinja.AsUndefined(err); undefined || onError == "strict" || c.Ctx.Err() != nil {
			return nil, err
		}
		if onError == "warn" {
			s.engine.warnOnce(fmt.Sprintf("lookup %s: %v", c.Args[0], err))
		}
		if wantlist {
			return jinja.NewList(), nil
		}
		return nil, nil
	}
	if wantlist {
		return &jinja.List{Items: append([]any{}, out...)}, nil
	}
	switch len(out) {
	case 0:
		return jinja.NewList(), nil
	case 1:
		return out[0], nil
	}
	texts := make([]string, len(out))
	for i, v := range out {
		t, ok := v.(string)
		if !ok {
			return &jinja.List{Items: out}, nil
		}
		texts[i] = t
	}
	return strings.Join(texts, ","), nil
}

// undef makes an undefined value with a message of the author's choice.
func undef(c *jinja.Call) (any, error) {
	a := take(c, "hint")
	hint := a.str("hint", "")
	if a.err != nil {
		return nil, a.err
	}
	msg := hint
	if msg == "" {
		msg = "mandatory variable has not been overridden"
	}
	return &jinja.Undefined{Name: "undef()", Msg: msg, Place: c.Place}, nil
}
