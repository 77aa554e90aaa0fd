package modules

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"syscall"

	"mageprov/internal/node"
)

func networkCollectors() []collector {
	return []collector{{"interfaces", "network", []string{"interfaces", "default_ipv4", "default_ipv6",
		"all_ipv4_addresses", "all_ipv6_addresses"}, networkFacts}}
}

// factKey is the name of an interface as a fact: what is no letter of a
// variable name becomes an underscore.
func factKey(iface string) string {
	return strings.NewReplacer("-", "_", ":", "_", ".", "_").Replace(iface)
}

func isInterface(n node.Reader, key string) bool {
	entries, _ := n.ReadDir("/sys/class/net")
	for _, e := range entries {
		if factKey(path.Base(e.Path)) == key {
			return true
		}
	}
	return false
}

// ifAddr is an address of an interface, as the kernel gives it.
type ifAddr struct {
	Index     int
	Prefix    netip.Prefix // the address with its length
	Scope     byte
	Secondary bool
	Broadcast string
	Label     string
}

// readAddrs asks the kernel for all addresses: no file under /proc lists them with their scopes.
func readAddrs() []ifAddr {
	rib, err := syscall.NetlinkRIB(syscall.RTM_GETADDR, syscall.AF_UNSPEC)
	if err != nil {
		return nil
	}
	msgs, err := syscall.ParseNetlinkMessage(rib)
	if err != nil {
		return nil
	}
	var out []ifAddr
	for _, m := range msgs {
		if m.Header.Type != syscall.RTM_NEWADDR || len(m.Data) < syscall.SizeofIfAddrmsg {
			continue
		}
		attrs, err := syscall.ParseNetlinkRouteAttr(&m)
		if err != nil {
			continue
		}
		a := ifAddr{Index: int(binary.NativeEndian.Uint32(m.Data[4:8])), Scope: m.Data[3], Secondary: m.Data[2]&syscall.IFA_F_SECONDARY != 0}
		var addr, local netip.Addr
		for _, at := range attrs {
			switch at.Attr.Type {
			case syscall.IFA_ADDRESS:
				addr, _ = netip.AddrFromSlice(at.Value)
			case syscall.IFA_LOCAL:
				local, _ = netip.AddrFromSlice(at.Value)
			case syscall.IFA_BROADCAST:
				if b, ok := netip.AddrFromSlice(at.Value); ok {
					a.Broadcast = b.String()
				}
			case syscall.IFA_LABEL:
				a.Label = strings.TrimRight(string(at.Value), "\x00")
			}
		}
		if local.IsValid() {
			addr = local
		}
		if addr.IsValid() {
			a.Prefix = netip.PrefixFrom(addr, int(m.Data[1]))
			out = append(out, a)
		}
	}
	return out
}

func networkFacts(_ context.Context, g *gathering) {
	byIndex := map[int]string{}
	ifaces := map[string]map[string]any{}
	names := []any{}
	for _, name := range g.names("/sys/class/net") {
		f, ok := g.iface(name)
		if !ok {
			continue
		}
		ifaces[name] = f
		names = append(names, name)
		byIndex[atoiOr(g.textOr("/sys/class/net/"+name+"/ifindex", ""), 0)] = name
	}
	v4, v6 := []any{}, []any{}
	addrs := readAddrs()
	for _, a := range addrs {
		name := byIndex[a.Index]
		f := ifaces[name]
		if f == nil {
			continue
		}
		ip := a.Prefix.Addr()
		if ip.Is4() {
			addIPv4(f, a)
			if !ip.IsLoopback() {
				v4 = append(v4, ip.String())
			}
			continue
		}
		have, _ := f["ipv6"].([]any)
		f["ipv6"] = append(have, ipv6Fact(a))
		if !ip.IsLoopback() {
			v6 = append(v6, ip.String())
		}
	}
	for name, f := range ifaces {
		g.facts[factKey(name)] = f
	}
	g.facts["interfaces"], g.facts["all_ipv4_addresses"], g.facts["all_ipv6_addresses"] = names, v4, v6
	g.facts["default_ipv4"] = g.defaultRoute(ifaces, addrs, byIndex, false)
	g.facts["default_ipv6"] = g.defaultRoute(ifaces, addrs, byIndex, true)
}

func ipv6Fact(a ifAddr) map[string]any {
	return map[string]any{"address": a.Prefix.Addr().String(), "prefix": strconv.Itoa(a.Prefix.Bits()), "scope": scopeName(a.Scope)}
}

func ipv4Fact(a ifAddr) map[string]any {
	bits := a.Prefix.Bits()
	mask := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(uint64(0xffffffff)<<(32-bits)))))
	return map[string]any{"address": a.Prefix.Addr().String(), "netmask": mask.String(), "network": a.Prefix.Masked().Addr().String(),
		"broadcast": a.Broadcast, "prefix": strconv.Itoa(bits)}
}

// addIPv4 makes the first address the interface's own and lists the others as secondaries.
func addIPv4(f map[string]any, a ifAddr) {
	if _, ok := f["ipv4"]; !ok {
		f["ipv4"] = ipv4Fact(a)
		return
	}
	have, _ := f["ipv4_secondaries"].([]any)
	f["ipv4_secondaries"] = append(have, ipv4Fact(a))
}

