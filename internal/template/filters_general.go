package template

import (
	"slices"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// generalFilters are those of the collection community.general that roles use.
var generalFilters = map[string]jinja.Filter{
	"json_query":    jsonQuery,
	"dict":          pairsToDict,
	"dict_kv":       dictKV,
	"keep_keys":     keepKeys,
	"remove_keys":   removeKeys,
	"counter":       counter,
	"version_sort":  versionSort,
	"lists_mergeby": listsMergeBy,

	"from_csv":          fromCSV,
	"groupby_as_dict":   groupAsDict,
	"unicode_normalize": normalizeUnicode,
	"random_mac":        randomMAC,

	"community.crypto.split_pem": splitPEM,
}

// jsonQuery is JMESPath.
func jsonQuery(c *jinja.Call, in any) (any, error) {
	a := take(c, "expr")
	expr := a.str("expr", "")
	a.need("expr")
	if a.err != nil {
		return nil, a.err
	}
	q, err := compileJMES(expr)
	if err != nil {
		return nil, refuse(c, "%v in %s", err, short(expr)).(*fault.Error).
			WithHint("literals are quoted with backticks or single quotes: [?name=='x']")
	}
	v, err := q(in)
	if err != nil {
		return nil, refuse(c, "%v in %s", err, short(expr))
	}
	if _, ok := v.(jmesReference); ok {
		return nil, refuse(c, "%s is no value", short(expr))
	}
	return v, nil
}

func pairsToDict(c *jinja.Call, in any) (any, error) {
	pairs, err := elements(c, in)
	if err != nil {
		return nil, err
	}
	out := jinja.NewDict()
	for _, p := range pairs {
		kv := oneOrMany(p)
		if len(kv) != 2 || !jinja.Hashable(kv[0]) {
			return nil, refuse(c, "needs a list of pairs, found %s", short(jinja.Repr(p)))
		}
		out.Set(kv[0], kv[1])
	}
	return out, nil
}

func dictKV(c *jinja.Call, in any) (any, error) {
	a := take(c, "key")
	a.need("key")
	if a.err != nil {
		return nil, a.err
	}
	return jinja.NewDict(a.vals["key"], in), nil
}

func keepKeys(c *jinja.Call, in any) (any, error) { return filterKeys(c, in, true) }

func removeKeys(c *jinja.Call, in any) (any, error) { return filterKeys(c, in, false) }

// filterKeys keeps or drops the keys of each dictionary that match target.
func filterKeys(c *jinja.Call, in any, keep bool) (any, error) {
	a := take(c, "target", "matching_parameter")
	a.need("target")
	how, targets := a.str("matching_parameter", "equal"), a.list("target")
	if a.err != nil {
		return nil, a.err
	}
	var match func(key string) bool
	texts := make([]string, len(targets))
	for i, t := range targets {
		texts[i] = jinja.Str(t)
	}
	switch how {
	case "equal":
		match = func(k string) bool { return slices.Contains(texts, k) }
	case "starts_with":
		match = func(k string) bool {
			return slices.ContainsFunc(texts, func(t string) bool { return strings.HasPrefix(k, t) })
		}
	case "ends_with":
		match = func(k string) bool {
			return slices.ContainsFunc(texts, func(t string) bool { return strings.HasSuffix(k, t) })
		}
	case "regex":
		if len(texts) != 1 {
			return nil, refuse(c, "matching_parameter regex needs one target")
		}
		p, err := regexOf(c, texts[0], false, false)
		if err != nil {
			return nil, err
		}
		match = func(k string) bool { m, _ := p.Match(k); return m != nil }
	default:
		return nil, refuse(c, "matching_parameter is %q (known: equal, starts_with, ends_with, regex)", how)
	}
	items, err := elements(c, in)
	if err != nil {
		return nil, err
	}
	out := jinja.NewList()
	for _, x := range items {
		d, err := mapping(c, x)
		if err != nil {
			return nil, err
		}
		n := jinja.NewDict()
		for k, v := range d.All() {
			if match(jinja.Str(k)) == keep {
				n.Set(k, v)
			}
		}
		out.Items = append(out.Items, n)
	}
	return out, nil
}

func counter(c *jinja.Call, in any) (any, error) {
	lists, err := allElements(c, in, nil)
	if err != nil {
		return nil, err
	}
	out := jinja.NewDict()
	for _, x := range lists[0] {
		if !jinja.Hashable(x) {
			return nil, refuse(c, "%s cannot be counted", jinja.TypeName(x))
		}
		n, _ := out.Get(x)
		count, _ := n.(int64)
		out.Set(x, count+1)
	}
	return out, nil
}

func versionSort(c *jinja.Call, in any) (any, error) {
	a := take(c, "reverse")
	reverse := a.flag("reverse", false)
	items, err := elements(c, in)
	if a.err != nil || err != nil {
		return nil, firstError(a.err, err)
	}
	out := slices.Clone(items)
	slices.SortStableFunc(out, func(x, y any) int {
		n, cmpErr := compareLoose(jinja.Str(x), jinja.Str(y))
		err = firstError(err, cmpErr)
		if reverse {
			return -n
		}
		return n
	})
	if err != nil {
		return nil, refuse(c, "%v", err)
	}
	return &jinja.List{Items: out}, nil
}

// listsMergeBy merges lists of dictionaries by the value of one key.
func listsMergeBy(c *jinja.Call, in any) (any, error) {
	if len(c.Args) == 0 {
		return nil, refuse(c, "needs the name of the key")
	}
	call := *c
	index := c.Args[len(c.Args)-1]
	call.Args = c.Args[:len(c.Args)-1]
	a := take(&call, "*", "recursive", "list_merge")
	m := merger{c: c, recursive: a.flag("recursive", false), lists: a.str("list_merge", "replace")}
	if a.err != nil {
		return nil, a.err
	}
	var lists []any
	for _, x := range append([]any{in}, a.rest...) {
		if items := oneOrMany(x); len(items) > 0 && isSequence(items[0]) {
			lists = append(lists, items...)
		} else if len(items) > 0 {
			lists = append(lists, x)
		}
	}
	switch len(lists) {
	case 0:
		return jinja.NewList(), nil
	case 1:
		return lists[0], nil // nothing to merge
	}
	merged := jinja.NewDict()
	for _, x := range flat(nil, lists, -1, true) {
		d, err := mapping(c, x)
		if err != nil {
			return nil, err
		}
		k, ok := d.Get(index)
		if !ok || !jinja.Hashable(k) {
			continue
		}
		if old, seen := merged.Get(k); seen {
			if d, err = m.merge(old.(*jinja.Dict), d); err != nil {
				return nil, err
			}
		}
		merged.Set(k, d)
	}
	out := jinja.NewList()
	for _, k := range sortedKeys(merged.Keys()) {
		v, _ := merged.Get(k)
		out.Items = append(out.Items, v)
	}
	return out, nil
}
