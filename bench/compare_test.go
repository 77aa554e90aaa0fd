//go:build bench

// Package bench compares mageprov with ansible-core over the same sshd in one
// run. It is no test: `make bench` prints ratios, and asserts only that both
// programs really did the work.
package bench

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mageprov/internal/connection/sshtest"
)

// workload is one comparison; aim is the ratio of wall time that the project
// wants of it.
type workload struct {
	name     string
	playbook string // with HOSTS for the pattern
	hosts    int
	tasks    int // per host
	aim      float64
	prepare  bool // one unmeasured run first, so that the tasks are converged
}

func workloads() []workload {
	return []workload{
		{"1 host x 100 converged tasks", converged(100), 1, 100, 100, true},
		{"1 host, 250 set_fact + 250 assert", controllerOnly(250), 1, 500, 500, false},
		{"1 host, 500 tasks skipped by when", skipped(500), 1, 500, 500, false},
		{"1 host, gather all facts", gather, 1, 1, 20, false},
		{"20 hosts, gather all facts", gather, 20, 1, 20, false},
		{"20 hosts x 100 converged tasks", converged(100), 20, 100, 100, true},
	}
}

const head = "- hosts: all\n  gather_facts: false\n  vars: {root: \"/tmp/mageprov-bench/{{ inventory_hostname }}\", flag: true}\n  tasks:\n"

const gather = head + "  - setup:\n"

// converged is n tasks, a quarter each of file, copy, lineinfile and a command
// with when.
func converged(n int) string {
	var b strings.Builder
	b.WriteString(head + "  - file: {path: \"{{ root }}\", state: directory, mode: \"0755\"}\n    tags: prepare\n")
	for i := range n / 4 {
		fmt.Fprintf(&b, "  - file: {path: \"{{ root }}/d%d\", state: directory, mode: \"0755\"}\n", i)
		fmt.Fprintf(&b, "  - copy: {dest: \"{{ root }}/f%d\", content: \"line of {{ inventory_hostname }}\\n\", mode: \"0644\"}\n", i)
		fmt.Fprintf(&b, "  - lineinfile: {path: \"{{ root }}/l%d\", line: \"a = %d\", regexp: \"^a =\", create: true, mode: \"0644\"}\n", i, i)
		fmt.Fprintf(&b, "  - command: \"true\"\n    when: flag and root is defined\n    changed_when: false\n")
	}
	return b.String()
}

func controllerOnly(n int) string {
	var b strings.Builder
	b.WriteString(head)
	for i := range n {
		fmt.Fprintf(&b, "  - set_fact: {v%d: \"{{ inventory_hostname }}-%d\"}\n  - assert: {that: \"v%d == inventory_hostname ~ '-%d'\", quiet: true}\n", i, i, i, i)
	}
	return b.String()
}

func skipped(n int) string {
	var b strings.Builder
	b.WriteString(head)
	for i := range n {
		fmt.Fprintf(&b, "  - command: echo %d\n    when: not flag and root is defined\n", i)
	}
	return b.String()
}

// TestCompare prints the table.
func TestCompare(t *testing.T) {
	program := build(t)
	site := newSite(t, 20)
	fmt.Printf("\n%-36s %12s %12s %9s %9s %9s %s\n", "", "ansible", "mageprov", "wall", "CPU", "memory", "aim")
	for _, w := range workloads() {
		if !strings.Contains(w.name, os.Getenv("BENCH")) {
			continue
		}
		dir := t.TempDir()
		book := filepath.Join(dir, "book.yml")
		sshtest.Write(t, book, w.playbook)
		inv := site.inventory(t, dir, w.hosts)
		ours := []string{program, "apply", "-i", inv, "-f", "20", "--host-key=strict", book}
		theirs := []string{"ansible-playbook", "-i", inv, "-f", "20", book}
		if w.prepare {
			measure(t, dir, ours)
		}
		m := middle(t, dir, ours)
		a := measure(t, dir, theirs)
		units := float64(w.hosts * w.tasks)
		fmt.Printf("%-36s %9.2f ms %9.3f ms %8.0fx %8.0fx %8.1fx %.0fx\n", w.name, a.wall.Seconds()*1000/units, m.wall.Seconds()*1000/units,
			a.wall.Seconds()/m.wall.Seconds(), a.cpu.Seconds()/m.cpu.Seconds(), float64(a.memory)/float64(max(m.memory, 1)), w.aim)
		fmt.Printf("%36s controller: wall %.2f s / %.3f s, CPU %.2f s / %.3f s, memory %d MB / %d MB\n", "", a.wall.Seconds(), m.wall.Seconds(), a.cpu.Seconds(), m.cpu.Seconds(), a.memory>>20, m.memory>>20)
	}
}

