package modules

import (
	"bytes"
	"context"
	"net"
	"path"
	"strconv"
	"strings"
	"syscall"

	"mageprov/internal/node"
	"mageprov/internal/pyre"
)

func systemCollectors() []collector {
	return []collector{
		{"platform", "min", []string{"system", "kernel", "kernel_version", "machine", "architecture", "hostname", "nodename",
			"userspace_bits", "userspace_architecture", "machine_id"}, platformFacts},
		{"fqdn", "min", []string{"fqdn", "domain"}, fqdnFacts},
		{"distribution", "min", []string{"distribution", "distribution_*", "os_family"}, distributionFacts},
		{"pkg_mgr", "min", []string{"pkg_mgr"}, pkgMgrFacts},
		{"service_mgr", "min", []string{"service_mgr"}, serviceMgrFacts},
		{"lsb", "min", []string{"lsb"}, lsbFacts},
		{"python", "min", []string{"python", "python_version"}, pythonFacts},
		{"cmdline", "min", []string{"cmdline", "proc_cmdline"}, cmdlineFacts},
		{"dns", "min", []string{"dns"}, dnsFacts},
		{"local", "min", []string{"local"}, localFacts},
		{"chroot", "", []string{"is_chroot"}, chrootFacts},
		{"loadavg", "", []string{"loadavg"}, loadavgFacts},
	}
}

func platformFacts(_ context.Context, g *gathering) {
	f := g.facts
	machine := unameMachine()
	f["system"] = g.textOr("/proc/sys/kernel/ostype", "Linux")
	f["kernel"], _ = g.text("/proc/sys/kernel/osrelease")
	f["kernel_version"], _ = g.text("/proc/sys/kernel/version")
	f["machine"], f["architecture"] = machine, machine
	f["userspace_bits"], f["userspace_architecture"] = strconv.Itoa(strconv.IntSize), machine
	node := nodename(g)
	f["nodename"] = node
	f["hostname"], _, _ = strings.Cut(node, ".")
	if id, ok := g.text("/var/lib/dbus/machine-id"); ok {
		f["machine_id"] = id
	} else if id, ok := g.text("/etc/machine-id"); ok {
		f["machine_id"] = id
	}
}

func nodename(g *gathering) string { return g.textOr("/proc/sys/kernel/hostname", "localhost") }

// fqdnFacts asks /etc/hosts before the name servers: in a closed network a
// question that nobody answers costs seconds.
func fqdnFacts(ctx context.Context, g *gathering) {
	host := nodename(g)
	name := fqdnFromHosts(g, host)
	if name == "" {
		name = host
		r := net.Resolver{}
		if addrs, err := r.LookupHost(ctx, host); err == nil && len(addrs) > 0 {
			if names, err := r.LookupAddr(ctx, addrs[0]); err == nil && len(names) > 0 {
				name = firstDotted(names, strings.TrimSuffix(names[0], "."))
			}
		}
	}
	g.facts["fqdn"] = name
	_, g.facts["domain"], _ = strings.Cut(name, ".")
}

func fqdnFromHosts(g *gathering, host string) string {
	if strings.Contains(host, ".") {
		return host
	}
	text, _ := g.text("/etc/hosts")
	for _, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		names := strings.Fields(line)
		if len(names) < 2 {
			continue
		}
		for _, n := range names[1:] {
			if strings.EqualFold(n, host) {
				return firstDotted(names[1:], names[1])
			}
		}
	}
	return ""
}

func firstDotted(names []string, fallback string) string {
	for _, n := range names {
		if n = strings.TrimSuffix(n, "."); strings.Contains(n, ".") {
			return n
		}
	}
	return fallback
}

