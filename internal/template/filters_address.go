package template

import (
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"strconv"

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
	"reduce_on_network":   reduceOnNetwork,
	"usable_range":        usableRange,
	"slaac":               slaac,
	"hwaddr":              hardwareFilter,
	"macaddr":             hardwareFilter,
	"ip4_hex":             ip4Hex,
}

// addressQueries are what ipaddr('...') can ask for. None says that the address
// has no such thing; what is no address at all gives False.
var addressQueries = map[string]func(a address) any{
	"":               func(a address) any { return a.text() },
	"bool":           func(address) any { return true },
	"address":        func(a address) any { return when(!a.isNetwork(), a.Addr().String()) },
	"ip":             func(a address) any { return when(!a.isNetwork(), a.Addr().String()) },
	"host":           func(a address) any { return when(!a.isNetwork(), a.String()) },
	"host/prefix":    func(a address) any { return when(!a.isNetwork(), a.String()) },
	"hostnet":        orFalse,
	"gateway":        orFalse,
	"gw":             orFalse,
	"cidr":           func(a address) any { return a.String() },
	"6to4":           query6to4,
	"address/prefix": func(a address) any { return when(!a.isNetwork(), a.String()) },
	"ip/prefix":      func(a address) any { return when(!a.isNetwork() && a.hostBits() > 0, a.String()) },
	"ip_netmask": func(a address) any {
		return when(!a.isNetwork() && a.hostBits() > 0, a.Addr().String()+" "+a.mask().String())
	},
	"ip_wildcard": func(a address) any {
		return when(!a.isNetwork() && a.hostBits() > 0, a.Addr().String()+" "+a.hostmask().String())
	},
	"net":              func(a address) any { return when(a.isNetwork(), a.Masked().String()) },
	"network":          func(a address) any { return a.network().String() },
	"network_id":       func(a address) any { return a.network().String() },
	"subnet":           func(a address) any { return a.Masked().String() },
	"network/prefix":   func(a address) any { return a.Masked().String() },
	"network_netmask":  func(a address) any { return a.network().String() + " " + a.mask().String() },
	"network_wildcard": func(a address) any { return a.network().String() + " " + a.hostmask().String() },
	"netmask":          func(a address) any { return a.mask().String() },
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
	"ipv4":             queryIPv4,
	"ipv6":             queryIPv6,
}

// orFalse is a host with its prefix, and False for a network.
func orFalse(a address) any {
	if a.isNetwork() {
		return false
	}
	return a.String()
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
	if a.hostBits() < 2 {
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

// queryIPv4 gives an IPv4 address that is written as IPv6 in its own form.
func queryIPv4(a address) any {
	switch {
	case a.Addr().Is4():
		return a.text()
	case a.Addr().Is4In6() && a.Bits() >= 96:
		return netip.PrefixFrom(a.Addr().Unmap(), a.Bits()-96).String()
	}
	return false
}

// queryIPv6 gives an IPv4 address in the form that IPv6 has for it.
func queryIPv6(a address) any {
	if a.Addr().Is4() {
		return "::ffff:" + a.Addr().String() + "/" + strconv.Itoa(a.Bits()+96)
	}
	return a.text()
}

// query6to4 is the network that a public IPv4 address has for itself in IPv6.
func query6to4(a address) any {
	b := a.Addr().AsSlice()
	switch {
	case a.Addr().Is4():
		return fmt.Sprintf("2002:%02x%02x:%02x%02x::1/48", b[0], b[1], b[2], b[3])
	case b[0] == 0x20 && b[1] == 0x02:
		return a.text()
	}
	return false
}

// peer is the other end of a point-to-point link.
func peer(c *jinja.Call, a address) (any, error) {
	host := new(big.Int).Sub(toInt(a.Addr()), toInt(a.network())).Int64()
	step := 1 - 2*host // of a link of two addresses
	switch a.hostBits() {
	case 0:
		return nil, refuse(c, "%s is no network", a.Addr())
	case 1:
	case 2:
		if host != 1 && host != 2 {
			return nil, refuse(c, "the first and last address of %s have no peer", a.Masked())
		}
		step = 3 - 2*host
	default:
		return nil, refuse(c, "%s is no point-to-point network", a.Masked())
	}
	p, _ := plus(a.Addr(), big.NewInt(step))
	return p.String(), nil
}

func moveUsable(a address, n int64) any {
	first, last, ok := a.usable()
	if !ok {
		return nil
	}
	p, ok := plus(a.Addr(), big.NewInt(n))
	return when(ok && !p.Less(first) && !last.Less(p), p.String())
}

// notPublic are networks, beside those of RFC 1918, that ipaddr calls private.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("239.0.0.0/8"),
}

func isPrivate(ip netip.Addr) bool {
	return ip.IsPrivate() || ip.IsLinkLocalUnicast() ||
		slices.ContainsFunc(notPublic, func(p netip.Prefix) bool { return p.Contains(ip) })
}

func isPublic(ip netip.Addr) bool {
	broadcast := ip == netip.AddrFrom4([4]byte{255, 255, 255, 255})
	return !isPrivate(ip) && !ip.IsLoopback() && !ip.IsMulticast() && !ip.IsUnspecified() && !broadcast
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
			return askAddress(c, in, query, v)
		}
		out := jinja.NewList()
		for _, x := range oneOrMany(in) {
			r, err := askAddress(c, x, query, v)
			if err != nil {
				return nil, err
			}
			if r != nil && r != false {
				out.Items = append(out.Items, r)
			}
		}
		return out, nil
	}
}

// askAddress answers one query about one value. False says that the value is
// no address or of the other version, None that the address has no such thing.
func askAddress(c *jinja.Call, v any, query string, version int) (any, error) {
	if v == nil {
		return nil, refuse(c, "needs an address, not None")
	}
	a, ok := parseAddress(v)
	if version == 4 && ok && !a.Addr().Is4() || version == 6 && ok && a.Addr().Is4() {
		return false, nil
	}
	f := addressQueries[query]
	n, isInt := new(big.Int).SetString(query, 10)
	if (f != nil || isInt || query == "peer") && !ok {
		return false, nil
	}
	switch {
	case f != nil:
		return f(a), nil
	case query == "peer":
		return peer(c, a)
	case isInt && a.hostBits() == 0: // an address alone has no others to count
		return a.text(), nil
	case isInt:
		ip, inside := a.nth(n)
		if !inside {
			return false, nil
		}
		return netip.PrefixFrom(ip, a.Bits()).String(), nil
	}
	if outer, isNet := parseAddress(query); isNet {
		return when(ok && contains(outer, a), a.text()), nil
	}
	known := []string{"peer"}
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
	if in == nil {
		return nil, refuse(c, "needs an address, not None")
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
			end, _ := inner.nth(big.NewInt(-1))
			return !inner.network().Less(first) && !last.Less(end), nil
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
		return moveUsable(addr, int64(sign*n)), nil
	}
}
