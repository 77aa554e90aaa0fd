package modules

import (
	"context"
	"strings"
)

// distributionName gives Ansible's name for the ID of os-release where it is
// not the NAME itself.
func distributionName(id, name string) string {
	switch id {
	case "ubuntu":
		return "Ubuntu"
	case "debian", "raspbian":
		return "Debian"
	case "rhel":
		return "RedHat"
	case "centos":
		return "CentOS"
	case "rocky":
		return "Rocky"
	case "almalinux":
		return "AlmaLinux"
	case "fedora":
		return "Fedora"
	case "ol":
		return "OracleLinux"
	case "amzn":
		return "Amazon"
	case "sles":
		return "SLES"
	case "sled":
		return "SLED"
	case "opensuse-leap":
		return "openSUSE Leap"
	case "opensuse-tumbleweed":
		return "openSUSE Tumbleweed"
	case "arch":
		return "Archlinux"
	case "alpine":
		return "Alpine"
	case "kali":
		return "Kali"
	case "linuxmint":
		return "Linux Mint"
	case "gentoo":
		return "Gentoo"
	case "":
		return "Linux"
	}
	return strings.Trim(name, " ")
}

func osFamily(id, like string) string {
	for _, s := range append([]string{id}, strings.Fields(like)...) {
		switch s {
		case "debian", "ubuntu", "raspbian", "kali", "linuxmint", "pop":
			return "Debian"
		case "rhel", "centos", "fedora", "rocky", "almalinux", "ol", "amzn":
			return "RedHat"
		case "suse", "sles", "sled", "opensuse", "opensuse-leap", "opensuse-tumbleweed":
			return "Suse"
		case "arch":
			return "Archlinux"
		case "alpine":
			return "Alpine"
		case "gentoo":
			return "Gentoo"
		}
	}
	return ""
}

func distributionFacts(_ context.Context, g *gathering) {
	f := g.facts
	path := "/etc/os-release"
	rel := readAssignments(g, path)
	if len(rel) == 0 {
		path = "/usr/lib/os-release"
		rel = readAssignments(g, path)
	}
	name := distributionName(rel["ID"], rel["NAME"])
	family := osFamily(rel["ID"], rel["ID_LIKE"])
	if family == "" {
		family = name
	}
	version, release := rel["VERSION_ID"], rel["VERSION_CODENAME"]
	if name == "Debian" {
		if v, ok := g.text("/etc/debian_version"); ok && v != "" && v[0] >= '0' && v[0] <= '9' {
			version = v
		}
	}
	if release == "" { // Red Hat: VERSION="9.4 (Plow)"
		if _, r, ok := strings.Cut(rel["VERSION"], "("); ok {
			release = strings.TrimSuffix(r, ")")
		}
	}
	major, minor, dotted := strings.Cut(version, ".")
	f["distribution"], f["os_family"] = name, family
	f["distribution_version"], f["distribution_release"] = orNA(version), orNA(release)
	f["distribution_major_version"] = orNA(major)
	if dotted && name != "Ubuntu" {
		f["distribution_minor_version"] = minor
	}
	f["distribution_file_parsed"], f["distribution_file_path"] = len(rel) > 0, path
	f["distribution_file_variety"] = family
}

func orNA(s string) string {
	if s == "" {
		return "NA"
	}
	return s
}

// readAssignments reads NAME=value lines as os-release has them.
func readAssignments(g *gathering, file string) map[string]string {
	text, _ := g.text(file)
	out := map[string]string{}
	for _, line := range strings.Split(text, "\n") {
		k, v, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.HasPrefix(k, "#") {
			continue
		}
		if words, err := splitArgv(v); err == nil {
			v = strings.Join(words, " ")
		}
		out[k] = v
	}
	return out
}
