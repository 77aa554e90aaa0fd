package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/inventory"
	linter "mageprov/internal/lint"
	"mageprov/internal/module"
	"mageprov/internal/playbook"
	"mageprov/internal/template"

	"mageprov"
)

// lintFlags say what lint looks for and how it tells.
type lintFlags struct {
	run        runFlags
	format     string
	only, skip []string
	list       bool
}

func newLint(s streams) *cobra.Command {
	f := &lintFlags{}
	c := &cobra.Command{
		Use:   "lint [PLAYBOOK...]",
		Short: "Read playbooks and roles and say what is wrong or doubtful, without touching any host",
		Long: "Findings are printed as file:line:col: level: text [rule]. Exit codes: 0 nothing found,\n" +
			"2 findings, 1 files that apply would refuse. A comment `# noqa: rule` permits a finding on its\n" +
			"line and in its task. Variables of hosts are taken from -i, else from every inventory below\n" +
			"inventory/; without any, variables that only an inventory defines count as undefined.",
		Example: "  mageprov lint\n  mageprov lint -i inventory/prod playbooks/site.yml\n  mageprov lint --format sarif --skip-rule missing-name\n  mageprov lint --rules",
		RunE: func(c *cobra.Command, paths []string) error {
			if f.list {
				return listRules(s)
			}
			if len(paths) == 0 {
				paths = playbooksHere()
			}
			return lint(c.Context(), s, f, paths)
		},
	}
	fs := c.Flags()
	f.run.inventoryFlags(fs)
	fs.Lookup("limit").Hidden = true
	fs.StringArrayVar(&f.run.rolesPath, "roles-path", nil, "further `directory` to look for roles in (repeatable)")
	fs.StringArrayVarP(&f.run.modulePath, "module-path", "M", nil, "further `directory` of modules of your own (repeatable, or with colons)")
	fs.StringVar(&f.format, "format", "human", "human, json, or sarif (SARIF 2.1.0)")
	fs.StringArrayVar(&f.only, "rule", nil, "look for this `rule` only (repeatable, or with commas)")
	fs.StringArrayVar(&f.skip, "skip-rule", nil, "pass over this `rule` (repeatable, or with commas)")
	fs.BoolVar(&f.list, "rules", false, "list the rules and stop")
	return c
}

// playbooksHere is what lint reads when no playbook is named: the site's own
// playbooks/site.yml, else the playbooks in this directory, else the one that
// the program brings.
func playbooksHere() []string {
	if _, err := os.Stat(defaultPlaybook); err == nil {
		return []string{defaultPlaybook}
	}
	var here []string
	for _, pattern := range []string{"*.yml", "*.yaml"} {
		files, _ := filepath.Glob(pattern) // the pattern is right
		for _, f := range files {
			if b, err := os.ReadFile(f); err == nil && looksLikePlays(string(b)) {
				here = append(here, f)
			}
		}
	}
	if len(here) == 0 {
		return []string{defaultPlaybook}
	}
	return here
}

// looksLikePlays goes by the words: a playbook may be too broken to be read, and
// is the more worth looking at.
func looksLikePlays(text string) bool {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" || line == "---" || line[0] == '#' {
			continue
		}
		return line[0] == '-' && (strings.Contains(text, "hosts:") || strings.Contains(text, "import_playbook:"))
	}
	return false
}

func listRules(s streams) error {
	for _, r := range linter.Rules() {
		if _, err := fmt.Fprintf(s.out, "%-26s %-8s %s\n", r.ID, r.Level, r.About); err != nil {
			return err
		}
	}
	return nil
}

// lint reads, looks and tells. What apply would refuse comes back as the error
// for people, and as findings for programs.
func lint(ctx context.Context, s streams, f *lintFlags, paths []string) error {
	if err := f.valid(); err != nil {
		return err
	}
	in, broken, err := f.read(ctx, s, paths)
	if err != nil {
		return err
	}
	found := linter.Run(in)
	if f.format != "human" {
		for _, e := range broken.WrappedErrors() {
			found = append(found, flatten(e)...)
		}
		found = linter.Filter(in.Files, in.Loader, found, words(f.only), words(f.skip))
	}
	switch f.format {
	case "json":
		err = linter.WriteJSON(s.out, found)
	case "sarif":
		err = linter.WriteSARIF(s.out, version, found)
	default:
		err = tell(s, paths, found, broken)
	}
	switch {
	case err != nil:
		return err
	case broken.ErrorOrNil() != nil && f.format == "human":
		return broken
	case broken.ErrorOrNil() != nil:
		return (&fault.Error{}).WithCode(fault.ExitError)
	case len(found) > 0 && f.format == "human":
		return fault.New("%s", findings(len(found))).WithCode(fault.ExitFailed)
	case len(found) > 0:
		return (&fault.Error{}).WithCode(fault.ExitFailed)
	}
	return nil
}

