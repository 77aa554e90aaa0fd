package main

import (
	"strings"
	"time"

	"github.com/spf13/pflag"

	"mageprov/internal/connection"
	"mageprov/internal/fault"
)

// runFlags are the flags that apply, check and run share: Ansible's names and
// letters, and a few of our own.
type runFlags struct {
	inventory     []string
	limit         string
	extra         []string
	tags, skip    []string
	check, diff   bool
	forks         int
	verbosity     int
	startAt       string
	user          string
	keyFile       string
	connection    string
	timeout       int
	become        bool
	becomeUser    string
	becomeMethod  string
	askBecome     bool
	askPass       bool
	hostKey       string
	knownHosts    []string
	sshConfig     string
	json          bool
	listHosts     bool
	listTasks     bool
	listTags      bool
	syntaxCheck   bool
	forceHandlers bool
	adHoc         bool
	rolesPath     []string
	vault         vaultFlags
	sshCommon     string
	sshExtra      string
	becomeFile    string
	passFile      string

	set         *pflag.FlagSet // where the flags stand
	modulePath  []string       // of custom modules
	playbookDir string         // group_vars and host_vars beside it count, too
	called      string         // "ansible-playbook" and so on; "" for mageprov's own commands
}

func (f *runFlags) inventoryFlags(fs *pflag.FlagSet) {
	f.set = fs
	fs.StringArrayVarP(&f.inventory, "inventory", "i", nil, "inventory: a directory, a YAML or INI `file`, or hosts with a comma (repeatable)")
	fs.StringVarP(&f.limit, "limit", "l", "", "only the hosts that match this `pattern`, too")
	fs.StringArrayVarP(&f.extra, "extra-vars", "e", nil, "variables above all others: `key=value`, YAML, JSON or @file (repeatable)")
	f.vault.add(fs)
}

func (f *runFlags) connectionFlags(fs *pflag.FlagSet) {
	fs.StringVarP(&f.user, "user", "u", "", "log in as this user")
	fs.StringVar(&f.keyFile, "private-key", "", "log in with this key `file`")
	fs.StringVar(&f.keyFile, "key-file", "", "the same as --private-key")
	fs.StringVarP(&f.connection, "connection", "c", "", "ssh or local")
	fs.IntVarP(&f.timeout, "timeout", "T", 10, "`seconds` to wait for a connection")
	fs.BoolVarP(&f.askPass, "ask-pass", "k", false, "ask for the login password")
	fs.BoolVarP(&f.become, "become", "b", false, "become another user for every task")
	fs.StringVar(&f.becomeUser, "become-user", "", "become this user (default root)")
	fs.StringVar(&f.becomeMethod, "become-method", "", "sudo or su (default sudo)")
	fs.StringVar(&f.sshCommon, "ssh-common-args", "", "`arguments` of ssh for hosts that have no ansible_ssh_common_args")
	fs.StringVar(&f.sshExtra, "ssh-extra-args", "", "`arguments` of ssh for hosts that have no ansible_ssh_extra_args")
	fs.StringVar(&f.passFile, "connection-password-file", "", "`file` with the login password, or a program that prints it")
	fs.StringVar(&f.becomeFile, "become-password-file", "", "`file` with the become password, or a program that prints it")
	fs.BoolVarP(&f.askBecome, "ask-become-pass", "K", false, "ask for the become password")
	fs.StringVar(&f.hostKey, "host-key", "", "an unknown host key: ask, accept-new or strict (default ask on a terminal, else strict)")
	fs.StringArrayVar(&f.knownHosts, "known-hosts", nil, "`file` of known host keys instead of the user's and the system's")
	fs.StringVarP(&f.sshConfig, "ssh-config", "F", "", "ssh_config `file` instead of the user's and the system's; none for no file")
	fs.IntVarP(&f.forks, "forks", "f", 0, "hosts at a time (default 50)")
	fs.CountVarP(&f.verbosity, "verbose", "v", "say more; up to -vvvv")
	fs.BoolVar(&f.json, "json", false, "report as JSON, one event a line (docs/json.md)")
	fs.BoolVarP(&f.diff, "diff", "D", false, "show what changes in files")
}

func (f *runFlags) playFlags(fs *pflag.FlagSet) {
	fs.StringArrayVarP(&f.tags, "tags", "t", nil, "only tasks with these tags")
	fs.StringArrayVar(&f.skip, "skip-tags", nil, "no tasks with these tags")
	fs.StringVar(&f.startAt, "start-at-task", "", "begin with the task of this `name`")
	fs.BoolVar(&f.listHosts, "list-hosts", false, "list the hosts of each play and stop")
	fs.BoolVar(&f.listTasks, "list-tasks", false, "list the tasks and stop")
	fs.BoolVar(&f.listTags, "list-tags", false, "list the tags and stop")
	fs.BoolVar(&f.syntaxCheck, "syntax-check", false, "read everything, say what is wrong and stop")
	fs.BoolVar(&f.forceHandlers, "force-handlers", false, "run handlers also on hosts that failed")
	fs.StringArrayVarP(&f.modulePath, "module-path", "M", nil, "further `directory` of modules of your own (repeatable, or with colons)")
	fs.StringArrayVar(&f.rolesPath, "roles-path", nil, "further `directory` to look for roles in (repeatable)")
}

// words splits tags at commas.
func words(list []string) []string {
	var out []string
	for _, s := range list {
		for _, t := range strings.Split(s, ",") {
			if t = strings.TrimSpace(t); t != "" {
				out = append(out, t)
			}
		}
	}
	return out
}

func (f *runFlags) hostKeyPolicy(terminal bool) (connection.HostKeyPolicy, error) {
	switch p := connection.HostKeyPolicy(f.hostKey); p {
	case "":
		if terminal {
			return connection.HostKeyAsk, nil
		}
		return connection.HostKeyStrict, nil
	case connection.HostKeyAsk, connection.HostKeyAcceptNew, connection.HostKeyStrict:
		return p, nil
	}
	return "", fault.New("--host-key %q is not known", f.hostKey).WithHint("one of ask, accept-new, strict")
}

func (f *runFlags) timeoutDuration() time.Duration { return time.Duration(f.timeout) * time.Second }
