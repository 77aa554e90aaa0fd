package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mageprov/internal/fault"
)

// How mageprov talks about errors: on stderr, "mageprov: " and the error in
// lower case without a full stop, then "  hint: " and the next step. Of many
// errors each has its own lines, and the last line counts them. This file is
// the only one that prints errors and the only one that picks exit codes.

const exitCodes = `Exit codes:
  0    done, every host is well
  1    error: bad usage, bad input; no host was touched
  2    a task failed on at least one host
  3    check: something would change
  4    at least one host could not be reached
  8    a play was broken off (any_errors_fatal, max_fail_percentage)
  130  interrupted
  250  a bug in mageprov`

// exit prints an error and gives its exit code.
func exit(w io.Writer, err error) int {
	if err == nil {
		return fault.ExitOK
	}
	var many *multierror.Error
	if errors.As(err, &many) {
		for _, e := range many.Errors {
			show(w, e)
		}
		if len(many.Errors) > 1 {
			fmt.Fprintf(w, "mageprov: %d errors\n", len(many.Errors))
		}
		return fault.CodeOf(many.Errors[0])
	}
	if !readerLeft(err) {
		show(w, err)
	}
	return fault.CodeOf(err)
}

// readerLeft says that whoever read stdout has seen enough (mageprov doc | head).
func readerLeft(err error) bool {
	var p *os.PathError
	return errors.As(err, &p) && p.Path == os.Stdout.Name() && errors.Is(p, syscall.EPIPE)
}

func show(w io.Writer, err error) {
	msg := strings.TrimSpace(err.Error())
	if msg == "" { // the report has said it already
		return
	}
	fmt.Fprintf(w, "mageprov: %s\n", msg)
	if h := fault.HintOf(err); h != "" {
		fmt.Fprintf(w, "  hint: %s\n", strings.ReplaceAll(h, "\n", "\n        "))
	}
}

// bug reports a panic: no stack, but what a developer needs to begin with.
func bug(w io.Writer, p any) int {
	fmt.Fprintf(w, "mageprov: a bug in mageprov: %v\n  hint: please report it with this text, the command line and the output of mageprov version\n", p)
	return fault.ExitUnexpected
}

// noSuchCommand names the nearest command.
func noSuchCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	e := fault.New("%s has no command %q", c.CommandPath(), args[0])
	var known []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			known = append(known, sub.Name())
		}
	}
	return e.WithHint("%s", fault.DidYouMean(args[0], known))
}

// atMost refuses arguments that a command does not take.
func atMost(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) <= n {
			return nil
		}
		return fault.New("%s has no use for %q", c.CommandPath(), args[n]).WithHint("%s --help shows what it takes", c.CommandPath())
	}
}

// flagError names the nearest flag.
func flagError(c *cobra.Command, err error) error {
	text, _, _ := strings.Cut(err.Error(), ": strconv.")
	e := fault.New("%s", text)
	if name, ok := strings.CutPrefix(err.Error(), "unknown flag: --"); ok {
		var known []string
		c.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
		if n := fault.Nearest(name, known); n != "" {
			return e.WithHint("did you mean --%s?", n)
		}
	}
	return e.WithHint("%s --help lists the flags", c.CommandPath())
}
