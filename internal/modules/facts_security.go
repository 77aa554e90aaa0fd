package modules

import (
	"context"
	"strconv"
	"strings"
)

func securityCollectors() []collector {
	return []collector{
		{"selinux", "min", []string{"selinux", "selinux_python_present"}, selinuxFacts},
		{"apparmor", "min", []string{"apparmor"}, apparmorFacts},
		{"fips", "min", []string{"fips"}, fipsFacts},
		{"caps", "min", []string{"system_capabilities", "system_capabilities_enforced"}, capsFacts},
		{"ssh_pub_keys", "min", []string{"ssh_host_key_*"}, sshKeyFacts},
	}
}

// selinuxFacts reads the kernel's own files, so no Python binding is missing.
func selinuxFacts(_ context.Context, g *gathering) {
	g.facts["selinux_python_present"] = true
	se := map[string]any{"status": "disabled"}
	g.facts["selinux"] = se
	enforce, ok := g.text("/sys/fs/selinux/enforce")
	if !ok {
		return
	}
	se["status"], se["mode"] = "enabled", "permissive"
	if enforce == "1" {
		se["mode"] = "enforcing"
	}
	se["policyvers"] = "unknown"
	if v, err := strconv.Atoi(g.textOr("/sys/fs/selinux/policyvers", "")); err == nil {
		se["policyvers"] = v
	}
	conf := readAssignments(g, "/etc/selinux/config")
	se["config_mode"], se["type"] = orUnknown(conf["SELINUX"]), orUnknown(conf["SELINUXTYPE"])
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

func apparmorFacts(_ context.Context, g *gathering) {
	status := "disabled"
	if g.exists("/sys/kernel/security/apparmor") {
		status = "enabled"
	}
	g.facts["apparmor"] = map[string]any{"status": status}
}

func fipsFacts(_ context.Context, g *gathering) {
	s, _ := g.text("/proc/sys/crypto/fips_enabled")
	g.facts["fips"] = s == "1"
}

// capsFacts names the effective capabilities of the worker when it lacks some.
func capsFacts(_ context.Context, g *gathering) {
	text, ok := g.text("/proc/self/status")
	if !ok {
		return
	}
	_, rest, _ := strings.Cut(text, "CapEff:")
	line, _, _ := strings.Cut(rest, "\n")
	have, err := strconv.ParseUint(strings.TrimSpace(line), 16, 64)
	if err != nil {
		return
	}
	last, _ := strconv.Atoi(g.textOr("/proc/sys/kernel/cap_last_cap", "40"))
	caps := []any{}
	if have == 1<<(last+1)-1 {
		g.facts["system_capabilities"], g.facts["system_capabilities_enforced"] = caps, "False"
		return
	}
	names := strings.Fields(capabilityNames)
	for i := 0; i <= last; i++ {
		if have&(1<<i) == 0 {
			continue
		}
		name := "cap_" + strconv.Itoa(i)
		if i < len(names) {
			name = "cap_" + names[i]
		}
		caps = append(caps, name)
	}
	g.facts["system_capabilities"], g.facts["system_capabilities_enforced"] = caps, "True"
}

const capabilityNames = `chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable
net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct
sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override
mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore`

func sshKeyFacts(_ context.Context, g *gathering) {
	for _, dir := range []string{"/etc/ssh", "/etc/openssh", "/etc"} {
		found := false
		for _, algo := range []string{"dsa", "rsa", "ecdsa", "ed25519"} {
			text, ok := g.text(dir + "/ssh_host_" + algo + "_key.pub")
			if w := strings.Fields(text); ok && len(w) >= 2 {
				name := "ssh_host_key_" + algo + "_public"
				g.facts[name+"_keytype"], g.facts[name] = w[0], w[1]
				found = true
			}
		}
		if found {
			return
		}
	}
}
