package modules_test

import (
	"context"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"mageprov/docs"
	_ "mageprov/internal/dataedit"
	"mageprov/internal/module"
	_ "mageprov/internal/modules"
	"mageprov/internal/modules/moduletest"
	"mageprov/internal/node"
	_ "mageprov/internal/synchronize"
)

// TestCases runs the cases of all modules on the double.
func TestCases(t *testing.T) { moduletest.RunDouble(t, "testdata") }

// TestEveryModuleHasCases demands a case of each module that works on a node.
func TestEveryModuleHasCases(t *testing.T) {
	have := map[string]bool{}
	for _, c := range moduletest.Load(t, "testdata") {
		if s, ok := module.Lookup(c.Module()); ok {
			have[s.Name] = true
		}
	}
	for _, s := range module.All() {
		if _, onNode := s.New().(module.Module); onNode && !have[s.Name] {
			t.Errorf("%s has no case in testdata/%s", s.Name, s.Short())
		}
	}
}

// TestEveryArgumentIsDocumented reads the pages: title, sections, arguments.
func TestEveryArgumentIsDocumented(t *testing.T) {
	for _, s := range module.All() {
		name := s.Short()
		b, err := docs.Modules.ReadFile(path.Join("modules", name+".md"))
		if err != nil {
			t.Errorf("%s has no page: %v", s.Name, err)
			continue
		}
		page := string(b)
		if !strings.HasPrefix(page, "# "+name+" - ") {
			t.Errorf("docs/modules/%s.md does not begin with \"# %s - \"", name, name)
		}
		for _, section := range []string{"## Arguments", "## Return values", "## Example", "## Differences from Ansible"} {
			if !strings.Contains(page, "\n"+section) {
				t.Errorf("docs/modules/%s.md has no section %q", name, section)
			}
		}
		args := module.ArgsOf(s.New())
		if s.ActionArgs != nil {
			args = append(args, module.ArgsOf(s.ActionArgs)...)
		}
		for _, a := range args {
			if a.Internal() {
				continue
			}
			entry := ""
			if _, rest, ok := strings.Cut(page, "\n- **"+a.Name+"**"); ok {
				entry, _, _ = strings.Cut(rest, "\n- **")
			} else {
				t.Errorf("docs/modules/%s.md does not name the argument %s", name, a.Name)
				continue
			}
			for _, alias := range a.Aliases {
				if !strings.Contains(entry, alias) {
					t.Errorf("docs/modules/%s.md: %s lacks its alias %s", name, a.Name, alias)
				}
			}
			for _, choice := range a.Choices {
				if !strings.Contains(entry, choice) {
					t.Errorf("docs/modules/%s.md: %s lacks its choice %q", name, a.Name, choice)
				}
			}
		}
	}
}

// onDisk is the machine that runs the test, below a temporary directory.
type onDisk struct {
	*node.Local
	root    string
	overlay *node.Overlay
}

func (h *onDisk) Root() string       { return h.root }
func (h *onDisk) Files() node.Writer { return h.Local }
func (h *onDisk) NewCheck()          { h.overlay = node.NewOverlay(h.Local) }

func (h *onDisk) Run(ctx context.Context, name string, args module.Args, check bool) *module.Result {
	if check {
		return moduletest.RunOn(ctx, h.overlay, name, args)
	}
	return moduletest.RunOn(ctx, h.Local, name, args)
}

// TestCasesOnDisk runs the portable cases without the double in between.
func TestCasesOnDisk(t *testing.T) {
	moduletest.Run(t, "testdata", func(t *testing.T) moduletest.Host {
		root, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return &onDisk{Local: node.NewLocal(node.LocalOptions{Umask: 0o022}), root: root}
	})
}
