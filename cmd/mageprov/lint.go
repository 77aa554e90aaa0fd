package main

import (
	"fmt"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/playbook"
	"mageprov/internal/template"
	"mageprov/internal/vault"

	"mageprov"
)

func newLint(s streams) *cobra.Command {
	var rolesPath []string
	var passwords vaultFlags
	c := &cobra.Command{
		Use:   "lint [PLAYBOOK...]",
		Short: "Read playbooks and roles and say what is wrong or doubtful, without touching any host",
		Long: "Findings are printed as file:line:col: level: text [rule], and end lint with exit code 2;\n" +
			"files that apply would refuse end it with 1.",
		Example: "  mageprov lint\n  mageprov lint playbooks/site.yml",
		RunE: func(c *cobra.Command, paths []string) error {
			if len(paths) == 0 {
				paths = []string{defaultPlaybook}
			}
			keys, err := passwords.keys(c.Context(), s, true)
			if err != nil {
				return err
			}
			return lint(s, paths, rolesPath, keys)
		},
	}
	c.Flags().StringArrayVar(&rolesPath, "roles-path", nil, "further `directory` to look for roles in (repeatable)")
	passwords.add(c.Flags())
	return c
}

// lint prints findings as file:line:col: level: message [rule]; errors of the
// files themselves come back as the error.
func lint(s streams, paths, rolesPath []string, keys *vault.Keyring) error {
	files := document.Disk{Shipped: mageprov.Content, Vault: keys}
	l := playbook.NewLoader(playbook.Options{Files: files, RolesPath: append(rolesPath, "roles"), Modules: module.Lookup, Parse: template.New(template.Options{Files: templateFiles{files}}).Parse, Vault: keys})
	count := 0
	var broken *multierror.Error
	for _, p := range paths {
		if dir, err := files.Stat(p); err == nil && dir {
			broken = multierror.Append(broken, notPlaybook(p))
			continue
		}
		b, err := l.Playbook(p)
		if err != nil {
			broken = multierror.Append(broken, err)
			continue
		}
		for _, f := range playbook.Lint(l, b) {
			count++
			fmt.Fprintf(s.out, "%s: %s: %s [%s]\n", f.Place, f.Level, f.Msg, f.Rule)
			if f.Hint != "" {
				fmt.Fprintf(s.out, "  hint: %s\n", f.Hint)
			}
		}
	}
	if broken != nil {
		return broken
	}
	if count > 0 {
		return fault.New("%s", findings(count)).WithCode(fault.ExitFailed)
	}
	fmt.Fprintln(s.out, "nothing found")
	return nil
}

func findings(n int) string {
	if n == 1 {
		return "1 finding"
	}
	return fmt.Sprintf("%d findings", n)
}
