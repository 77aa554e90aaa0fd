package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mageprov/docs"
	"mageprov/internal/fault"
	"mageprov/internal/module"
)

func newDoc(s streams) *cobra.Command {
	return &cobra.Command{
		Use:     "doc [MODULE]",
		Short:   "Print the page of a module, or list all modules",
		Example: "  mageprov doc\n  mageprov doc lineinfile",
		Args:    atMost(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return listModules(s)
			}
			spec, ok := module.Lookup(args[0])
			if !ok {
				return module.Unknown(fault.Place{}, args[0])
			}
			page, err := docs.Modules.ReadFile("modules/" + spec.Short() + ".md")
			if err != nil {
				return fault.Wrap(err, "reading the page of %s", spec.Name)
			}
			_, err = s.out.Write(page)
			return err
		},
	}
}

// listModules prints each module with the title of its page.
func listModules(s streams) error {
	for _, spec := range module.All() {
		title := ""
		if page, err := docs.Modules.ReadFile("modules/" + spec.Short() + ".md"); err == nil {
			first, _, _ := strings.Cut(string(page), "\n")
			if _, after, ok := strings.Cut(first, " - "); ok {
				title = after
			}
		}
		if _, err := fmt.Fprintf(s.out, "%-22s %s\n", spec.Short(), title); err != nil {
			return err
		}
	}
	return nil
}
