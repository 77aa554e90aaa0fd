package template

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// args are the arguments of one call, bound to names as Python binds them. The
// first mistake is kept in err, so that a filter checks once.
type args struct {
	c     *jinja.Call
	names []string
	vals  map[string]any
	rest  []any         // positional arguments beyond the names, if "*" was asked for
	more  []jinja.Kwarg // keyword arguments of other names, if "**" was asked for
	err   error
}

// take binds the arguments of c to names. "*" stands for any number of further
// positional ones (names after it can only be given by keyword), "**" for any
// further keyword.
func take(c *jinja.Call, names ...string) *args {
	a := &args{c: c, vals: map[string]any{}}
	positional, star, open := 0, false, false
	for _, n := range names {
		switch n {
		case "*":
			star = true
			continue
		case "**":
			open = true
			continue
		}
		if !star {
			positional++
		}
		a.names = append(a.names, n)
	}
	for i, v := range c.Args {
		switch {
		case i < positional:
			a.vals[a.names[i]] = v
		case star:
			a.rest = append(a.rest, v)
		default:
			a.fail("takes at most %d arguments, %d given", positional, len(c.Args))
		}
	}
	for _, kw := range c.Kwargs {
		switch {
		case !slices.Contains(a.names, kw.Name) && open:
			a.more = append(a.more, kw)
		case !slices.Contains(a.names, kw.Name):
			a.fail("has no argument %q", kw.Name)
			a.hint(fault.DidYouMean(kw.Name, a.names))
		default:
			if _, dup := a.vals[kw.Name]; dup {
				a.fail("got argument %q twice", kw.Name)
			}
			a.vals[kw.Name] = kw.Value
		}
	}
	return a
}

func (a *args) fail(format string, v ...any) {
	if a.err == nil {
		a.err = refuse(a.c, format, v...)
	}
}

func (a *args) hint(h string) {
	if e, ok := a.err.(*fault.Error); ok && h != "" {
		e.Hint = h
	}
}

// refuse is an error of the filter, test or lookup that c calls.
func refuse(c *jinja.Call, format string, v ...any) error {
	return fault.At(c.Place, c.Name+": "+format, v...)
}

// need fails unless all of names are given.
func (a *args) need(names ...string) {
	for _, n := range names {
		if _, ok := a.vals[n]; !ok {
			a.fail("argument %q is missing", n)
		}
	}
}

func (a *args) has(name string) bool { _, ok := a.vals[name]; return ok }

// value gives an argument or def.
func (a *args) value(name string, def any) any {
	if v, ok := a.vals[name]; ok {
		return v
	}
	return def
}

func (a *args) str(name, def string) string {
	v, ok := a.vals[name]
	if !ok || v == nil {
		return def
	}
	return jinja.Str(v)
}

func (a *args) flag(name string, def bool) bool {
	v, ok := a.vals[name]
	if !ok || v == nil {
		return def
	}
	if s, isText := v.(string); isText {
		b, ok := boolWord(s)
		if ok {
			return b
		}
	}
	return jinja.Truth(v)
}

func (a *args) num(name string, def int) int {
	v, ok := a.vals[name]
	if !ok || v == nil {
		return def
	}
	n, ok := wholeNumber(v)
	if !ok {
		a.fail("argument %q must be a whole number, not %s", name, jinja.Repr(v))
	}
	return int(n)
}

// list gives an argument as a list; a text or number counts as a list of one.
func (a *args) list(name string) []any {
	v, ok := a.vals[name]
	if !ok || v == nil {
		return nil
	}
	return oneOrMany(v)
}

func oneOrMany(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case *jinja.List:
		return v.Items
	case jinja.Tuple:
		return v
	}
	return []any{v}
}

// elements gives what a for loop over v would see; it fails for what is no sequence.
func elements(c *jinja.Call, v any) ([]any, error) {
	switch v := v.(type) {
	case *jinja.List:
		return v.Items, nil
	case jinja.Tuple:
		return v, nil
	case *jinja.Dict:
		return v.Keys(), nil
	case string:
		return nil, refuse(c, "needs a list, not text: %s", short(v))
	case nil, bool, int64, float64, *big.Int:
		return nil, refuse(c, "needs a list, not %s", jinja.TypeName(v))
	}
	return jinja.Iterate(c.Ctx, v)
}

// mapping gives v as a dictionary.
func mapping(c *jinja.Call, v any) (*jinja.Dict, error) {
	if d, ok := v.(*jinja.Dict); ok {
		return d, nil
	}
	return nil, refuse(c, "needs a dictionary, not %s", jinja.TypeName(v))
}

func isSequence(v any) bool {
	switch v.(type) {
	case *jinja.List, jinja.Tuple:
		return true
	}
	return false
}

// short cuts text that goes into a message.
func short(s string) string {
	if len(s) > 60 {
		s = strings.ToValidUTF8(s[:57], "") + "..."
	}
	return strconv.Quote(s)
}

// wholeNumber reads an integer, or text that is one.
func wholeNumber(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<62 {
			return int64(v), true
		}
	case string:
		n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		return n, err == nil
	}
	return 0, false
}

// number reads an integer or float, or text that is one.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f, true
	case string:
		f, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSpace(v), "_", ""), 64)
		return f, err == nil
	}
	return 0, false
}

// homes names the collections, beside ansible.builtin, that have names of ours.
var homes = map[string][]string{
	"ansible.utils":     addressNames,
	"ansible.netcommon": addressNames,
	"community.general": generalNames,
}

var addressNames = []string{"ipaddr", "ipv4", "ipv6", "ipwrap", "ipsubnet", "ipmath", "nthhost", "network_in_network",
	"network_in_usable", "cidr_merge", "reduce_on_network", "usable_range", "slaac", "hwaddr", "macaddr", "ip4_hex", "next_nth_usable", "previous_nth_usable", "ip", "ip_address", "in_network", "subnet_of", "supernet_of"}

var generalNames = []string{"dict", "keep_keys", "remove_keys", "json_query", "counter", "lists_union", "lists_intersect",
	"from_csv", "groupby_as_dict", "unicode_normalize", "random_mac", "to_time_unit", "to_milliseconds", "to_seconds",
	"to_minutes", "to_hours", "to_days", "to_weeks", "to_months", "to_years", "lists_difference", "lists_symmetric_difference", "lists_mergeby", "dict_kv", "version_sort", "crc32"}

// fullNames gives the names with a collection in front under which name is known too.
func fullNames(name string) []string {
	if strings.Contains(name, ".") {
		return nil // given with its collection
	}
	var out []string
	for home, members := range homes {
		if slices.Contains(members, name) {
			out = append(out, home+"."+name)
		}
	}
	if len(out) == 0 {
		out = append(out, "ansible.builtin."+name)
	}
	return out
}
