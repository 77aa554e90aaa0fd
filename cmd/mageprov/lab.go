package main

import (
	"fmt"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"mageprov/internal/fault"
	"mageprov/internal/lab"
)

func newLab(s streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "lab",
		Short: "Make and remove disposable hosts on this machine to try things on",
		Long: "The lab is a few containers with real systemd, sshd, sudo and apt on a network of\n" +
			"their own without a route out. inventory/lab names them. It needs root.",
		Example: "  mageprov lab up\n  mageprov check -i inventory/lab\n  mageprov lab ssh lab1\n  mageprov lab down",
		Args:    noSuchCommand,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(labUp(s), labDown(s), labStatus(s), labSSH(s), labServe(), labSupervise(), labConnect(s))
	return c
}

func labOf(s streams) (*lab.Lab, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fault.Wrap(err, "finding this program")
	}
	return &lab.Lab{Program: self, Log: func(f string, a ...any) { fmt.Fprintf(s.err, "lab: "+f+"\n", a...) }}, nil
}

func labUp(s streams) *cobra.Command {
	var n int
	var mirror, suite string
	c := &cobra.Command{
		Use:   "up",
		Short: "Build what is missing, boot the hosts and wait until they answer",
		Args:  atMost(0),
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := labOf(s)
			if err != nil {
				return err
			}
			l.Mirror, l.Suite = mirror, suite
			return l.Up(c.Context(), n)
		},
	}
	c.Flags().IntVarP(&n, "hosts", "n", 3, "how many `hosts`")
	c.Flags().StringVar(&mirror, "mirror", "", "package mirror `URL` (default: the machine's own)")
	c.Flags().StringVar(&suite, "suite", "", "`release` of the base tree (default noble on Ubuntu, trixie on Debian)")
	return c
}

func labDown(s streams) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "down",
		Short: "End all hosts and forget their state",
		Args:  atMost(0),
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := labOf(s)
			if err != nil {
				return err
			}
			return l.Down(c.Context(), all)
		},
	}
	c.Flags().BoolVar(&all, "all", false, "remove the base tree, packages and keys, too")
	return c
}

func labStatus(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "List the hosts and whether they answer",
		Args:  atMost(0),
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := labOf(s)
			if err != nil {
				return err
			}
			hosts, err := l.Status(c.Context())
			if err != nil {
				return err
			}
			if len(hosts) == 0 {
				fmt.Fprintln(s.out, "the lab is down")
				return nil
			}
			for _, h := range hosts {
				state := "down"
				if h.Running {
					state = "booting"
				}
				if h.SSH {
					state = "up"
				}
				fmt.Fprintf(s.out, "%-8s %-12s %s\n", h.Name, h.IP, state)
			}
			fmt.Fprintln(s.out, l.Banner())
			return nil
		},
	}
}

func labSSH(s streams) *cobra.Command {
	return &cobra.Command{
		Use:                "ssh HOST [COMMAND...]",
		Short:              "Log in to a host of the lab with OpenSSH",
		DisableFlagParsing: true,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 || args[0] == "--help" || args[0] == "-h" {
				return c.Help()
			}
			ssh := exec.CommandContext(c.Context(), "ssh", append([]string{"-F", lab.Dir + "/ssh_config"}, args...)...)
			ssh.Stdin, ssh.Stdout, ssh.Stderr = s.in, s.out, s.err
			if err := ssh.Run(); err != nil {
				if ee, ok := err.(*exec.ExitError); ok {
					return (&fault.Error{}).WithCode(ee.ExitCode())
				}
				return fault.Wrap(err, "starting ssh")
			}
			return nil
		},
	}
}

// The rest is how the lab runs itself: the package server, the supervisor of a
// host, and the way into the lab's network.

func labServe() *cobra.Command {
	return &cobra.Command{Use: "serve", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return (&lab.Lab{}).Serve(c.Context()) }}
}

func labSupervise() *cobra.Command {
	return &cobra.Command{Use: "supervise HOST", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return (&lab.Lab{}).Supervise(c.Context(), args[0]) }}
}

func labConnect(s streams) *cobra.Command {
	return &cobra.Command{Use: "connect ADDRESS", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return (&lab.Lab{}).Connect(c.Context(), args[0], s.in, s.out)
		}}
}
