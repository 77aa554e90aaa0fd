package modules

import (
	"context"
	"strings"
)

func virtualCollector() collector {
	return collector{"virtual", "virtual", []string{"virtualization_*"}, virtualFacts}
}

// virtualFacts finds what the node runs in (guest) and what it could run (host).
// The innermost layer names the type: a container in a KVM guest is a container.
func virtualFacts(_ context.Context, g *gathering) {
	guests, hosts := []any{}, []any{}
	if c := g.containerType(); c != "" {
		guests = append(guests, c, "container")
	}
	if v := g.machineType(); v != "" {
		guests = append(guests, v)
	}
	modules, _ := g.text("/proc/modules")
	modules = "\n" + modules
	if g.exists("/dev/kvm") || strings.Contains(modules, "\nkvm ") {
		hosts = append(hosts, "kvm")
	}
	if strings.Contains(modules, "\nvboxdrv ") {
		hosts = append(hosts, "virtualbox")
	}
	f := g.facts
	f["virtualization_tech_guest"], f["virtualization_tech_host"] = guests, hosts
	f["virtualization_type"], f["virtualization_role"] = "NA", "NA"
	switch {
	case len(guests) > 0:
		f["virtualization_type"], f["virtualization_role"] = guests[0], "guest"
	case len(hosts) > 0:
		f["virtualization_type"], f["virtualization_role"] = hosts[0], "host"
	}
}

func (g *gathering) containerType() string {
	environ, _ := g.node.ReadFile("/proc/1/environ")
	name := ""
	for _, kv := range strings.Split(string(environ), "\x00") {
		if v, ok := strings.CutPrefix(kv, "container="); ok {
			name = v
		}
	}
	if s, ok := g.text("/run/systemd/container"); ok && s != "" {
		name = s
	}
	cgroup, _ := g.text("/proc/1/cgroup")
	switch {
	case name == "podman", g.exists("/run/.containerenv"):
		return "podman"
	case name == "docker", g.exists("/.dockerenv"), strings.Contains(cgroup, "/docker"):
		return "docker"
	case name == "lxc" || strings.Contains(cgroup, "/lxc/"):
		return "lxc"
	case strings.Contains(cgroup, "kubepods"):
		return "containerd"
	case g.exists("/proc/vz") && !g.exists("/proc/bc"):
		return "openvz"
	}
	return name
}

// machineType reads the firmware's names of the maker and the product.
func (g *gathering) machineType() string {
	product := g.textOr("/sys/class/dmi/id/product_name", "")
	vendor := g.textOr("/sys/class/dmi/id/sys_vendor", "")
	bios := g.textOr("/sys/class/dmi/id/bios_vendor", "")
	family := g.textOr("/sys/class/dmi/id/product_family", "")
	switch {
	case product == "RHEV Hypervisor" || family == "RHV" || product == "oVirt Node":
		return "RHEV"
	case strings.HasPrefix(product, "OpenStack"):
		return "openstack"
	case strings.HasPrefix(product, "VMware"), strings.HasPrefix(vendor, "VMware"):
		return "VMware"
	case product == "VirtualBox", bios == "innotek GmbH":
		return "virtualbox"
	case bios == "Xen", product == "HVM domU":
		return "xen"
	case vendor == "Microsoft Corporation" && product == "Virtual Machine":
		return "VirtualPC"
	case strings.HasPrefix(vendor, "Parallels"):
		return "parallels"
	case strings.HasPrefix(product, "KVM"), product == "Bochs", product == "AHV", vendor == "QEMU", vendor == "Amazon EC2",
		vendor == "Google", vendor == "DigitalOcean", vendor == "Hetzner", vendor == "Nutanix":
		return "kvm"
	}
	if s, ok := g.text("/sys/hypervisor/type"); ok && s == "xen" {
		return "xen"
	}
	cpu, _ := g.text("/proc/cpuinfo")
	if strings.Contains(cpu, "QEMU Virtual CPU") {
		return "kvm"
	}
	return ""
}