func pkgMgrFacts(_ context.Context, g *gathering) {
	g.facts["pkg_mgr"] = "unknown"
	for _, p := range [][2]string{
		{"/usr/bin/apt-get", "apt"}, {"/usr/bin/dnf5", "dnf5"}, {"/usr/bin/dnf-3", "dnf"}, {"/usr/bin/dnf", "dnf"},
		{"/usr/bin/yum", "yum"}, {"/usr/bin/zypper", "zypper"}, {"/usr/bin/pacman", "pacman"}, {"/sbin/apk", "apk"},
		{"/usr/bin/emerge", "portage"}, {"/usr/bin/xbps-install", "xbps"}, {"/run/current-system/sw/bin/nix-env", "nix"},
	} {
		if g.exists(p[0]) {
			g.facts["pkg_mgr"] = p[1]
			return
		}
	}
}

func serviceMgrFacts(_ context.Context, g *gathering) {
	comm := g.textOr("/proc/1/comm", "")
	name := path.Base(comm)
	switch {
	case name == "systemd" || g.exists("/run/systemd/system"):
		name = "systemd"
	case name == "runit-init":
		name = "runit"
	case name == "openrc-init", name == "init" && g.exists("/sbin/openrc"):
		name = "openrc"
	case name == "s6-svscan":
		name = "s6"
	case name == "init" && g.exists("/sbin/initctl"):
		name = "upstart"
	case name == "init" && g.exists("/etc/init.d"):
		name = "sysvinit"
	case name == "init", name == "", name == ".", strings.HasSuffix(name, "sh"):
		name = "service"
	}
	g.facts["service_mgr"] = name
}

func lsbFacts(_ context.Context, g *gathering) {
	lsb := map[string]any{}
	rel := readAssignments(g, "/etc/lsb-release")
	if rel["DISTRIB_ID"] == "" {
		if _, err := g.node.LookPath("lsb_release"); err != nil {
			g.facts["lsb"] = lsb
			return
		}
		os := readAssignments(g, "/etc/os-release")
		rel = map[string]string{"DISTRIB_RELEASE": os["VERSION_ID"], "DISTRIB_CODENAME": os["VERSION_CODENAME"],
			"DISTRIB_DESCRIPTION": os["PRETTY_NAME"], "DISTRIB_ID": distributionName(os["ID"], os["NAME"])}
	}
	lsb["id"], lsb["release"] = rel["DISTRIB_ID"], rel["DISTRIB_RELEASE"]
	lsb["codename"], lsb["description"] = rel["DISTRIB_CODENAME"], rel["DISTRIB_DESCRIPTION"]
	lsb["major_release"], _, _ = strings.Cut(rel["DISTRIB_RELEASE"], ".")
	g.facts["lsb"] = lsb
}

