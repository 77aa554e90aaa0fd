package inventory

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"mageprov/internal/fault"
)

// maxHosts keeps a mistyped range from filling the memory.
const maxHosts = 100000

// bracketed is a range in a name, for setting it aside.
var bracketed = regexp.MustCompile(`\[[^\]]*\]`)

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// addHosts adds the hosts that text names, `web[01:10].example.com:22`, to g.
func (inv *Inventory) addHosts(src source, g *Group, text string, at fault.Place) ([]*Host, error) {
	name, port := splitPort(text)
	names, err := expand(name)
	if err != nil {
		err.Place = at
		return nil, err
	}
	hosts := make([]*Host, len(names))
	for i, n := range names {
		h := inv.host(n, src)
		g.join(h)
		if port > 0 {
			h.vars = set(h.vars, src.file, "ansible_port", port, at)
		}
		hosts[i] = h
	}
	return hosts, nil
}

// isAddress says whether text starts with an IPv6 address in brackets.
func isAddress(text string) bool {
	inner, _, ok := strings.Cut(strings.TrimPrefix(text, "["), "]")
	if !ok {
		return false
	}
	a, err := netip.ParseAddr(inner)
	return err == nil && a.Is6()
}

// splitPort takes a port from the end of a host's name. A bare IPv6 address has
// none, and what is no number is part of the name.
func splitPort(text string) (name string, port int64) {
	if strings.HasPrefix(text, "[") && isAddress(text) {
		inner, rest, _ := strings.Cut(text[1:], "]")
		if p, ok := portNumber(strings.TrimPrefix(rest, ":")); ok && strings.HasPrefix(rest, ":") {
			return inner, p
		}
		if rest == "" {
			return inner, 0
		}
		return text, 0
	}
	i := strings.LastIndexByte(text, ':')
	if i <= 0 || i < strings.LastIndexByte(text, ']') {
		return text, 0
	}
	outside := strings.Join(bracketed.Split(text[:i], -1), "")
	if strings.Contains(outside, ":") {
		return text, 0
	}
	if p, ok := portNumber(text[i+1:]); ok {
		return text[:i], p
	}
	return text, 0
}

func portNumber(s string) (int64, bool) {
	p, err := strconv.ParseInt(s, 10, 32)
	return p, err == nil && p > 0 && p < 65536 && s[0] != '+'
}

// expand gives the names that a name with ranges stands for: a[1:3], a[01:10:3],
// a[a:f], any number of them.
func expand(name string) ([]string, *fault.Error) {
	out := []string{""}
	for {
		i := strings.IndexByte(name, '[')
		if i < 0 {
			break
		}
		j := strings.IndexByte(name[i:], ']')
		if j < 0 || !strings.Contains(name[i:i+j], ":") {
			return nil, fault.New("not a range: %s", name[i:]).WithHint("ranges look like web[01:10] or db[a:c]")
		}
		parts, err := rangeOf(name[i+1 : i+j])
		if err != nil {
			return nil, err
		}
		if len(parts)*len(out) > maxHosts {
			return nil, fault.New("range [%s] gives more than %d hosts", name[i+1:i+j], maxHosts)
		}
		next := make([]string, 0, len(out)*len(parts))
		for _, head := range out {
			for _, p := range parts {
				next = append(next, head+name[:i]+p)
			}
		}
		out, name = next, name[i+j+1:]
	}
	for k := range out {
		out[k] += name
	}
	return out, nil
}

// rangeOf gives the values of a range, both ends included: 1:3, 01:10:3, a:f.
func rangeOf(text string) ([]string, *fault.Error) {
	bad := func(why string) ([]string, *fault.Error) {
		return nil, fault.New("range [%s]: %s", text, why)
	}
	parts := strings.Split(text, ":")
	if len(parts) > 3 {
		return bad("more than begin, end and step")
	}
	begin, end, step := parts[0], parts[1], 1
	if begin == "" {
		begin = "0"
	}
	if end == "" {
		return bad("has no end")
	}
	if len(parts) == 3 {
		s, err := strconv.Atoi(parts[2])
		if err != nil || s < 1 {
			return bad("the step must be a whole number above 0")
		}
		step = s
	}
	if i, j := strings.Index(letters, begin), strings.Index(letters, end); len(begin) == 1 && len(end) == 1 && i >= 0 && j >= 0 {
		if i > j {
			return bad("begin stands after end")
		}
		var out []string
		for ; i <= j; i += step {
			out = append(out, letters[i:i+1])
		}
		return out, nil
	}
	i, err1 := strconv.ParseUint(begin, 10, 31)
	j, err2 := strconv.ParseUint(end, 10, 31)
	width := 0
	switch {
	case err1 != nil || err2 != nil:
		return bad("begin and end must both be numbers or both letters")
	case len(begin) > 1 && begin[0] == '0' && len(begin) != len(end):
		return bad("with leading zeros begin and end must be of one length")
	case len(begin) > 1 && begin[0] == '0':
		width = len(begin)
	}
	switch {
	case i > j:
		return bad("begin stands after end")
	case (j-i)/uint64(step) >= maxHosts:
		return bad("gives too many hosts")
	}
	var out []string
	for ; i <= j; i += uint64(step) {
		n := strconv.FormatUint(i, 10)
		out = append(out, strings.Repeat("0", max(0, width-len(n)))+n)
	}
	return out, nil
}
