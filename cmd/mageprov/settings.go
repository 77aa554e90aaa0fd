package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"mageprov/internal/config"
	"mageprov/internal/fault"
	"mageprov/internal/play"
	"mageprov/internal/report"
)

// flagOf says which flag a setting of ansible.cfg stands in for. Flags that a
// command does not have are passed over.
var flagOf = []struct{ setting, flag string }{
	{"inventory", "inventory"}, {"roles_path", "roles-path"}, {"library", "module-path"}, {"forks", "forks"},
	{"remote_user", "user"}, {"private_key_file", "private-key"}, {"timeout", "timeout"}, {"transport", "connection"},
	{"host_key_checking", "host-key"}, {"ask_pass", "ask-pass"}, {"connection_password_file", "connection-password-file"},
	{"become", "become"}, {"become_user", "become-user"}, {"become_method", "become-method"},
	{"become_ask_pass", "ask-become-pass"}, {"become_password_file", "become-password-file"},
	{"ssh_common_args", "ssh-common-args"}, {"ssh_extra_args", "ssh-extra-args"},
	{"vault_password_file", "vault-password-file"}, {"vault_identity_list", "vault-id"}, {"ask_vault_pass", "ask-vault-pass"},
	{"force_handlers", "force-handlers"}, {"tags_run", "tags"}, {"tags_skip", "skip-tags"}, {"diff_always", "diff"},
	{"verbosity", "verbose"}, {"module_name", "module-name"},
}

// otherNames are flags of two names.
var otherNames = map[string]string{"private-key": "key-file", "vault-password-file": "vault-pass-file", "ask-vault-pass": "ask-vault-password"}

// loadSettings reads ansible.cfg and the environment, and gives the flags that
// nobody typed their values.
func loadSettings(fs *pflag.FlagSet, warn func(string)) (*config.Settings, error) {
	s, err := config.Load(config.Options{})
	if err != nil {
		return nil, err
	}
	for _, w := range s.Warnings {
		warn(w)
	}
	if fs == nil {
		return s, nil
	}
	for _, m := range flagOf {
		flag := fs.Lookup(m.flag)
		if flag == nil || flag.Changed || fs.Changed(otherNames[m.flag]) {
			continue
		}
		v, ok := s.Get(m.setting)
		if !ok || strings.HasPrefix(m.setting, "vault_") && v.Place.IsZero() {
			continue // the flags of the vault read the environment themselves
		}
		for _, text := range flagTexts(s, m.setting, flag) {
			if err := flag.Value.Set(text); err != nil {
				return nil, fault.At(v.Place, "%s: %v", m.setting, err)
			}
		}
	}
	return s, nil
}

// flagTexts is a setting as one would type it.
func flagTexts(s *config.Settings, name string, flag *pflag.Flag) []string {
	switch name {
	case "inventory", "roles_path", "library":
		return s.Paths(name)
	case "private_key_file", "vault_password_file", "become_password_file", "connection_password_file":
		return []string{s.Path(name)}
	case "vault_identity_list":
		return s.List(name)
	case "transport":
		if t := s.Text(name); t == "local" || t == "ssh" {
			return []string{t}
		}
		return nil
	case "host_key_checking":
		if s.Bool(name, true) {
			return nil
		}
		return []string{"accept-new"}
	}
	if flag.Value.Type() == "bool" {
		if s.Bool(name, false) {
			return []string{"true"}
		}
		return nil
	}
	return []string{s.Text(name)}
}

// roleDirs are the directories of roles beyond the playbook's own: named ones,
// ./roles, and where Ansible installs roles.
func roleDirs(named []string) []string {
	dirs := append(append([]string(nil), named...), "roles")
	if home, err := os.UserHomeDir(); err == nil {
		dirs = append(dirs, filepath.ToSlash(home)+"/.ansible/roles")
	}
	return append(dirs, "/usr/share/ansible/roles", "/etc/ansible/roles")
}

// libraries are the directories of -M.
func (f *runFlags) libraries() []string {
	var dirs []string
	for _, list := range f.modulePath {
		for _, d := range strings.Split(list, ":") {
			if d != "" {
				dirs = append(dirs, d)
			}
		}
	}
	return dirs
}

// collectionDirs are where Ansible looks for collections, beyond the playbook's
// own collections/.
func collectionDirs(s *config.Settings) []string {
	dirs := append(s.Paths("collections_path"), "collections")
	if home, err := os.UserHomeDir(); err == nil {
		dirs = append(dirs, filepath.ToSlash(home)+"/.ansible/collections")
	}
	return append(dirs, "/usr/share/ansible/collections")
}

// passwordFile reads a password, or what a program in its place prints.
func passwordFile(p string) (string, error) {
	st, err := os.Stat(p)
	if err != nil {
		return "", fault.Wrap(err, "reading the password")
	}
	var data []byte
	if st.Mode()&0o111 != 0 && !st.IsDir() {
		abs, aerr := filepath.Abs(p)
		if aerr != nil {
			return "", fault.Wrap(aerr, "running %s", p)
		}
		if data, err = exec.Command(abs).Output(); err != nil {
			return "", fault.Wrap(err, "running %s for the password", p)
		}
	} else if data, err = os.ReadFile(p); err != nil {
		return "", fault.Wrap(err, "reading the password")
	}
	return strings.TrimRight(string(data), "\r\n"), nil
}

// passwordFiles reads the passwords that stand in files, and the port.
func (w *workshop) passwordFiles(l *play.Login) (err error) {
	if p := w.settings.Text("remote_port"); p != "" {
		l.Port, _ = strconv.Atoi(p) // a number: config.Load has seen it
	}
	if f := w.flags.passFile; f != "" {
		if l.Password, err = passwordFile(f); err != nil {
			return err
		}
	}
	if f := w.flags.becomeFile; f != "" {
		l.BecomePassword, err = passwordFile(f)
	}
	return err
}

// logged also writes the report to the file of log_path.
func (w *workshop) logged(r report.Reporter) (report.Reporter, error) {
	p := w.settings.Path("log_path")
	if p == "" {
		return r, nil
	}
	f, err := os.OpenFile(p, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fault.Wrap(err, "opening log_path")
	}
	plain := report.NewHuman(f, report.HumanOptions{Verbosity: w.flags.verbosity, Diff: w.flags.diff, Check: w.flags.check})
	return report.NewMulti(r, logFile{plain, f}), nil
}

// logFile closes its file with the report.
type logFile struct {
	report.Reporter
	file *os.File
}

// Close ends the report and the file.
func (l logFile) Close() error { return errors.Join(l.Reporter.Close(), l.file.Close()) }

// systemInventory is what Ansible's own commands read when nobody names another.
const systemInventory = "/etc/ansible/hosts"

// sources are the inventories to load. Only a command that was called by
// Ansible's name may do without.
func (f *runFlags) sources() []string {
	if _, err := os.Stat(systemInventory); len(f.inventory) == 0 && err == nil {
		return []string{systemInventory}
	}
	return f.inventory
}