// pythonFacts describes the node's own Python, which nothing here needs: roles
// choose package names by it. Without one the facts are absent.
func pythonFacts(ctx context.Context, g *gathering) {
	exe, err := g.node.LookPath("python3")
	if err != nil {
		return
	}
	version := g.packagedPython(exe)
	if version == "" {
		res, err := g.node.Query(ctx, node.Command{Argv: []string{exe, "--version"}})
		if err != nil || res.RC != 0 {
			return
		}
		version = strings.TrimSpace(strings.TrimPrefix(string(res.Stdout), "Python "))
	}
	nums := make([]any, 3)
	for i, s := range strings.SplitN(version+".0.0", ".", 4)[:3] {
		x, _ := strconv.Atoi(strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyz+"))
		nums[i] = x
	}
	g.facts["python_version"] = version
	g.facts["python"] = map[string]any{
		"executable": exe, "has_sslcontext": true, "type": "cpython",
		"version":      map[string]any{"major": nums[0], "minor": nums[1], "micro": nums[2], "releaselevel": "final", "serial": 0},
		"version_info": append(nums, "final", 0),
	}
}

// releasedVersion is the upstream part of a Debian version that a final release has.
var releasedVersion = pyre.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+\Z`)

// packagedPython asks dpkg's status file for the version of the distribution's
// Python, which takes a tenth of the time that starting it does; "" if exe is
// another one or no final release.
func (g *gathering) packagedPython(exe string) string {
	real, err := g.node.EvalSymlinks(exe)
	if err != nil || path.Dir(real) != "/usr/bin" {
		return ""
	}
	status, err := g.node.ReadFile("/var/lib/dpkg/status")
	if err != nil {
		return ""
	}
	_, entry, _ := bytes.Cut(status, []byte("\nPackage: "+path.Base(real)+"-minimal\nStatus: install ok installed\n"))
	entry, _, _ = bytes.Cut(entry, []byte("\n\n"))
	_, version, _ := bytes.Cut(entry, []byte("\nVersion: "))
	version, _, _ = bytes.Cut(version, []byte("\n"))
	upstream, _, _ := strings.Cut(string(version), "-")
	if !releasedVersion.MatchString(upstream) {
		return ""
	}
	return upstream
}

// cmdlineFacts splits the kernel's command line: cmdline keeps the last value
// of a repeated name, proc_cmdline all of them.
func cmdlineFacts(_ context.Context, g *gathering) {
	text, ok := g.text("/proc/cmdline")
	if !ok {
		return
	}
	words, err := splitArgv(text)
	if err != nil {
		words = strings.Fields(text)
	}
	last, all := map[string]any{}, map[string]any{}
	for _, w := range words {
		var v any = true
		k, val, has := strings.Cut(w, "=")
		if has {
			v = val
		}
		last[k] = v
		switch have := all[k].(type) {
		case nil:
			all[k] = v
		case []any:
			all[k] = append(have, v)
		default:
			all[k] = []any{have, v}
		}
	}
	g.facts["cmdline"], g.facts["proc_cmdline"] = last, all
}

func dnsFacts(_ context.Context, g *gathering) {
	dns := map[string]any{}
	text, _ := g.text("/etc/resolv.conf")
	for _, line := range strings.Split(text, "\n") {
		w := strings.Fields(line)
		if len(w) < 2 || strings.HasPrefix(w[0], "#") || strings.HasPrefix(w[0], ";") {
			continue
		}
		switch w[0] {
		case "nameserver":
			have, _ := dns["nameservers"].([]any)
			dns["nameservers"] = append(have, anyList(w[1:])...)
		case "domain":
			dns["domain"] = w[1]
		case "search", "sortlist":
			dns[w[0]] = anyList(w[1:])
		case "options":
			opts := map[string]any{}
			for _, o := range w[1:] {
				k, v, has := strings.Cut(o, ":")
				opts[k] = any(true)
				if has {
					opts[k] = v
				}
			}
			dns["options"] = opts
		}
	}
	g.facts["dns"] = dns
}

func chrootFacts(_ context.Context, g *gathering) {
	chroot := g.node.Getenv("debian_chroot") != ""
	own, err1 := g.node.Stat("/")
	init, err2 := g.node.Stat("/proc/1/root/.")
	switch {
	case err1 == nil && err2 == nil:
		chroot = chroot || own.Inode != init.Inode || own.Dev != init.Dev
	case err1 == nil: // not root: the root directory of a file system has a known number
		chroot = chroot || own.Inode != 2 && own.Inode != 128 && own.Inode != 256
	}
	g.facts["is_chroot"] = chroot
}

func loadavgFacts(_ context.Context, g *gathering) {
	text, _ := g.text("/proc/loadavg")
	w := strings.Fields(text)
	if len(w) < 3 {
		return
	}
	avg := map[string]any{}
	for i, name := range []string{"1m", "5m", "15m"} {
		avg[name], _ = strconv.ParseFloat(w[i], 64)
	}
	g.facts["loadavg"] = avg
}

func unameMachine() string {
	var u syscall.Utsname
	if syscall.Uname(&u) != nil {
		return "unknown"
	}
	b := make([]byte, 0, len(u.Machine))
	for _, c := range u.Machine {
		if c == 0 {
			break
		}
		b = append(b, byte(c))
	}
	return string(b)
}
