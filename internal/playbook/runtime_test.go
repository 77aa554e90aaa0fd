package playbook

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"mageprov/internal/document"
	"mageprov/internal/module"
)

func write(t testing.TB, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestIncludesAtRunTime(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, map[string]string{
		"play/site.yml":                   "- hosts: all\n",
		"play/roles/first/tasks/main.yml": "- ping:\n",
		"play/roles/first/tasks/x.yml":    "- import_tasks: y.yml\n",
		"play/roles/first/tasks/y.yml":    "- name: y\n  ping:\n",
		"play/bad.yml":                    "- pong:\n- file: {pth: x}\n",
	})
	l := testLoader(Options{})
	if _, err := l.Playbook("play/site.yml"); err != nil {
		t.Fatal(err)
	}
	role, err := l.Role("first", RoleFrom{Tasks: "x"}, "play", nil)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := l.Role("first", RoleFrom{Tasks: "x"}, "play", nil)
	if again != role {
		t.Error("the role was loaded twice")
	}
	var wg sync.WaitGroup
	for range 8 { // the strategy free includes from many hosts at a time
		wg.Add(1)
		go func() {
			defer wg.Done()
			nodes, err := l.Tasks("play/roles/first/tasks/y.yml", TasksContext{Role: role, Handlers: true})
			if err != nil || len(nodes) != 1 {
				t.Error(err)
				return
			}
			if task := nodes[0].(*Task); !task.IsHandler || task.Role != role || task.Dir != "play/roles/first/tasks" {
				t.Errorf("%+v", task)
			}
		}()
	}
	wg.Wait()
	_, err = l.Tasks("play/bad.yml", TasksContext{})
	if got := report(err); !strings.Contains(got, `play/bad.yml:1:3: unknown module "pong"`) || !strings.Contains(got, "play/bad.yml:2:10: file has no argument") {
		t.Errorf("got %s", got)
	}
	_, err = l.Role("frist", RoleFrom{}, "play", nil)
	if got := report(err); !strings.Contains(got, "the role frist does not exist") || !strings.Contains(got, "did you mean first?") {
		t.Errorf("got %s", got)
	}
	if dir, err := l.RolePath("first", "play", nil); dir != "play/roles/first" || err != nil {
		t.Error(dir, err)
	}
}

// Content in the binary is found by the same names, and a directory on the disk hides it.
func TestShippedContent(t *testing.T) {
	t.Chdir(t.TempDir())
	l := testLoader(Options{RolesPath: []string{"roles"}})
	l.o.Files = document.Disk{Shipped: fstest.MapFS{
		"playbooks/site.yml":           {Data: []byte("- hosts: all\n  roles: [base, own]\n")},
		"roles/base/tasks/main.yml":    {Data: []byte("- import_tasks: sub.yml\n")},
		"roles/base/tasks/sub.yml":     {Data: []byte("- ping:\n")},
		"roles/base/handlers/main.yml": {Data: []byte("- import_tasks: ../tasks/sub.yml\n")},
		"roles/own/tasks/main.yml":     {Data: []byte("- ping:\n")},
	}}
	write(t, map[string]string{"roles/own/tasks/main.yml": "- debug: msg=mine\n"})
	pb, err := l.Playbook("playbooks/site.yml")
	if err != nil {
		t.Fatal(report(err))
	}
	base, own := pb.Plays[0].Roles[0].Role, pb.Plays[0].Roles[1].Role
	if base.Path != "builtin:roles/base" || own.Path != "roles/own" {
		t.Errorf("base in %s, own in %s", base.Path, own.Path)
	}
	task := base.Tasks[0].(*Block).Body[0].(*Task)
	if got := task.Place.String(); got != "builtin:roles/base/tasks/sub.yml:1:3" {
		t.Errorf("place %s", got)
	}
	if pb.Plays[0].File != "builtin:playbooks/site.yml" {
		t.Errorf("file %s", pb.Plays[0].File)
	}
}

