package vars

import "strings"

// magicNames are variables that nobody sets: the run, the host and the task do.
var magicNames = map[string]bool{
	"omit": true, "groups": true, "hostvars": true, "vars": true, "inventory_hostname": true, "inventory_hostname_short": true,
	"group_names": true, "inventory_file": true, "inventory_dir": true, "ansible_facts": true, "play_hosts": true, "playbook_dir": true,
	"role_name": true, "role_names": true, "role_path": true, "environment": true, "ansible_check_mode": true, "ansible_diff_mode": true,
	"ansible_forks": true, "ansible_verbosity": true, "ansible_run_tags": true, "ansible_skip_tags": true, "ansible_inventory_sources": true,
	"ansible_limit": true, "ansible_version": true, "ansible_play_hosts_all": true, "ansible_play_hosts": true, "ansible_play_batch": true,
	"ansible_play_name": true, "ansible_search_path": true, "ansible_play_role_names": true, "ansible_dependent_role_names": true,
	"ansible_role_names": true, "ansible_role_name": true, "ansible_parent_role_names": true, "ansible_parent_role_paths": true,
	"ansible_managed": true, "ansible_playbook_python": true, "ansible_config_file": true, "ansible_failed_task": true,
	"ansible_failed_result": true, "ansible_loop": true, "ansible_loop_var": true, "ansible_index_var": true, "ansible_collection_name": true,
	"ansible_delegated_vars": true, "ansible_async_dir": true, "ansible_task_name": true,
}

// IsMagic says that a variable is made by the run itself and belongs to no layer.
func IsMagic(name string) bool { return magicNames[name] }

// IsFact says that a name is that of a fact, which only a host knows.
func IsFact(name string) bool {
	rest, ok := strings.CutPrefix(name, "ansible_")
	return ok && !magicNames[name] && isFact(rest)
}

// MagicNames lists the magic variables, for hints.
func MagicNames() []string {
	names := make([]string, 0, len(magicNames))
	for n := range magicNames {
		names = append(names, n)
	}
	return names
}
