package template

import (
	"context"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/pyre"
)

// resultTests ask what became of a task; the value is what register: received.
var resultTests = map[string]jinja.Test{
	"failed":      resultFlag("failed"),
	"failure":     resultFlag("failed"),
	"succeeded":   not(resultFlag("failed")),
	"success":     not(resultFlag("failed")),
	"successful":  not(resultFlag("failed")),
	"changed":     changed,
	"change":      changed,
	"skipped":     resultFlag("skipped"),
	"skip":        resultFlag("skipped"),
	"started":     resultFlag("started"),
	"finished":    resultFlag("finished"),
	"unreachable": resultFlag("unreachable"),
	"reachable":   not(resultFlag("unreachable")),
	"timedout":    timedOut,
}

// result gives the dictionary a test is about.
func result(c *jinja.Call, in any) (*jinja.Dict, error) {
	d, ok := in.(*jinja.Dict)
	if !ok {
		return nil, fault.At(c.Place, "the '%s' test expects what a task registered, not %s", c.Name, jinja.TypeName(in))
	}
	return d, nil
}

func resultFlag(key string) jinja.Test {
	return func(c *jinja.Call, in any) (bool, error) {
		d, err := result(c, in)
		if err != nil {
			return false, err
		}
		return flagOf(c.Ctx, d, key)
	}
}

func flagOf(ctx context.Context, d *jinja.Dict, key string) (bool, error) {
	v, _ := d.Get(key)
	if l, ok := v.(jinja.Deferred); ok {
		var err error
		if v, err = l.Force(ctx); err != nil {
			return false, err
		}
	}
	return jinja.Truth(v), nil
}

func not(t jinja.Test) jinja.Test {
	return func(c *jinja.Call, in any) (bool, error) {
		ok, err := t(c, in)
		return err == nil && !ok, err
	}
}

// changed looks into the turns of a loop where the whole says nothing.
func changed(c *jinja.Call, in any) (bool, error) {
	d, err := result(c, in)
	if err != nil {
		return false, err
	}
	if _, ok := d.Get("changed"); ok {
		return flagOf(c.Ctx, d, "changed")
	}
	results, _ := d.Get("results")
	for _, r := range oneOrMany(results) {
		if rd, ok := r.(*jinja.Dict); ok {
			if hit, err := flagOf(c.Ctx, rd, "changed"); hit || err != nil {
				return hit, err
			}
		}
	}
	return false, nil
}

func timedOut(c *jinja.Call, in any) (bool, error) {
	d, err := result(c, in)
	if err != nil {
		return false, err
	}
	v, _ := d.Get("timedout")
	if t, ok := v.(*jinja.Dict); ok {
		return flagOf(c.Ctx, t, "period")
	}
	return false, nil
}

// valueTests are about values of any kind.
var valueTests = map[string]jinja.Test{
	"match":           regexTest("match"),
	"search":          regexTest("search"),
	"regex":           regexTest(""),
	"version":         versionTest,
	"version_compare": versionTest,
	"any":             anyTest,
	"all":             allTest,
	"truthy":          truthy,
	"falsy":           not(truthy),
	"vault_encrypted": vaultEncrypted,
	"contains":        containsTest,
	"subset":          subset,
	"issubset":        subset,
	"superset":        superset,
	"issuperset":      superset,
	"isnan":           isNaN,
	"nan":             isNaN,
	"urn":             urlTest("urn"),
	"uri":             urlTest("uri"),
	"url":             urlTest("url"),
	"ipv4":            addressTest(func(ip netip.Addr) bool { return ip.Is4() }),
	"ipv6":            addressTest(func(ip netip.Addr) bool { return ip.Is6() }),
	"ip":              addressTest(func(netip.Addr) bool { return true }),
	"ip_address":      onAddress(func(netip.Addr) bool { return true }),
	"in_network":      inNetworkTest,
	"subnet_of":       inNetworkTest,
	"supernet_of":     supernetTest,
}

func addressTest(ok func(netip.Addr) bool) jinja.Test {
	return func(_ *jinja.Call, in any) (bool, error) {
		s, isText := in.(string)
		if !isText {
			return false, nil
		}
		a, valid := parseAddress(s)
		return valid && ok(a.Addr()), nil
	}
}

func inNetworkTest(c *jinja.Call, in any) (bool, error) {
	a := take(c, "network")
	a.need("network")
	inner, ok := parseAddress(in)
	outer, okOuter := parseAddress(a.value("network", nil))
	return ok && okOuter && contains(outer, inner), a.err
}

