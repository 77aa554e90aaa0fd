package inventory

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/dlclark/regexp2"

	"mageprov/internal/fault"
)

// Match gives the hosts that a pattern means, in the order in which the pattern
// and the inventory name them: names, groups, globs, ~regular expressions,
// group[0], group[1:3], parts joined by : or , of which &part intersects and
// !part excludes, and @file for a file of patterns. A part that matches nothing
// gives a warning. localhost always matches, in the inventory or not.
func (inv *Inventory) Match(pattern string) (hosts []*Host, warnings []string, err error) {
	parts, err := inv.splitPattern(pattern)
	if err != nil {
		return nil, nil, err
	}
	var plain, and, not []string
	for _, p := range parts {
		switch p[0] {
		case '&':
			and = append(and, p[1:])
		case '!':
			not = append(not, p[1:])
		default:
			plain = append(plain, p)
		}
	}
	if len(plain) == 0 {
		plain = []string{allName}
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	m := &matcher{inv: inv, in: map[*Host]bool{}}
	for _, p := range plain {
		found, err := m.match(p)
		if err != nil {
			return nil, nil, err
		}
		m.add(found)
	}
	for i, p := range append(and, not...) {
		found, err := m.match(p)
		if err != nil {
			return nil, nil, err
		}
		m.keep(found, i < len(and))
	}
	return m.hosts, m.warnings, nil
}

// splitPattern cuts a pattern into its parts and reads @files.
func (inv *Inventory) splitPattern(pattern string) ([]string, error) {
	var parts []string
	for _, p := range splitOutside(pattern, ',') {
		p = strings.TrimSpace(p)
		pieces := []string{p}
		if _, err := netip.ParseAddr(strings.TrimLeft(p, "&!")); err != nil && !isAddress(p) && !strings.HasPrefix(p, "@") {
			pieces = splitOutside(p, ':')
		}
		for _, q := range pieces {
			q = strings.TrimSpace(q)
			file, isFile := strings.CutPrefix(q, "@")
			switch {
			case isFile:
				lines, err := inv.patternFile(file)
				if err != nil {
					return nil, err
				}
				parts = append(parts, lines...)
			case strings.Trim(q, "&!") != "":
				parts = append(parts, q)
			}
		}
	}
	return parts, nil
}

// patternFile reads one pattern a line; blank lines and # comments do not count.
func (inv *Inventory) patternFile(file string) ([]string, error) {
	data, err := inv.files.ReadFile(file)
	if err != nil {
		return nil, fault.Wrap(err, "reading the host patterns in %s", file)
	}
	var parts []string
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "@") {
			more, err := inv.splitPattern(line)
			if err != nil {
				return nil, err
			}
			parts = append(parts, more...)
		}
	}
	if len(parts) == 0 {
		return nil, fault.New("no host pattern in %s", file)
	}
	return parts, nil
}

// matcher collects the hosts of one pattern.
type matcher struct {
	inv      *Inventory
	hosts    []*Host
	in       map[*Host]bool
	warnings []string
}

func (m *matcher) add(found []*Host) {
	for _, h := range found {
		if !m.in[h] {
			m.in[h] = true
			m.hosts = append(m.hosts, h)
		}
	}
}

// keep drops the hosts that are in found, or those that are not.
func (m *matcher) keep(found []*Host, inside bool) {
	is := map[*Host]bool{}
	for _, h := range found {
		is[h] = true
	}
	var hosts []*Host
	for _, h := range m.hosts {
		if is[h] == inside {
			hosts = append(hosts, h)
		} else {
			delete(m.in, h)
		}
	}
	m.hosts = hosts
}

// dashed is group[1-3] and group[1-], the older ways to write group[1:3] and
// group[1:]. Of a name that nobody has it is a glob: web[1-3].
var dashed = regexp.MustCompile(`^(.+)\[(\d+)-(\d*)\]$`)

// subscript is group[0], group[-1], group[1:3], group[1:], group[:3], group[-2:].
var subscript = regexp.MustCompile(`^(.+)\[(?:(-?\d+)|(-?\d*):(-?\d*))\]$`)

