//go:build lab

// Package lab_test proves mageprov on the lab's hosts: real systemd, apt, sudo
// and sshd. It needs root and takes the lab for itself: every test begins with
// fresh hosts. `make lab-test` runs it.
package lab_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mageprov/internal/lab"
	"mageprov/internal/worker"
)

const (
	program   = "../bin/mageprov"
	inventory = "../inventory/lab"
	site      = "../playbooks/site.yml"
)

func TestMain(m *testing.M) {
	worker.RunIfAsked() // a test that was built without the workers pushes itself
	os.Exit(m.Run())
}

// fresh gives three hosts on which nothing has been done.
func fresh(t *testing.T) {
	t.Helper()
	down(t)
	if r := mageprov(t, "lab", "up", "--hosts", "3"); r.code != 0 {
		t.Fatalf("lab up: exit code %d\n%s", r.code, r.err)
	}
}

func down(t *testing.T) {
	t.Helper()
	if r := mageprov(t, "lab", "down"); r.code != 0 {
		t.Fatalf("lab down: exit code %d\n%s", r.code, r.err)
	}
}

// outcome is what a run of the program gave.
type outcome struct {
	code     int
	out, err string
	took     time.Duration
}

// command makes a run of the program that no test lets go on for ever.
func command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.WaitDelay = time.Second // what it started may hold its output
	return cmd
}

func mageprov(t *testing.T, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	return finish(t, command(ctx, args...))
}

func finish(t *testing.T, cmd *exec.Cmd) outcome {
	t.Helper()
	var out, errw bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errw
	begin := time.Now()
	err := cmd.Run()
	var ee *exec.ExitError
	if err != nil && !errors.As(err, &ee) {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, errw.String())
	}
	return outcome{cmd.ProcessState.ExitCode(), out.String(), errw.String(), time.Since(begin)}
}

// event is a line of --json, as far as the tests look at it.
type event struct {
	Event, Host, Name, Status, Msg, Hint, Text string
	Label                                      string
	LoopItem                                   bool `json:"loop_item"`
	Ignored                                    bool
	Result                                     map[string]any
	Stats                                      map[string]map[string]int
}

// report is a run with --json.
type report struct {
	outcome
	events []event
}

// run applies or checks a playbook on the lab and reads the events.
func run(t *testing.T, command string, args ...string) report {
	t.Helper()
	o := mageprov(t, append([]string{command, "-i", inventory, "--json"}, args...)...)
	return report{o, events(t, o)}
}

func events(t *testing.T, o outcome) []event {
	t.Helper()
	var all []event
	task := "" // a result has a name only where it is not of the last task_start
	for _, line := range strings.Split(strings.TrimSpace(o.out), "\n") {
		if line == "" {
			continue
		}
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("not JSON: %v: %s\n%s", err, line, o.err)
		}
		switch {
		case e.Event == "task_start":
			task = e.Name
		case e.Name == "":
			e.Name = task
		}
		all = append(all, e)
	}
	return all
}

// stats gives the counts of the recap.
func (r report) stats(host string) map[string]int {
	for _, e := range r.events {
		if e.Event == "recap" {
			return e.Stats[host]
		}
	}
	return nil
}

// changed lists the tasks of a host that changed something, or would have.
func (r report) changed(host string) []string {
	var out []string
	for _, e := range r.events {
		if e.Event == "host_result" && e.Host == host && !e.LoopItem && e.Status == "changed" {
			out = append(out, e.Name)
		}
	}
	return out
}

// problem is the first failure of a host, with its hint.
func (r report) problem(host string) string {
	for _, e := range r.events {
		if e.Event == "host_result" && e.Host == host && !e.Ignored && (e.Status == "failed" || e.Status == "unreachable") {
			return e.Status + ": " + e.Name + ": " + e.Msg + "\n" + e.Hint
		}
	}
	return ""
}

// result gives what the task of a name returned.
func (r report) result(host, name string) map[string]any {
	for _, e := range r.events {
		if e.Event == "host_result" && e.Host == host && !e.LoopItem && e.Name == name {
			return e.Result
		}
	}
	return nil
}

func (r report) want(t *testing.T, code int) report {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d\n%s%s", r.code, code, r.err, r.failures())
	}
	return r
}

func (r report) failures() string {
	var b strings.Builder
	for _, e := range r.events {
		if e.Status == "failed" || e.Status == "unreachable" {
			fmt.Fprintf(&b, "%s: %s: %s: %s\n%v\n", e.Host, e.Status, e.Name, e.Msg, e.Result)
		}
	}
	return b.String()
}

// wantText checks that a text has all of the parts.
func wantText(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%s lacks %q:\n%s", what, p, text)
		}
	}
}

// play writes a playbook into a directory of its own and gives its path.
func play(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "play.yml")
	if err := os.WriteFile(file, []byte(strings.TrimLeft(text, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// inside runs a shell script as root on a host, past SSH and mageprov.
func inside(t *testing.T, host, script string) string {
	t.Helper()
	out, err := tryInside(t.Context(), host, script)
	if err != nil {
		t.Fatalf("on %s: %s: %v\n%s", host, script, err, out)
	}
	return strings.TrimSpace(out)
}

func tryInside(ctx context.Context, host, script string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd, err := (&lab.Lab{}).Inside(ctx, host, script)
	if err != nil {
		return "", err
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// until waits for a condition and gives up after a limit.
func until(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not within %s: %s", limit, what)
}

// root gives a path of a host as this machine sees it.
func root(host, path string) string { return filepath.Join(lab.Dir, "run", host, "root", path) }
