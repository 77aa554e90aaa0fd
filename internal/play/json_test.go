package play_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mageprov/internal/report"
)

// TestJSONResults: programs learn whose result it is and that a hidden task failed.
func TestJSONResults(t *testing.T) {
	dir := t.TempDir()
	book := `
- hosts: all
  gather_facts: false
  strategy: free
  tasks:
    - name: one
      command: "false"
      no_log: true
      ignore_errors: true
    - name: two
      debug: {msg: x, verbosity: 3}
    - set_stats: {data: {n: 1}}
      run_once: true
`
	if err := os.WriteFile(filepath.Join(dir, "book.yml"), []byte(book), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "apply", "--json", "-i", "h1,h2,", "-c", "local", "book.yml")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for line := range strings.Lines(string(out)) {
		var e report.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if e.Type == report.Recap && e.Result["run"] == nil {
			t.Errorf("no custom statistics: %s", line)
		}
		if e.Type != report.HostResult {
			continue
		}
		seen[e.Name+" "+e.Module]++
		if e.Name == "one" && e.Result["failed"] != true {
			t.Errorf("a hidden failure does not say so: %s", line)
		}
		if e.Name == "two" && e.Result["msg"] != nil {
			t.Errorf("a result that is not shown has a message: %s", line)
		}
	}
	for _, name := range []string{"one command", "two debug", "set_stats set_stats"} {
		if seen[name] != 2 {
			t.Errorf("%s: %d results of 2: %v", name, seen[name], seen)
		}
	}
}
