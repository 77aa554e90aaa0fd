package main

import (
	"github.com/spf13/cobra"

	"mageprov/internal/fault"
	"mageprov/internal/inventory"
)

func newInventory(s streams) *cobra.Command {
	f := &runFlags{}
	var graph, list, withVars bool
	var host, group string
	c := &cobra.Command{
		Use:     "inventory -i INVENTORY --graph | --list | --host HOST",
		Short:   "Show hosts, groups and their variables",
		Example: "  mageprov inventory -i inventory/prod --graph\n  mageprov inventory -i inventory/prod --host gpu1",
		Args:    atMost(0),
		RunE: func(*cobra.Command, []string) error {
			w, err := newWorkshop(s, f)
			if err != nil {
				return err
			}
			switch {
			case host != "":
				return w.inventory.PrintHost(s.out, host)
			case list:
				return w.inventory.PrintList(s.out, f.limit)
			case graph:
				return w.inventory.PrintGraph(s.out, inventory.GraphOptions{Root: group, Vars: withVars, Limit: f.limit})
			}
			return fault.New("nothing to show").WithHint("--graph, --list or --host HOST")
		},
	}
	f.inventoryFlags(c.Flags())
	c.Flags().BoolVar(&graph, "graph", false, "groups and hosts as a tree")
	c.Flags().BoolVar(&withVars, "vars", false, "with --graph: variables, too")
	c.Flags().BoolVar(&list, "list", false, "everything as JSON, in the form of Ansible's inventory scripts")
	c.Flags().StringVar(&group, "group", "", "with --graph: begin at this `group`")
	c.Flags().StringVar(&host, "host", "", "the variables of one `host` as JSON")
	return c
}