func TestAdHoc(t *testing.T) {
	l := testLoader(Options{})
	for _, c := range []struct{ module, args, want string }{
		{"command", "ls -l chdir=/", `{chdir: "/", cmd: "ls -l"}`},
		{"file", `{"path": "/x", "force": true}`, `{path: "/x", force: true}`},
		{"file", "path=/x", `{path: "/x"}`},
		{"ping", "", `{}`},
	} {
		pb, err := l.AdHoc(AdHoc{Hosts: "all", Module: c.module, Args: c.args})
		if err != nil {
			t.Error(report(err))
			continue
		}
		if got := show(pb.Plays[0].Tasks[0].(*Task).Args); got != c.want {
			t.Errorf("%s %s: %s", c.module, c.args, got)
		}
	}
	for _, c := range []struct{ module, args, want string }{
		{"pong", "", `--module-name: unknown module "pong"`},
		{"when", "x", `--module-name: unknown module "when"`},
		{"file", "pth=/x", `file has no argument "pth"`},
	} {
		if _, err := l.AdHoc(AdHoc{Hosts: "all", Module: c.module, Args: c.args}); err == nil || !strings.Contains(report(err), c.want) {
			t.Errorf("%s %s: %v", c.module, c.args, err)
		}
	}
}

// thousandTasks writes 50 files of 20 tasks such as people write them.
func thousandTasks(t testing.TB) {
	site := "- hosts: all\n  tasks:\n"
	files := map[string]string{}
	for f := range 49 {
		var b strings.Builder
		for i := range 20 {
			fmt.Fprintf(&b, `- name: "make {{ dir }} number %d"
  ansible.builtin.file:
    path: "/srv/{{ dir }}/%d"
    state: directory
    mode: "0755"
  when:
    - dir is defined
    - ansible_facts['os_family'] == 'Debian'
  register: made
  tags: [dirs, base]
  notify: restart
`, i, i)
		}
		files[fmt.Sprintf("t%d.yml", f)] = b.String()
		site += fmt.Sprintf("    - import_tasks: t%d.yml\n      when: stage > %d\n", f, f)
	}
	site += "  handlers:\n    - name: restart\n      ping:\n"
	files["site.yml"] = site
	write(t, files)
}

// The benchmark's promise is 200 ms. A clock says little on a busy machine, so
// the test counts allocations, which are what the time goes with.
func TestThousandTasksAreCheap(t *testing.T) {
	t.Chdir(t.TempDir())
	thousandTasks(t)
	allocs := testing.AllocsPerRun(1, func() {
		if _, err := testLoader(Options{}).Playbook("site.yml"); err != nil {
			t.Fatal(report(err))
		}
	})
	if perTask := allocs / 1000; perTask > 500 {
		t.Errorf("%.0f allocations per task", perTask)
	}
}

func BenchmarkThousandTasks(b *testing.B) {
	b.Chdir(b.TempDir())
	thousandTasks(b)
	for b.Loop() {
		if _, err := testLoader(Options{}).Playbook("site.yml"); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzTasks(f *testing.F) {
	for _, s := range []string{
		"- ping:\n", "- block: [{ping: }]\n  rescue: x\n", "- command: \"a b='\"\n  args: {chdir: 1}\n", "- include_role: name=x apply=1\n",
		"- import_tasks: {file: '{{ x }}'}\n", "- action: {module: 5}\n", "- file: {path: [a], mode: 1.5}\n  loop: {a: b}\n  with_x: y\n", "- ? [a]\n  : b\n- when: {}\n- vars: [[a]]\n",
		"- local_action: file path=\n  loop_control: [a]\n- meta: {a: 1}\n  environment: [1, {}]\n  module_defaults: [{file: 1}, 2]\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l := NewLoader(Options{Files: oneFile(data), Modules: module.Lookup})
		l.Tasks("f.yml", TasksContext{})
		pb, _ := l.Playbook("f.yml")
		Lint(l, pb)
		List(&strings.Builder{}, pb, ListOptions{Tasks: true, Tags: true})
	})
}

// oneFile is a disk where every file has the same content.
type oneFile []byte

func (f oneFile) ReadFile(string) ([]byte, error)       { return f, nil }
func (f oneFile) Stat(p string) (bool, error)           { return !strings.HasSuffix(p, ".yml"), nil }
func (f oneFile) ReadDir(string) ([]string, error)      { return []string{"main.yml"}, nil }
func (f oneFile) Glob(pattern string) ([]string, error) { return []string{pattern}, nil }
