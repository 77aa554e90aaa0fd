package lint

import (
	"path"
	"slices"
	"strings"

	"mageprov/internal/jinja"
	"mageprov/internal/module"
	"mageprov/internal/playbook"
)

// instead names the module that does what a program does.
var instead = map[string]string{
	"apt": "apt", "apt-get": "apt", "aptitude": "apt", "systemctl": "systemd", "service": "service", "git": "git",
	"curl": "get_url or uri", "wget": "get_url", "tar": "unarchive", "unzip": "unarchive", "rsync": "synchronize", "mount": "mount",
	"useradd": "user", "usermod": "user", "userdel": "user", "groupadd": "group", "groupdel": "group", "chmod": "file", "chown": "file",
	"chgrp": "file", "mkdir": "file", "ln": "file", "rm": "file", "touch": "file", "cp": "copy", "sed": "lineinfile, replace or template",
	"sysctl": "sysctl", "hostnamectl": "hostname", "timedatectl": "timezone", "ufw": "ufw", "pip": "pip", "pip3": "pip",
	"modprobe": "modprobe", "iptables": "iptables", "mktemp": "tempfile", "reboot": "reboot", "locale-gen": "locale_gen",
	"update-alternatives": "alternatives", "setfacl": "acl",
}

// reading are words behind a program that only ask, which modules do not do.
var reading = map[string][]string{
	"systemctl": {"status", "is-active", "is-enabled", "is-failed", "show", "list-units", "list-unit-files", "list-timers", "cat", "get-default",
		"--version", "set-property", "set-default", "set-environment", "kill", "reset-failed", "edit", "--user", "daemon-reexec", "is-system-running", "isolate", "preset"},
	"git": {"log", "rev-parse", "status", "branch", "config", "describe", "diff", "show", "ls-remote", "--version", "remote", "rev-list", "tag", "commit", "push",
		"add", "apply", "ls-files", "init", "submodule", "lfs"},
	"mount":               {"-l", "--version", "-a", "-o", "--bind", "--make-rshared", "--make-private"},
	"sysctl":              {"-n", "-a", "-p", "--system", "-b", "--values", "-N", "-e"},
	"pip":                 {"list", "show", "freeze", "--version", "config", "check", "download"},
	"pip3":                {"list", "show", "freeze", "--version", "config", "check", "download"},
	"apt-get":             {"--version", "download", "-s", "--simulate", "source", "changelog"},
	"apt":                 {"list", "show", "policy", "--version"},
	"ufw":                 {"status", "show", "version"},
	"iptables":            {"-L", "-S", "--list", "--list-rules", "--version", "-C", "--check", "-nL", "-t"},
	"tar":                 {"-t", "tf", "-tf", "tvf", "-tvf", "tzf", "-tzf", "-c", "cf", "-cf", "czf", "-czf", "cvf", "-cvzf", "czvf", "-czvf", "--create", "--list", "--version"},
	"timedatectl":         {"status", "show", "list-timezones", "set-ntp", "set-local-rtc", "timesync-status", "show-timesync"},
	"hostnamectl":         {"status", "--static", "show", "set-chassis", "set-deployment", "set-location"},
	"curl":                {"--unix-socket", "--version", "-V"},
	"modprobe":            {"-n", "--show-depends", "--dry-run", "-c", "-D"},
	"service":             {"--status-all"},
	"update-alternatives": {"--query", "--list", "--display", "--get-selections", "--config"},
	"unzip":               {"-l", "-t", "-p", "-Z", "-v"},
	"sed":                 {"-n"},
}

// shellSigns are what only a shell understands.
const shellSigns = "|&;<>()$`*?[]{}~!#\n\\"

// command looks at tasks that run a program.
func (l *linter) command(p playbook.Parsed) {
	t := p.Task
	line := commandLine(t.Args)
	short := t.Spec.Short()
	if len(t.ChangedWhen) == 0 && !t.IsHandler && !given(t.Args, "creates") && !given(t.Args, "removes") {
		l.say("no-changed-when", p.Node.Place, short+" always reports a change", "say with changed_when when it changes something, or give creates or removes")
	}
	if short != "command" && short != "shell" || line == "" {
		return
	}
	words := strings.Fields(line)
	for len(words) > 0 && (strings.Contains(words[0], "=") || words[0] == "sudo" || words[0] == "env") {
		words = words[1:]
	}
	if i := slices.IndexFunc(words, func(w string) bool { return strings.ContainsAny(w, "|&;<>") }); i > 0 {
		words = words[:i] // the first command of several
	}
	if len(words) == 0 {
		return
	}
	program := path.Base(words[0])
	if mod, ok := instead[program]; ok && exists(mod) && !asks(program, words[1:]) {
		l.say("command-instead-of-module", p.Node.Place, program+" in "+short, "the module "+mod+" knows what it changes, and check mode knows it, too")
	}
	if short == "shell" && !given(t.Args, "executable") && !strings.ContainsAny(expression.ReplaceAllString(strings.TrimSpace(line), ""), shellSigns) {
		l.say("command-instead-of-shell", p.Node.Place, "shell, and nothing in it needs one", "use command")
	}
}

// asks says that a program is called only to look.
func asks(program string, words []string) bool {
	for _, w := range words {
		if slices.Contains(reading[program], w) {
			return true
		}
	}
	return len(words) == 0 && program != "reboot"
}

// exists says whether one of the modules is there.
func exists(modules string) bool {
	first, _, _ := strings.Cut(strings.ReplaceAll(modules, ",", ""), " ")
	_, ok := module.Lookup(first)
	return ok
}

func given(args *jinja.Dict, name string) bool {
	if args == nil {
		return false
	}
	_, ok := args.Get(name)
	return ok
}

// commandLine is what a command task runs, as written.
func commandLine(args *jinja.Dict) string {
	if args == nil {
		return ""
	}
	for _, key := range []string{"_raw_params", "cmd"} {
		if v, ok := args.Get(key); ok {
			return source(v)
		}
	}
	if v, ok := args.Get("argv"); ok {
		if list, ok := v.(*jinja.List); ok {
			var words []string
			for _, w := range list.Items {
				words = append(words, source(w))
			}
			return strings.Join(words, " ")
		}
	}
	return ""
}
