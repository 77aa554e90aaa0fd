package template

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// nestedFilters are those of ansible.utils that walk through nested data.
var nestedFilters = map[string]jinja.Filter{
	"ansible.utils.keep_keys":          nestedKeys(true),
	"ansible.utils.remove_keys":        nestedKeys(false),
	"ansible.utils.replace_keys":       replaceKeys,
	"ansible.utils.get_path":           getPath,
	"ansible.utils.to_paths":           toPaths,
	"ansible.utils.index_of":           indexOf,
	"ansible.utils.consolidate":        consolidate,
	"ansible.utils.param_list_compare": compareParams,
}

// keyMatch makes the comparison that matching_parameter names; it says whether
// a key fits a target.
func keyMatch(c *jinja.Call, how string) (func(key, target string) (bool, error), error) {
	plain := func(f func(a, b string) bool) func(a, b string) (bool, error) {
		return func(a, b string) (bool, error) { return f(a, b), nil }
	}
	switch how {
	case "equality", "equal":
		return plain(func(k, t string) bool { return k == t }), nil
	case "starts_with":
		return plain(strings.HasPrefix), nil
	case "ends_with":
		return plain(strings.HasSuffix), nil
	case "regex":
		return func(key, target string) (bool, error) {
			p, err := regexOf(c, target, false, false)
			if err != nil {
				return false, err
			}
			m, err := p.Match(key)
			return m != nil, err
		}, nil
	}
	known := []string{"equality", "starts_with", "ends_with", "regex"}
	return nil, refuse(c, "matching_parameter is %q", how).(*fault.Error).WithHint("%s", fault.DidYouMean(how, known))
}

// nestedKeys keeps or drops keys at every level. Keeping, a dictionary or list
// stays where something in it does.
func nestedKeys(keep bool) jinja.Filter {
	return func(c *jinja.Call, in any) (any, error) {
		a := take(c, "target", "matching_parameter")
		a.need("target")
		targets := a.list("target")
		if a.err != nil {
			return nil, a.err
		}
		fits, err := keyMatch(c, a.str("matching_parameter", "equality"))
		if err != nil {
			return nil, err
		}
		hit := func(key any) bool {
			return slices.ContainsFunc(targets, func(t any) bool {
				ok, matchErr := fits(jinja.Str(key), jinja.Str(t))
				err = firstError(err, matchErr)
				return ok
			})
		}
		if _, isDict := in.(*jinja.Dict); !isDict && !isSequence(in) {
			return nil, refuse(c, "needs a list or a dictionary, not %s", jinja.TypeName(in))
		}
		out := walkKeys(in, keep, hit)
		return out, err
	}
}

func walkKeys(v any, keep bool, hit func(key any) bool) any {
	switch v := v.(type) {
	case *jinja.List:
		out := &jinja.List{Items: make([]any, len(v.Items))}
		for i, x := range v.Items {
			out.Items[i] = walkKeys(x, keep, hit)
		}
		return out
	case *jinja.Dict:
		out := jinja.NewDict()
		for k, x := range v.All() {
			_, isDict := x.(*jinja.Dict)
			switch {
			case !keep && hit(k):
			case isDict || isList(x):
				if x = walkKeys(x, keep, hit); !keep || jinja.Truth(x) {
					out.Set(k, x)
				}
			case !keep || hit(k):
				out.Set(k, x)
			}
		}
		return out
	}
	return v
}

