package inventory

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mageprov/internal/diff"
	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/vault"
)

// load reads the inventory of a case; sources are relative to its directory.
func load(t *testing.T, dir string) *Inventory {
	t.Helper()
	list, err := os.ReadFile(filepath.Join("testdata", dir, "sources"))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join("testdata", dir))
	var keys *vault.Keyring
	if password, err := os.ReadFile("password"); err == nil {
		keys = vault.NewKeyring(vault.NewSecret("", "file password", bytes.TrimSpace(password)))
	}
	inv, err := Load(evaluating(Options{Sources: strings.Fields(string(list)), Files: document.Disk{Vault: keys}, Vault: keys}))
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

func cases(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("testdata/*/sources")
	if err != nil || len(found) == 0 {
		t.Fatal("no cases", err)
	}
	for i := range found {
		found[i] = filepath.Base(filepath.Dir(found[i]))
	}
	return found
}

// TestAnswers compares with what Ansible printed for the same files.
func TestAnswers(t *testing.T) {
	for _, name := range cases(t) {
		t.Run(name, func(t *testing.T) {
			inv := load(t, name)
			compare := func(file string, print func(w *bytes.Buffer) error) {
				t.Helper()
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				var got bytes.Buffer
				if err := print(&got); err != nil {
					t.Fatal(err)
				}
				if d := diff.Unified(file, "got", string(want), got.String()); d != "" {
					t.Errorf("%s differs:\n%s", file, d)
				}
			}
			compare("list.json", func(w *bytes.Buffer) error { return inv.PrintList(w, "") })
			compare("graph.txt", func(w *bytes.Buffer) error { return inv.PrintGraph(w, GraphOptions{}) })
			compare("graph-vars.txt", func(w *bytes.Buffer) error { return inv.PrintGraph(w, GraphOptions{Vars: true}) })
		})
	}
}

// TestPatterns compares matches with Ansible's.
func TestPatterns(t *testing.T) {
	inv := load(t, "tree")
	answers, err := os.ReadFile("matches.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(answers)) {
		pattern, want, _ := strings.Cut(strings.TrimSpace(line), " =>")
		hosts, _, err := inv.Match(pattern)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
		}
		if got := names(hosts); got != strings.TrimSpace(want) {
			t.Errorf("%s:\n got %s\nwant %s", pattern, got, want)
		}
	}
}

func names(hosts []*Host) string {
	var out []string
	for _, h := range hosts {
		out = append(out, h.Name)
	}
	return strings.Join(out, " ")
}

func TestUnknownNames(t *testing.T) {
	inv := mustLoad(t, memory{"i": "[web]\nweb1\nweb2\n[db]\nold\n"}, "i")
	var b bytes.Buffer
	for want, err := range map[string]error{
		"did you mean web1?": inv.PrintHost(&b, "wbe1"),
		"did you mean web?":  inv.PrintGraph(&b, GraphOptions{Root: "wbe"}),
		"mageprov inventory --graph shows hosts and groups": inv.PrintHost(&b, "database"),
		"did you mean web2?": inv.PrintList(&b, "wbe2"),
	} {
		if got := fault.HintOf(err); got != want {
			t.Errorf("%v: hint %q, want %q", err, got, want)
		}
	}
	if err := inv.PrintGraph(&b, GraphOptions{Limit: "web1"}); err != nil || b.String() != "@all:\n  |--@web:\n  |  |--web1\n" {
		t.Errorf("%q %v", b.String(), err)
	}
}
