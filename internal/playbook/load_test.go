package playbook

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-multierror"
	"github.com/rogpeppe/go-internal/txtar"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/module"
)

var update = flag.Bool("update", false, "write what was found into testdata")

// Fakes: the real modules live above this package.
type fakeFile struct {
	Path  string      `arg:"path,required" alias:"dest,name"`
	State string      `arg:"state" choices:"file,directory,absent"`
	Mode  module.Mode `arg:"mode"`
	Force bool        `arg:"force"`
}

type fakeCommand struct {
	Cmd     string   `arg:"cmd"`
	Argv    []string `arg:"argv"`
	Chdir   string   `arg:"chdir"`
	Creates string   `arg:"creates"`
}

type fakeDebug struct {
	Msg any    `arg:"msg"`
	Var string `arg:"var"`
}

type fakeCopy struct {
	Dest    string `arg:"dest,required"`
	Content string `arg:"content"`
	Staged  string `arg:"_staged,required"`
}

type fakeCopyAction struct {
	Src string `arg:"src"`
}

type fakeNone struct{}

type fakeAssert struct {
	That any `arg:"that,required"`
}

type fakeUser struct {
	Name string `arg:"name"`
}

type fakeMeta struct {
	Free string `arg:"free_form,required"`
}

type fakeRange struct {
	Low  int `arg:"low"`
	High int `arg:"high"`
}

func (r *fakeRange) Validate() error {
	if r.Low > r.High {
		return fault.New("low is above high")
	}
	return nil
}

func init() {
	for _, s := range []module.Spec{
		{Name: "ansible.builtin.file", New: func() any { return &fakeFile{State: "file"} }},
		{Name: "ansible.builtin.command", New: func() any { return &fakeCommand{} }, FreeForm: "cmd"},
		{Name: "ansible.builtin.shell", New: func() any { return &fakeCommand{} }, FreeForm: "cmd"},
		{Name: "ansible.builtin.debug", New: func() any { return &fakeDebug{} }},
		{Name: "ansible.builtin.copy", New: func() any { return &fakeCopy{} }, ActionArgs: &fakeCopyAction{}},
		{Name: "ansible.builtin.ping", New: func() any { return &fakeNone{} }},
		{Name: "ansible.builtin.user", New: func() any { return &fakeUser{} }},
		{Name: "ansible.builtin.assert", New: func() any { return &fakeAssert{} }, Raw: []string{"that"}},
		{Name: "ansible.builtin.package", New: func() any { return &fakeUser{} }},
		{Name: "ansible.builtin.meta", New: func() any { return &fakeMeta{} }, FreeForm: "free_form"},
		{Name: "ansible.builtin.validate_argument_spec", New: func() any { return &fakeNone{} }, OpenArgs: true},
		{Name: "ansible.builtin.set_fact", New: func() any { return &fakeNone{} }, OpenArgs: true},
		{Name: "mageprov.builtin.custom_module", New: func() any { return &fakeNone{} }, Foreign: fakeForeign},
		{Name: "site.own.range", New: func() any { return &fakeRange{} }},
	} {
		module.Register(s)
	}
}

func fakeForeign(name, file string, content []byte) (*module.Spec, error) {
	if strings.Contains(string(content), "import ansible") {
		return nil, fault.New("%s is Python", file).WithHint("write it anew")
	}
	return &module.Spec{Name: name, New: func() any { return &fakeNone{} }, OpenArgs: true}, nil
}

func testLoader(o Options) *Loader {
	o.Files = document.Disk{}
	o.Modules = module.Lookup
	env := jinja.NewEnv()
	env.Tests["success"] = func(*jinja.Call, any) (bool, error) { return true, nil }
	o.Parse = env.Parse
	return NewLoader(o)
}

// Each file of testdata holds the files of a site and what site.yml gives:
// "errors" or "dump", and "list" and "lint" where they are of interest.
func TestPlaybooks(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, f := range files {
		abs, _ := filepath.Abs(f)
		t.Run(filepath.Base(f), func(t *testing.T) { runCase(t, abs) })
	}
}

func runCase(t *testing.T, file string) {
	arch, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	want := map[string]string{}
	var keep []txtar.File
	for _, f := range arch.Files {
		if name, ok := strings.CutPrefix(f.Name, "want/"); ok {
			want[name] = string(f.Data)
			continue
		}
		keep = append(keep, f)
		if err := os.MkdirAll(filepath.Dir(f.Name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f.Name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	extra := jinja.NewDict("extra", "one")
	l := testLoader(Options{ExtraVars: extra})
	pb, err := l.Playbook("site.yml")
	got := map[string]string{"errors": report(err)}
	if err == nil {
		var d dumper
		d.playbook(pb)
		got["dump"] = d.b.String()
		var list strings.Builder
		if err := List(&list, pb, ListOptions{Tasks: true, Tags: true}); err != nil {
			t.Fatal(err)
		}
		got["list"] = strings.TrimPrefix(list.String(), "\n")
		for _, f := range Lint(l, pb) {
			got["lint"] += fmt.Sprintf("%s: %s [%s]\n", f.Place, f.Msg, f.Rule)
			if f.Hint != "" {
				got["lint"] += "  hint: " + f.Hint + "\n"
			}
		}
	}
	if *update {
		writeCase(t, file, arch, keep, want, got)
		return
	}
	if len(want) == 0 {
		t.Fatal("nothing is wanted")
	}
	if _, ok := want["errors"]; !ok {
		want["errors"] = ""
	}
	for name, w := range want {
		if got[name] != w {
			t.Errorf("%s:\n--- got\n%s--- want\n%s", name, got[name], w)
		}
	}
}

func writeCase(t *testing.T, file string, arch *txtar.Archive, keep []txtar.File, want, got map[string]string) {
	if len(want) == 0 {
		want = map[string]string{"errors": "", "dump": "", "lint": ""}
	}
	arch.Files = keep
	for _, name := range []string{"errors", "dump", "list", "lint"} {
		if _, ok := want[name]; ok && got[name] != "" {
			arch.Files = append(arch.Files, txtar.File{Name: "want/" + name, Data: []byte(got[name])})
		}
	}
	if err := os.WriteFile(file, txtar.Format(arch), 0o644); err != nil {
		t.Fatal(err)
	}
}

// report writes errors as a user sees them.
func report(err error) string {
	if err == nil {
		return ""
	}
	var many *multierror.Error
	if !errors.As(err, &many) {
		return err.Error() + "\n"
	}
	var b strings.Builder
	for _, e := range many.Errors {
		fmt.Fprintln(&b, e)
		if h := fault.HintOf(e); h != "" {
			fmt.Fprintln(&b, "  hint:", h)
		}
	}
	return b.String()
}