// middle is the run with the middle wall time of five: ours are so short that
// one disturbance counts, while ansible's are long enough to be their own mean.
func middle(t *testing.T, dir string, argv []string) usage {
	runs := make([]usage, 5)
	for i := range runs {
		runs[i] = measure(t, dir, argv)
	}
	slices.SortFunc(runs, func(a, b usage) int { return cmp.Compare(a.wall, b.wall) })
	return runs[len(runs)/2]
}

func build(t *testing.T) string {
	out := filepath.Join(t.TempDir(), "mageprov")
	cmd := exec.Command("make", "-C", "..", "build")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make build: %v\n%s", err, b)
	}
	// As an installation would: a file written by one call is kept in the page
	// cache in one piece, and counts as used memory as a whole.
	if b, err := exec.Command("cp", "../bin/mageprov", out).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v\n%s", err, b)
	}
	return out
}

// site is a number of sshds on this machine that stand for hosts.
type site struct{ servers []*sshtest.Server }

func newSite(t *testing.T, n int) *site {
	s := &site{}
	for range n {
		s.servers = append(s.servers, sshtest.Start(t, sshtest.Options{}))
	}
	t.Cleanup(func() { os.RemoveAll("/tmp/mageprov-bench") })
	if err := os.MkdirAll("/tmp/mageprov-bench", 0o755); err != nil {
		t.Fatal(err)
	}
	return s
}

// inventory names n of them, for both programs.
func (s *site) inventory(t *testing.T, dir string, n int) string {
	var b strings.Builder
	b.WriteString("all:\n  hosts:\n")
	for i, srv := range s.servers[:n] {
		fmt.Fprintf(&b, "    h%02d: {ansible_host: 127.0.0.1, ansible_port: %d, ansible_user: %s, ansible_ssh_private_key_file: %s, ansible_ssh_common_args: \"-o UserKnownHostsFile=%s\"}\n",
			i, srv.Port, srv.User, srv.Key, srv.KnownHosts)
	}
	b.WriteString("  vars: {ansible_python_interpreter: /usr/bin/python3}\n")
	p := filepath.Join(dir, "inventory.yml")
	sshtest.Write(t, p, b.String())
	cfg := "[defaults]\ndeprecation_warnings = false\nhost_key_checking = true\ntimeout = 90\n[ssh_connection]\npipelining = true\nssh_args = -o ControlMaster=auto -o ControlPersist=60s\n"
	sshtest.Write(t, filepath.Join(dir, "ansible.cfg"), cfg)
	return p
}

// usage is what a program and all its descendants took.
type usage struct {
	wall, cpu time.Duration
	memory    int64 // peak of the sum of all processes' PSS, bytes
}

// measure runs a program and fails the test if it fails. CPU is that of every
// descendant, ssh masters left behind included: they are ended and counted.
func measure(t *testing.T, dir string, argv []string) usage {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "ANSIBLE_CONFIG="+filepath.Join(dir, "ansible.cfg"), "HOME="+dir, "ANSIBLE_SSH_CONTROL_PATH_DIR="+filepath.Join(dir, "cp"))
	log := filepath.Join(dir, "out.log")
	f, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd.Stdout, cmd.Stderr = f, f
	return account(t, cmd, log)
}
