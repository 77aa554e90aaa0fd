package template

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"

	"mageprov/internal/jinja"
)

// listPlugins make lists of lists.
var listPlugins = map[string]plugin{
	"items":         func(l *lookup) ([]any, error) { return flat(nil, l.terms, 1, false), nil },
	"list":          func(l *lookup) ([]any, error) { return l.terms, nil },
	"dict":          lookDict,
	"nested":        lookNested,
	"cartesian":     lookNested,
	"together":      lookTogether,
	"sequence":      lookSequence,
	"indexed_items": lookIndexed,
	"flattened":     func(l *lookup) ([]any, error) { return flat(nil, l.terms, -1, false), nil },
	"subelements":   lookSubelements,
	"random_choice": lookRandom,
}

func lookDict(l *lookup) ([]any, error) {
	var out []any
	for _, t := range flat(nil, l.terms, 1, false) {
		d, err := mapping(l.c, t)
		if err != nil {
			return nil, err
		}
		for k, v := range d.All() {
			out = append(out, jinja.NewDict("key", k, "value", v))
		}
	}
	return out, nil
}

func asLists(terms []any) [][]any {
	out := make([][]any, len(terms))
	for i, t := range terms {
		out[i] = oneOrMany(t)
	}
	return out
}

// lookNested gives every choice of one element of each list, each flattened.
func lookNested(l *lookup) ([]any, error) {
	if len(l.terms) == 0 {
		return nil, refuse(l.c, "needs at least one list")
	}
	all, err := cartesian(l.c, asLists(l.terms))
	if err != nil {
		return nil, err
	}
	out := make([]any, len(all.Items))
	for i, t := range all.Items {
		out[i] = &jinja.List{Items: flat(nil, t.(jinja.Tuple), -1, false)}
	}
	return out, nil
}

func lookTogether(l *lookup) ([]any, error) {
	if len(l.terms) == 0 {
		return nil, refuse(l.c, "needs at least one list")
	}
	lists := asLists(l.terms)
	n := 0
	for _, x := range lists {
		n = max(n, len(x))
	}
	var out []any
	for _, t := range zipped(lists, n, nil).Items {
		out = append(out, &jinja.List{Items: flat(nil, t.(jinja.Tuple), -1, false)})
	}
	return out, nil
}

func lookIndexed(l *lookup) ([]any, error) {
	var out []any
	for i, x := range flat(nil, l.terms, 1, false) {
		out = append(out, jinja.Tuple{int64(i), x})
	}
	return out, nil
}

func lookRandom(l *lookup) ([]any, error) {
	if len(l.terms) == 0 {
		return nil, nil
	}
	return []any{l.terms[rand.IntN(len(l.terms))]}, nil
}

// lookSubelements takes a list, the key of a list below, and {skip_missing: bool}.
func lookSubelements(l *lookup) ([]any, error) {
	if len(l.terms) < 2 || len(l.terms) > 3 {
		return nil, refuse(l.c, "needs a list, a key and perhaps {skip_missing: yes}")
	}
	skip := false
	if len(l.terms) == 3 {
		if d, ok := l.terms[2].(*jinja.Dict); ok {
			v, _ := d.Get("skip_missing")
			skip = jinja.Truth(v)
			if s, isText := v.(string); isText {
				skip, _ = boolWord(s)
			}
		}
	}
	in := l.terms[0]
	var kept []any
	for _, x := range values(in) {
		if d, ok := x.(*jinja.Dict); ok {
			if skipped, _ := d.Get("skipped"); skipped == true {
				continue // a turn of a registered loop that did not run
			}
		}
		kept = append(kept, x)
	}
	pairs, err := pairUp(l.c, &jinja.List{Items: kept}, l.terms[1], skip)
	if err != nil {
		return nil, err
	}
	out := make([]any, len(pairs.Items))
	keys := pathOf(l.terms[1])
	for i, p := range pairs.Items {
		pair := p.(jinja.Tuple)
		out[i] = jinja.Tuple{withoutPath(pair[0], keys), pair[1]}
	}
	return out, nil
}

// withoutPath copies the element without its list, as with_subelements gives it.
func withoutPath(v any, keys []any) any {
	d, ok := v.(*jinja.Dict)
	if !ok {
		return v
	}
	c := d.Clone()
	if len(keys) == 1 {
		c.Delete(keys[0])
	} else if below, ok := c.Get(keys[0]); ok {
		c.Set(keys[0], withoutPath(below, keys[1:]))
	}
	return c
}

