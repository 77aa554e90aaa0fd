package argspec

import (
	"strings"

	"mageprov/internal/jinja"
)

// exclusive is mutually_exclusive.
func (c *check) exclusive(l level, values *jinja.Dict) {
	for _, names := range groups(l.rules, "mutually_exclusive") {
		var given []string
		for _, n := range names {
			if _, ok := values.Get(n); ok {
				given = append(given, n)
			}
		}
		if len(given) > 1 {
			c.say("parameters are mutually exclusive: %s%s", strings.Join(names, "|"), l.in())
		}
	}
}

// together holds the rules that come after the values themselves.
func (c *check) together(l level, values *jinja.Dict) {
	has := func(n string) bool { _, ok := values.Get(n); return ok }
	for _, names := range groups(l.rules, "required_together") {
		if n := count(names, has); n > 0 && n < len(names) {
			c.say("parameters are required together: %s%s", strings.Join(names, ", "), l.in())
		}
	}
	for _, names := range groups(l.rules, "required_one_of") {
		if count(names, has) == 0 {
			c.say("one of the following is required: %s%s", strings.Join(names, ", "), l.in())
		}
	}
	for _, r := range list(l.rules, "required_if") {
		if rule, ok := r.(*jinja.List); ok {
			c.requiredIf(l, values, rule.Items)
		}
	}
	for k, v := range asDict(value(l.rules, "required_by")).All() {
		if given, _ := values.Get(k); given == nil {
			continue
		}
		var missing []string
		for _, n := range texts(v) {
			if given, _ := values.Get(n); given == nil {
				missing = append(missing, n)
			}
		}
		if len(missing) > 0 {
			c.say("missing parameter(s) required by '%s': %s%s", jinja.Str(k), strings.Join(missing, ", "), l.in())
		}
	}
}

// requiredIf is one rule: name, value, what it needs, whether one of those is enough.
func (c *check) requiredIf(l level, values *jinja.Dict, rule []any) {
	if len(rule) < 3 {
		return
	}
	v, given := values.Get(rule[0])
	if !given || !jinja.Equal(v, rule[1]) {
		return
	}
	any := len(rule) > 3 && jinja.Truth(rule[3])
	needs := texts(rule[2])
	var missing []string
	for _, n := range needs {
		if _, ok := values.Get(n); !ok {
			missing = append(missing, n)
		}
	}
	word := "all"
	switch {
	case any && len(missing) == len(needs):
		word = "any"
	case any || len(missing) == 0:
		return
	}
	c.say("%s is %s but %s of the following are missing: %s%s", jinja.Str(rule[0]), jinja.Str(rule[1]), word, strings.Join(missing, ", "), l.in())
}

func count(names []string, has func(string) bool) (n int) {
	for _, name := range names {
		if has(name) {
			n++
		}
	}
	return n
}

// groups reads a list of lists of names; one list of names is one group.
func groups(rules *jinja.Dict, key string) (out [][]string) {
	items := list(rules, key)
	for _, it := range items {
		if _, nested := it.(*jinja.List); !nested {
			return [][]string{texts(jinja.NewList(items...))}
		}
		out = append(out, texts(it))
	}
	return out
}

func texts(v any) []string {
	l, ok := v.(*jinja.List)
	if !ok {
		return []string{jinja.Str(v)}
	}
	out := make([]string, len(l.Items))
	for i, it := range l.Items {
		out[i] = jinja.Str(it)
	}
	return out
}
