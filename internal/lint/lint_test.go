package lint_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/inventory"
	"mageprov/internal/lint"
	"mageprov/internal/module"
	_ "mageprov/internal/modules"
	"mageprov/internal/playbook"
	"mageprov/internal/template"
)

var update = flag.Bool("update", false, "write what is found into the cases")

// run lints the playbooks of a directory, which becomes the current one.
func run(t *testing.T, books, inventories []string) []playbook.Finding {
	t.Helper()
	files := document.Disk{}
	in := lint.Input{Files: files, Templates: template.New(template.Options{})}
	in.Loader = playbook.NewLoader(playbook.Options{Files: files, RolesPath: []string{"roles"}, Modules: module.Lookup, Parse: in.Templates.Parse})
	for _, p := range inventories {
		inv, err := inventory.Load(inventory.Options{Sources: []string{p}, Files: files})
		if err != nil {
			t.Fatal(err)
		}
		in.Inventories = append(in.Inventories, inv)
	}
	for _, p := range books {
		b, err := in.Loader.Playbook(p)
		if err != nil {
			t.Fatal(err)
		}
		in.Books = append(in.Books, b)
	}
	return lint.Run(in)
}

// TestCases: each testdata/*.txtar is a project; site.yml is linted with the
// inventory hosts.yml if there is one, and `want` holds the findings.
func TestCases(t *testing.T) {
	cases, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatal("no cases", err)
	}
	for _, c := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(c), ".txtar"), func(t *testing.T) {
			c, err := filepath.Abs(c)
			if err != nil {
				t.Fatal(err)
			}
			arch, err := txtar.ParseFile(c)
			if err != nil {
				t.Fatal(err)
			}
			want := -1
			t.Chdir(t.TempDir())
			var inventories []string
			for i, f := range arch.Files {
				if f.Name == "want" {
					want = i
					continue
				}
				if f.Name == "hosts.yml" {
					inventories = []string{"hosts.yml"}
				}
				if err := os.MkdirAll(filepath.Dir(f.Name), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(f.Name, f.Data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got := ""
			for _, f := range run(t, []string{"site.yml"}, inventories) {
				got += fmt.Sprintf("%s: %s: %s [%s]\n", f.Place, f.Level, f.Msg, f.Rule)
				if !lint.Known(f.Rule) {
					t.Errorf("the rule %s is not in the list", f.Rule)
				}
			}
			if *update {
				arch.Files[want].Data = []byte(got)
				if err := os.WriteFile(c, txtar.Format(arch), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(arch.Files[want].Data) {
				t.Errorf("got\n%swant\n%s", got, arch.Files[want].Data)
			}
		})
	}
}

// TestOwnContent: the project's own playbooks and roles give nothing to say.
func TestOwnContent(t *testing.T) {
	t.Chdir("../..")
	books, err := filepath.Glob("playbooks/*.yml")
	if err != nil || len(books) == 0 {
		t.Fatal("no playbooks", err)
	}
	inventories, err := filepath.Glob("inventory/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range run(t, books, inventories) {
		t.Errorf("%s: %s [%s]", f.Place, f.Msg, f.Rule)
	}
}

// TestSARIF holds the output against what the schema of SARIF 2.1.0 requires:
// version and runs; tool with a driver that has a name; rules with an id;
// results with a message whose text is there, a level it knows, and indices
// that point at the rule of that id.
func TestSARIF(t *testing.T) {
	found := []playbook.Finding{
		{Place: fault.Place{File: "a b.yml", Line: 3, Col: 5}, Rule: "octal-mode", Level: playbook.Warning, Msg: "m", Hint: "h"},
		{Place: fault.Place{File: "x.yml"}, Rule: "refused", Level: playbook.Error, Msg: "broken"},
		{Rule: "missing-name", Level: playbook.Note, Msg: "nowhere"},
	}
	var b bytes.Buffer
	if err := lint.WriteSARIF(&b, "1.0", found); err != nil {
		t.Fatal(err)
	}
	var log struct {
		Schema  string `json:"$schema"`
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct {
					Name  string
					Rules []struct {
						ID               string
						ShortDescription struct{ Text string }
						DefaultConfig    struct{ Level string } `json:"defaultConfiguration"`
					}
				}
			}
			Results []struct {
				RuleID    string
				RuleIndex int
				Level     string
				Message   struct{ Text string }
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           *struct{ StartLine, StartColumn int }
					}
				}
			}
		}
	}
	if err := json.Unmarshal(b.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	if log.Version != "2.1.0" || len(log.Runs) != 1 || !strings.HasSuffix(log.Schema, "sarif-2.1.0.json") {
		t.Fatalf("version %q, %d runs", log.Version, len(log.Runs))
	}
	r := log.Runs[0]
	levels := map[string]bool{"none": true, "note": true, "warning": true, "error": true}
	if r.Tool.Driver.Name == "" || len(r.Tool.Driver.Rules) != len(lint.Rules()) {
		t.Errorf("driver %+v", r.Tool.Driver)
	}
	for _, rule := range r.Tool.Driver.Rules {
		if rule.ID == "" || rule.ShortDescription.Text == "" || !levels[rule.DefaultConfig.Level] {
			t.Errorf("rule %+v", rule)
		}
	}
	if len(r.Results) != len(found) {
		t.Fatalf("%d results", len(r.Results))
	}
	for i, res := range r.Results {
		if res.Message.Text == "" || !levels[res.Level] || res.RuleID != r.Tool.Driver.Rules[res.RuleIndex].ID {
			t.Errorf("result %+v", res)
		}
		if (len(res.Locations) > 0) != (found[i].Place.File != "") {
			t.Errorf("locations of %+v", res)
		}
	}
	at := r.Results[0].Locations[0].PhysicalLocation
	if at.ArtifactLocation.URI != "a%20b.yml" || at.Region.StartLine != 3 || at.Region.StartColumn != 5 {
		t.Errorf("place %+v", at)
	}
	if r.Results[1].Locations[0].PhysicalLocation.Region != nil {
		t.Error("a region without a line")
	}
}

// TestBroken: errors of files keep their place and get the rule they are about.
func TestBroken(t *testing.T) {
	at := fault.Place{File: "a.yml", Line: 2, Col: 3}
	for msg, rule := range map[string]string{
		"unknown module nope": "unknown-module", `copy has no argument "x"`: "unknown-argument",
		`unknown keyword "x" on a play`: "unknown-keyword", "include is gone": "deprecated", "expected a list": "refused",
	} {
		f := lint.Broken(fault.At(at, "%s", msg).WithHint("do"))
		if f.Rule != rule || f.Place != at || f.Msg != msg || f.Hint != "do" || f.Level != playbook.Error {
			t.Errorf("%s: %+v", msg, f)
		}
	}
}

// TestRules: the list is sorted, and each rule says what it is about.
func TestRules(t *testing.T) {
	last := ""
	for _, r := range lint.Rules() {
		if r.ID <= last || r.About == "" || strings.HasSuffix(r.About, ".") {
			t.Errorf("%+v after %s", r, last)
		}
		last = r.ID
	}
}
