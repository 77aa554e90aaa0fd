// Package argspec holds values against a specification of arguments, the one
// that a role gives in meta/argument_specs.yml: types, choices, what is required
// and what goes together. Messages are Ansible's, for playbooks compare them.
package argspec

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"mageprov/internal/jinja"
)

// Check names everything about the arguments that the options do not allow.
// options maps names to their description; both are fully rendered.
func Check(options, args *jinja.Dict) []string {
	c := &check{}
	c.level(level{options: options}, args)
	if len(c.unknown) > 0 {
		sort.Strings(c.unknown)
		c.say("%s. Supported parameters include: %s.", strings.Join(c.unknown, ", "), strings.Join(c.known, ", "))
	}
	return c.errors
}

// check gathers what is wrong over all levels.
type check struct {
	errors  []string
	unknown []string // full names of arguments that no option describes
	known   []string // options of the level where the last of them was found
}

func (c *check) say(format string, args ...any) {
	c.errors = append(c.errors, fmt.Sprintf(format, args...))
}

// level is the options at one depth: those of the role, or those of one argument.
type level struct {
	options *jinja.Dict
	rules   *jinja.Dict // what goes together; nil at the top, where Ansible has no such rules
	path    []string    // of the arguments around it
}

// in is how messages say where they are.
func (l level) in() string {
	if len(l.path) == 0 {
		return ""
	}
	return " found in " + strings.Join(l.path, " -> ")
}

// level checks one depth in Ansible's order, then what lies below.
func (c *check) level(l level, args *jinja.Dict) {
	values := c.resolve(l, args)
	c.exclusive(l, values)
	c.required(l, values)
	c.types(l, values)
	c.choices(l, values)
	c.together(l, values)
	for name, o := range l.options.All() {
		c.below(l, jinja.Str(name), asDict(o), values)
	}
}

// resolve gives the arguments by the options' own names, with defaults, and
// notes those that no option describes.
func (c *check) resolve(l level, args *jinja.Dict) *jinja.Dict {
	names := map[string]string{} // also by alias
	var known []string
	for k, o := range l.options.All() {
		name := jinja.Str(k)
		names[name] = name
		shown := name
		if aliases := list(o, "aliases"); len(aliases) > 0 {
			for _, a := range aliases {
				names[jinja.Str(a)] = name
			}
			shown += " (" + joined(aliases) + ")"
		}
		known = append(known, shown)
	}
	sort.Strings(known)
	values := jinja.NewDict()
	for k, v := range args.All() {
		name, ok := names[jinja.Str(k)]
		if !ok {
			c.unknown = append(c.unknown, strings.Join(append(slices.Clone(l.path), jinja.Str(k)), "."))
			c.known = known
			continue
		}
		values.Set(name, v)
	}
	for k, o := range l.options.All() {
		d, given := get(o, "default")
		if !given || d == nil {
			continue
		}
		if jinja.Truth(value(o, "required")) {
			c.say("internal error: required and default are mutually exclusive for %s", jinja.Str(k))
			continue
		}
		if _, have := values.Get(k); !have {
			values.Set(k, d)
		}
	}
	return values
}

func (c *check) required(l level, values *jinja.Dict) {
	var missing []string
	for k, o := range l.options.All() {
		_, given := values.Get(k)
		if _, hasDefault := get(o, "default"); jinja.Truth(value(o, "required")) && !given && !hasDefault {
			missing = append(missing, jinja.Str(k))
		}
	}
	if len(missing) > 0 {
		sort.Strings(missing)
		c.say("missing required arguments: %s%s", strings.Join(missing, ", "), l.in())
	}
}

// types puts converted values in place of what was given.
func (c *check) types(l level, values *jinja.Dict) {
	for _, k := range slices.Clone(values.Keys()) {
		v, _ := values.Get(k)
		o, _ := l.options.Get(k)
		if v == nil {
			continue
		}
		in := ""
		if len(l.path) > 0 {
			in = " found in '" + strings.Join(l.path, " -> ") + "'."
		}
		want := typeOf(o)
		got, err := Convert(want, v)
		if err != nil {
			c.say("argument '%s' is of type %s%s and we were unable to convert to %s: %v", jinja.Str(k), pyType(v), in, want, err)
			values.Delete(k)
			continue
		}
		values.Set(k, got)
		items, isList := got.(*jinja.List)
		if elements := jinja.Str(value(o, "elements")); value(o, "elements") != nil && want == "list" && isList {
			values.Set(k, c.elements(l, jinja.Str(k), elements, items))
		}
	}
}

