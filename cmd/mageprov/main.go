// Command mageprov provisions hosts over SSH from YAML playbooks in Ansible's
// dialect. Each file of this package is one command: flags to options to the
// engine to an exit code.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"mageprov/internal/worker"
)

func main() {
	worker.RunIfAsked()
	debug.SetGCPercent(startingGC)
	// A closed pipe is an error of writing, not a sudden end. Caught rather than
	// ignored: children would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	os.Exit(Main(calledAs(os.Args[0]), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// streams are what a command reads and writes: stdout is the report, stderr
// the log.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// warn is for what comes up before there is a reporter.
func (s streams) warn(text string) { fmt.Fprintf(s.err, "[WARNING]: %s\n", text) }

// Main runs the command line and gives the exit code. The first Ctrl-C ends
// what is running and reports it; the second one ends the process at once. name
// is one of ansibleNames if the program was called by it.
func Main(name string, args []string, in io.Reader, out, errw io.Writer) (code int) {
	defer func() {
		if p := recover(); p != nil {
			code = bug(errw, p)
		}
	}()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	root, args := rootFor(name, args, streams{in, out, errw})
	root.SetArgs(args)
	return exitAs(name, errw, root.ExecuteContext(ctx))
}

// newRoot is the table of commands.
func newRoot(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:           "mageprov",
		Short:         "Provision hosts over SSH from Ansible-dialect playbooks",
		Long:          "mageprov provisions hosts over SSH from YAML playbooks in Ansible's dialect.\nIt needs no Python, neither here nor on the hosts.\n\n" + exitCodes,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       program(),
		Args:          noSuchCommand,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(flagError)
	root.SetVersionTemplate("{{.Version}}\n")
	root.AddCommand(
		newApply(s),
		newCheck(s),
		newRun(s),
		newInventory(s),
		newLint(s),
		newVault(s),
		newConfig(s),
		newExplain(s),
		newDoc(s),
		newLab(s),
		newVersion(s),
	)
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	for _, c := range root.Commands() {
		switch c.Name() { // cobra's own answer names they do not know with help and 0
		case "completion":
			c.Args = noSuchCommand
			c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		case "help":
			c.Short = "Show the flags of a command"
			c.Long = "Shows what a command does, its flags and examples. The page of a module: mageprov doc MODULE."
			c.Run, c.RunE = nil, helpFor
		}
	}
	return root
}

// helpFor is the command help: args name a command and its own commands.
func helpFor(c *cobra.Command, args []string) error {
	sub, rest, err := c.Root().Find(args)
	if err != nil {
		return err
	}
	if err := noSuchCommand(sub, rest); err != nil {
		return err
	}
	sub.InitDefaultHelpFlag()
	return sub.Help()
}
