package main

import (
	"context"

	"github.com/spf13/cobra"

	"mageprov/internal/fault"
	"mageprov/internal/playbook"
)

// defaultPlaybook is what apply and check run when none is named.
const defaultPlaybook = "playbooks/site.yml"

func newApply(s streams) *cobra.Command {
	f := &runFlags{}
	c := &cobra.Command{
		Use:   "apply -i INVENTORY [PLAYBOOK...]",
		Short: "Bring hosts to the state that playbooks describe (default playbooks/site.yml)",
		Example: "  mageprov apply -i inventory/lab\n" +
			"  mageprov apply -i inventory/prod -l gpu_agents -t base playbooks/site.yml",
		RunE: func(c *cobra.Command, args []string) error { return runPlaybooks(c.Context(), s, f, args) },
	}
	f.inventoryFlags(c.Flags())
	f.playFlags(c.Flags())
	f.connectionFlags(c.Flags())
	c.Flags().BoolVarP(&f.check, "check", "C", false, "change nothing, say what would change (as mageprov check)")
	return c
}

func newCheck(s streams) *cobra.Command {
	f := &runFlags{}
	c := &cobra.Command{
		Use:   "check -i INVENTORY [PLAYBOOK...]",
		Short: "Say what apply would change, and change nothing; exit code 3 if anything would",
		Example: "  mageprov check -i inventory/lab\n" +
			"  mageprov check -i inventory/prod -D -l infra",
		RunE: func(c *cobra.Command, args []string) error {
			f.check = true
			return runPlaybooks(c.Context(), s, f, args)
		},
	}
	f.inventoryFlags(c.Flags())
	f.playFlags(c.Flags())
	f.connectionFlags(c.Flags())
	return c
}

// runPlaybooks loads everything, so that every mistake is known before the
// first host is touched, and then runs.
func runPlaybooks(ctx context.Context, s streams, f *runFlags, paths []string) error {
	if len(paths) == 0 {
		paths = []string{defaultPlaybook}
	}
	w, err := newWorkshop(ctx, s, f, f.listHosts || f.listTasks || f.listTags || f.syntaxCheck)
	if err != nil {
		return err
	}
	books, err := w.playbooks(paths)
	if err != nil {
		return err
	}
	for _, text := range playbook.UnknownTags(books, append(words(f.tags), words(f.skip)...)) {
		w.warn(text)
	}
	if done, err := w.list(books); done || err != nil {
		return err
	}
	run, err := w.run()
	if err != nil {
		return err
	}
	err = run.Playbooks(ctx, books)
	run.Close()
	if cerr := w.reporter.Close(); err == nil && cerr != nil {
		return fault.Wrap(cerr, "writing the report")
	}
	return err
}

// list does what --list-hosts and its like ask for, instead of a run.
func (w *workshop) list(books []*playbook.Playbook) (done bool, err error) {
	f := w.flags
	switch {
	case f.syntaxCheck:
		for _, b := range books {
			w.print("\nplaybook: %s\n", b.Path)
		}
	case f.listHosts || f.listTasks || f.listTags:
		o := playbook.ListOptions{Hosts: f.listHosts, Tasks: f.listTasks, Tags: f.listTags, Only: words(f.tags), Skip: words(f.skip), Match: w.match}
		for _, b := range books {
			if err := playbook.List(w.streams.out, b, o); err != nil {
				return true, err
			}
		}
	default:
		return false, nil
	}
	return true, nil
}
