package config

import (
	"sort"
	"strings"
)

// kind is the type of a setting's value.
type kind uint8

const (
	text kind = iota
	integer
	boolean
	list
	path
	paths
)

// setting is a key that Ansible knows.
type setting struct {
	name string
	keys []string // section.key
	env  []string
	kind kind
	used bool   // mageprov does what it says
	def  string // what holds where nobody sets it
	// refuse says what is lost where the value cannot be honoured, "" where
	// nothing is; fatal: it would lead to other results, so nothing runs.
	refuse func(value string) (text string, fatal bool)
}

// unless warns of every value but the given ones.
func unless(text string, fine ...string) func(string) (string, bool) {
	return func(v string) (string, bool) {
		for _, f := range fine {
			if strings.EqualFold(strings.TrimSpace(v), f) {
				return "", false
			}
		}
		return text, false
	}
}

func no(t string) func(string) (string, bool) {
	return func(v string) (string, bool) {
		if b, ok := truth(v); ok && !b {
			return "", false
		}
		return t, false
	}
}

func yes(t string) func(string) (string, bool) {
	return func(v string) (string, bool) {
		if b, ok := truth(v); ok && b {
			return "", false
		}
		return t, false
	}
}

func fatal(f func(string) (string, bool)) func(string) (string, bool) {
	return func(v string) (string, bool) {
		t, _ := f(v)
		return t, t != ""
	}
}

