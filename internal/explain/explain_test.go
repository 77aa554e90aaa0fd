package explain_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mageprov/internal/document"
	"mageprov/internal/explain"
	"mageprov/internal/inventory"
	"mageprov/internal/jinja"
	"mageprov/internal/module"
	_ "mageprov/internal/modules"
	"mageprov/internal/playbook"
	"mageprov/internal/template"
)

// project sets the variable v on every level that can be known before a run.
var project = map[string]string{
	"inv/hosts.yml":             "all:\n  children:\n    web:\n      vars: {v: 3}\n      hosts:\n        web1: {v: 8}\n",
	"inv/group_vars/all.yml":    "v: 4\n",
	"group_vars/all.yml":        "v: 5\n",
	"inv/group_vars/web.yml":    "v: 6\n",
	"group_vars/web.yml":        "v: 7\n",
	"inv/host_vars/web1.yml":    "v: 9\n",
	"host_vars/web1.yml":        "v: 10\n",
	"roles/r/defaults/main.yml": "v: 2\n",
	"roles/r/vars/main.yml":     "v: 15\n",
	"roles/r/vars/more.yml":     "v: 18\n",
	"roles/r/tasks/main.yml":    "- include_vars: more.yml\n- include_tasks: sub.yml\n  vars: {v: 21}\n",
	"roles/r/tasks/sub.yml":     "- debug:\n",
	"files.yml":                 "v: 14\n",
	"site.yml": "- hosts: web\n  vars: {v: 12}\n  vars_prompt: [{name: v, default: 13}]\n  vars_files: [files.yml]\n  roles: [{role: r, v: 20}]\n  tasks:\n" +
		"    - vars: {v: 16}\n      block:\n        - debug:\n          vars: {v: 17}\n    - set_fact: {v: 19}\n",
}

// TestLevels: each level has its number, and they come in order; the winner is
// the strongest that holds everywhere.
func TestLevels(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range project {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files := document.Disk{}
	inv, err := inventory.Load(inventory.Options{Sources: []string{"inv"}, Files: files})
	if err != nil {
		t.Fatal(err)
	}
	l := playbook.NewLoader(playbook.Options{Files: files, Modules: module.Lookup})
	book, err := l.Playbook("site.yml")
	if err != nil {
		t.Fatal(err)
	}
	in := explain.Input{Files: files, Inventory: inv, Loader: l, Books: []*playbook.Playbook{book},
		Templates: template.New(template.Options{}), Extra: jinja.NewDict("v", int64(22))}
	all, err := explain.For(t.Context(), in, "v", "web1")
	if err != nil || len(all) != 1 {
		t.Fatal(len(all), err)
	}
	e := all[0]
	var levels []int
	for _, o := range e.Origins {
		levels = append(levels, o.Level)
		if o.Value != int64(o.Level) {
			t.Errorf("%s (%s) is %v on level %d", o.Layer, o.Place, o.Value, o.Level)
		}
		if o.Place.File == "" || o.Place.Line == 0 && o.Place.File != "-e" {
			t.Errorf("%s has the place %q", o.Layer, o.Place)
		}
	}
	if want := 20; len(levels) != want { // 1 is no variable, 11 are facts
		t.Errorf("levels %v", levels)
	}
	if e.Winner != len(levels)-1 || e.Value != int64(22) {
		t.Errorf("winner %d, value %v", e.Winner, e.Value)
	}
	in.Extra = nil
	if all, err = explain.For(t.Context(), in, "v", "web1"); err != nil {
		t.Fatal(err)
	}
	if e = all[0]; e.Value != int64(15) || !strings.HasPrefix(e.Origins[e.Winner].Layer, "vars of the role") {
		t.Errorf("without -e: %v by %s", e.Value, e.Origins[e.Winner].Layer)
	}
}

func TestMasked(t *testing.T) {
	d := jinja.NewDict("name", "ann", "password", "x", "list", jinja.NewList(jinja.NewDict("api_key", "y", "n", int64(1))))
	got := explain.Written(explain.Masked(d))
	if strings.Contains(got, `"x"`) || strings.Contains(got, `"y"`) || !strings.Contains(got, "ann") {
		t.Error(got)
	}
}
