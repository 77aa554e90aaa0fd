package template

import (
	"math/big"
	"net/netip"
	"slices"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// addressFilters are those of the collection ansible.utils. A value that is no
// address gives False, a list those of its elements that pass.
var addressFilters = map[string]jinja.Filter{
	"ipaddr":              ipaddrFilter(0),
	"ipv4":                ipaddrFilter(4),
	"ipv6":                ipaddrFilter(6),
	"ipwrap":              ipWrap,
	"ipsubnet":            ipSubnet,
	"ipmath":              ipMath,
	"nthhost":             nthHost,
	"network_in_network":  inNetwork(false),
	"network_in_usable":   inNetwork(true),
	"next_nth_usable":     stepUsable(1),
	"previous_nth_usable": stepUsable(-1),
	"cidr_merge":          cidrMerge,
}

// addressQueries are what ipaddr('...') can ask for; nil stands for False.
var addressQueries = map[string]func(a address) any{
	"":               func(a address) any { return a.text() },
	"bool":           func(address) any { return true },
	"address":        func(a address) any { return when(!a.isNetwork(), a.Addr().String()) },
	"ip":             func(a address) any { return when(!a.isNetwork(), a.Addr().String()) },
	"host":           func(a address) any { return when(!a.isNetwork(), a.String()) },
	"host/prefix":    func(a address) any { return when(!a.isNetwork(), a.String()) },
	"hostnet":        func(a address) any { return when(!a.isNetwork(), a.String()) },
	"address/prefix": func(a address) any { return when(!a.isNetwork(), a.String()) },
	"ip/prefix":      func(a address) any { return when(!a.isNetwork() && a.hostBits() > 0, a.String()) },
	"gateway":        func(a address) any { return when(!a.isNetwork() && a.hostBits() > 0, a.String()) },
	"gw":             func(a address) any { return when(!a.isNetwork() && a.hostBits() > 0, a.String()) },
	"ip_netmask": func(a address) any {
		return when(!a.isNetwork() && a.hostBits() > 0, a.Addr().String()+" "+a.mask().String())
	},
	"ip_wildcard": func(a address) any {
		return when(!a.isNetwork() && a.hostBits() > 0, a.Addr().String()+" "+a.hostmask().String())
	},
	"net":              func(a address) any { return when(a.isNetwork(), a.Masked().String()) },
	"network":          func(a address) any { return when(a.hostBits() > 0, a.network().String()) },
	"network_id":       func(a address) any { return when(a.hostBits() > 0, a.network().String()) },
	"subnet":           func(a address) any { return when(a.hostBits() > 0, a.Masked().String()) },
	"network/prefix":   func(a address) any { return when(a.hostBits() > 0, a.Masked().String()) },
	"network_netmask":  func(a address) any { return when(a.hostBits() > 0, a.network().String()+" "+a.mask().String()) },
	"network_wildcard": func(a address) any { return when(a.hostBits() > 0, a.network().String()+" "+a.hostmask().String()) },
	"netmask":          func(a address) any { return when(a.hostBits() > 0 || a.written, a.mask().String()) },
	"hostmask":         func(a address) any { return a.hostmask().String() },
	"wildcard":         func(a address) any { return a.hostmask().String() },
	"prefix":           func(a address) any { return int64(a.Bits()) },
	"prefixlen":        func(a address) any { return int64(a.Bits()) },
	"broadcast":        queryBroadcast,
	"size":             func(a address) any { return integer(a.size()) },
	"size_usable":      querySizeUsable,
	"int":              queryInt,
	"revdns":           func(a address) any { return reverseName(a.Addr()) },
	"type":             func(a address) any { return map[bool]string{true: "network", false: "address"}[a.isNetwork()] },
	"version":          func(a address) any { return map[bool]int64{true: 4, false: 6}[a.Addr().Is4()] },
	"wrap":             func(a address) any { return wrapped(a) },
	"public":           func(a address) any { return when(isPublic(a.Addr()), a.text()) },
	"private":          func(a address) any { return when(isPrivate(a.Addr()), a.text()) },
	"unicast":          func(a address) any { return when(!a.Addr().IsMulticast(), a.text()) },
	"multicast":        func(a address) any { return when(a.Addr().IsMulticast(), a.text()) },
	"link-local":       func(a address) any { return when(a.Addr().IsLinkLocalUnicast(), a.text()) },
	"loopback":         func(a address) any { return when(a.Addr().IsLoopback(), a.text()) },
	"lo":               func(a address) any { return when(a.Addr().IsLoopback(), a.text()) },
	"first_usable":     func(a address) any { first, _, ok := a.usable(); return when(ok, first.String()) },
	"last_usable":      func(a address) any { _, last, ok := a.usable(); return when(ok, last.String()) },
	"range_usable":     func(a address) any { first, last, ok := a.usable(); return when(ok, first.String()+"-"+last.String()) },
	"next_usable":      func(a address) any { return moveUsable(a, 1) },
	"previous_usable":  func(a address) any { return moveUsable(a, -1) },
	"peer":             queryPeer,
	"ipv4":             func(a address) any { return when(a.Addr().Is4(), a.String()) },
	"ipv6":             func(a address) any { return when(a.Addr().Is6(), a.String()) },
}

func when(ok bool, s string) any {
	if ok {
		return s
	}
	return nil
}

// text is the address as it was given: with its prefix only if it had one.
func (a address) text() string {
	if a.written {
		return a.String()
	}
	return a.Addr().String()
}

func integer(n *big.Int) any {
	if n.IsInt64() {
		return n.Int64()
	}
	return n
}

func queryBroadcast(a address) any {
	if a.hostBits() < 2 || a.Addr().Is6() {
		return nil
	}
	last, _ := a.nth(big.NewInt(-1))
	return last.String()
}

func querySizeUsable(a address) any {
	first, last, ok := a.usable()
	if !ok {
		return int64(0)
	}
	n := new(big.Int).Sub(toInt(last), toInt(first))
	return integer(n.Add(n, big.NewInt(1)))
}

func queryInt(a address) any {
	n := toInt(a.Addr())
	if a.written {
		return n.String() + "/" + jinja.Str(int64(a.Bits()))
	}
	return integer(n)
}

// queryPeer is the other end of a point-to-point link.
func queryPeer(a address) any {
	n := toInt(a.Addr()).Bit(0)
	step := big.NewInt(1 - 2*int64(n))
	switch a.hostBits() {
	case 1:
	case 2:
		host := new(big.Int).Sub(toInt(a.Addr()), toInt(a.network())).Int64()
		if host != 1 && host != 2 {
			return nil
		}
		step = big.NewInt(3 - 2*host)
	default:
		return nil
	}
	p, ok := plus(a.Addr(), step)
	return when(ok, p.String())
}

func moveUsable(a address, n int64) any {
	first, last, ok := a.usable()
	if !ok {
		return nil
	}
	p, ok := plus(a.Addr(), big.NewInt(n))
	return when(ok && !p.Less(first) && !last.Less(p), p.String())
}

func isPrivate(ip netip.Addr) bool { return ip.IsPrivate() }

func isPublic(ip netip.Addr) bool {
	return !ip.IsPrivate() && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() && !ip.IsMulticast() && !ip.IsUnspecified()
}

// wrapped puts an IPv6 address in brackets, as URLs need it.
func wrapped(a address) string {
	if a.Addr().Is4() {
		return a.text()
	}
	s := "[" + a.Addr().String() + "]"
	if a.written {
		s += "/" + jinja.Str(int64(a.Bits()))
	}
	return s
}

// ipaddrFilter makes ipaddr, or one that lets pass one IP version only.
func ipaddrFilter(version int) jinja.Filter {
	return func(c *jinja.Call, in any) (any, error) {
		a := take(c, "query", "version", "alias")
		v := a.num("version", version)
		if version != 0 {
			v = version
		}
		query := a.str("query", "")
		if a.err != nil {
			return nil, a.err
		}
		if !isSequence(in) {
			r, err := askAddress(c, in, query, v)
			if r == nil && err == nil {
				r = false
			}
			return r, err
		}
		out := jinja.NewList()
		for _, x := range oneOrMany(in) {
			r, err := askAddress(c, x, query, v)
			if err != nil {
				return nil, err
			}
			if r != nil {
				out.Items = append(out.Items, r)
			}
		}
		return out, nil
	}
}

// askAddress answers one query about one value; nil stands for False.
func askAddress(c *jinja.Call, v any, query string, version int) (any, error) {
	a, ok := parseAddress(v)
	if version == 4 && ok && !a.Addr().Is4() || version == 6 && ok && a.Addr().Is4() {
		return nil, nil
	}
	if f := addressQueries[query]; f != nil {
		if !ok {
			return nil, nil
		}
		return f(a), nil
	}
	if n, isInt := new(big.Int).SetString(query, 10); isInt {
		if !ok {
			return nil, nil
		}
		ip, inside := a.nth(n)
		return when(inside, netip.PrefixFrom(ip, a.Bits()).String()), nil
	}
	if outer, isNet := parseAddress(query); isNet {
		return when(ok && contains(outer, a), a.text()), nil
	}
	known := make([]string, 0, len(addressQueries))
	for k := range addressQueries {
		known = append(known, k)
	}
	return nil, refuse(c, "unknown query %q", query).(*fault.Error).WithHint("%s", fault.DidYouMean(query, known))
}

// contains says whether all of inner lies in outer.
func contains(outer, inner address) bool {
	return outer.Masked().Contains(inner.Addr()) && inner.Bits() >= outer.Bits()
}

func ipWrap(c *jinja.Call, in any) (any, error) {
	a := take(c, "query")
	query := a.str("query", "")
	if a.err != nil {
		return nil, a.err
	}
	wrap := func(x any) any {
		r := x
		if query != "" {
			answer, err := askAddress(c, x, query, 0)
			if err != nil {
				return x
			}
			r = answer
		}
		if addr, ok := parseAddress(r); ok {
			return wrapped(addr)
		}
		return x
	}
	if !isSequence(in) {
		return wrap(in), nil
	}
	out := jinja.NewList()
	for _, x := range oneOrMany(in) {
		out.Items = append(out.Items, wrap(x))
	}
	return out, nil
}

// nthHost is address n of a network.
func nthHost(c *jinja.Call, in any) (any, error) {
	a := take(c, "query")
	n := a.num("query", 0)
	addr, ok := parseAddress(in)
	if a.err != nil || !ok {
		return false, a.err
	}
	ip, ok := addr.nth(big.NewInt(int64(n)))
	if !ok {
		return false, nil
	}
	return ip.String(), nil
}

func ipMath(c *jinja.Call, in any) (any, error) {
	a := take(c, "amount")
	a.need("amount")
	n := a.num("amount", 0)
	addr, ok := parseAddress(in)
	if a.err != nil {
		return nil, a.err
	}
	if !ok {
		return nil, refuse(c, "you must pass a valid IP address; %s is invalid", jinja.Repr(in))
	}
	ip, ok := plus(addr.Addr(), big.NewInt(int64(n)))
	if !ok {
		return nil, refuse(c, "%s%+d is no address", addr.Addr(), n)
	}
	return ip.String(), nil
}

// inNetwork tests whether the value lies in the network given as argument.
func inNetwork(usable bool) jinja.Filter {
	return func(c *jinja.Call, in any) (any, error) {
		a := take(c, "test")
		a.need("test")
		if a.err != nil {
			return nil, a.err
		}
		outer, okOuter := parseAddress(in)
		inner, ok := parseAddress(a.vals["test"])
		if !okOuter || !ok || !contains(outer, inner) {
			return false, nil
		}
		if first, last, some := outer.usable(); usable && some {
			return !inner.Addr().Less(first) && !last.Less(inner.Addr()), nil
		}
		return true, nil
	}
}

func stepUsable(sign int) jinja.Filter {
	return func(c *jinja.Call, in any) (any, error) {
		a := take(c, "offset")
		n := a.num("offset", 1)
		addr, ok := parseAddress(in)
		if a.err != nil || !ok {
			return false, a.err
		}
		if r := moveUsable(addr, int64(sign*n)); r != nil {
			return r, nil
		}
		return false, nil
	}
}

// ipSubnet: with a prefix length the number of such subnets, with an index one
// of them; for a network as query the place of the value in it.
func ipSubnet(c *jinja.Call, in any) (any, error) {
	a := take(c, "query", "index")
	query, index := a.str("query", ""), a.value("index", nil)
	addr, ok := parseAddress(in)
	if a.err != nil || !ok {
		return false, a.err
	}
	if query == "" {
		return addr.Masked().String(), nil
	}
	bits, isLen := wholeNumber(query)
	if !isLen {
		outer, ok := parseAddress(query)
		if !ok || !contains(outer, addr) {
			return false, nil
		}
		n := new(big.Int).Sub(toInt(addr.network()), toInt(outer.network()))
		n.Rsh(n, uint(addr.hostBits()))
		return n.Add(n, big.NewInt(1)).String(), nil
	}
	if bits < 0 || int(bits) > addr.Addr().BitLen() {
		return false, nil
	}
	if int(bits) < addr.Bits() { // the supernet around the value
		if index == nil {
			return int64(addr.Bits()) - bits, nil
		}
		return netip.PrefixFrom(addr.Addr(), int(bits)).Masked().String(), nil
	}
	count := new(big.Int).Lsh(big.NewInt(1), uint(int(bits)-addr.Bits()))
	if index == nil {
		return integer(count), nil
	}
	n, ok := wholeNumber(index)
	i := big.NewInt(n)
	if i.Sign() < 0 {
		i.Add(i, count)
	}
	if !ok || i.Sign() < 0 || i.Cmp(count) >= 0 {
		return false, nil
	}
	ip, _ := plus(addr.network(), i.Lsh(i, uint(addr.Addr().BitLen()-int(bits))))
	return netip.PrefixFrom(ip, int(bits)).String(), nil
}

// cidrMerge joins networks that touch, or gives the one that spans all.
func cidrMerge(c *jinja.Call, in any) (any, error) {
	a := take(c, "action")
	action := a.str("action", "merge")
	items, err := elements(c, in)
	if a.err != nil || err != nil {
		return nil, firstError(a.err, err)
	}
	var nets []netip.Prefix
	for _, x := range items {
		addr, ok := parseAddress(x)
		if !ok {
			return nil, refuse(c, "%s is not an IP address or network", jinja.Repr(x))
		}
		nets = append(nets, addr.Masked())
	}
	slices.SortFunc(nets, func(x, y netip.Prefix) int {
		if n := x.Addr().Compare(y.Addr()); n != 0 {
			return n
		}
		return x.Bits() - y.Bits()
	})
	switch action {
	case "merge":
		out := jinja.NewList()
		for _, p := range mergePrefixes(nets) {
			out.Items = append(out.Items, p.String())
		}
		return out, nil
	case "span":
		if len(nets) == 0 {
			return nil, nil
		}
		span := nets[0]
		for _, p := range nets {
			for !(span.Contains(p.Addr()) && span.Bits() <= p.Bits()) && span.Bits() > 0 {
				span = netip.PrefixFrom(span.Addr(), span.Bits()-1).Masked()
			}
		}
		return span.String(), nil
	}
	return nil, refuse(c, "unknown action %q (known: merge, span)", strings.ToValidUTF8(action, "?"))
}

// mergePrefixes works on sorted networks.
func mergePrefixes(nets []netip.Prefix) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range nets {
		if n := len(out); n > 0 && out[n-1].Contains(p.Addr()) && out[n-1].Bits() <= p.Bits() {
			continue
		}
		out = append(out, p)
		for len(out) > 1 { // two halves make a whole, again and again
			x, y := out[len(out)-2], out[len(out)-1]
			if x.Bits() != y.Bits() || x.Bits() == 0 {
				break
			}
			parent := netip.PrefixFrom(x.Addr(), x.Bits()-1).Masked()
			if parent.Addr() != x.Addr() || !parent.Contains(y.Addr()) {
				break
			}
			out = append(out[:len(out)-2], parent)
		}
	}
	return out
}
