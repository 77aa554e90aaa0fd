package template

import (
	"context"
	"slices"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

type omitted struct{}

func (omitted) String() string { return "__omit_place_holder__" }

// Omit is the value of the variable omit: an argument that has it counts as not given.
var Omit any = omitted{}

// Render gives the value of v with every template in it rendered, fully
// computed: no Text, Deferred or Mapping is left.
func (s *Scope) Render(ctx context.Context, v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, int64, float64, string:
		return v, nil
	case *jinja.Text:
		r, err := s.render(ctx, v)
		if err != nil {
			return nil, err
		}
		return jinja.Materialize(ctx, r)
	case *jinja.List, *jinja.Dict:
		if !jinja.IsTemplated(v) {
			return v, nil
		}
		return jinja.Materialize(ctx, s.bind(v, "value"))
	}
	return jinja.Materialize(ctx, v)
}

// render evaluates one Text; the result may still hold Deferred parts.
func (s *Scope) render(ctx context.Context, t *jinja.Text) (any, error) {
	return s.renderIn(ctx, s.engine.text, t)
}

// renderIn is render in a dialect.
func (s *Scope) renderIn(ctx context.Context, env *jinja.Env, t *jinja.Text) (any, error) {
	if !s.fresh && mutates(t.Source) {
		n := s.With(nil)
		n.fresh = true
		s = n
	}
	ctx, err := deeper(ctx, t)
	if err != nil {
		return nil, err
	}
	v, err := env.Render(ctx, t, s)
	if text, ok := v.(string); ok && err == nil && !t.Expr {
		return endLike(text, t.Source), nil
	}
	return v, err
}

// endLike gives rendered text the newlines at its end that the source has and
// Jinja2 drops. What the last value brought itself counts: "{{ file }}\n" has
// one newline, whether or not file ends in one.
func endLike(text, source string) string {
	missing := len(source) - len(strings.TrimRight(source, "\n")) - (len(text) - len(strings.TrimRight(text, "\n")))
	if missing <= 0 {
		return text
	}
	return text + strings.Repeat("\n", missing)
}

// nesting counts, in a context, renderings within renderings.
type nesting struct{}

// maxNesting is deeper than any chain of variables that people write.
const maxNesting = 200

// deeper ends a circle of variables that no single Scope can see, such as a
// variable that reads itself through hostvars.
func deeper(ctx context.Context, t *jinja.Text) (context.Context, error) {
	n, _ := ctx.Value(nesting{}).(int)
	if n >= maxNesting {
		return nil, fault.At(t.Place, "recursive loop detected in template: %s", short(t.Source)).
			WithHint("variables refer to each other %d levels deep, perhaps through hostvars", n)
	}
	return context.WithValue(ctx, nesting{}, n+1), nil
}

// mutates says whether a template may change a list or dictionary in place.
func mutates(src string) bool {
	for rest := src; ; {
		i := strings.IndexByte(rest, '.')
		if i < 0 {
			return false
		}
		rest = rest[i+1:]
		j := strings.IndexByte(rest, '(')
		if j < 0 {
			return false
		}
		if j > 12 {
			continue
		}
		switch strings.TrimSpace(rest[:j]) {
		case "append", "extend", "insert", "remove", "pop", "popitem", "clear", "sort", "reverse",
			"update", "setdefault", "__setitem__", "__delitem__":
			return true
		}
	}
}

// RenderArgs renders a task's arguments: keys whose value is omit are left out
// at every level, and the values are plain Go ones.
func (s *Scope) RenderArgs(ctx context.Context, d *jinja.Dict) (map[string]any, error) {
	out := make(map[string]any, d.Len())
	for k, raw := range d.All() {
		v, err := s.Render(ctx, raw)
		if err != nil {
			return nil, err
		}
		if v != Omit {
			out[jinja.Str(k)] = argument(v)
		}
	}
	return out, nil
}

