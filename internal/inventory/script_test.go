package inventory

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mageprov/internal/document"
)

func TestScriptFaults(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, c := range map[string]struct{ script, want string }{
		"failed": {"echo no cloud >&2; exit 3", "the inventory script ./s --list failed: exit status 3\n  hint: it said: no cloud\n"},
		"text":   {"echo hello there", "output of ./s --list:1:1: an inventory script prints a JSON object of groups, not a single value\n  hint: \n"},
		"broken": {`echo '{"a": '`, "output of ./s --list:1:5: "},
		"hosts":  {`echo '{"g": {"hosts": "h1"}}'`, "output of ./s --list:1:18: hosts of group g must be a list, not a single value\n  hint: \n"},
		"vars":   {`echo '{"g": {"vars": [1]}}'`, "output of ./s --list:1:16: variables of group g must be a dictionary, not a list\n  hint: \n"},
		"child":  {`echo '{"g": {"children": "x"}}'`, "output of ./s --list:1:21: children of group g must be a list, not a single value\n  hint: \n"},
		"group":  {`echo '{"g": 3}'`, "output of ./s --list:1:7: group g must be a dictionary or a list of hosts, not a single value\n  hint: \n"},
		"meta":   {`echo '{"_meta": {"hostvars": {"h": 3}}, "g": ["h"]}'`, "output of ./s --list:1:30: variables of host h must be a dictionary, not a single value\n  hint: \n"},
		"host":   {`test $1 = --list || exit 4; echo '{"g": ["h"]}'`, "the inventory script ./s --host h failed: exit status 4\n  hint: \n"},
		"loop":   {`echo '{"a": {"children": ["b"]}, "b": {"children": ["a"]}}'`, "output of ./s --list:1:"},
	} {
		if err := os.WriteFile("s", []byte("#!/bin/sh\n"+c.script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		_, err := Load(Options{Sources: []string{"./s"}, Files: document.Disk{}})
		if got := spell(err); got != c.want && (strings.HasSuffix(c.want, "\n") || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	if err := os.WriteFile("plain", []byte("#!/bin/sh\necho '{}'\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Load(Options{Sources: []string{"plain"}, Files: document.Disk{}})
	if got, want := spell(err), "the inventory script plain is not executable\n  hint: chmod +x plain\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestScriptEnds: who breaks off gets the terminal back, and what the script
// says on stderr is a warning.
func TestScriptEnds(t *testing.T) {
	dir := t.TempDir()
	slow, talks := filepath.Join(dir, "slow"), filepath.Join(dir, "talks")
	for f, text := range map[string]string{slow: "sleep 60 & wait", talks: "echo careful >&2; echo '{}'"} {
		if err := os.WriteFile(f, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if _, err := LoadContext(ctx, Options{Sources: []string{slow}, Files: document.Disk{}}); err == nil || !strings.Contains(err.Error(), "interrupted") || time.Since(begin) > 20*time.Second {
		t.Errorf("%v after %s", err, time.Since(begin))
	}
	inv, err := Load(Options{Sources: []string{talks}, Files: document.Disk{}})
	if err != nil || len(inv.Warnings) != 1 || inv.Warnings[0] != talks+" --list: careful" {
		t.Errorf("%v %q", err, inv.Warnings)
	}
}
