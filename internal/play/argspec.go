package play

import (
	"context"
	"strings"

	"mageprov/internal/argspec"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/module"
	"mageprov/internal/template"
)

// ValidateArguments holds the variables that argument_spec names, and
// provided_arguments over them, against it.
func (c *controller) ValidateArguments(ctx context.Context) (*module.Result, error) {
	spec, err := c.dict("argument_spec")
	if err != nil {
		return nil, err
	}
	provided, err := c.dict("provided_arguments")
	if err != nil {
		return nil, err
	}
	about, err := c.dict("validate_args_context")
	if err != nil {
		return nil, err
	}
	given := jinja.NewDict()
	for _, k := range spec.Keys() {
		v, ok, err := c.s.Lookup(ctx, jinja.Str(k))
		if err == nil && ok {
			v, err = jinja.Materialize(ctx, v)
		}
		if err != nil {
			return nil, err
		}
		if ok && v != template.Omit {
			given.Set(k, v)
		}
	}
	copyInto(given, provided)
	if p, ok := about.Get("path"); ok {
		about = about.Clone()
		about.Set("path", absolute(jinja.Str(p)))
	}
	res := &module.Result{Return: map[string]any{"validate_args_context": about}}
	wrong := argspec.Check(spec, given)
	if len(wrong) == 0 {
		res.Msg = "The arg spec validation passed"
		res.Return["msg"] = res.Msg
		return res, nil
	}
	res.Failed = true
	res.Msg = "Validation of arguments failed:\n" + strings.Join(wrong, "\n")
	res.Return["argument_errors"] = jinja.FromGo(wrong)
	res.Return["argument_spec_data"] = spec
	return res, nil
}

// dict gives an argument of a module that stays on the controller, in order;
// empty where it is not given.
func (c *controller) dict(arg string) (*jinja.Dict, error) {
	v, ok := c.x.rendered.Get(arg)
	if !ok || v == nil || v == template.Omit {
		return jinja.NewDict(), nil
	}
	v, err := jinja.Materialize(context.Background(), v)
	if err != nil {
		return nil, err
	}
	d, ok := v.(*jinja.Dict)
	if !ok {
		return nil, fault.New("Incorrect type for %s, expected dict and got %s", arg, jinja.TypeName(v))
	}
	return d, nil
}

// ownName is the task's name without its role, empty where it has none.
func (x *execution) ownName(ctx context.Context) string {
	if x.t.Name == nil {
		return ""
	}
	if name, err := x.scope.RenderString(ctx, x.t.Name); err == nil {
		return name
	}
	return jinja.Str(x.t.Name)
}