// values gives the elements of a list or the values of a dictionary.
func values(v any) []any {
	d, ok := v.(*jinja.Dict)
	if !ok {
		return oneOrMany(v)
	}
	var out []any
	for _, x := range d.All() {
		out = append(out, x)
	}
	return out
}

var shortSequence = regexp.MustCompile(`^(?:(0?x?[0-9a-fA-F]+)-)?(0?x?[0-9a-fA-F]+)(?:/(0?x?[0-9a-fA-F]+))?(?::(.+))?$`)

// lookSequence counts: "start=1 end=5 stride=2 format=web%02d", "1-5/2:web%02d",
// count=5, or the same as options.
func lookSequence(l *lookup) ([]any, error) {
	a := l.options("start", "end", "count", "stride", "format")
	if a.err != nil {
		return nil, a.err
	}
	terms := l.terms
	if len(terms) == 0 {
		terms = []any{""}
	}
	var out []any
	for _, t := range terms {
		set := map[string]string{}
		for _, name := range a.names {
			if a.has(name) {
				set[name] = a.str(name, "")
			}
		}
		if err := readSequence(jinja.Str(t), set); err != nil {
			return nil, refuse(l.c, "%v", err)
		}
		vals, err := countUp(set)
		if err != nil {
			return nil, refuse(l.c, "%v", err)
		}
		out = append(out, vals...)
	}
	return out, nil
}

func readSequence(term string, set map[string]string) error {
	if !strings.Contains(term, "=") {
		m := shortSequence.FindStringSubmatch(strings.TrimSpace(term))
		if m == nil {
			if strings.TrimSpace(term) == "" {
				return nil
			}
			return fmt.Errorf("%q is no sequence", term)
		}
		for i, name := range []string{"start", "end", "stride", "format"} {
			if m[i+1] != "" {
				set[name] = m[i+1]
			}
		}
		return nil
	}
	for _, kv := range strings.Fields(term) {
		k, v, ok := strings.Cut(kv, "=")
		if !ok {
			return fmt.Errorf("%q is no key=value", kv)
		}
		switch k {
		case "start", "end", "count", "stride", "format":
			set[k] = v
		default:
			return fmt.Errorf("unrecognized argument %q (known: start, end, count, stride, format)", k)
		}
	}
	return nil
}

func countUp(set map[string]string) ([]any, error) {
	num := map[string]int64{"start": 1, "stride": 1}
	for _, name := range []string{"start", "end", "count", "stride"} {
		if set[name] == "" {
			continue
		}
		n, err := strconv.ParseInt(set[name], 0, 64)
		if err != nil {
			return nil, fmt.Errorf("%s=%s is no whole number", name, set[name])
		}
		num[name] = n
	}
	start, stride, end := num["start"], num["stride"], num["end"]
	switch {
	case set["count"] != "" && set["end"] != "":
		return nil, fmt.Errorf("can't specify both count and end in with_sequence")
	case set["count"] == "" && set["end"] == "":
		return nil, fmt.Errorf("must specify count or end in with_sequence")
	case set["count"] != "":
		if num["count"] == 0 {
			return nil, nil
		}
		end = start + num["count"]*stride - stride
	}
	switch {
	case stride > 0 && end < start:
		return nil, fmt.Errorf("to count backwards make stride negative")
	case stride < 0 && end > start:
		return nil, fmt.Errorf("to count forward don't make stride negative")
	case stride == 0:
		return nil, nil
	case (end-start)/stride >= resultLimit:
		return nil, fmt.Errorf("the sequence has more than %d elements", resultLimit)
	}
	format := set["format"]
	if format == "" || format == "%s" {
		format = "%d"
	}
	if strings.Count(strings.ReplaceAll(format, "%%", ""), "%") != 1 || !sequenceFormat.MatchString(format) {
		return nil, fmt.Errorf("bad formatting string: %s", format)
	}
	var out []any
	for i := start; stride > 0 && i <= end || stride < 0 && i >= end; i += stride {
		out = append(out, fmt.Sprintf(format, i))
	}
	return out, nil
}

var sequenceFormat = regexp.MustCompile(`%[-+ 0#]*[0-9]*[dxXo]`)
