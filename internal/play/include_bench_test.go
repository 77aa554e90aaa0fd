package play_test

import (
	"fmt"
	"testing"

	"mageprov/internal/report"
)

// nobody hears the events, so that what a run keeps is its own.
type nobody struct{ tasks int }

func (n *nobody) Report(e report.Event) {
	if e.Type == report.TaskStart {
		n.tasks++
	}
}

func (n *nobody) Close() error { return nil }

// BenchmarkIncludeLoop includes a file once per item: time and memory per item
// must not grow with the number of items.
func BenchmarkIncludeLoop(b *testing.B) {
	for _, kind := range []struct{ name, task string }{
		{"tasks", "include_tasks: inc.yml"},
		{"role", "include_role: {name: r, public: true}"},
	} {
		for _, items := range []int{250, 500, 1000} {
			b.Run(fmt.Sprintf("%s/%d", kind.name, items), func(b *testing.B) {
				dir := b.TempDir()
				tasks := "- debug: {msg: \"{{ x }} {{ base }}\"}\n- set_fact: {last: \"{{ x }}\"}\n  when: x % 2 == 0\n"
				write(b, dir, "inc.yml", tasks)
				write(b, dir, "roles/r/tasks/main.yml", tasks)
				write(b, dir, "roles/r/defaults/main.yml", "d: 1\n")
				book := fmt.Sprintf("- hosts: all\n  gather_facts: false\n  vars: {base: b}\n  tasks:\n    - %s\n      loop: \"{{ range(%d) | list }}\"\n      loop_control: {loop_var: x}\n", kind.task, items)
				b.ReportAllocs()
				for b.Loop() {
					heard := &nobody{}
					if err := runBookIn(b.Context(), b, dir, 2, book, heard); err != nil {
						b.Fatal(err)
					}
					if heard.tasks < 2*items {
						b.Fatalf("%d tasks for %d items", heard.tasks, items)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*items), "ns/item")
			})
		}
	}
}
