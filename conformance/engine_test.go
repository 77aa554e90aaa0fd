//go:build conformance

package conformance_test

import (
	"bytes"
	"cmp"
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
)

// answer is all that an engine said and did for one run of a playbook.
type answer struct {
	Code    int
	Recap   map[string]map[string]int
	Results map[string][]result // of each host, in order
	Changes state
	Seconds float64
	Errors  string `json:"-"` // for people, not compared
}

// result is what a task returned on a host.
type result struct {
	Task   string
	Status string
	Result map[string]any
}

// play runs a case with the twin's engine and looks at the host afterwards.
func (w *twin) play(t *testing.T, c *run, dir string) *answer {
	t.Helper()
	a, out := w.start(t, c, dir)
	var err error
	if w.engine == "ansible" {
		err = a.readAnsible(out)
	} else {
		err = a.readOurs(out)
	}
	if err != nil {
		a.Errors += fmt.Sprintf("\nreading the report: %v\n%s", err, out)
	}
	after := w.look(t)
	a.Changes = changes(w.before, after)
	w.before = after
	return a
}

// settings are ansible-core's: as fast as it can be set up over SSH, and with
// native values, as Ansible 2.19 has them.
var settings = []string{"ANSIBLE_PIPELINING=1", "ANSIBLE_JINJA2_NATIVE=1", "ANSIBLE_STDOUT_CALLBACK=ansible.posix.json",
	"ANSIBLE_PYTHON_INTERPRETER=/usr/bin/python3", "ANSIBLE_RETRY_FILES_ENABLED=0", "ANSIBLE_NOCOLOR=1", "ANSIBLE_DEPRECATION_WARNINGS=0",
	"ANSIBLE_TIMEOUT=30", "ANSIBLE_FORKS=10"}

// start runs the engine in the lab's network.
func (w *twin) start(t *testing.T, c *run, dir string) (*answer, []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	argv := []string{"netns", "exec", w.lab.Switch()}
	if w.engine == "ansible" {
		argv = append(argv, "ansible-playbook")
	} else {
		argv = append(argv, program(), "apply", "--json")
	}
	argv = append(argv, "-i", c.inventory, c.book)
	cmd := exec.CommandContext(ctx, "ip", append(argv, c.args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CASE_VALUE=from the environment")
	if w.engine == "ansible" {
		cmd.Env = append(append(cmd.Env, settings...), "ANSIBLE_SSH_CONTROL_PATH_DIR="+w.controls)
	}
	cmd.WaitDelay = time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	begin := time.Now()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		t.Fatal(err)
	}
	a := &answer{Code: cmd.ProcessState.ExitCode(), Seconds: time.Since(begin).Seconds(), Errors: errs.String(), Results: map[string][]result{}}
	return a, bytes.ReplaceAll(out.Bytes(), []byte(dir), []byte("DIR"))
}

// program is mageprov, as make build leaves it, unless MAGEPROV names another.
func program() string {
	name := "../bin/mageprov"
	if p := os.Getenv("MAGEPROV"); p != "" {
		name = p
	}
	p, err := filepath.Abs(name)
	if err != nil {
		panic(err)
	}
	return p
}

// readAnsible reads the report of ansible.posix.json.
func (a *answer) readAnsible(out []byte) error {
	if i := bytes.IndexByte(out, '{'); i > 0 {
		out = out[i:]
	}
	var report struct {
		Plays []struct {
			Tasks []struct {
				Task  struct{ Name string }
				Hosts map[string]map[string]any
			}
		}
		Stats map[string]map[string]int
	}
	if len(bytes.TrimSpace(out)) == 0 {
		return nil // stopped before the first task
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return err
	}
	a.Recap = map[string]map[string]int{}
	for host, stats := range report.Stats {
		a.Recap[host] = map[string]int{}
		for k, v := range stats {
			if k == "failures" {
				k = "failed"
			}
			a.Recap[host][k] = v
		}
	}
	for _, p := range report.Plays {
		for _, task := range p.Tasks {
			for host, r := range task.Hosts {
				a.add(host, task.Task.Name, "", r)
			}
		}
	}
	return nil
}

// readOurs reads the events of --json.
func (a *answer) readOurs(out []byte) error {
	task := ""
	at := map[string]string{} // the task of each host, since hosts may be at different ones
	for line := range bytes.Lines(out) {
		var e struct {
			Event, Host, Name, Status string
			LoopItem                  bool `json:"loop_item"`
			Attempt                   int
			Result                    map[string]any
			Stats                     map[string]map[string]int
		}
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		switch e.Event {
		case "task_start":
			task = e.Name
		case "host_start":
			at[e.Host] = task
		case "recap":
			a.Recap = e.Stats
		case "host_result":
			if e.Name == "" {
				e.Name = cmp.Or(at[e.Host], task)
			}
			if attempt := e.Attempt > 0 && e.Result == nil; !e.LoopItem && !attempt {
				a.add(e.Host, e.Name, e.Status, e.Result)
			}
		}
	}
	return nil
}

// add notes a result; what is not compared is left out when it is compared.
func (a *answer) add(host, task, status string, r map[string]any) {
	if status == "" {
		yes := func(k string) bool { b, _ := r[k].(bool); return b }
		switch {
		case yes("unreachable"):
			status = "unreachable"
		case yes("failed"):
			status = "failed"
		case yes("skipped"):
			status = "skipped"
		case yes("changed"):
			status = "changed"
		default:
			status = "ok"
		}
	}
	if status == "ok" && silent(task, r) {
		return
	}
	a.Results[host] = append(a.Results[host], result{task, status, r})
}

// silent is whether a result is that of no task: facts have cases of their own,
// and an include returns nothing.
func silent(task string, r map[string]any) bool {
	action, _ := r["action"].(string)
	switch strings.TrimPrefix(action, "ansible.builtin.") {
	case "gather_facts", "include_tasks", "include_role", "meta":
		return true
	}
	return task == "Gathering Facts"
}

// clean drops excluded keys at any depth and what differs from run to run.
func clean(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		text, _ := v["stdout"].(string)
		for k, e := range v {
			if k == "stdout_lines" && isApt(text) {
				continue // the lines of a progress are as many as steps were shown
			}
			if !excluded.key(k) {
				out[plain(k)] = clean(e)
			}
		}
		if f, ok := out["ansible_facts"].(map[string]any); ok && len(f) == 0 {
			delete(out, "ansible_facts")
		}
		for _, k := range []string{"failed", "changed", "skipped", "unreachable"} {
			if out[k] == false { // said or left out: a reader gets the same
				delete(out, k)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clean(e)
		}
		return out
	case string:
		return plain(v)
	}
	return v
}

// tasks lists the names of a host's results, for a message.
func tasks(list []result) string {
	var b strings.Builder
	for _, r := range list {
		fmt.Fprintf(&b, "%s: %s\n", r.Status, r.Task)
	}
	return b.String()
}
