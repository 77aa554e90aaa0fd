package template

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"net/netip"
	"strconv"
	"strings"

	"mageprov/internal/jinja"
)

// address is an IP address and the network it stands in. Without a prefix in
// the text the network is the address alone.
type address struct {
	netip.Prefix
	written bool // the text had a prefix
}

// parseAddress reads 10.0.0.1, 10.0.0.1/24, 10.0.0.1/255.255.255.0, fd00::1/64
// or a number.
func parseAddress(v any) (address, bool) {
	var text string
	switch v := v.(type) {
	case int64, *big.Int:
		text = jinja.Repr(v)
	case string:
		text = strings.TrimSpace(v)
	default:
		return address{}, false
	}
	host, mask, written := strings.Cut(text, "/")
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err != nil {
		n, ok := new(big.Int).SetString(host, 10)
		if !ok {
			return address{}, false
		}
		if ip, ok = fromInt(n, n.BitLen() <= 32); !ok {
			return address{}, false
		}
	}
	ip = ip.WithZone("")
	bits := ip.BitLen()
	if written {
		if n, err := strconv.Atoi(mask); err == nil {
			bits = n
		} else if bits, err = maskBits(mask); err != nil {
			return address{}, false
		}
	}
	p := netip.PrefixFrom(ip, bits)
	return address{p, written}, p.IsValid()
}

// maskBits counts the ones of a netmask.
func maskBits(mask string) (int, error) {
	m, err := netip.ParseAddr(mask)
	if err != nil {
		return 0, err
	}
	n := toInt(m)
	bits := 0
	for bits < m.BitLen() && n.Bit(m.BitLen()-1-bits) == 1 {
		bits++
	}
	if back, _ := fromInt(maskInt(bits, m.BitLen()), m.Is4()); back != m {
		return 0, fmt.Errorf("%s is not a netmask", mask)
	}
	return bits, nil
}

func maskInt(ones, bits int) *big.Int {
	all := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(bits)), big.NewInt(1))
	low := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(bits-ones)), big.NewInt(1))
	return all.Sub(all, low)
}

func toInt(ip netip.Addr) *big.Int { return new(big.Int).SetBytes(ip.AsSlice()) }

// fromInt gives the address with that number; ok is false when it is out of range.
func fromInt(n *big.Int, v4 bool) (ip netip.Addr, ok bool) {
	if n.Sign() < 0 {
		return netip.Addr{}, false
	}
	if v4 {
		if n.BitLen() > 32 {
			return netip.Addr{}, false
		}
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(n.Uint64()))
		return netip.AddrFrom4(b), true
	}
	if n.BitLen() > 128 {
		return netip.Addr{}, false
	}
	var b [16]byte
	n.FillBytes(b[:])
	return netip.AddrFrom16(b), true
}

func (a address) hostBits() int { return a.Addr().BitLen() - a.Bits() }

func (a address) size() *big.Int { return new(big.Int).Lsh(big.NewInt(1), uint(a.hostBits())) }

func (a address) network() netip.Addr { return a.Masked().Addr() }

func (a address) mask() netip.Addr {
	m, _ := fromInt(maskInt(a.Bits(), a.Addr().BitLen()), a.Addr().Is4())
	return m
}

func (a address) hostmask() netip.Addr {
	n := new(big.Int).Sub(a.size(), big.NewInt(1))
	m, _ := fromInt(n, a.Addr().Is4())
	return m
}

// isNetwork says that the text names a network, not a host in it.
func (a address) isNetwork() bool { return a.hostBits() > 0 && a.Addr() == a.network() }

// plus moves an address by n; ok is false beyond the ends of the address space.
func plus(ip netip.Addr, n *big.Int) (netip.Addr, bool) {
	return fromInt(new(big.Int).Add(toInt(ip), n), ip.Is4())
}

// nth gives address n of the network, counted from its end when negative; ok
// is false outside of it.
func (a address) nth(n *big.Int) (netip.Addr, bool) {
	i := new(big.Int).Set(n)
	if i.Sign() < 0 {
		i.Add(i, a.size())
	}
	if i.Sign() < 0 || i.Cmp(a.size()) >= 0 {
		return netip.Addr{}, false
	}
	return plus(a.network(), i)
}

// usable gives the first and last address a host may have.
func (a address) usable() (first, last netip.Addr, ok bool) {
	switch {
	case a.hostBits() == 0:
		return first, last, false
	case a.hostBits() == 1:
		last, _ = a.nth(big.NewInt(1))
		return a.network(), last, true
	}
	first, _ = a.nth(big.NewInt(1))
	last, _ = a.nth(big.NewInt(-2))
	return first, last, true
}

// reverseName is the name of the address for the DNS's reverse lookup.
func reverseName(ip netip.Addr) string {
	var b strings.Builder
	raw := ip.AsSlice()
	for i := len(raw) - 1; i >= 0; i-- {
		if ip.Is4() {
			fmt.Fprintf(&b, "%d.", raw[i])
		} else {
			fmt.Fprintf(&b, "%x.%x.", raw[i]&15, raw[i]>>4)
		}
	}
	if ip.Is4() {
		return b.String() + "in-addr.arpa."
	}
	return b.String() + "ip6.arpa."
}
