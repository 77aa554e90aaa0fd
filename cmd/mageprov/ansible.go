package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mageprov/internal/fault"
)

// Called by one of Ansible's names, by way of a link, mageprov takes that
// program's command line, prints its recap and ends with its exit codes, so
// that scripts which call Ansible go on working.

// Exit codes that Ansible has and mageprov's own commands have not.
const (
	ansibleUsage       = 2
	ansibleParse       = 4
	ansibleOptions     = 5
	ansibleInterrupted = 99
)

// ansibleNames are the names and the commands behind them.
var ansibleNames = map[string]func(s streams) *cobra.Command{
	"ansible-playbook":  asPlaybook,
	"ansible":           asAdHoc,
	"ansible-inventory": asInventory,
}

// calledAs gives the name of Ansible's that the program was started by, or "".
func calledAs(argv0 string) string {
	name := strings.TrimSuffix(filepath.Base(argv0), ".exe")
	if _, ok := ansibleNames[name]; ok || name == "ansible-vault" {
		return name
	}
	return ""
}

// rootFor is the command of a name; the arguments may change on the way.
func rootFor(name string, args []string, s streams) (*cobra.Command, []string) {
	if name == "ansible-vault" {
		return newRoot(s), append([]string{"vault"}, args...)
	}
	build, ok := ansibleNames[name]
	if !ok {
		return newRoot(s), args
	}
	c := build(s)
	c.SilenceErrors, c.SilenceUsage = true, true
	c.Version = name + " [core " + dialect + "] by " + program()
	c.SetVersionTemplate("{{.Version}}\n")
	c.SetIn(s.in)
	c.SetOut(s.out)
	c.SetErr(s.err)
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		e := flagError(c, err)
		return &fault.Error{Err: e, Hint: fault.HintOf(e), Code: ansibleUsage}
	})
	return c, args
}

// dialect is the version of Ansible whose language is spoken.
const dialect = "2.19.0"

// exitAs prints the error of a command that was called by a name of Ansible's
// and gives the code that Ansible would end with.
func exitAs(name string, w io.Writer, err error) int {
	code := exit(w, err)
	if name == "" || name == "ansible-vault" {
		return code
	}
	var many *multierror.Error
	switch {
	case code == fault.ExitPending:
		return fault.ExitOK
	case code == fault.ExitInterrupted:
		return ansibleInterrupted
	case code == fault.ExitError && (errors.As(err, &many) || placed(err)):
		return ansibleParse
	}
	return code
}

// placed says that an error is about a place in a file.
func placed(err error) bool {
	var e *fault.Error
	return errors.As(err, &e) && e.Place.Line > 0
}

// wants refuses a command line without what it needs, as Ansible does.
func wants(name string, lacking bool, what string) error {
	if !lacking {
		return nil
	}
	return fault.New("%s needs %s", name, what).WithCode(ansibleUsage).WithHint("%s --help shows what it takes", name)
}

func asPlaybook(s streams) *cobra.Command {
	f := &runFlags{called: "ansible-playbook"}
	c := &cobra.Command{
		Use:   "ansible-playbook [flags] PLAYBOOK...",
		Short: "Run playbooks, as Ansible's command of this name does",
		RunE: func(c *cobra.Command, args []string) error {
			if err := wants("ansible-playbook", len(args) == 0, "a playbook"); err != nil {
				return err
			}
			if err := f.refused(s); err != nil {
				return err
			}
			for _, p := range args {
				if _, err := os.Stat(p); err != nil {
					return fault.New("the playbook: %s could not be found", p)
				}
			}
			return runPlaybooks(c.Context(), s, f, args)
		},
	}
	f.inventoryFlags(c.Flags())
	f.playFlags(c.Flags())
	f.connectionFlags(c.Flags())
	f.ansibleFlags(c.Flags())
	c.Flags().BoolVarP(&f.check, "check", "C", false, "change nothing, say what would change")
	c.Flags().Bool("step", false, "ask before each task: not supported")
	c.Flags().Bool("flush-cache", false, "there is no cache of facts, so this has no effect")
	return c
}

