package template

import (
	"math/big"
	"net/netip"
	"slices"
	"strings"

	"mageprov/internal/jinja"
)

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
		if !ok {
			return nil, refuse(c, "you must pass a valid subnet or IP address; %s is invalid", short(query))
		}
		if !contains(outer, addr) {
			return nil, refuse(c, "%s is not in the subnet %s", addr.text(), outer.text())
		}
		n := new(big.Int).Sub(toInt(addr.network()), toInt(outer.network()))
		n.Rsh(n, uint(addr.hostBits()))
		return n.Add(n, big.NewInt(1)).String(), nil
	}
	if bits < 0 || int(bits) > addr.Addr().BitLen() {
		return false, nil
	}
	if int(bits) < addr.Bits() {
		return supernet(c, addr, int(bits), index)
	}
	count := new(big.Int).Lsh(big.NewInt(1), uint(int(bits)-addr.Bits()))
	if index == nil {
		return count.String(), nil
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

// supernet is a network around addr: the one of that prefix length, or with an
// index one of those from there up to addr itself.
func supernet(c *jinja.Call, addr address, bits int, index any) (any, error) {
	step := int64(0)
	if index != nil {
		var ok bool
		if step, ok = wholeNumber(index); !ok {
			return nil, refuse(c, "the index must be a whole number, not %s", jinja.Repr(index))
		}
	} else if addr.hostBits() > 0 {
		return nil, refuse(c, "requested subnet size of %d is invalid", bits)
	}
	if step < 0 {
		step += int64(addr.Bits() - bits)
	}
	if step < 0 || step >= int64(addr.Bits()-bits) {
		return false, nil
	}
	return netip.PrefixFrom(addr.Addr(), bits+int(step)).Masked().String(), nil
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
