// Package config reads the settings of an existing Ansible project: ansible.cfg
// and ANSIBLE_* of the environment. The command line is stronger than the
// environment, that is stronger than the file, and what nobody sets has the
// default that the command has. What has no meaning here is passed over; what
// would change results and is not supported is a warning with its place.
package config

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"

	"mageprov/internal/fault"
)

// Options say where to look. Empty fields mean the process's own.
type Options struct {
	Dir    string // directory that is searched for ansible.cfg; "" is the current one
	Home   string // home of the user
	System string // /etc/ansible/ansible.cfg
	Getenv func(string) (string, bool)
	// Environ lists NAME=value, to find misspelt names.
	Environ func() []string
}

// Value is what a setting was given, and by whom.
type Value struct {
	Name  string // "forks"
	Text  string
	From  string      // "ansible.cfg:3" or "ANSIBLE_FORKS"
	Place fault.Place // zero for the environment
	dir   string      // that relative paths begin at; "" for the environment
}

// Settings are the values that somebody set.
type Settings struct {
	File     string   // the ansible.cfg that was read, "" for none
	Warnings []string // with places
	set      map[string]Value
}

// Load finds and reads the settings. The error names every bad value.
func Load(o Options) (*Settings, error) {
	o.complete()
	s := &Settings{set: map[string]Value{}}
	s.find(o)
	var wrong *multierror.Error
	if s.File != "" {
		data, err := os.ReadFile(s.File)
		if err != nil {
			return nil, fault.Wrap(err, "reading %s", s.File)
		}
		entries, err := parse(s.File, string(data))
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			s.entry(e)
		}
	}
	s.environment(o)
	for _, set := range table {
		if v, ok := s.set[set.name]; ok {
			if err := s.judge(set, v); err != nil {
				wrong = multierror.Append(wrong, err)
			}
		}
	}
	return s, wrong.ErrorOrNil()
}

func (o *Options) complete() {
	if o.Dir == "" {
		o.Dir = "."
	}
	if o.Getenv == nil {
		o.Getenv = os.LookupEnv
	}
	if o.Environ == nil {
		o.Environ = os.Environ
	}
	if o.Home == "" {
		o.Home, _ = o.Getenv("HOME")
	}
	if o.System == "" {
		o.System = "/etc/ansible/ansible.cfg"
	}
}

// find gives the first file there is: ANSIBLE_CONFIG, the directory's, the
// user's, the system's.
func (s *Settings) find(o Options) {
	if p, ok := o.Getenv("ANSIBLE_CONFIG"); ok && p != "" {
		p = expand(p, o.Getenv)
		if st, err := os.Stat(p); err == nil && st.IsDir() {
			p = filepath.Join(p, "ansible.cfg")
		}
		if isFile(p) {
			s.File = p
			return
		}
		s.Warnings = append(s.Warnings, "ANSIBLE_CONFIG names "+p+", which is no file")
	}
	if p := filepath.Join(o.Dir, "ansible.cfg"); isFile(p) {
		if writable(o.Dir) {
			s.Warnings = append(s.Warnings, "ansible.cfg is not read: anybody may write to this directory")
		} else {
			s.File = p
			return
		}
	}
	for _, p := range []string{filepath.Join(o.Home, ".ansible.cfg"), o.System} {
		if isFile(p) {
			s.File = p
			return
		}
	}
}

func isFile(p string) bool {
	st, err := os.Stat(p)
	return err == nil && !st.IsDir()
}

// writable says whether anybody may put a file into a directory.
func writable(dir string) bool {
	st, err := os.Stat(dir)
	return err == nil && st.Mode().Perm()&0o002 != 0
}

// entry takes a line of the file.
func (s *Settings) entry(e entry) {
	set, known := byKey[e.section+"."+e.key]
	if !known {
		s.unknownKey(e)
		return
	}
	dir, err := filepath.Abs(filepath.Dir(s.File))
	if err != nil {
		dir = filepath.Dir(s.File)
	}
	s.set[set.name] = Value{Name: set.name, Text: e.value, From: e.place.String(), Place: e.place, dir: dir}
}

// unknownKey warns of what may be a slip of the pen. Sections that plugins
// define for themselves are theirs.
func (s *Settings) unknownKey(e entry) {
	keys, sections := map[string]bool{}, map[string]bool{}
	for k := range byKey {
		section, key, _ := strings.Cut(k, ".")
		sections[section] = true
		if section == e.section {
			keys[key] = true
		}
	}
	if quietSections[e.section] {
		return
	}
	if sections[e.section] {
		text := e.place.String() + ": unknown key " + e.key + " in [" + e.section + "]"
		if near := fault.Nearest(e.key, names(keys)); near != "" {
			text += ", did you mean " + near + "?"
		} else if at := sectionOf(e.key); at != "" {
			text += ", it belongs into [" + at + "]"
		}
		s.Warnings = append(s.Warnings, text)
		return
	}
	if near := fault.Nearest(e.section, names(sections)); near != "" {
		s.Warnings = append(s.Warnings, e.place.String()+": unknown section ["+e.section+"], did you mean ["+near+"]?")
	}
}