// valid refuses formats and rules that do not exist.
func (f *lintFlags) valid() error {
	formats := []string{"human", "json", "sarif"}
	if !strings.Contains(" human json sarif ", " "+f.format+" ") {
		return fault.New("--format %q is not known", f.format).WithHint("%s", fault.DidYouMean(f.format, formats))
	}
	var known []string
	for _, r := range linter.Rules() {
		known = append(known, r.ID)
	}
	for _, id := range append(words(f.only), words(f.skip)...) {
		if !linter.Known(id) {
			hint := "mageprov lint --rules lists them"
			if near := fault.Nearest(id, known); near != "" {
				hint = "did you mean " + near + "?"
			}
			return fault.New("there is no rule %q", id).WithHint("%s", hint)
		}
	}
	return nil
}

// read loads everything; broken is what apply would refuse.
func (f *lintFlags) read(ctx context.Context, s streams, paths []string) (in linter.Input, broken *multierror.Error, err error) {
	settings, err := loadSettings(f.run.set, s.warn)
	if err != nil {
		return in, nil, err
	}
	keys, err := f.run.vault.keys(ctx, s, true)
	if err != nil {
		return in, nil, err
	}
	files := document.Disk{Shipped: mageprov.Content, Vault: keys}
	in = linter.Input{Files: files, Templates: template.New(template.Options{Files: templateFiles{files}}), Only: words(f.only), Skip: words(f.skip)}
	if in.Extra, err = extraVars(files, f.run.extra); err != nil {
		return in, nil, err
	}
	in.Loader = playbook.NewLoader(playbook.Options{Files: files, RolesPath: roleDirs(f.run.rolesPath), CollectionsPath: collectionDirs(settings), Library: f.run.libraries(), Modules: module.Lookup,
		ExtraVars: in.Extra, Parse: in.Templates.Parse, Vault: keys})
	sources := [][]string{f.run.inventory}
	if len(f.run.inventory) == 0 {
		sources = nil
		found, err := filepath.Glob("inventory/*")
		if err != nil {
			return in, nil, fault.Wrap(err, "looking for inventories")
		}
		for _, p := range found {
			if name := filepath.Base(p); name != "group_vars" && name != "host_vars" {
				sources = append(sources, []string{p})
			}
		}
	}
	for _, src := range sources {
		inv, err := inventory.LoadContext(ctx, inventoryOptions(src, files, in.Templates, in.Extra))
		if err != nil {
			broken = multierror.Append(broken, err)
			continue
		}
		in.Inventories = append(in.Inventories, inv)
	}
	for _, p := range paths {
		if dir, err := files.Stat(p); err == nil && dir {
			broken = multierror.Append(broken, notPlaybook(p))
			continue
		}
		b, err := in.Loader.Playbook(p)
		if err != nil {
			broken = multierror.Append(broken, err)
			continue
		}
		in.Books = append(in.Books, b)
	}
	return in, broken, nil
}

// flatten makes findings of an error that may hold several.
func flatten(err error) []playbook.Finding {
	var many *multierror.Error
	if !errors.As(err, &many) {
		return []playbook.Finding{linter.Broken(err)}
	}
	var out []playbook.Finding
	for _, e := range many.Errors {
		out = append(out, flatten(e)...)
	}
	return out
}

// tell prints findings for people.
func tell(s streams, paths []string, found []playbook.Finding, broken *multierror.Error) error {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%s: %s: %s [%s]\n", f.Place, f.Level, f.Msg, f.Rule)
		if f.Hint != "" {
			fmt.Fprintf(&b, "  hint: %s\n", f.Hint)
		}
	}
	if len(found) == 0 && broken == nil {
		b.WriteString("nothing found in " + strings.Join(paths, ", ") + "\n")
	}
	_, err := fmt.Fprint(s.out, b.String())
	return err
}

func findings(n int) string {
	if n == 1 {
		return "1 finding"
	}
	return fmt.Sprintf("%d findings", n)
}
