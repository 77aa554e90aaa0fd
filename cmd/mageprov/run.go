package main

import (
	"context"

	"github.com/spf13/cobra"

	"mageprov/internal/fault"
	"mageprov/internal/playbook"
)

func newRun(s streams) *cobra.Command {
	f := &runFlags{}
	var name, args string
	c := &cobra.Command{
		Use:   "run PATTERN -i INVENTORY [-m MODULE] [-a ARGUMENTS]",
		Short: "Run one module on the hosts that match a pattern",
		Example: "  mageprov run all -i inventory/lab -m ping\n" +
			"  mageprov run gpu_agents -i inventory/prod -b -a 'nvidia-smi -L'\n" +
			"  mageprov run lab1 -i inventory/lab -b -m file -a 'path=/srv/x state=directory mode=0755'",
		Args: func(_ *cobra.Command, a []string) error {
			if len(a) != 1 {
				return fault.New("run wants one host pattern, found %d", len(a)).WithHint("for example: mageprov run all -i inventory/lab -m ping")
			}
			return nil
		},
		RunE: func(c *cobra.Command, a []string) error { return runModule(c.Context(), s, f, a[0], name, args) },
	}
	c.Flags().StringVarP(&name, "module-name", "m", "command", "`module` to run; mageprov doc lists them")
	c.Flags().StringVarP(&args, "args", "a", "", "`arguments`: key=value words, free text, or a JSON object")
	f.inventoryFlags(c.Flags())
	f.connectionFlags(c.Flags())
	c.Flags().BoolVarP(&f.check, "check", "C", false, "change nothing, say what would change")
	c.Flags().BoolVar(&f.listHosts, "list-hosts", false, "list the hosts and stop")
	return c
}

// runModule makes a play of one task.
func runModule(ctx context.Context, s streams, f *runFlags, pattern, name, args string) error {
	f.adHoc = true
	w, err := newWorkshop(ctx, s, f, f.listHosts)
	if err != nil {
		return err
	}
	if f.listHosts {
		hosts, err := w.match(pattern)
		if err != nil {
			return err
		}
		w.print("  hosts (%d):\n", len(hosts))
		for _, h := range hosts {
			w.print("    %s\n", h)
		}
		return nil
	}
	book, err := w.loader.AdHoc(playbook.AdHoc{Hosts: pattern, Module: name, Args: args})
	if err != nil {
		return err
	}
	run, err := w.run()
	if err != nil {
		return err
	}
	err = run.Playbooks(ctx, []*playbook.Playbook{book})
	run.Close()
	if cerr := w.reporter.Close(); err == nil && cerr != nil {
		return fault.Wrap(cerr, "writing the report")
	}
	return err
}