// replaceKeys renames keys at every level; renamed ones come last.
func replaceKeys(c *jinja.Call, in any) (any, error) {
	a := take(c, "target", "matching_parameter")
	a.need("target")
	if a.err != nil {
		return nil, a.err
	}
	fits, err := keyMatch(c, a.str("matching_parameter", "equality"))
	if err != nil {
		return nil, err
	}
	var before, after []string
	for _, t := range a.list("target") {
		d, err := mapping(c, t)
		if err != nil {
			return nil, err
		}
		old, okOld := d.Get("before")
		name, ok := d.Get("after")
		if !okOld || !ok {
			return nil, refuse(c, "each target needs before and after: %s", short(jinja.Repr(t)))
		}
		before, after = append(before, jinja.Str(old)), append(after, jinja.Str(name))
	}
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case *jinja.List:
			out := jinja.NewList()
			for _, x := range v.Items {
				out.Items = append(out.Items, walk(x))
			}
			return out
		case *jinja.Dict:
			out, renamed := jinja.NewDict(), jinja.NewDict()
			for k, x := range v.All() {
				i := slices.IndexFunc(before, func(t string) bool {
					ok, matchErr := fits(jinja.Str(k), t)
					err = firstError(err, matchErr)
					return ok
				})
				if i < 0 {
					out.Set(k, walk(x))
				} else {
					renamed.Set(after[i], walk(x))
				}
			}
			for k, x := range renamed.All() {
				out.Set(k, x)
			}
			return out
		}
		return v
	}
	return walk(in), err
}

// members is a dictionary as the variables in view.
type members struct{ *jinja.Dict }

// Lookup gives the member of that name.
func (m members) Lookup(_ context.Context, name string) (any, bool, error) {
	v, ok := m.Get(name)
	return v, ok, nil
}

// getPath gives what an expression such as a.b[0] finds in a dictionary.
func getPath(c *jinja.Call, in any) (any, error) {
	a := take(c, "path", "wantlist")
	a.need("path")
	path, wantlist := a.str("path", ""), a.flag("wantlist", false)
	s, err := scopeOf(c)
	if a.err != nil || err != nil {
		return nil, firstError(a.err, err)
	}
	d, err := mapping(c, in)
	if err != nil {
		return nil, err
	}
	v, err := c.Env.Render(c.Ctx, s.engine.expr(path, c.Place), members{d})
	if err != nil {
		return nil, err
	}
	if wantlist {
		return jinja.NewList(v), nil
	}
	return v, nil
}

// wordKey is a key that can stand behind a point in a path.
var wordKey = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

// toPaths makes one dictionary of nested data, whose keys say where a value stood.
func toPaths(c *jinja.Call, in any) (any, error) {
	a := take(c, "prepend", "wantlist")
	prepend, wantlist := a.str("prepend", ""), a.flag("wantlist", false)
	if a.err != nil {
		return nil, a.err
	}
	out := jinja.NewDict()
	var walk func(path any, v any)
	walk = func(path, v any) {
		at, _ := path.(string)
		switch x := v.(type) {
		case *jinja.List:
			for i, y := range x.Items {
				walk(fmt.Sprintf("%s[%d]", at, i), y)
			}
			if len(x.Items) > 0 {
				return
			}
		case *jinja.Dict:
			for k, y := range x.All() {
				walk(memberPath(at, k), y)
			}
			if x.Len() > 0 {
				return
			}
		}
		out.Set(path, v)
	}
	walk(prepend, in)
	if wantlist {
		return jinja.NewList(out), nil
	}
	return out, nil
}

func memberPath(at string, key any) any {
	name, isText := key.(string)
	switch {
	case at == "":
		return key
	case !isText:
		return at + "[" + jinja.Repr(key) + "]"
	case wordKey.MatchString(name):
		return at + "." + name
	case strings.Contains(name, "'"):
		return at + `["` + name + `"]`
	}
	return at + "['" + name + "']"
}

