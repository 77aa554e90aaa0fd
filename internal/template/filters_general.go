package template

import (
	"encoding/json"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/jmespath/go-jmespath"

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

// jsonQuery is JMESPath. Dictionaries in the result have the order they had in
// the input, or that of the keys in the expression that makes them.
func jsonQuery(c *jinja.Call, in any) (any, error) {
	a := take(c, "expr")
	expr := a.str("expr", "")
	a.need("expr")
	if a.err != nil {
		return nil, a.err
	}
	q, err := jmespath.Compile(quoteLiterals(expr))
	if err != nil {
		return nil, refuse(c, "%v in %s", err, short(expr)).(*fault.Error).
			WithHint("literals are quoted with backticks or single quotes: [?name=='x']")
	}
	o := keyOrder{known: map[string]int{}}
	data := o.plain(in)
	r, err := q.Search(data)
	if err != nil {
		return nil, refuse(c, "%v in %s", err, short(expr))
	}
	for _, m := range hashKey.FindAllStringSubmatchIndex(expr, -1) {
		o.note(expr[m[2]:m[3]])
	}
	return o.value(r), nil
}

// quoteLiterals makes texts of the literals in backticks that are no JSON:
// `web` for "web" is how most playbooks write them.
func quoteLiterals(expr string) string {
	return literal.ReplaceAllStringFunc(expr, func(l string) string {
		if l[0] != '`' || json.Valid([]byte(strings.ReplaceAll(l[1:len(l)-1], "\\`", "`"))) {
			return l
		}
		return "`" + strconv.Quote(strings.TrimSpace(l[1:len(l)-1])) + "`"
	})
}

// literal matches everything quoted, so that backticks inside of texts do not count.
var literal = regexp.MustCompile("'(?:[^'\\\\]|\\\\.)*'|\"(?:[^\"\\\\]|\\\\.)*\"|`(?:[^`\\\\]|\\\\.)*`")

// hashKey finds the keys of a multi-select hash in an expression.
var hashKey = regexp.MustCompile(`[{,]\s*"?([A-Za-z0-9_-]+)"?\s*:`)

// keyOrder remembers in which order keys were met, because the query language
// knows only maps without order.
type keyOrder struct{ known map[string]int }

func (o *keyOrder) note(key string) {
	if _, ok := o.known[key]; !ok {
		o.known[key] = len(o.known)
	}
}

// plain makes what the query language works on; its only number is float64.
func (o *keyOrder) plain(v any) any {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case *jinja.List:
		out := make([]any, len(v.Items))
		for i, x := range v.Items {
			out[i] = o.plain(x)
		}
		return out
	case jinja.Tuple:
		return o.plain(&jinja.List{Items: v})
	case *jinja.Dict:
		out := make(map[string]any, v.Len())
		for k, x := range v.All() {
			name := jinja.Str(k)
			o.note(name)
			out[name] = o.plain(x)
		}
		return out
	}
	return v
}

func (o *keyOrder) value(v any) any {
	switch v := v.(type) {
	case float64:
		if n, ok := wholeNumber(v); ok {
			return n
		}
	case []any:
		out := &jinja.List{Items: make([]any, len(v))}
		for i, x := range v {
			out.Items[i] = o.value(x)
		}
		return out
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		sort.Slice(keys, func(i, j int) bool {
			x, okX := o.known[keys[i]]
			y, okY := o.known[keys[j]]
			if okX && okY {
				return x < y
			}
			return okX && !okY || okX == okY && keys[i] < keys[j]
		})
		out := jinja.NewDict()
		for _, k := range keys {
			out.Set(k, o.value(v[k]))
		}
		return out
	case nil, bool, string, *jinja.Dict, *jinja.List:
		return v
	default:
		return jinja.FromGo(v)
	}
	return v
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
