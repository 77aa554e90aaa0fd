package play_test

import (
	"strings"
	"testing"

	"mageprov/internal/report"
)

// TestBadKeywords: a keyword that steers a play and cannot be understood ends
// the run before the task it is about has run; it is never taken for unset.
func TestBadKeywords(t *testing.T) {
	const task = "\n  tasks: [{debug: {msg: ran}}]\n"
	for _, c := range []struct{ name, book, want string }{
		{"strategy", "  strategy: fre" + task, `strategy: "fre" is not known`},
		{"strategy undefined", "  strategy: '{{ nope }}'" + task, "nope"},
		{"force_handlers", "  force_handlers: '{{ [1] }}'" + task, "force_handlers: expected yes or no"},
		{"max_fail_percentage", "  max_fail_percentage: most" + task, "max_fail_percentage: expected a number"},
		{"max_fail_percentage undefined", "  max_fail_percentage: '{{ nope }}'" + task, "nope"},
		{"serial", "  serial: few" + task, "serial: "},
		{"throttle", "  tasks: [{debug: {msg: ran}, throttle: '{{ nope }}'}]\n", "throttle: "},
		{"any_errors_fatal", "  tasks: [{debug: {msg: ran}, any_errors_fatal: '{{ nope }}'}]\n", "any_errors_fatal: "},
		{"run_once", "  tasks: [{debug: {msg: ran}, run_once: '{{ nope }}'}]\n", "run_once: "},
		{"tags", "  tasks: [{debug: {msg: ran}, tags: '{{ nope }}'}]\n", "tags: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			ev := &events{}
			err := runBook(t.Context(), t, 2, "- hosts: all\n  gather_facts: false\n"+c.book, ev)
			if err == nil {
				t.Fatal("the run succeeded")
			}
			said := err.Error()
			for _, e := range ev.all {
				said += "\n" + e.Msg
				if e.Result["msg"] == "ran" {
					t.Error("the task ran")
				}
			}
			if !strings.Contains(said, c.want) {
				t.Errorf("said %q, want %q", said, c.want)
			}
		})
	}
}

// TestEndOfPlay: end_play also ends the batches to come, end_batch does not.
func TestEndOfPlay(t *testing.T) {
	for word, want := range map[string]int{"end_play": 1, "end_batch": 3} {
		ev := &events{}
		err := runBook(t.Context(), t, 3, `
- hosts: all
  gather_facts: false
  serial: 1
  tasks:
    - debug: msg=before
    - meta: `+word+`
    - debug: msg=after
- hosts: all
  gather_facts: false
  tasks: [{debug: {msg: next}}]
`, ev)
		if err != nil {
			t.Errorf("%s: %v", word, err)
		}
		said := func(msg string) int {
			return ev.count(func(e report.Event) bool { return e.Type == report.HostResult && e.Result["msg"] == msg })
		}
		if said("before") != want || said("after") != 0 || said("next") != 3 {
			t.Errorf("%s: before %d, after %d, next %d; want %d, 0, 3", word, said("before"), said("after"), said("next"), want)
		}
	}
}

// TestFreeIncludesRole: hosts that come to one role at the same time list its
// handlers once.
func TestFreeIncludesRole(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "roles/r/tasks/main.yml", "- debug: msg=work\n  changed_when: true\n  notify: topic\n")
	write(t, dir, "roles/r/handlers/main.yml", "- name: told\n  listen: topic\n  debug: msg=told\n")
	ev := &events{}
	err := runBookIn(t.Context(), t, dir, 40, "- hosts: all\n  gather_facts: false\n  strategy: free\n  tasks: [{include_role: {name: r}}]\n", ev)
	if err != nil {
		t.Fatal(err)
	}
	if n := ev.count(func(e report.Event) bool { return e.Type == report.HostResult && e.Result["msg"] == "told" }); n != 40 {
		t.Errorf("the handler ran %d times on 40 hosts", n)
	}
	if n := ev.count(func(e report.Event) bool { return e.Type == report.NoteEvent }); n != 0 {
		t.Errorf("%d warnings", n)
	}
}