// table is every setting that means something here, and those that would
// change results if they were passed over.
var table = []setting{
	{name: "inventory", keys: []string{"defaults.inventory"}, env: []string{"ANSIBLE_INVENTORY"}, kind: paths, used: true},
	{name: "roles_path", keys: []string{"defaults.roles_path"}, env: []string{"ANSIBLE_ROLES_PATH"}, kind: paths, used: true, def: "roles"},
	{name: "collections_path", keys: []string{"defaults.collections_path", "defaults.collections_paths"}, env: []string{"ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_COLLECTIONS_PATHS"}, kind: paths, used: true, def: "collections"},
	{name: "library", keys: []string{"defaults.library"}, env: []string{"ANSIBLE_LIBRARY"}, kind: paths, used: true, def: "library"},
	{name: "forks", keys: []string{"defaults.forks"}, env: []string{"ANSIBLE_FORKS"}, kind: integer, used: true, def: "50"},
	{name: "remote_user", keys: []string{"defaults.remote_user"}, env: []string{"ANSIBLE_REMOTE_USER"}, used: true},
	{name: "remote_port", keys: []string{"defaults.remote_port", "ssh_connection.port"}, env: []string{"ANSIBLE_REMOTE_PORT", "ANSIBLE_SSH_PORT"}, kind: integer, used: true, def: "22"},
	{name: "private_key_file", keys: []string{"defaults.private_key_file"}, env: []string{"ANSIBLE_PRIVATE_KEY_FILE"}, kind: path, used: true},
	{name: "host_key_checking", keys: []string{"defaults.host_key_checking", "ssh_connection.host_key_checking"}, env: []string{"ANSIBLE_HOST_KEY_CHECKING", "ANSIBLE_SSH_HOST_KEY_CHECKING"}, kind: boolean, used: true, def: "True"},
	{name: "timeout", keys: []string{"defaults.timeout", "ssh_connection.timeout"}, env: []string{"ANSIBLE_TIMEOUT", "ANSIBLE_SSH_TIMEOUT"}, kind: integer, used: true, def: "10"},
	{name: "transport", keys: []string{"defaults.transport"}, env: []string{"ANSIBLE_TRANSPORT"}, used: true, def: "ssh",
		refuse: unless("hosts are reached by ssh or local only", "smart", "ssh", "local", "paramiko", "paramiko_ssh")},
	{name: "ask_pass", keys: []string{"defaults.ask_pass"}, env: []string{"ANSIBLE_ASK_PASS"}, kind: boolean, used: true, def: "False"},
	{name: "vault_password_file", keys: []string{"defaults.vault_password_file"}, env: []string{"ANSIBLE_VAULT_PASSWORD_FILE"}, kind: path, used: true},
	{name: "vault_identity_list", keys: []string{"defaults.vault_identity_list"}, env: []string{"ANSIBLE_VAULT_IDENTITY_LIST"}, kind: list, used: true},
	{name: "ask_vault_pass", keys: []string{"defaults.ask_vault_pass"}, env: []string{"ANSIBLE_ASK_VAULT_PASS"}, kind: boolean, used: true, def: "False"},
	{name: "gathering", keys: []string{"defaults.gathering"}, env: []string{"ANSIBLE_GATHERING"}, used: true, def: "implicit",
		refuse: unless("not known, read as implicit", "implicit", "explicit", "smart")},
	{name: "hash_behaviour", keys: []string{"defaults.hash_behaviour"}, env: []string{"ANSIBLE_HASH_BEHAVIOUR"}, used: true, def: "replace",
		refuse: fatal(unless("dictionaries of several layers are replaced, never merged; merge them where it is wanted: {{ a | combine(b, recursive=true) }}", "replace"))},
	{name: "force_handlers", keys: []string{"defaults.force_handlers"}, env: []string{"ANSIBLE_FORCE_HANDLERS"}, kind: boolean, used: true, def: "False"},
	{name: "any_errors_fatal", keys: []string{"defaults.any_errors_fatal"}, env: []string{"ANSIBLE_ANY_ERRORS_FATAL"}, kind: boolean, used: true, def: "False"},
	{name: "error_on_undefined_vars", keys: []string{"defaults.error_on_undefined_vars"}, env: []string{"ANSIBLE_ERROR_ON_UNDEFINED_VARS"}, kind: boolean, used: true, def: "True",
		refuse: fatal(yes("an undefined variable is always an error; say default('') where it may be missing"))},
	{name: "error_on_missing_handler", keys: []string{"defaults.error_on_missing_handler"}, env: []string{"ANSIBLE_ERROR_ON_MISSING_HANDLER"}, kind: boolean},
	{name: "jinja2_native", keys: []string{"defaults.jinja2_native"}, env: []string{"ANSIBLE_JINJA2_NATIVE"}, kind: boolean, used: true, def: "True"},
	{name: "jinja2_extensions", keys: []string{"defaults.jinja2_extensions"}, env: []string{"ANSIBLE_JINJA2_EXTENSIONS"}, kind: list,
		refuse: unless("there are no extensions; do and loopcontrols are part of the language", "", "jinja2.ext.do", "jinja2.ext.do,jinja2.ext.i18n", "jinja2.ext.loopcontrols", "jinja2.ext.do,jinja2.ext.loopcontrols")},
	{name: "stdout_callback", keys: []string{"defaults.stdout_callback"}, env: []string{"ANSIBLE_STDOUT_CALLBACK"}, used: true, def: "default",
		refuse: unless("results are shown in the default shape; --json gives one event a line", "default", "ansible.builtin.default", "yaml", "community.general.yaml", "debug", "ansible.posix.debug", "skippy", "unixy", "community.general.unixy", "dense", "timer", "minimal", "oneline")},
	{name: "callbacks_enabled", keys: []string{"defaults.callbacks_enabled", "defaults.callback_whitelist"}, env: []string{"ANSIBLE_CALLBACKS_ENABLED", "ANSIBLE_CALLBACK_WHITELIST"}, kind: list, used: true,
		refuse: callbacks},
	{name: "deprecation_warnings", keys: []string{"defaults.deprecation_warnings"}, env: []string{"ANSIBLE_DEPRECATION_WARNINGS"}, kind: boolean},
	{name: "retry_files_enabled", keys: []string{"defaults.retry_files_enabled"}, env: []string{"ANSIBLE_RETRY_FILES_ENABLED"}, kind: boolean, used: true, def: "False",
		refuse: no("no retry files are written")},
	{name: "log_path", keys: []string{"defaults.log_path"}, env: []string{"ANSIBLE_LOG_PATH"}, kind: path, used: true},
	{name: "nocows", keys: []string{"defaults.nocows"}, env: []string{"ANSIBLE_NOCOWS"}, kind: boolean},
	{name: "nocolor", keys: []string{"defaults.nocolor"}, env: []string{"ANSIBLE_NOCOLOR"}, kind: boolean, used: true, def: "False"},
	{name: "force_color", keys: []string{"defaults.force_color"}, env: []string{"ANSIBLE_FORCE_COLOR"}, kind: boolean, used: true, def: "False"},
	{name: "display_skipped_hosts", keys: []string{"defaults.display_skipped_hosts"}, env: []string{"ANSIBLE_DISPLAY_SKIPPED_HOSTS"}, kind: boolean, used: true, def: "True"},
	{name: "display_ok_hosts", keys: []string{"defaults.display_ok_hosts"}, env: []string{"ANSIBLE_DISPLAY_OK_HOSTS"}, kind: boolean, used: true, def: "True"},
	{name: "show_custom_stats", keys: []string{"defaults.show_custom_stats"}, env: []string{"ANSIBLE_SHOW_CUSTOM_STATS"}, kind: boolean},
	{name: "verbosity", keys: []string{"defaults.verbosity"}, env: []string{"ANSIBLE_VERBOSITY"}, kind: integer, used: true, def: "0"},
	{name: "diff_always", keys: []string{"diff.always"}, env: []string{"ANSIBLE_DIFF_ALWAYS"}, kind: boolean, used: true, def: "False"},
	{name: "duplicate_dict_key", keys: []string{"defaults.duplicate_dict_key"}, env: []string{"ANSIBLE_DUPLICATE_YAML_DICT_KEY"}, used: true, def: "error",
		refuse: unless("a key that stands twice is always an error", "error")},
	{name: "become", keys: []string{"privilege_escalation.become"}, env: []string{"ANSIBLE_BECOME"}, kind: boolean, used: true, def: "False"},
	{name: "become_user", keys: []string{"privilege_escalation.become_user"}, env: []string{"ANSIBLE_BECOME_USER"}, used: true, def: "root"},
	{name: "become_method", keys: []string{"privilege_escalation.become_method"}, env: []string{"ANSIBLE_BECOME_METHOD"}, used: true, def: "sudo"},
	{name: "become_ask_pass", keys: []string{"privilege_escalation.become_ask_pass"}, env: []string{"ANSIBLE_BECOME_ASK_PASS"}, kind: boolean, used: true, def: "False"},
	{name: "become_exe", keys: []string{"privilege_escalation.become_exe", "sudo_become_plugin.executable"}, env: []string{"ANSIBLE_BECOME_EXE", "ANSIBLE_SUDO_EXE"}, used: true},
	{name: "become_flags", keys: []string{"privilege_escalation.become_flags", "sudo_become_plugin.flags"}, env: []string{"ANSIBLE_BECOME_FLAGS", "ANSIBLE_SUDO_FLAGS"}, used: true},
	{name: "become_password_file", keys: []string{"defaults.become_password_file"}, env: []string{"ANSIBLE_BECOME_PASSWORD_FILE"}, kind: path, used: true},
	{name: "connection_password_file", keys: []string{"defaults.connection_password_file"}, env: []string{"ANSIBLE_CONNECTION_PASSWORD_FILE"}, kind: path, used: true},
	{name: "ssh_args", keys: []string{"ssh_connection.ssh_args"}, env: []string{"ANSIBLE_SSH_ARGS"}, used: true},
	{name: "ssh_common_args", keys: []string{"ssh_connection.ssh_common_args"}, env: []string{"ANSIBLE_SSH_COMMON_ARGS"}, used: true},
	{name: "ssh_extra_args", keys: []string{"ssh_connection.ssh_extra_args"}, env: []string{"ANSIBLE_SSH_EXTRA_ARGS"}, used: true},
	{name: "pipelining", keys: []string{"defaults.pipelining", "connection.pipelining", "ssh_connection.pipelining"}, env: []string{"ANSIBLE_PIPELINING", "ANSIBLE_SSH_PIPELINING"}, kind: boolean},
	{name: "control_path", keys: []string{"ssh_connection.control_path"}, env: []string{"ANSIBLE_SSH_CONTROL_PATH"}},
	{name: "tags_run", keys: []string{"tags.run"}, env: []string{"ANSIBLE_RUN_TAGS"}, kind: list, used: true},
	{name: "tags_skip", keys: []string{"tags.skip"}, env: []string{"ANSIBLE_SKIP_TAGS"}, kind: list, used: true},
	{name: "module_name", keys: []string{"defaults.module_name"}, used: true, def: "command"},
	{name: "ansible_managed", keys: []string{"defaults.ansible_managed"}, env: []string{"ANSIBLE_MANAGED_STR"}, used: true, def: "Ansible managed"},
	{name: "no_log", keys: []string{"defaults.no_log"}, env: []string{"ANSIBLE_NO_LOG"}, kind: boolean, used: true, def: "False"},
	{name: "strategy", keys: []string{"defaults.strategy"}, env: []string{"ANSIBLE_STRATEGY"}, def: "linear",
		refuse: unless("plays are linear unless they say strategy: themselves", "linear", "ansible.builtin.linear", "mitogen_linear", "mitogen")},
	{name: "inject_facts_as_vars", keys: []string{"defaults.inject_facts_as_vars"}, env: []string{"ANSIBLE_INJECT_FACT_VARS"}, kind: boolean, def: "True",
		refuse: yes("facts can always be read as ansible_NAME, too")},
	{name: "private_role_vars", keys: []string{"defaults.private_role_vars"}, env: []string{"ANSIBLE_PRIVATE_ROLE_VARS"}, kind: boolean, def: "False",
		refuse: no("variables of roles can be read by the whole play")},
	{name: "precedence", keys: []string{"defaults.precedence"}, env: []string{"ANSIBLE_PRECEDENCE"}, kind: list,
		refuse: unless("the order of precedence is Ansible's own")},
	{name: "playbook_vars_root", keys: []string{"defaults.playbook_vars_root"}, env: []string{"ANSIBLE_PLAYBOOK_VARS_ROOT"}, def: "top",
		refuse: unless("group_vars and host_vars are looked for beside the playbook", "top")},
	{name: "task_timeout", keys: []string{"defaults.task_timeout"}, env: []string{"ANSIBLE_TASK_TIMEOUT"}, kind: integer, def: "0",
		refuse: unless("tasks have no timeout unless they say timeout: themselves", "0")},
	{name: "max_fail_percentage", keys: []string{"defaults.max_fail_percentage"}, kind: integer,
		refuse: unless("it is a keyword of plays, Ansible does not read it here either")},
	{name: "vault_id_match", keys: []string{"defaults.vault_id_match"}, env: []string{"ANSIBLE_VAULT_ID_MATCH"}, kind: boolean},
	{name: "unparsed_is_failed", keys: []string{"inventory.unparsed_is_failed"}, env: []string{"ANSIBLE_INVENTORY_UNPARSED_FAILED"}, kind: boolean},
}