// WithoutOmitted gives v without what is omitted in it, at every level. What
// holds nothing of that kind is v itself.
func WithoutOmitted(v any) any {
	switch v := v.(type) {
	case *jinja.List:
		if !holdsOmitted(v) {
			return v
		}
		out := jinja.NewList()
		for _, x := range v.Items {
			if x != Omit {
				out.Items = append(out.Items, WithoutOmitted(x))
			}
		}
		return out
	case *jinja.Dict:
		if !holdsOmitted(v) {
			return v
		}
		out := jinja.NewDict()
		for k, x := range v.All() {
			if x != Omit {
				out.Set(k, WithoutOmitted(x))
			}
		}
		return out
	}
	return v
}

func holdsOmitted(v any) bool {
	switch v := v.(type) {
	case *jinja.List:
		return slices.ContainsFunc(v.Items, holdsOmitted)
	case *jinja.Dict:
		for _, x := range v.All() {
			if holdsOmitted(x) {
				return true
			}
		}
	}
	return v == Omit
}

// argument makes plain Go data of a rendered value and drops what is omitted.
func argument(v any) any {
	switch v := v.(type) {
	case *jinja.List:
		out := make([]any, 0, len(v.Items))
		for _, x := range v.Items {
			if x != Omit {
				out = append(out, argument(x))
			}
		}
		return out
	case jinja.Tuple:
		return argument(&jinja.List{Items: v})
	case *jinja.Dict:
		out := make(map[string]any, v.Len())
		for k, x := range v.All() {
			if x != Omit {
				out[jinja.Str(k)] = argument(x)
			}
		}
		return out
	case jinja.Object:
		return jinja.Str(v)
	}
	return v
}

// RenderString renders v as text; None gives "".
func (s *Scope) RenderString(ctx context.Context, v any) (string, error) {
	r, err := s.Render(ctx, v)
	if err != nil || r == nil {
		return "", err
	}
	return jinja.Str(r), nil
}

// Eval evaluates an expression (no {{ }}) that stands at place.
func (s *Scope) Eval(ctx context.Context, expr string, place fault.Place) (any, error) {
	return s.Render(ctx, s.engine.expr(expr, place))
}

// Condition decides a when:, until:, changed_when: and the like. Where Ansible
// 2.19 refuses a result that is not a boolean, it warns and goes by truth.
func (s *Scope) Condition(ctx context.Context, v any) (bool, error) {
	var t *jinja.Text
	switch x := v.(type) {
	case nil:
		return true, nil
	case string:
		t = s.engine.expr(x, fault.Place{})
	case *jinja.Text:
		t = x
	case *jinja.List:
		for _, y := range x.Items {
			if ok, err := s.Condition(ctx, y); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	default:
		r, err := s.Render(ctx, v)
		return err == nil && s.truth(r, nil), err
	}
	if strings.TrimSpace(t.Source) == "" {
		return true, nil
	}
	if !strings.Contains(t.Source, "{%") {
		t = s.engine.condition(t)
	}
	r, err := s.renderIn(ctx, s.engine.conds, t)
	if err == nil {
		r, err = jinja.Materialize(ctx, r)
	}
	return err == nil && s.truth(r, t), err
}

func (s *Scope) truth(r any, t *jinja.Text) bool {
	switch v := r.(type) {
	case bool:
		return v
	case string:
		s.warnNotBool(r, t)
		if b, ok := boolWord(v); ok {
			return b
		}
	default:
		s.warnNotBool(r, t)
	}
	return jinja.Truth(r)
}

func (s *Scope) warnNotBool(r any, t *jinja.Text) {
	msg := "a condition gave " + jinja.TypeName(r) + ", not a boolean"
	if t != nil {
		msg = t.Place.String() + ": " + msg + ": " + t.Source
	}
	s.engine.warnOnce(msg)
}

// boolWord reads the words that stand for a boolean in YAML and on command lines.
func boolWord(s string) (value, ok bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "yes", "on", "y", "t", "1":
		return true, true
	case "false", "no", "off", "n", "f", "0", "":
		return false, true
	}
	return false, false
}
