//go:build conformance

// Package conformance_test runs the same playbooks with ansible-core and with
// mageprov on twin hosts and compares all that they leave behind. It needs root,
// ansible and the lab's tools; `make conformance` runs it, and
// docs/conformance.md explains it.
package conformance_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"mageprov/internal/lab"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 6 && os.Args[1] == "lab" {
		if err := labProgram(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// labProgram is one of the programs with which a lab runs itself:
// --home HOME --name NAME PROGRAM [ARGUMENT].
func labProgram(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l := newLab(args[3])
	switch args[4] {
	case "serve":
		return l.Serve(ctx)
	case "supervise":
		return l.Supervise(ctx, args[5])
	}
	return fmt.Errorf("no such program of the lab: %s", args[4])
}

// home is where the twins' base tree and packages are kept between runs.
const home = "/var/lib/mageprov-conformance"

// needed is what ansible's modules need on a managed node: Python, the
// libraries of its modules, and the programs that they start.
var needed = []string{"python3", "python3-apt", "python3-cryptography", "acl", "attr", "bzip2", "debconf-utils", "git", "iptables", "libcap2-bin",
	"locales", "openssl", "rsync", "ufw", "unzip", "xz-utils", "zip"}

// offered is what playbooks of the suite install, beyond what every lab offers.
var offered = []string{"chrony", "cracklib-runtime", "fail2ban", "libpam-pwquality", "nginx", "postgresql", "sl", "sysstat", "toilet"}

func newLab(name string) *lab.Lab {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return &lab.Lab{Home: home, Name: name, Program: self, Alike: true, Hostname: "twin", Suite: suite(),
		Include: needed, Packages: offered, Log: func(string, ...any) {}}
}