// callbacks warns of reports that are lost.
func callbacks(v string) (string, bool) {
	var lost []string
	for _, name := range strings.Split(v, ",") {
		short := strings.TrimSpace(name)
		short = short[strings.LastIndexByte(short, '.')+1:]
		switch short {
		case "", "timer", "profile_tasks", "profile_roles", "default", "yaml":
		default:
			lost = append(lost, strings.TrimSpace(name))
		}
	}
	if len(lost) == 0 {
		return "", false
	}
	return "there are no callback plugins, so nothing hears of the run by " + strings.Join(lost, ", ") + "; --json gives the events", false
}

// quiet are keys that Ansible knows and that have no meaning here: Python,
// plugins, its own processes and files, colours.
var quiet = strings.Fields(`
	defaults.action_warnings defaults.cow_whitelist defaults.cowsay_enabled_stencils defaults.cowpath defaults.cow_selection defaults.home
	defaults.become_plugins defaults.fact_caching defaults.fact_caching_connection defaults.fact_caching_prefix defaults.fact_caching_timeout
	defaults.collections_on_ansible_version_mismatch defaults.collections_scan_sys_path
	defaults.action_plugins defaults.allow_unsafe_lookups defaults.cache_plugins defaults.callback_plugins defaults.cliconf_plugins
	defaults.connection_plugins defaults.debug defaults.executable defaults.fact_path defaults.filter_plugins defaults.gather_subset
	defaults.gather_timeout defaults.httpapi_plugins defaults.internal_poll_interval defaults.inventory_plugins defaults.keep_remote_files
	defaults.bin_ansible_callbacks defaults.local_tmp defaults.remote_tmp defaults.log_filter defaults.lookup_plugins defaults.module_args
	defaults.module_compression defaults.module_utils defaults.module_lang defaults.module_set_locale defaults.netconf_plugins
	defaults.no_target_syslog defaults.null_representation defaults.poll_interval defaults.squash_actions defaults.strategy_plugins defaults.su
	defaults.syslog_facility defaults.terminal_plugins defaults.test_plugins defaults.vars_plugins defaults.vault_encrypt_identity
	defaults.vault_identity defaults.devel_warning defaults.display_args_to_stdout defaults.docsite_root_url defaults.doc_fragment_plugins
	defaults.enable_task_debugger defaults.facts_modules defaults.interpreter_python defaults.invalid_task_attribute_failed
	defaults.inventory_ignore_extensions defaults.inventory_ignore_patterns defaults.jinja2_native_warning defaults.localhost_warning
	defaults.max_diff_size defaults.module_ignore_exts defaults.network_group_modules defaults.old_plugin_cache_clear defaults.playbook_dir
	defaults.plugin_filters_cfg defaults.python_module_rlimit_nofile defaults.retry_files_save_path defaults.run_vars_plugins
	defaults.string_conversion_action defaults.system_warnings defaults.task_debugger_ignore_errors defaults.force_valid_group_names
	defaults.use_persistent_connections defaults.validate_action_group_metadata defaults.verbose_to_stderr defaults.vars_plugins_enabled
	defaults.win_async_startup_timeout defaults.yaml_valid_extensions defaults.command_warnings defaults.bin_ansible_callbacks
	defaults.result_format defaults.callback_result_format defaults.pretty_results defaults.callback_format_pretty defaults.display_failed_stderr
	defaults.show_per_host_start defaults.check_mode_markers defaults.show_task_path_on_failure defaults.merge_multiple_cli_tags
	defaults.allow_world_readable_tmpfiles defaults.hostfile defaults.sudo_user defaults.ask_sudo_pass defaults.remote_tmp_dir
	defaults.accelerate_port defaults.use_persistent_connections defaults.any_unparsed_is_failed defaults.allow_broken_conditionals
	diff.context privilege_escalation.agnostic_become_prompt privilege_escalation.become_allow_same_user sudo_become_plugin.user
	sudo_become_plugin.password connection.connection_path
	ssh_connection.retries ssh_connection.control_path_dir ssh_connection.scp_if_ssh ssh_connection.sftp_batch_mode ssh_connection.usetty
	ssh_connection.transfer_method ssh_connection.ssh_executable ssh_connection.sftp_executable ssh_connection.scp_executable
	ssh_connection.sftp_extra_args ssh_connection.scp_extra_args ssh_connection.reconnection_retries ssh_connection.ssh_transfer_method
	ssh_connection.verbosity ssh_connection.sshpass_prompt ssh_connection.pkcs11_provider ssh_connection.private_key_file
	inventory.any_unparsed_is_failed inventory.cache inventory.cache_plugin inventory.cache_connection inventory.cache_prefix
	inventory.cache_timeout inventory.enable_plugins inventory.export inventory.ignore_extensions inventory.ignore_patterns
	inventory.host_pattern_mismatch inventory.inventory_unparsed_warning inventory.use_extra_vars`)