func supernetTest(c *jinja.Call, in any) (bool, error) {
	a := take(c, "network")
	a.need("network")
	outer, ok := parseAddress(in)
	inner, okInner := parseAddress(a.value("network", nil))
	return ok && okInner && contains(outer, inner), a.err
}

// regexTest makes a test for a pattern; the empty kind takes it from match_type.
func regexTest(kind string) jinja.Test {
	return func(c *jinja.Call, in any) (bool, error) {
		a := take(c, "pattern", "ignorecase", "multiline", "match_type")
		src, icase, multi := a.str("pattern", ""), a.flag("ignorecase", false), a.flag("multiline", false)
		how := kind
		if how == "" {
			how = a.str("match_type", "search")
		}
		if a.err != nil {
			return false, a.err
		}
		p, err := regexOf(c, src, icase, multi)
		if err != nil {
			return false, err
		}
		var m *pyre.Match
		switch how {
		case "search":
			m, err = p.Search(jinja.Str(in))
		case "match": // the leftmost match stands at the start if any does
			if m, err = p.Search(jinja.Str(in)); m != nil {
				if start, _ := m.Span(0); start > 0 {
					m = nil
				}
			}
		case "fullmatch":
			m, err = p.FullMatch(jinja.Str(in))
		default:
			return false, refuse(c, "match_type is %q (known: search, match, fullmatch)", how)
		}
		if err != nil {
			return false, refuse(c, "%v", err)
		}
		return m != nil, nil
	}
}

func versionTest(c *jinja.Call, in any) (bool, error) {
	a := take(c, "version", "operator", "strict", "version_type")
	a.need("version")
	want, op, kind := a.str("version", ""), a.str("operator", "eq"), a.str("version_type", "")
	if a.err != nil {
		return false, a.err
	}
	switch {
	case a.value("strict", nil) != nil && kind != "":
		return false, refuse(c, "strict and version_type cannot be used together")
	case a.flag("strict", false):
		kind = "strict"
	case kind == "":
		kind = "loose"
	}
	compare, ok := versionSchemes[kind]
	if !ok {
		return false, refuse(c, "unknown version_type %q (known: loose, strict, semver, semantic, pep440)", kind)
	}
	have := jinja.Str(in)
	if in == nil || have == "" {
		return false, refuse(c, "input version value cannot be empty")
	}
	if want == "" {
		return false, refuse(c, "version parameter cannot be empty")
	}
	n, err := compare(have, want)
	if err != nil {
		return false, refuse(c, "%v", err)
	}
	switch op {
	case "==", "=", "eq":
		return n == 0, nil
	case "!=", "<>", "ne":
		return n != 0, nil
	case "<", "lt":
		return n < 0, nil
	case "<=", "le":
		return n <= 0, nil
	case ">", "gt":
		return n > 0, nil
	case ">=", "ge":
		return n >= 0, nil
	}
	return false, refuse(c, "unknown operator %q", op).(*fault.Error).WithHint("known: ==, !=, <, <=, >, >=, eq, ne, lt, le, gt, ge")
}

func anyTest(c *jinja.Call, in any) (bool, error) {
	lists, err := allElements(c, in, nil)
	return err == nil && slices.ContainsFunc(lists[0], jinja.Truth), err
}

func allTest(c *jinja.Call, in any) (bool, error) {
	lists, err := allElements(c, in, nil)
	return err == nil && !slices.ContainsFunc(lists[0], func(x any) bool { return !jinja.Truth(x) }), err
}

func truthy(c *jinja.Call, in any) (bool, error) {
	a := take(c, "convert_bool")
	if s, ok := in.(string); ok && a.flag("convert_bool", false) {
		if b, isWord := boolWord(s); isWord {
			return b, a.err
		}
	}
	return jinja.Truth(in), a.err
}

func vaultEncrypted(_ *jinja.Call, in any) (bool, error) {
	s, ok := in.(string)
	return ok && strings.HasPrefix(s, "$ANSIBLE_VAULT;"), nil
}

