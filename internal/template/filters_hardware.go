package template

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// hardwareForms are the ways to write a MAC address: 1a:2b:3c:4d:5e:6f,
// 1a-2b-..., 1a2b.3c4d.5e6f, 1a2b3c:4d5e6f, 1a2b3c4d5e6f.
var hardwareForms = regexp.MustCompile(`^(?i)(?:[0-9a-f]{1,2}(?::[0-9a-f]{1,2}){5}|[0-9a-f]{1,2}(?:-[0-9a-f]{1,2}){5}|` +
	`[0-9a-f]{1,4}(?:[.:][0-9a-f]{1,4}){2}|[0-9a-f]{5,6}[:-][0-9a-f]{5,6}|[0-9a-f]{12}|[0-9a-f]{11})$`)

// parseHardware reads a MAC address; ok is false for anything else.
func parseHardware(text string) (mac [6]byte, ok bool) {
	if !hardwareForms.MatchString(text) {
		return mac, false
	}
	groups := strings.FieldsFunc(text, func(r rune) bool { return r == ':' || r == '-' || r == '.' })
	digits := ""
	for _, g := range groups {
		digits += strings.Repeat("0", 12/len(groups)-len(g)) + g
	}
	raw, err := hex.DecodeString(digits)
	if err != nil || len(raw) != 6 {
		return mac, false
	}
	return [6]byte(raw), true
}

// hardwareQueries are what hwaddr('...') can ask for.
var hardwareQueries = map[string]func(m [6]byte) any{
	"bool":       func([6]byte) any { return true },
	"bare":       func(m [6]byte) any { return fmt.Sprintf("%X", m[:]) },
	"cisco":      func(m [6]byte) any { return fmt.Sprintf("%x.%x.%x", m[:2], m[2:4], m[4:]) },
	"eui48":      joinHardware("%02X", "-"),
	"win":        joinHardware("%02X", "-"),
	"linux":      joinHardware("%02x", ":"),
	"unix":       joinHardware("%x", ":"),
	"pgsql":      func(m [6]byte) any { return fmt.Sprintf("%x:%x", m[:3], m[3:]) },
	"postgresql": func(m [6]byte) any { return fmt.Sprintf("%x:%x", m[:3], m[3:]) },
	"psql":       func(m [6]byte) any { return fmt.Sprintf("%x:%x", m[:3], m[3:]) },
	"int":        func(m [6]byte) any { return new(big.Int).SetBytes(m[:]).Int64() },
}

func joinHardware(format, mark string) func(m [6]byte) any {
	return func(m [6]byte) any {
		parts := make([]string, len(m))
		for i, b := range m {
			parts[i] = fmt.Sprintf(format, b)
		}
		return strings.Join(parts, mark)
	}
}

// hardwareFilter tests a MAC address and writes it in another form. Asked for
// nothing or a truth, it gives None for what is no address.
func hardwareFilter(c *jinja.Call, in any) (any, error) {
	a := take(c, "query", "alias")
	query := a.str("query", "")
	if a.err != nil {
		return nil, a.err
	}
	form := hardwareQueries[query]
	if form == nil && query != "" {
		known := make([]string, 0, len(hardwareQueries))
		for k := range hardwareQueries {
			known = append(known, k)
		}
		return nil, refuse(c, "unknown filter type: %s", query).(*fault.Error).WithHint("%s", fault.DidYouMean(query, known))
	}
	text, _ := in.(string)
	mac, ok := parseHardware(text)
	switch {
	case ok && query == "":
		return text, nil
	case ok:
		return form(mac), nil
	case query == "" || query == "bool":
		return nil, nil
	}
	return nil, refuse(c, "not a hardware address: %s", short(jinja.Str(in)))
}

// slaac is the address that a host with this MAC address gives itself in a network.
func slaac(c *jinja.Call, in any) (any, error) {
	a := take(c, "query")
	a.need("query")
	if a.err != nil {
		return nil, a.err
	}
	outer, ok := parseAddress(in)
	mac, okMAC := parseHardware(a.str("query", ""))
	if !ok || !okMAC || outer.Addr().Is4() {
		return false, nil
	}
	raw := outer.network().As16()
	copy(raw[8:], []byte{mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]})
	return netip.AddrFrom16(raw).String(), nil
}

// ip4Hex writes an IPv4 address in hexadecimal digits.
func ip4Hex(c *jinja.Call, in any) (any, error) {
	a := take(c, "delimiter")
	mark := a.str("delimiter", "")
	if a.err != nil {
		return nil, a.err
	}
	ip, err := netip.ParseAddr(jinja.Str(in))
	if err != nil || !ip.Is4() {
		return nil, refuse(c, "%s is no IPv4 address", short(jinja.Str(in)))
	}
	b := ip.As4()
	return fmt.Sprintf("%02x%[5]s%02[2]x%[5]s%02[3]x%[5]s%02[4]x", b[0], b[1], b[2], b[3], mark), nil
}

// rangeLimit keeps the addresses of a large network from eating all memory.
const rangeLimit = 1 << 16

