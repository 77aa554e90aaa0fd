package modules

import (
	"fmt"
	"strings"
	"testing"

	"mageprov/internal/module"
	"mageprov/internal/node"
)

// factShapes are the facts that Ansible gives on every Linux host, with their
// types: s text, i whole number, b boolean, l list, d dictionary.
const factShapes = `all_ipv4_addresses:l all_ipv6_addresses:l apparmor:d architecture:s bios_date:s bios_vendor:s bios_version:s
board_asset_tag:s board_name:s board_serial:s board_vendor:s board_version:s chassis_asset_tag:s chassis_serial:s
chassis_vendor:s chassis_version:s cmdline:d date_time:d default_ipv4:d default_ipv6:d device_links:d devices:d
distribution:s distribution_file_parsed:b distribution_file_path:s distribution_file_variety:s
distribution_major_version:s distribution_release:s distribution_version:s dns:d domain:s effective_group_id:i
effective_user_id:i env:d fibre_channel_wwn:l fips:b form_factor:s fqdn:s hostname:s hostnqn:s interfaces:l is_chroot:b
iscsi_iqn:s kernel:s kernel_version:s loadavg:d local:d lsb:d lvm:s machine:s memfree_mb:i memory_mb:d memtotal_mb:i
mounts:l nodename:s os_family:s pkg_mgr:s proc_cmdline:d processor:l processor_cores:i processor_count:i
processor_nproc:i processor_threads_per_core:i processor_vcpus:i product_name:s product_serial:s product_uuid:s
product_version:s real_group_id:i real_user_id:i selinux:d selinux_python_present:b service_mgr:s swapfree_mb:i
swaptotal_mb:i system:s system_capabilities:l system_capabilities_enforced:s system_vendor:s uptime_seconds:i user_dir:s
user_gecos:s user_gid:i user_id:s user_shell:s user_uid:i userspace_architecture:s userspace_bits:s virtualization_role:s
virtualization_tech_guest:l virtualization_tech_host:l virtualization_type:s`

// TestFactShapes gathers on the machine that runs the test.
func TestFactShapes(t *testing.T) {
	res := module.Run(t.Context(), newSetup(), node.NewLocal(node.LocalOptions{}), false)
	facts, ok := res.Return["ansible_facts"].(map[string]any)
	if !ok {
		t.Fatalf("%+v", res)
	}
	for _, f := range strings.Fields(factShapes) {
		name, want, _ := strings.Cut(f, ":")
		v, have := facts["ansible_"+name]
		if !have {
			t.Errorf("no fact %s", name)
			continue
		}
		got := map[bool]string{true: "i", false: fmt.Sprintf("%T", v)}[strings.HasPrefix(fmt.Sprintf("%T", v), "int")]
		switch v.(type) {
		case string:
			got = "s"
		case bool:
			got = "b"
		case []any:
			got = "l"
		case map[string]any:
			got = "d"
		}
		if got != want {
			t.Errorf("%s is of type %s, want %s", name, got, want)
		}
	}
}

// TestEveryFactHasOneCollector holds what lazy gathering relies on: asking for a
// fact by name gives the value that gathering all gives a type for.
func TestEveryFactHasOneCollector(t *testing.T) {
	n := node.NewLocal(node.LocalOptions{})
	for _, f := range strings.Fields(factShapes) {
		name, _, _ := strings.Cut(f, ":")
		if cs := collectorsFor(n, []string{name}); len(cs) != 1 {
			t.Errorf("%s comes from %d collectors", name, len(cs))
		}
	}
}

func TestGatherSubset(t *testing.T) {
	names := func(subset ...string) string {
		cs, err := chooseSubset(subset)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, c := range cs {
			if c.group != "min" {
				out = append(out, c.name)
			}
		}
		if len(cs) > len(out) {
			out = append([]string{"min"}, out...)
		}
		return strings.Join(out, " ")
	}
	all := names("all")
	for want, subset := range map[string][]string{
		"min": {"!all"}, "": {"!all", "!min"}, "min interfaces": {"network"}, "interfaces": {"!all", "!min", "network"},
		"min memory": {"memory"}, "min processor": {"processor_count"}, all: {"all", "!facter"},
	} {
		if got := names(subset...); got != want {
			t.Errorf("%q gives %q, want %q", subset, got, want)
		}
	}
	if got := names("!hardware"); strings.Contains(got, "memory") || !strings.Contains(got, "interfaces") {
		t.Errorf("!hardware gives %q", got)
	}
}