// match gives the hosts of one part without its & or !.
func (m *matcher) match(part string) ([]*Host, error) {
	if m.inv.hosts[part] != nil || strings.HasPrefix(part, "~") {
		return m.named(part)
	}
	if d := dashed.FindStringSubmatch(part); d != nil && (m.inv.groups[d[1]] != nil || m.inv.hosts[d[1]] != nil) {
		part = d[1] + "[" + d[2] + ":" + d[3] + "]"
	}
	s := subscript.FindStringSubmatch(part)
	if s == nil || s[2] == "" && s[3] == "" && s[4] == "" {
		return m.named(part)
	}
	hosts, err := m.named(s[1])
	if err != nil || len(hosts) == 0 {
		return nil, err
	}
	n := len(hosts)
	index := func(text string, missing int) int {
		i, err := strconv.Atoi(text)
		if err != nil {
			return missing
		}
		if i < 0 {
			return i + n
		}
		return i
	}
	from, to := index(s[2], -1), index(s[2], -1)
	if s[2] == "" {
		from, to = max(0, index(s[3], 0)), min(n-1, index(s[4], n-1))
	}
	if from < 0 || from >= n || to < from {
		return nil, nil
	}
	return hosts[from : to+1], nil
}

// named gives the hosts of all groups that a name, glob or expression matches,
// then the hosts it matches itself.
func (m *matcher) named(part string) ([]*Host, error) {
	matches, exact, err := nameTest(part)
	if err != nil {
		return nil, err
	}
	sub := &matcher{in: map[*Host]bool{}}
	anyGroup := false
	for _, g := range m.inv.order {
		if matches(g.Name) {
			anyGroup = true
			sub.add(m.inv.hostsOf(g))
		}
	}
	if !anyGroup || !exact {
		if h := m.inv.hosts[part]; h != nil && exact {
			sub.add([]*Host{h})
		} else if !exact {
			for _, h := range m.inv.hostOrder {
				if matches(h.Name) {
					sub.add([]*Host{h})
				}
			}
		}
	}
	if len(sub.hosts) > 0 || anyGroup {
		return sub.hosts, nil
	}
	if isLocalName(part) {
		return []*Host{m.inv.findOrImply(part)}, nil
	}
	m.warnings = append(m.warnings, "could not match supplied host pattern, ignoring: "+part+m.near(part))
	return nil, nil
}

func (m *matcher) near(part string) string {
	var names []string
	for _, g := range m.inv.order {
		names = append(names, g.Name)
	}
	for _, h := range m.inv.hostOrder {
		names = append(names, h.Name)
	}
	if n := fault.Nearest(part, names); n != "" {
		return " (did you mean " + n + "?)"
	}
	return ""
}

// nameTest makes a test of a name, a glob or a ~regular expression; exact is
// true for a mere name.
func nameTest(part string) (matches func(string) bool, exact bool, err error) {
	if part == "*" {
		part = allName
	}
	expr, isRegexp := strings.CutPrefix(part, "~")
	if !isRegexp {
		if !strings.ContainsAny(part, "*?[") {
			return func(s string) bool { return s == part }, true, nil
		}
		re, err := regexp.Compile(globExpr(part))
		if err != nil {
			return nil, false, fault.New("host pattern %q is not a glob", part).Because(err)
		}
		return re.MatchString, false, nil
	}
	re, err := regexp2.Compile("^(?:"+expr+")", regexp2.RE2)
	if err != nil {
		return nil, false, fault.New("host pattern %q is not a regular expression", part).Because(err)
	}
	re.MatchTimeout = time.Second
	return func(s string) bool {
		ok, err := re.MatchString(s)
		return ok && err == nil
	}, false, nil
}

// globExpr is a shell glob as a regular expression: * ? [abc] [!abc].
func globExpr(glob string) string {
	var b strings.Builder
	b.WriteString(`(?s)^`)
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; c {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteByte('.')
		case '[':
			end := strings.IndexByte(glob[min(i+2, len(glob)):], ']')
			if end < 0 {
				b.WriteString(`\[`)
				continue
			}
			class := glob[i+1 : i+2+end]
			neg := ""
			if class[0] == '!' {
				neg, class = "^", class[1:]
			}
			class = strings.NewReplacer(`\`, `\\`, `[`, `\[`, `^`, `\^`, `]`, `\]`).Replace(class)
			fmt.Fprintf(&b, "[%s%s]", neg, class)
			i += 2 + end
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	return b.String() + `$`
}