func asAdHoc(s streams) *cobra.Command {
	f := &runFlags{called: "ansible"}
	var name, args, dir string
	c := &cobra.Command{
		Use:   "ansible PATTERN [-m MODULE] [-a ARGUMENTS]",
		Short: "Run one module on the hosts that match a pattern, as Ansible's command of this name does",
		RunE: func(c *cobra.Command, a []string) error {
			if err := wants("ansible", len(a) != 1, "one pattern of hosts"); err != nil {
				return err
			}
			if err := f.refused(s); err != nil {
				return err
			}
			f.playbookDir = dir
			return runModule(c.Context(), s, f, a[0], name, args)
		},
	}
	fs := c.Flags()
	fs.StringVarP(&name, "module-name", "m", "command", "`module` to run")
	fs.StringVarP(&args, "args", "a", "", "`arguments`: key=value words, free text, or a JSON object")
	f.inventoryFlags(fs)
	f.connectionFlags(fs)
	f.ansibleFlags(fs)
	fs.BoolVarP(&f.check, "check", "C", false, "change nothing, say what would change")
	fs.BoolVar(&f.listHosts, "list-hosts", false, "list the hosts and stop")
	fs.StringVar(&dir, "playbook-dir", "", "`directory` whose group_vars and host_vars count, too")
	fs.BoolP("one-line", "o", false, "condense output: not supported")
	fs.StringP("tree", "t", "", "log output to a `directory`: not supported")
	fs.StringP("background", "B", "", "run in the background for `seconds`: not supported")
	fs.StringP("poll", "P", "", "`seconds` between looks at what runs in the background: no effect without -B")
	fs.String("task-timeout", "", "`seconds` that a task may take: not supported")
	return c
}

func asInventory(s streams) *cobra.Command {
	f := &runFlags{called: "ansible-inventory"}
	var graph, list, withVars bool
	var host, output, dir string
	c := &cobra.Command{
		Use:   "ansible-inventory --list | --host HOST | --graph [GROUP]",
		Short: "Show hosts, groups and their variables, as Ansible's command of this name does",
		RunE: func(c *cobra.Command, args []string) error {
			if !graph && !list && host == "" {
				return fault.New("no action selected: at least one of --host, --graph or --list is needed").WithCode(ansibleOptions)
			}
			if err := f.refused(s); err != nil {
				return err
			}
			f.playbookDir = dir
			group := ""
			if len(args) > 0 {
				group = args[0]
			}
			return showInventory(c.Context(), s, f, inventoryView{graph: graph, list: list, vars: withVars, host: host, group: group, output: output})
		},
	}
	fs := c.Flags()
	f.inventoryFlags(fs)
	f.ansibleFlags(fs)
	fs.CountVarP(&f.verbosity, "verbose", "v", "say more")
	fs.BoolVar(&graph, "graph", false, "groups and hosts as a tree")
	fs.BoolVar(&withVars, "vars", false, "with --graph: variables, too")
	fs.BoolVar(&list, "list", false, "everything as JSON")
	fs.StringVar(&host, "host", "", "the variables of one `host` as JSON")
	fs.StringVar(&output, "output", "", "with --list: write to this `file`")
	fs.StringVar(&dir, "playbook-dir", "", "`directory` whose group_vars and host_vars count, too")
	fs.BoolP("yaml", "y", false, "YAML instead of JSON: JSON is printed, which is YAML, too")
	fs.Bool("toml", false, "TOML instead of JSON: not supported")
	fs.Bool("export", false, "variables where the inventory has them: not supported")
	return c
}

// ansibleFlags are flags of all of Ansible's programs that have no meaning here.
func (f *runFlags) ansibleFlags(fs *pflag.FlagSet) {
	fs.StringArrayVar(&f.inventory, "inventory-file", nil, "the same as --inventory")
	fs.StringVar(&f.passFile, "conn-pass-file", "", "the same as --connection-password-file")
	fs.StringVar(&f.becomeFile, "become-pass-file", "", "the same as --become-password-file")
	fs.String("scp-extra-args", "", "`arguments` of scp, which is not used")
	fs.String("sftp-extra-args", "", "`arguments` of sftp, which is not used")
	if fs.Lookup("module-path") == nil {
		fs.StringArrayVarP(&f.modulePath, "module-path", "M", nil, "further `directory` of modules of your own (repeatable, or with colons)")
	}
}

// notSupported are flags of Ansible's whose absence would change what happens,
// with what to do instead.
var notSupported = map[string]string{
	"step":         "--check shows what would happen, --start-at-task and --tags choose",
	"tree":         "--json, or a redirection, keeps the results",
	"background":   "async: in a playbook",
	"task-timeout": "timeout: in a playbook",
	"toml":         "--list gives JSON",
	"export":       "--list gives the merged variables of each host",
}

// refused says which flag is not supported.
func (f *runFlags) refused(s streams) error {
	for name, instead := range notSupported {
		if flag := f.set.Lookup(name); flag != nil && flag.Changed {
			return fault.New("--%s is not supported", name).WithHint("%s", instead).WithCode(ansibleUsage)
		}
	}
	if flag := f.set.Lookup("one-line"); flag != nil && flag.Changed {
		(&workshop{streams: s}).warn("--one-line is not supported: results are printed in the usual shape")
	}
	return nil
}