// quietSections hold nothing that matters here.
var quietSections = set("colors", "galaxy", "selinux", "persistent_connection", "paramiko_connection", "netconf_connection", "accelerate",
	"jinja2", "winrm", "powershell", "su_become_plugin", "runas_become_plugin", "diff_callback", "default_callback", "yaml_callback")

// quietEnvironment are names that have no key in the file.
var quietEnvironment = set("ANSIBLE_HOME", "ANSIBLE_VAULT_PASSWORD", "ANSIBLE_REMOTE_TEMP", "ANSIBLE_LOCAL_TEMP", "ANSIBLE_FACT_PATH",
	"ANSIBLE_DEBUG", "ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_COLLECTIONS_PATHS", "ANSIBLE_PYTHON_INTERPRETER", "ANSIBLE_SSH_RETRIES",
	"ANSIBLE_TRANSFORM_INVALID_GROUP_CHARS", "ANSIBLE_EXECUTABLE", "ANSIBLE_SSH_CONTROL_PATH_DIR")

func set(names ...string) map[string]bool {
	out := map[string]bool{}
	for _, n := range names {
		out[n] = true
	}
	return out
}

// byKey finds a setting by section.key.
var byKey = func() map[string]setting {
	m := map[string]setting{}
	for _, k := range quiet {
		m[k] = setting{name: k}
	}
	for _, s := range table {
		for _, k := range s.keys {
			m[k] = s
		}
	}
	return m
}()

// sectionOf gives the section that has a key of this name.
func sectionOf(key string) string {
	var at []string
	for k := range byKey {
		if section, name, _ := strings.Cut(k, "."); name == key {
			at = append(at, section)
		}
	}
	sort.Strings(at)
	if len(at) == 0 {
		return ""
	}
	return at[0]
}

func names(m map[string]bool) []string {
	out := make([]string, 0, len(m))
	for n := range m {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

// Described is one setting that mageprov honours.
type Described struct {
	Name    string
	Keys    []string // [section] key
	Env     []string
	Default string
}

// Names lists the settings that are honoured, for documents and mageprov config.
func Names() []Described {
	var out []Described
	for _, s := range table {
		if s.used {
			out = append(out, Described{s.name, s.keys, s.env, s.def})
		}
	}
	return out
}