// indexOf gives the places of the elements that pass a test.
func indexOf(c *jinja.Call, in any) (any, error) {
	a := take(c, "test", "value", "key", "fail_on_missing", "wantlist")
	a.need("test")
	items, err := elements(c, in)
	if a.err != nil || err != nil {
		return nil, firstError(a.err, err)
	}
	name := a.str("test", "")
	test := c.Env.Tests[name]
	if test == nil {
		return nil, refuse(c, "the test %q was not found", name).(*fault.Error).
			WithHint("%s", fault.DidYouMean(name, testNames(c.Env)))
	}
	call := *c
	call.Name, call.Args, call.Kwargs = name, nil, nil
	if a.has("value") {
		call.Args = []any{a.vals["value"]}
	}
	found := jinja.NewList()
	for i, x := range items {
		if key := a.value("key", nil); key != nil {
			d, err := mapping(c, x)
			if err != nil {
				return nil, err
			}
			v, ok := d.Get(key)
			if !ok && a.flag("fail_on_missing", false) {
				return nil, refuse(c, "%s was not found in %s at [%d]", jinja.Repr(key), short(jinja.Repr(x)), i)
			}
			if !ok {
				continue
			}
			x = v
		}
		ok, err := test(&call, x)
		if err != nil {
			return nil, err
		}
		if ok {
			found.Items = append(found.Items, int64(i))
		}
	}
	if len(found.Items) == 1 && !a.flag("wantlist", false) {
		return found.Items[0], nil
	}
	return found, nil
}

func testNames(env *jinja.Env) []string {
	var names []string
	for n := range env.Tests {
		names = append(names, n)
	}
	return names
}

// consolidate joins lists of dictionaries by the value of each one's key.
func consolidate(c *jinja.Call, in any) (any, error) {
	a := take(c, "fail_missing_match_key", "fail_missing_match_value", "fail_duplicate")
	needKey, needAll, single := a.flag("fail_missing_match_key", true), a.flag("fail_missing_match_value", true), a.flag("fail_duplicate", true)
	sources, err := elements(c, in)
	if a.err != nil || err != nil {
		return nil, firstError(a.err, err)
	}
	names := make([]any, len(sources))
	rows := make([]*jinja.Dict, len(sources))
	all := newSet(nil)
	for i, src := range sources {
		d, err := mapping(c, src)
		if err != nil {
			return nil, err
		}
		key, _ := d.Get("match_key")
		data, _ := d.Get("data")
		names[i], _ = d.Get("name")
		rows[i] = jinja.NewDict()
		for j, x := range oneOrMany(data) {
			row, err := mapping(c, x)
			if err != nil {
				return nil, err
			}
			k, ok := row.Get(key)
			if !ok && needKey {
				return nil, refuse(c, "missing match key %s in data source %d in list entry %d", jinja.Repr(key), i+1, j+1)
			}
			if !ok || !jinja.Hashable(k) {
				continue
			}
			if _, twice := rows[i].Get(k); twice && single {
				return nil, refuse(c, "duplicate values in data source %d: %s", i+1, jinja.Repr(k))
			}
			rows[i].Set(k, row)
			all.add(k)
		}
	}
	out := jinja.NewDict()
	for _, k := range sortedKeys(all.items) {
		joined := jinja.NewDict()
		for i, r := range rows {
			v, ok := r.Get(k)
			if !ok && needAll {
				return nil, refuse(c, "missing match value %s in data source %d", jinja.Str(k), i+1)
			}
			if !ok {
				v = jinja.NewDict()
			}
			joined.Set(names[i], v)
		}
		out.Set(k, joined)
	}
	return out, nil
}

// compareParams says which of the wanted names the list has: "all" stands for
// each of them and "!x" takes one away.
func compareParams(c *jinja.Call, in any) (any, error) {
	a := take(c, "target")
	a.need("target")
	base, err := elements(c, in)
	if a.err != nil || err != nil {
		return nil, firstError(a.err, err)
	}
	wanted, dropped := newSet(nil), newSet(nil)
	for _, x := range a.list("target") {
		name := jinja.Str(x)
		switch {
		case name == "all":
			for _, b := range base {
				wanted.add(b)
			}
		case strings.HasPrefix(name, "!"):
			dropped.add(name[1:])
		default:
			wanted.add(x)
		}
	}
	have := newSet(base)
	actionable, unsupported := jinja.NewList(), jinja.NewList()
	for _, x := range base {
		if wanted.has(x) && !dropped.has(x) {
			actionable.Items = append(actionable.Items, x)
		}
	}
	for _, x := range wanted.items {
		if !have.has(x) {
			unsupported.Items = append(unsupported.Items, x)
		}
	}
	return jinja.NewDict("actionable", actionable, "unsupported", unsupported), nil
}
