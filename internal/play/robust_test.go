package play_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/inventory"
	"mageprov/internal/module"
	"mageprov/internal/play"
	"mageprov/internal/playbook"
	"mageprov/internal/report"
	"mageprov/internal/template"
)

// plainFiles resolves names outside any task as they are.
type plainFiles struct{ document.Disk }

func (plainFiles) Find(_ context.Context, _, name string) (string, error) { return name, nil }

// events keeps what a run reports; seen is called for each.
type events struct {
	mu   sync.Mutex
	all  []report.Event
	seen func(e report.Event)
}

func (e *events) Report(ev report.Event) {
	e.mu.Lock()
	e.all = append(e.all, ev)
	e.mu.Unlock()
	if e.seen != nil {
		e.seen(ev)
	}
}

func (e *events) Close() error { return nil }

func (e *events) count(f func(ev report.Event) bool) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range e.all {
		if f(ev) {
			n++
		}
	}
	return n
}

// write makes a file with its directories.
func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	p := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

// runBook runs a playbook inside this process on hosts that are all this machine.
func runBook(ctx context.Context, t *testing.T, hosts int, book string, ev report.Reporter) error {
	t.Helper()
	return runBookIn(ctx, t, t.TempDir(), hosts, book, ev)
}

// runBookIn does so in a directory that may hold roles.
func runBookIn(ctx context.Context, t testing.TB, dir string, hosts int, book string, ev report.Reporter) error {
	t.Helper()
	return runBookAs(ctx, t, dir, hosts, play.Login{Kind: "local"}, book, ev)
}

// runBookAs connects as login says.
func runBookAs(ctx context.Context, t testing.TB, dir string, hosts int, login play.Login, book string, ev report.Reporter) error {
	t.Helper()
	path := write(t, dir, "book.yml", book)
	var names strings.Builder
	for i := range hosts {
		fmt.Fprintf(&names, "n%03d,", i)
	}
	files := document.Disk{}
	inv, err := inventory.Load(inventory.Options{Sources: []string{names.String()}, Files: files})
	if err != nil {
		t.Fatal(err)
	}
	templates := template.New(template.Options{Files: plainFiles{files}})
	loader := playbook.NewLoader(playbook.Options{Files: files, Modules: module.Lookup, Parse: templates.Parse})
	b, err := loader.Playbook(path)
	if err != nil {
		return err
	}
	r := play.New(play.Options{Inventory: inv, Loader: loader, Templates: templates, Files: files, Reporter: ev,
		Forks: 20, Connection: login})
	defer r.Close()
	return r.Playbooks(ctx, []*playbook.Playbook{b})
}

// TestInterrupt cancels a run in the middle of a task: the task ends, the recap
// comes, and the exit code says what happened.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	ev := &events{}
	ev.seen = func(e report.Event) {
		if e.Type == report.HostStart {
			time.AfterFunc(300*time.Millisecond, func() { cancel(errors.New("signal")) })
		}
	}
	begin := time.Now()
	err := runBook(ctx, t, 2, `
- hosts: all
  gather_facts: false
  tasks:
    - command: sleep 60
    - debug: msg=unreached
`, ev)
	if code := fault.CodeOf(err); code != fault.ExitInterrupted {
		t.Errorf("exit code %d (%v), want %d", code, err, fault.ExitInterrupted)
	}
	if d := time.Since(begin); d > 20*time.Second {
		t.Errorf("the run took %s to end", d)
	}
	if n := ev.count(func(e report.Event) bool { return e.Type == report.Recap }); n != 1 {
		t.Errorf("%d recaps", n)
	}
	if n := ev.count(func(e report.Event) bool { return e.Type == report.TaskStart }); n != 1 {
		t.Errorf("%d tasks started", n)
	}
}

// TestManyHosts is for the race detector: everything that hosts share is used at once.
func TestManyHosts(t *testing.T) {
	for _, strategy := range []string{"linear", "free"} {
		ev := &events{}
		err := runBook(t.Context(), t, 50, `
- hosts: all
  gather_facts: false
  strategy: `+strategy+`
  vars: {base: "{{ inventory_hostname }}", text: "{{ base }}!"}
  tasks:
    - set_fact: {mine: "{{ text }}", n: "{{ groups.all.index(inventory_hostname) }}"}
      notify: told
      changed_when: true
    - debug: msg="{{ hostvars[groups.all[0]].text | default('-') }} {{ item }}"
      loop: [1, 2]
      register: r
    - group_by: {key: "k{{ n | int % 3 }}"}
    - block:
        - fail: msg=odd
          when: n | int % 2 == 1
      rescue:
        - debug: msg="{{ ansible_failed_result.msg }}"
      always:
        - debug: msg="{{ r.results | length }} {{ group_names }}"
    - debug: msg=once
      run_once: true
    - debug: msg="{{ inventory_hostname }}"
      delegate_to: "{{ groups.all[-1] }}"
  handlers:
    - name: told
      debug: msg="{{ mine }}"
`, ev)
		if err != nil {
			t.Errorf("%s: %v", strategy, err)
		}
		handled := ev.count(func(e report.Event) bool {
			return e.Type == report.HostResult && e.Result["msg"] == e.Host+"!"
		})
		if handled != 50 {
			t.Errorf("%s: the handler ran on %d hosts, want 50", strategy, handled)
		}
	}
}

// TestBrokenNames: a template that fails where no result can carry the error
// must not end the process.
func TestBrokenNames(t *testing.T) {
	ev := &events{}
	err := runBook(t.Context(), t, 2, `
- name: "play {{ nope }}"
  hosts: all
  gather_facts: false
  tasks:
    - name: "name {{ nope }}"
      debug: msg=a
    - debug: msg=b
      tags: "{{ nope }}"
    - debug: msg=c
      changed_when: true
      notify: "{{ nope }}"
      ignore_errors: true
    - debug: msg=d
      loop: [1]
      loop_control: {label: "{{ nope }}"}
    - debug: msg=e
      register: r
`, ev)
	t.Log(err)
	if n := ev.count(func(e report.Event) bool { return e.Type == report.Recap }); n != 1 {
		t.Errorf("%d recaps", n)
	}
	if n := ev.count(func(e report.Event) bool { return e.Type == report.HostResult && e.Result["msg"] == "a" }); n != 2 {
		t.Errorf("the task with the broken name ran %d times, want 2", n)
	}
}

// TestManySkipped holds the price of a task that does nothing.
func TestManySkipped(t *testing.T) {
	var book strings.Builder
	book.WriteString("- hosts: all\n  gather_facts: false\n  tasks:\n")
	for range 50 {
		book.WriteString("    - debug: msg=x\n      when: inventory_hostname == 'nobody'\n")
	}
	ev := &events{}
	begin := time.Now()
	if err := runBook(t.Context(), t, 200, book.String(), ev); err != nil {
		t.Fatal(err)
	}
	if n := ev.count(func(e report.Event) bool { return e.Status == report.Skipped }); n != 200*50 {
		t.Errorf("%d skipped, want %d", n, 200*50)
	}
	d := time.Since(begin)
	t.Logf("10,000 skipped tasks in %s", d)
	if d > 30*time.Second {
		t.Errorf("10,000 skipped tasks took %s", d)
	}
}
