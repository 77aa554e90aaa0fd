package play_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mageprov/internal/document"
	"mageprov/internal/inventory"
	"mageprov/internal/module"
	_ "mageprov/internal/modules"
	"mageprov/internal/playbook"
	"mageprov/internal/template"
)

// writeSite writes 50 files of 20 tasks and 10 files of 1,000 variables.
func writeSite(b *testing.B, dir string) {
	b.Helper()
	kinds := []string{
		"- name: Install %[1]d\n  ansible.builtin.apt:\n    name: \"{{ packages_%[1]d }}\"\n    update_cache: true\n" +
			"  when: ansible_os_family == 'Debian' and var_%[1]d is defined\n  tags: [install, part]\n",
		"- name: Write %[1]d\n  ansible.builtin.template:\n    src: conf.j2\n    dest: \"/etc/app/{{ var_%[1]d }}.conf\"\n" +
			"    owner: root\n    mode: \"0644\"\n  notify: Restart app\n  register: written_%[1]d\n",
		"- name: Set a line %[1]d\n  ansible.builtin.lineinfile:\n    path: /etc/app/main.conf\n    regexp: '^key%[1]d\\s*='\n" +
			"    line: \"key = {{ var_%[1]d | default('none') | upper }}\"\n" +
			"  loop: \"{{ users | default([]) | selectattr('name', 'defined') | list }}\"\n" +
			"  when:\n    - written_%[1]d is changed\n    - var_%[1]d | length > 0\n",
		"- name: Ask for %[1]d\n  ansible.builtin.command:\n    cmd: /usr/bin/app --show %[1]d\n  register: out_%[1]d\n" +
			"  changed_when: false\n  failed_when: out_%[1]d.rc not in [0, 1]\n",
	}
	values := []string{"var_%[1]d: value\n", "var_%[1]d: \"{{ var_0 }}-x\"\n", "var_%[1]d: %[1]d\n",
		"var_%[1]d: [a, b, \"{{ var_0 }}\"]\n", "var_%[1]d:\n  name: x\n  port: %[1]d\n"}
	write := func(name string, lines []string) {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(strings.Join(lines, "")), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	site := []string{"- hosts: all\n  handlers:\n    - name: Restart app\n      ansible.builtin.service: {name: app, state: restarted}\n  tasks:\n"}
	for f := range 50 {
		var tasks []string
		for i := range 20 {
			n := f*20 + i
			tasks = append(tasks, fmt.Sprintf(kinds[n%len(kinds)], n))
		}
		write(fmt.Sprintf("tasks/t%d.yml", f), tasks)
		site = append(site, fmt.Sprintf("    - ansible.builtin.import_tasks: tasks/t%d.yml\n", f))
	}
	for f := range 10 {
		var vars []string
		for i := range 1000 {
			n := f*1000 + i
			vars = append(vars, fmt.Sprintf(values[n%len(values)], n))
		}
		write(fmt.Sprintf("group_vars/all/v%d.yml", f), vars)
	}
	write("site.yml", site)
	write("hosts", []string{"h1\n"})
}

// BenchmarkParseSite is what stands between the command line and the first
// host: 1,000 tasks in 50 files, each template of them parsed, and 10,000 variables.
func BenchmarkParseSite(b *testing.B) {
	dir := b.TempDir()
	writeSite(b, dir)
	files := document.Disk{}
	for b.Loop() {
		e := template.New(template.Options{})
		l := playbook.NewLoader(playbook.Options{Files: files, Modules: module.Lookup, Parse: e.Parse})
		if _, err := l.Playbook(filepath.Join(dir, "site.yml")); err != nil {
			b.Fatal(err)
		}
		inv, err := inventory.Load(inventory.Options{Sources: []string{filepath.Join(dir, "hosts")}, Files: files})
		if err != nil {
			b.Fatal(err)
		}
		if n := inv.Merged("h1").Len(); n < 10000 {
			b.Fatalf("%d variables", n)
		}
	}
}
