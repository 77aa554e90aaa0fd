package main

import (
	"bytes"
	"context"
	"os"

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
		RunE: func(c *cobra.Command, _ []string) error {
			return showInventory(c.Context(), s, f, inventoryView{graph: graph, list: list, vars: withVars, host: host, group: group})
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

// inventoryView says what to show of an inventory.
type inventoryView struct {
	graph, list, vars bool
	host, group       string
	output            string // file for list; "" is stdout
}

func showInventory(ctx context.Context, s streams, f *runFlags, v inventoryView) error {
	w, err := newWorkshop(ctx, s, f, true)
	if err != nil {
		return err
	}
	switch {
	case v.host != "":
		return w.inventory.PrintHost(s.out, v.host)
	case v.list && v.output != "":
		var b bytes.Buffer
		if err := w.inventory.PrintList(&b, f.limit); err != nil {
			return err
		}
		return fault.Wrap(os.WriteFile(v.output, b.Bytes(), 0o644), "writing the inventory")
	case v.list:
		return w.inventory.PrintList(s.out, f.limit)
	case v.graph:
		return w.inventory.PrintGraph(s.out, inventory.GraphOptions{Root: v.group, Vars: v.vars, Limit: f.limit})
	}
	return fault.New("nothing to show").WithHint("--graph, --list or --host HOST")
}