func (c *check) elements(l level, name, want string, items *jinja.List) *jinja.List {
	out := jinja.NewList()
	for _, it := range items.Items {
		v, err := Convert(want, it)
		if err != nil {
			in := ""
			if len(l.path) > 0 {
				in = " found in '" + strings.Join(l.path, " -> ") + "'"
			}
			c.say("Elements value for option '%s'%s is of type %s and we were unable to convert to %s: %v", name, in, pyType(it), want, err)
			continue
		}
		out.Items = append(out.Items, v)
	}
	return out
}

func (c *check) choices(l level, values *jinja.Dict) {
	for k, o := range l.options.All() {
		choices := list(o, "choices")
		v, given := values.Get(k)
		if len(choices) == 0 || !given {
			continue
		}
		if items, ok := v.(*jinja.List); ok {
			var wrong []any
			for _, it := range items.Items {
				if !among(choices, it) {
					wrong = append(wrong, it)
				}
			}
			if len(wrong) > 0 {
				c.say("value of %s must be one or more of: %s. Got no match for: %s%s", jinja.Str(k), joined(choices), shown(o, wrong...), l.in())
			}
			continue
		}
		if !among(choices, v) && !soleBoolean(choices, v) {
			c.say("value of %s must be one of: %s, got: %s%s", jinja.Str(k), joined(choices), shown(o, v), l.in())
		}
	}
}

// below goes into the options of an argument.
func (c *check) below(l level, name string, o *jinja.Dict, values *jinja.Dict) {
	options, ok := value(o, "options").(*jinja.Dict)
	want := typeOf(o)
	if !ok || want != "dict" && (want != "list" || value(o, "elements") != "dict") {
		return
	}
	v, given := values.Get(name)
	if !given || v == nil {
		if !jinja.Truth(value(o, "apply_defaults")) {
			return
		}
		v = jinja.NewDict()
	}
	sub := level{options: options, rules: o, path: append(slices.Clone(l.path), name)}
	items := []any{v}
	if many, isList := v.(*jinja.List); isList {
		items = many.Items
	}
	for _, it := range items {
		if d, ok := it.(*jinja.Dict); ok {
			c.level(sub, d)
		}
	}
}

func among(choices []any, v any) bool {
	return slices.ContainsFunc(choices, func(c any) bool { return jinja.Equal(c, v) })
}

// soleBoolean lets yes stand for "True" where only one choice means it: YAML
// has read the word as a boolean before the type made text of it.
func soleBoolean(choices []any, v any) bool {
	text, _ := v.(string)
	if text != "True" && text != "False" {
		return false
	}
	n := 0
	for _, c := range choices {
		if b, ok := truth(c); ok && b == (text == "True") {
			n++
		}
	}
	return n == 1
}

// shown is a value in a message, unless its option is secret.
func shown(o any, values ...any) string {
	if jinja.Truth(value(o, "no_log")) {
		return "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
	}
	return joined(values)
}

func joined(values []any) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = jinja.Str(v)
	}
	return strings.Join(out, ", ")
}

func asDict(v any) *jinja.Dict {
	d, _ := v.(*jinja.Dict)
	return d
}

func get(o any, key string) (any, bool) {
	d := asDict(o)
	if d == nil {
		return nil, false
	}
	return d.Get(key)
}

func value(o any, key string) any {
	v, _ := get(o, key)
	return v
}

// list gives a list of an option's description; one value is a list of one.
func list(o any, key string) []any {
	switch v := value(o, key).(type) {
	case nil:
		return nil
	case *jinja.List:
		return v.Items
	default:
		return []any{v}
	}
}

func typeOf(o any) string {
	if t := value(o, "type"); t != nil {
		return jinja.Str(t)
	}
	return "str"
}