// containsTest is `x in list` the other way round, for selectattr.
func containsTest(c *jinja.Call, in any) (bool, error) {
	a := take(c, "value")
	a.need("value")
	if a.err != nil {
		return false, a.err
	}
	v := a.vals["value"]
	if s, ok := in.(string); ok {
		t, isText := v.(string)
		return isText && strings.Contains(s, t), nil
	}
	items, err := elements(c, in)
	for _, x := range items {
		if jinja.Equal(x, v) {
			return true, nil
		}
	}
	return false, err
}

func subset(c *jinja.Call, in any) (bool, error) {
	a := take(c, "b")
	a.need("b")
	if a.err != nil {
		return false, a.err
	}
	lists, err := allElements(c, in, []any{a.vals["b"]})
	if err != nil {
		return false, err
	}
	return len(newSet(lists[0]).keep(newSet(lists[1]), false)) == 0, nil
}

func superset(c *jinja.Call, in any) (bool, error) {
	a := take(c, "b")
	a.need("b")
	if a.err != nil {
		return false, a.err
	}
	call := *c
	call.Args, call.Kwargs = []any{in}, nil
	return subset(&call, a.vals["b"])
}

func isNaN(c *jinja.Call, in any) (bool, error) {
	if _, isText := in.(string); isText {
		return false, nil
	}
	x, ok := number(in)
	if !ok {
		return false, refuse(c, "can only be used on numbers, not %s", jinja.Repr(in))
	}
	return math.IsNaN(x), nil
}

// urlTest makes the tests uri, url (a uri with a host) and urn.
func urlTest(kind string) jinja.Test {
	return func(c *jinja.Call, in any) (bool, error) {
		a := take(c, "schemes")
		s, ok := in.(string)
		if a.err != nil || !ok {
			return false, a.err
		}
		parts := splitURL(s)
		part := func(name string) string { v, _ := parts.Get(name); t, _ := v.(string); return t }
		scheme := part("scheme")
		if kind == "urn" {
			return scheme == "urn" && part("path") != "", nil
		}
		if scheme == "" || part("netloc") == "" && part("path") == "" || kind == "url" && part("netloc") == "" {
			return false, nil
		}
		wanted := a.list("schemes")
		for _, w := range wanted {
			if jinja.Str(w) == scheme {
				return true, nil
			}
		}
		return len(wanted) == 0, nil
	}
}

// fileTests look at the controller's files.
var fileTests = map[string]jinja.Test{
	"abs":          onPath(filepath.IsAbs),
	"is_abs":       onPath(filepath.IsAbs),
	"directory":    onPath(func(p string) bool { st, err := os.Stat(p); return err == nil && st.IsDir() }),
	"is_dir":       onPath(func(p string) bool { st, err := os.Stat(p); return err == nil && st.IsDir() }),
	"file":         onPath(isFile),
	"is_file":      onPath(isFile),
	"exists":       onPath(func(p string) bool { _, err := os.Stat(p); return err == nil }),
	"link":         onPath(isLink),
	"is_link":      onPath(isLink),
	"link_exists":  onPath(func(p string) bool { _, err := os.Lstat(p); return err == nil }),
	"mount":        onPath(isMount),
	"is_mount":     onPath(isMount),
	"same_file":    sameFile,
	"is_same_file": sameFile,
}

func onPath(f func(string) bool) jinja.Test {
	return func(_ *jinja.Call, in any) (bool, error) {
		p, ok := in.(string)
		return ok && f(p), nil
	}
}

func isFile(p string) bool { st, err := os.Stat(p); return err == nil && st.Mode().IsRegular() }

func isLink(p string) bool {
	st, err := os.Lstat(p)
	return err == nil && st.Mode()&os.ModeSymlink != 0
}

// isMount compares the device with that of the directory above.
func isMount(p string) bool {
	st, err := os.Lstat(p)
	if err != nil || st.Mode()&os.ModeSymlink != 0 {
		return false
	}
	up, err := os.Lstat(filepath.Join(p, ".."))
	if err != nil {
		return false
	}
	x, okX := st.Sys().(*syscall.Stat_t)
	y, okY := up.Sys().(*syscall.Stat_t)
	return okX && okY && (x.Dev != y.Dev || x.Ino == y.Ino)
}

func sameFile(c *jinja.Call, in any) (bool, error) {
	a := take(c, "path")
	a.need("path")
	p, ok := in.(string)
	if a.err != nil || !ok {
		return false, a.err
	}
	x, errX := os.Stat(p)
	y, errY := os.Stat(a.str("path", ""))
	return errX == nil && errY == nil && os.SameFile(x, y), nil
}
