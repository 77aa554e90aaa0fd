package modules_test

import (
	"path"
	"strings"
	"testing"

	"mageprov/docs"
	"mageprov/internal/module"
	_ "mageprov/internal/modules"
	"mageprov/internal/modules/moduletest"
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