func scopeName(s byte) string {
	switch s {
	case 0:
		return "global"
	case 200:
		return "site"
	case 253:
		return "link"
	case 254:
		return "host"
	}
	return "unknown"
}

// iface reads what /sys knows of an interface.
func (g *gathering) iface(name string) (map[string]any, bool) {
	dir := "/sys/class/net/" + name
	if !g.exists(dir + "/mtu") {
		return nil, false
	}
	flags, _ := strconv.ParseUint(g.textOr(dir+"/flags", "0"), 0, 32)
	f := map[string]any{
		"device": name, "mtu": atoiOr(g.textOr(dir+"/mtu", ""), 0), "promisc": flags&0x100 != 0,
		"active": g.textOr(dir+"/operstate", "") != "down", "type": ifaceType(g.textOr(dir+"/type", "")),
	}
	if mac := g.textOr(dir+"/address", ""); mac != "" && mac != "00:00:00:00:00:00" {
		f["macaddress"] = mac
	}
	if speed, ok := g.text(dir + "/speed"); ok {
		if n, err := strconv.Atoi(speed); err == nil {
			f["speed"] = n
		}
	}
	if real, err := g.node.EvalSymlinks(dir + "/device"); err == nil {
		f["pciid"] = path.Base(real)
	}
	if real, err := g.node.EvalSymlinks(dir + "/device/driver/module"); err == nil {
		f["module"] = path.Base(real)
	}
	if g.exists(dir + "/bridge") {
		f["type"], f["interfaces"] = "bridge", anyList(g.names(dir+"/brif"))
		f["id"], f["stp"] = g.textOr(dir+"/bridge/bridge_id", ""), g.textOr(dir+"/bridge/stp_state", "") == "1"
	}
	if g.exists(dir + "/bonding") {
		f["type"] = "bonding"
		f["slaves"] = anyList(strings.Fields(g.textOr(dir+"/bonding/slaves", "")))
		f["mode"], _, _ = strings.Cut(g.textOr(dir+"/bonding/mode", ""), " ")
		f["miimon"] = g.textOr(dir+"/bonding/miimon", "")
		f["lacp_rate"], _, _ = strings.Cut(g.textOr(dir+"/bonding/lacp_rate", ""), " ")
		if p, ok := g.text(dir + "/bonding/primary"); ok && p != "" {
			f["primary"] = p
			f["all_slaves_active"] = g.textOr(dir+"/bonding/all_slaves_active", "") == "1"
		}
	}
	return f, true
}

func ifaceType(n string) string {
	switch n {
	case "1":
		return "ether"
	case "32":
		return "infiniband"
	case "512":
		return "ppp"
	case "768", "769", "776", "778", "65534":
		return "tunnel"
	case "772":
		return "loopback"
	}
	return "unknown"
}

// defaultRoute describes the interface and address by which the node reaches
// the world; it is empty where there is no default route.
func (g *gathering) defaultRoute(ifaces map[string]map[string]any, addrs []ifAddr, byIndex map[int]string, six bool) map[string]any {
	name, gateway := g.gateway4()
	if six {
		name, gateway = g.gateway6()
	}
	f := ifaces[name]
	if f == nil {
		return map[string]any{}
	}
	d := map[string]any{"interface": name, "gateway": gateway, "mtu": f["mtu"], "type": f["type"]}
	if mac, ok := f["macaddress"]; ok {
		d["macaddress"] = mac
	}
	for _, a := range addrs {
		ip := a.Prefix.Addr()
		if byIndex[a.Index] != name || ip.Is4() == six || six && (ip.IsLinkLocalUnicast() || a.Scope != 0) {
			continue
		}
		fact := ipv6Fact(a)
		if !six {
			fact = ipv4Fact(a)
			fact["alias"] = a.Label
		}
		for k, v := range fact {
			d[k] = v
		}
		return d
	}
	return map[string]any{}
}

// gateway4 reads the default route of lowest metric from /proc/net/route.
func (g *gathering) gateway4() (iface, gateway string) {
	text, _ := g.text("/proc/net/route")
	best := -1
	for _, line := range strings.Split(text, "\n") {
		w := strings.Fields(line)
		if len(w) < 8 || w[1] != "00000000" || w[7] != "00000000" {
			continue
		}
		metric, err := strconv.Atoi(w[6])
		raw, err2 := strconv.ParseUint(w[2], 16, 32)
		if err != nil || err2 != nil || best >= 0 && metric >= best {
			continue
		}
		best, iface = metric, w[0]
		gateway = netip.AddrFrom4([4]byte(binary.NativeEndian.AppendUint32(nil, uint32(raw)))).String()
	}
	return iface, gateway
}

func (g *gathering) gateway6() (iface, gateway string) {
	text, _ := g.text("/proc/net/ipv6_route")
	best := uint64(1) << 32
	for _, line := range strings.Split(text, "\n") {
		w := strings.Fields(line)
		if len(w) < 10 || strings.Trim(w[0], "0") != "" || w[1] != "00" || w[9] == "lo" {
			continue
		}
		metric, err := strconv.ParseUint(w[5], 16, 32)
		raw, err2 := hex.DecodeString(w[4])
		if err != nil || err2 != nil || len(raw) != 16 || metric >= best {
			continue
		}
		best, iface, gateway = metric, w[9], netip.AddrFrom16([16]byte(raw)).String()
	}
	return iface, gateway
}