// environment reads ANSIBLE_* of the settings, and warns of names that are
// nearly one of them.
func (s *Settings) environment(o Options) {
	known := map[string]bool{"ANSIBLE_CONFIG": true}
	for _, set := range table {
		for _, name := range set.env {
			known[name] = true
			if v, ok := o.Getenv(name); ok && v != "" {
				s.set[set.name] = Value{Name: set.name, Text: v, From: name}
			}
		}
	}
	for _, kv := range o.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "ANSIBLE_") || known[name] || quietEnvironment[name] {
			continue
		}
		if near := fault.Nearest(name, names(known)); near != "" && len(near)-len(name) <= 2 && len(name)-len(near) <= 2 {
			s.Warnings = append(s.Warnings, "the environment's "+name+" is not known, did you mean "+near+"?")
		}
	}
}

// judge holds a value against what the setting takes and what is supported.
func (s *Settings) judge(set setting, v Value) error {
	fail := func(what string) error {
		e := fault.At(v.Place, "%s: expected %s, found %q", set.name, what, v.Text)
		if v.Place.IsZero() {
			e.Msg = v.From + ": " + e.Msg
		}
		return e
	}
	switch set.kind {
	case integer:
		if _, err := strconv.Atoi(v.Text); err != nil {
			return fail("a number")
		}
	case boolean:
		if _, ok := truth(v.Text); !ok {
			return fail("yes or no")
		}
	}
	if set.refuse == nil {
		return nil
	}
	text, fatal := set.refuse(v.Text)
	switch {
	case text == "":
	case fatal:
		e := fault.At(v.Place, "%s = %s: %s", set.name, v.Text, text).WithHint("mageprov config lists what is read")
		if v.Place.IsZero() {
			e.Msg = v.From + ": " + e.Msg
		}
		return e
	default:
		s.Warnings = append(s.Warnings, v.From+": "+set.name+" = "+v.Text+": "+text)
	}
	return nil
}

// Get gives a value that somebody set. name is a key of ansible.cfg as Names
// lists them.
func (s *Settings) Get(name string) (Value, bool) {
	v, ok := s.set[name]
	return v, ok
}

// Bool gives a setting that is yes or no.
func (s *Settings) Bool(name string, def bool) bool {
	if v, ok := s.set[name]; ok {
		if b, ok := truth(v.Text); ok {
			return b
		}
	}
	return def
}

// Text gives a setting as it was written, "" where nobody set it.
func (s *Settings) Text(name string) string { return s.set[name].Text }

// Path gives a file name: ~ and $NAME are replaced, a relative one begins at
// the directory of ansible.cfg.
func (s *Settings) Path(name string) string {
	v, ok := s.set[name]
	if !ok || v.Text == "" {
		return ""
	}
	return v.path(v.Text)
}

// Paths gives a list of file names: separated by colons, or by commas for
// inventories and vault identities.
func (s *Settings) Paths(name string) []string {
	v, ok := s.set[name]
	if !ok {
		return nil
	}
	if name == "inventory" && strings.Contains(v.Text, ",") && !v.allFiles() {
		return []string{v.Text} // hosts
	}
	sep := ":"
	if name == "inventory" {
		sep = ","
	}
	var out []string
	for _, p := range strings.Split(v.Text, sep) {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, v.path(p))
		}
	}
	return out
}

// allFiles tells a list of inventories from a list of hosts.
func (v Value) allFiles() bool {
	for _, p := range strings.Split(v.Text, ",") {
		if p = strings.TrimSpace(p); p != "" {
			if _, err := os.Stat(v.path(p)); err != nil {
				return false
			}
		}
	}
	return true
}

// List gives the parts of a setting between commas.
func (s *Settings) List(name string) []string {
	var out []string
	for _, p := range strings.Split(s.set[name].Text, ",") {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}

func (v Value) path(p string) string {
	p = expand(strings.ReplaceAll(p, "{{CWD}}", "."), os.LookupEnv)
	if filepath.IsAbs(p) || v.dir == "" {
		return p
	}
	if wd, err := os.Getwd(); err == nil && wd == v.dir {
		return filepath.Clean(p) // messages stay short
	}
	return filepath.Join(v.dir, p)
}

// expand replaces ~/ and $NAME.
func expand(p string, getenv func(string) (string, bool)) string {
	if rest, ok := strings.CutPrefix(p, "~/"); ok {
		if home, ok := getenv("HOME"); ok {
			p = home + "/" + rest
		}
	}
	return os.Expand(p, func(name string) string {
		if v, ok := getenv(name); ok {
			return v
		}
		return "$" + name
	})
}

func truth(s string) (value, ok bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "yes", "true", "on", "1", "y", "t":
		return true, true
	case "no", "false", "off", "0", "n", "f":
		return false, true
	}
	return false, false
}