// usableRange lists all addresses of a network.
func usableRange(c *jinja.Call, in any) (any, error) {
	a := take(c, "ip")
	outer, ok := parseAddress(in)
	if a.err != nil {
		return nil, a.err
	}
	if !ok || outer.Addr() != outer.network() {
		return nil, refuse(c, "%s does not appear to be an IPv4 or IPv6 network", short(jinja.Str(in)))
	}
	if outer.size().Cmp(big.NewInt(rangeLimit)) > 0 {
		return nil, refuse(c, "%s has more than %d addresses", outer.Masked(), rangeLimit)
	}
	all := jinja.NewList()
	for ip := outer.network(); ip.IsValid() && outer.Contains(ip); ip = ip.Next() {
		all.Items = append(all.Items, ip.String())
	}
	return jinja.NewDict("usable_ips", all, "number_of_ips", int64(len(all.Items))), nil
}

// reduceOnNetwork keeps the addresses that lie in a network.
func reduceOnNetwork(c *jinja.Call, in any) (any, error) {
	a := take(c, "network")
	a.need("network")
	items, err := elements(c, in)
	if a.err != nil || err != nil {
		return nil, firstError(a.err, err)
	}
	outer, ok := parseAddress(a.vals["network"])
	if !ok {
		return nil, refuse(c, "%s is no network", short(a.str("network", "")))
	}
	out := jinja.NewList()
	for _, x := range items {
		if addr, ok := parseAddress(x); ok && contains(outer, addr) {
			out.Items = append(out.Items, x)
		}
	}
	return out, nil
}

// addressTests are those of ansible.utils, by their full names.
var addressTests = map[string]jinja.Test{
	"ansible.utils.in_any_network":   inNetworks(1, -1),
	"ansible.utils.in_one_network":   inNetworks(1, 1),
	"ansible.utils.ipv4_address":     onAddress(func(ip netip.Addr) bool { return ip.Is4() }),
	"ansible.utils.ipv6_address":     onAddress(func(ip netip.Addr) bool { return ip.Is6() }),
	"ansible.utils.ipv4_netmask":     onAddress(func(ip netip.Addr) bool { return ip.Is4() && isMask(ip, false) }),
	"ansible.utils.ipv4_hostmask":    onAddress(func(ip netip.Addr) bool { return ip.Is4() && isMask(ip, true) }),
	"ansible.utils.ipv6_ipv4_mapped": onAddress(netip.Addr.Is4In6),
	"ansible.utils.ipv6_sixtofour":   onAddress(netip.MustParsePrefix("2002::/16").Contains),
	"ansible.utils.ipv6_teredo":      onAddress(netip.MustParsePrefix("2001::/32").Contains),
	"ansible.utils.loopback":         onAddress(netip.Addr.IsLoopback),
	"ansible.utils.multicast":        onAddress(netip.Addr.IsMulticast),
	"ansible.utils.private":          onAddress(func(ip netip.Addr) bool { return reserved(ip, specialNetworks) }),
	"ansible.utils.public":           onAddress(func(ip netip.Addr) bool { return !reserved(ip, append(specialNetworks, sharedNetwork)) }),
	"ansible.utils.reserved":         onAddress(netip.MustParsePrefix("240.0.0.0/4").Contains),
	"ansible.utils.unspecified":      onAddress(netip.Addr.IsUnspecified),
	"ansible.utils.resolvable": func(c *jinja.Call, in any) (bool, error) {
		_, err := net.DefaultResolver.LookupHost(c.Ctx, jinja.Str(in))
		return err == nil, nil
	},
	"ansible.utils.mac": func(_ *jinja.Call, in any) (bool, error) {
		_, ok := parseHardware(jinja.Str(in))
		return ok, nil
	},
}

// specialNetworks are those that IANA has set aside; addresses in them are private.
var specialNetworks = prefixes("0.0.0.0/8 10.0.0.0/8 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/29 192.0.0.170/31 " +
	"192.0.2.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4 ::/127 ::ffff:0:0/96 100::/64 " +
	"2001::/23 2001:2::/48 2001:db8::/32 2001:10::/28 fc00::/7 fe80::/10")

var sharedNetwork = netip.MustParsePrefix("100.64.0.0/10")

func prefixes(list string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range strings.Fields(list) {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func reserved(ip netip.Addr, nets []netip.Prefix) bool {
	return slices.ContainsFunc(nets, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// onAddress makes a test of addresses without a prefix.
func onAddress(ok func(netip.Addr) bool) jinja.Test {
	return func(_ *jinja.Call, in any) (bool, error) {
		ip, err := netip.ParseAddr(jinja.Str(in))
		return err == nil && ok(ip), nil
	}
}

// isMask says whether the ones of an address stand before its zeros, or behind.
func isMask(ip netip.Addr, host bool) bool {
	bits := strconv.FormatInt(toInt(ip).Int64(), 2)
	bits = strings.Repeat("0", 32-len(bits)) + bits
	if host {
		return strings.Contains(bits, "1") && !strings.Contains(bits, "10")
	}
	return !strings.Contains(bits, "01")
}

// inNetworks tests in how many of several networks a value lies; a most of -1
// stands for any number.
func inNetworks(least, most int) jinja.Test {
	return func(c *jinja.Call, in any) (bool, error) {
		a := take(c, "networks")
		a.need("networks")
		inner, ok := parseAddress(in)
		if a.err != nil || !ok {
			return false, a.err
		}
		n := 0
		for _, x := range a.list("networks") {
			if outer, ok := parseAddress(x); ok && contains(outer, inner) {
				n++
			}
		}
		return n >= least && (most < 0 || n <= most), nil
	}
}
