package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// load writes ansible.cfg into a directory of its own and reads it.
func load(t *testing.T, cfg string, env map[string]string) (*Settings, string, error) {
	t.Helper()
	dir := t.TempDir()
	if cfg != "" {
		if err := os.WriteFile(filepath.Join(dir, "ansible.cfg"), []byte(cfg), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Load(options(dir, env))
	return s, dir, err
}

func options(dir string, env map[string]string) Options {
	return Options{
		Dir: dir, Home: filepath.Join(dir, "home"), System: filepath.Join(dir, "system.cfg"),
		Getenv: func(n string) (string, bool) { v, ok := env[n]; return v, ok },
		Environ: func() (out []string) {
			for k, v := range env {
				out = append(out, k+"="+v)
			}
			return out
		},
	}
}

func TestValues(t *testing.T) {
	s, dir, err := load(t, `# a comment
[defaults]
forks = 20   ; of them
Inventory: hosts/a, hosts/b
roles_path = roles:~/shared/roles
vault_identity_list = dev@dev.txt,
    prod@prod.txt
private_key_file = "keys/id"
[ssh_connection]
ssh_args = -C -o ControlMaster=auto
[privilege_escalation]
become=True
`, map[string]string{"ANSIBLE_FORKS": "30"})
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := s.Get("forks"); v.Text != "30" || v.From != "ANSIBLE_FORKS" {
		t.Errorf("forks: %+v", v)
	}
	if v, _ := s.Get("ssh_args"); v.Text != "-C -o ControlMaster=auto" || !strings.HasSuffix(v.From, "ansible.cfg:10:1") {
		t.Errorf("ssh_args: %+v", v)
	}
	if !s.Bool("become", false) || s.Bool("diff_always", false) {
		t.Error("booleans")
	}
	if got := s.Path("private_key_file"); got != filepath.Join(dir, "keys/id") {
		t.Errorf("path %q", got)
	}
	for _, p := range []string{"hosts/a", "hosts/b"} {
		if err := os.MkdirAll(filepath.Join(dir, p), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.Paths("inventory"); !slices.Equal(got, []string{filepath.Join(dir, "hosts/a"), filepath.Join(dir, "hosts/b")}) {
		t.Errorf("inventory %q", got)
	}
	if got := s.Paths("roles_path"); len(got) != 2 || got[0] != filepath.Join(dir, "roles") || !strings.HasSuffix(got[1], "/shared/roles") {
		t.Errorf("roles_path %q", got)
	}
	if got := s.List("vault_identity_list"); !slices.Equal(got, []string{"dev@dev.txt", "prod@prod.txt"}) {
		t.Errorf("vault_identity_list %q", got)
	}
	if len(s.Warnings) > 0 {
		t.Errorf("warnings %q", s.Warnings)
	}
}

// TestFound is the order in which files are looked for: the first one is read alone.
func TestFound(t *testing.T) {
	for _, c := range []struct {
		name, want string
		files      []string
		env        map[string]string
		mode       os.FileMode
		warning    string
	}{
		{name: "none"},
		{name: "system", files: []string{"system.cfg"}, want: "system.cfg"},
		{name: "user", files: []string{"system.cfg", "home/.ansible.cfg"}, want: "home/.ansible.cfg"},
		{name: "directory", files: []string{"system.cfg", "home/.ansible.cfg", "ansible.cfg"}, want: "ansible.cfg"},
		{name: "environment", files: []string{"ansible.cfg", "other.cfg"}, env: map[string]string{"ANSIBLE_CONFIG": "other.cfg"}, want: "other.cfg"},
		{name: "environment names a directory", files: []string{"ansible.cfg", "home/ansible.cfg"}, env: map[string]string{"ANSIBLE_CONFIG": "home"}, want: "home/ansible.cfg"},
		{name: "environment names nothing", files: []string{"ansible.cfg"}, env: map[string]string{"ANSIBLE_CONFIG": "nope.cfg"}, want: "ansible.cfg", warning: "no file"},
		{name: "world-writable", files: []string{"ansible.cfg", "system.cfg"}, mode: 0o777, want: "system.cfg", warning: "anybody may write"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, f := range c.files {
				p := filepath.Join(dir, f)
				if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(p, nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if c.mode != 0 {
				if err := os.Chmod(dir, c.mode); err != nil {
					t.Fatal(err)
				}
			}
			if v, ok := c.env["ANSIBLE_CONFIG"]; ok {
				c.env["ANSIBLE_CONFIG"] = filepath.Join(dir, v)
			}
			s, err := Load(options(dir, c.env))
			if err != nil {
				t.Fatal(err)
			}
			want := c.want
			if want != "" {
				want = filepath.Join(dir, want)
			}
			if s.File != want {
				t.Errorf("read %q, want %q", s.File, want)
			}
			if text := strings.Join(s.Warnings, "\n"); c.warning == "" && text != "" || !strings.Contains(text, c.warning) {
				t.Errorf("warnings %q, want %q", text, c.warning)
			}
		})
	}
}

// TestJudged: what has no meaning is passed over, what would change results is
// said, what would give wrong ones ends the run.
func TestJudged(t *testing.T) {
	for _, c := range []struct{ cfg, warning, err string }{
		{cfg: "[defaults]\nnocows = 1\ninterpreter_python = /usr/bin/python3\nfact_caching = jsonfile\ndeprecation_warnings = False"},
		{cfg: "[ssh_connection]\npipelining = True\ncontrol_path = %(directory)s/%%h-%%r"},
		{cfg: "[colors]\nnosuch = 1\n[callback_x]\nanything = 2"},
		{cfg: "[defaults]\nhash_behaviour = replace\nstdout_callback = yaml\ncallbacks_enabled = timer, ansible.posix.profile_tasks"},
		{cfg: "[defaults]\nhash_behaviour = merge", err: ":2:1: hash_behaviour = merge: dictionaries of several layers are replaced"},
		{cfg: "[defaults]\nerror_on_undefined_vars = False", err: "an undefined variable is always an error"},
		{cfg: "[defaults]\nforks = many", err: `forks: expected a number, found "many"`},
		{cfg: "[defaults]\nhost_key_checking = perhaps", err: "expected yes or no"},
		{cfg: "[defaults]\nfork = 5", warning: "ansible.cfg:2:1: unknown key fork in [defaults], did you mean forks?"},
		{cfg: "[defaults]\nssh_args = -C", warning: "it belongs into [ssh_connection]"},
		{cfg: "[default]\nforks = 5", warning: "unknown section [default], did you mean [defaults]?"},
		{cfg: "[defaults]\nstdout_callback = json", warning: "stdout_callback = json: results are shown in the default shape"},
		{cfg: "[defaults]\ncallbacks_enabled = timer, junit", warning: "nothing hears of the run by junit"},
		{cfg: "[defaults]\nretry_files_enabled = yes", warning: "no retry files"},
		{cfg: "[defaults]\nstrategy = free", warning: "plays are linear"},
		{cfg: "forks = 1", err: ":1:1: forks stands before any section"},
		{cfg: "[defaults]\nforks", err: `expected key = value, found "forks"`},
		{cfg: "[defaults\nforks = 1", err: "the section is not closed"},
		{cfg: "[defaults]\nforks = 1\nforks = 2", err: "forks is set twice, first at"},
	} {
		s, _, err := load(t, c.cfg, nil)
		switch {
		case c.err == "" && err != nil, c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%q\n error %v, want %q", c.cfg, err, c.err)
		case c.err != "":
		case c.warning == "" && len(s.Warnings) > 0, !strings.Contains(strings.Join(s.Warnings, "\n"), c.warning):
			t.Errorf("%q\n warnings %q, want %q", c.cfg, s.Warnings, c.warning)
		}
	}
}

func TestEnvironmentNames(t *testing.T) {
	s, _, err := load(t, "", map[string]string{"ANSIBLE_ROLE_PATH": "x", "ANSIBLE_HOME": "y", "ANSIBLE_OWN_THING_OF_A_SITE": "z"})
	if err != nil || len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "did you mean ANSIBLE_ROLES_PATH?") {
		t.Errorf("%v, %q", err, s.Warnings)
	}
	if _, _, err = load(t, "", map[string]string{"ANSIBLE_HASH_BEHAVIOUR": "merge"}); err == nil || !strings.Contains(err.Error(), "ANSIBLE_HASH_BEHAVIOUR") {
		t.Errorf("merge: %v", err)
	}
}

// TestTable: every key belongs to one setting.
func TestTable(t *testing.T) {
	seen := map[string]string{}
	for _, s := range table {
		for _, k := range append(slices.Clone(s.keys), s.env...) {
			if seen[k] != "" {
				t.Errorf("%s is of %s and of %s", k, seen[k], s.name)
			}
			seen[k] = s.name
		}
	}
	for _, k := range quiet {
		if seen[k] != "" && seen[k] != "quiet" {
			t.Errorf("%s is quiet and a setting", k)
		}
	}
}

// TestDocumented: the page for those who come from Ansible names every setting
// that is honoured.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/coming-from-ansible.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range Names() {
		if !strings.Contains(string(page), "`"+d.Name+"`") {
			t.Errorf("the page does not name %s", d.Name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("[defaults]\nforks = 5 ; x\n a\n# b\n[x]\ny: 'z'")
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := parse("f", text)
		for _, e := range entries {
			if err == nil && (e.key == "" || e.place.Line == 0) {
				t.Errorf("%+v", e)
			}
		}
	})
}
