package template

import (
	"strconv"
	"strings"

	"mageprov/internal/jinja"
	"mageprov/internal/pyre"
)

var regexFilters = map[string]jinja.Filter{
	"regex_replace": regexReplace,
	"regex_search":  regexSearch,
	"regex_findall": regexFindAll,
	"regex_escape":  regexEscape,
}

// regexOf compiles a pattern, or takes it from the run's cache.
func regexOf(c *jinja.Call, src string, ignoreCase, multiline bool) (*pyre.Regexp, error) {
	var flags pyre.Flags
	if ignoreCase {
		flags |= pyre.IgnoreCase
	}
	if multiline {
		flags |= pyre.Multiline
	}
	s, _ := scopeOf(c)
	key := string(rune('0'+flags)) + src
	if s != nil {
		if p := s.engine.patterns.get(key); p != nil {
			return p, nil
		}
	}
	p, err := pyre.Compile(src, flags)
	if err != nil {
		return nil, refuse(c, "%v", err)
	}
	if s != nil {
		s.engine.patterns.put(key, p)
	}
	return p, nil
}

func regexReplace(c *jinja.Call, in any) (any, error) {
	a := take(c, "pattern", "replacement", "ignorecase", "multiline", "count", "mandatory_count")
	src, repl := a.str("pattern", ""), a.str("replacement", "")
	icase, multi := a.flag("ignorecase", false), a.flag("multiline", false)
	count, must := a.num("count", 0), a.num("mandatory_count", 0)
	if a.err != nil {
		return nil, a.err
	}
	p, err := regexOf(c, src, icase, multi)
	if err != nil {
		return nil, err
	}
	out, n, err := p.Sub(jinja.Str(in), repl, count)
	if err != nil {
		return nil, refuse(c, "%v", err)
	}
	if must > 0 && n != must {
		return nil, refuse(c, "%s matches %d times, mandatory_count is %d", short(src), n, must)
	}
	return out, nil
}

func regexSearch(c *jinja.Call, in any) (any, error) {
	a := take(c, "regex", "*", "multiline", "ignorecase")
	src, icase, multi := a.str("regex", ""), a.flag("ignorecase", false), a.flag("multiline", false)
	a.need("regex")
	if a.err != nil {
		return nil, a.err
	}
	p, err := regexOf(c, src, icase, multi)
	if err != nil {
		return nil, err
	}
	var want []int
	for _, x := range a.rest {
		n, err := groupReference(c, p, jinja.Str(x))
		if err != nil {
			return nil, err
		}
		want = append(want, n)
	}
	m, err := p.Search(jinja.Str(in))
	if err != nil {
		return nil, refuse(c, "%v", err)
	}
	if m == nil {
		return nil, nil
	}
	if want == nil {
		return groupOrNone(m, 0), nil
	}
	out := jinja.NewList()
	for _, n := range want {
		out.Items = append(out.Items, groupOrNone(m, n))
	}
	return out, nil
}

// groupReference reads an argument of regex_search: \g<name>, \g<1> or \1.
func groupReference(c *jinja.Call, p *pyre.Regexp, ref string) (int, error) {
	name := strings.TrimLeft(ref, `\`)
	if strings.HasPrefix(name, "g<") && strings.HasSuffix(name, ">") {
		name = name[2 : len(name)-1]
	} else if name == ref {
		return 0, refuse(c, `unknown argument %s; groups are asked for as '\\g<name>' or '\\1'`, short(ref))
	}
	if n, ok := p.GroupNames()[name]; ok {
		return n, nil
	}
	if n, err := strconv.Atoi(name); err == nil && n >= 0 && n <= p.NumGroups() {
		return n, nil
	}
	return 0, refuse(c, "no group %q in %s", name, short(p.String()))
}

func groupOrNone(m *pyre.Match, n int) any {
	if s, ok := m.Group(n); ok {
		return s
	}
	return nil
}

func regexFindAll(c *jinja.Call, in any) (any, error) {
	a := take(c, "regex", "multiline", "ignorecase")
	src, icase, multi := a.str("regex", ""), a.flag("ignorecase", false), a.flag("multiline", false)
	a.need("regex")
	if a.err != nil {
		return nil, a.err
	}
	p, err := regexOf(c, src, icase, multi)
	if err != nil {
		return nil, err
	}
	ms, err := p.FindAll(jinja.Str(in))
	if err != nil {
		return nil, refuse(c, "%v", err)
	}
	out := jinja.NewList()
	for _, m := range ms {
		t := make(jinja.Tuple, 0, p.NumGroups())
		for i := 1; i <= p.NumGroups(); i++ {
			g, _ := m.Group(i)
			t = append(t, g)
		}
		switch len(t) {
		case 0:
			out.Items = append(out.Items, groupOrNone(m, 0))
		case 1:
			out.Items = append(out.Items, t[0])
		default:
			out.Items = append(out.Items, t)
		}
	}
	return out, nil
}

func regexEscape(c *jinja.Call, in any) (any, error) {
	a := take(c, "re_type")
	kind := a.str("re_type", "python")
	if a.err != nil {
		return nil, a.err
	}
	switch kind {
	case "python":
		return pyre.Escape(jinja.Str(in)), nil
	case "posix_basic":
		return escapeChars(jinja.Str(in), `\[].^$*`), nil
	}
	return nil, refuse(c, "unknown re_type %q (known: python, posix_basic)", kind)
}

func escapeChars(s, special string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune(special, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
