package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mageprov/internal/config"
)

func newConfig(s streams) *cobra.Command {
	var all bool
	f := &runFlags{}
	c := &cobra.Command{
		Use:   "config",
		Short: "Show the settings of ansible.cfg and the environment that hold, and where each comes from",
		Long: "The first of these files is read: $ANSIBLE_CONFIG, ./ansible.cfg unless anybody may write to the\n" +
			"directory, ~/.ansible.cfg, /etc/ansible/ansible.cfg. The command line is stronger than ANSIBLE_*\n" +
			"of the environment, that is stronger than the file.",
		Example: "  mageprov config\n  mageprov config --all",
		Args:    atMost(0),
		RunE: func(c *cobra.Command, _ []string) error {
			settings, err := loadSettings(nil, s.warn)
			if err != nil {
				return err
			}
			return showConfig(c, s, settings, all)
		},
	}
	f.inventoryFlags(c.Flags())
	f.connectionFlags(c.Flags())
	f.playFlags(c.Flags())
	c.Flags().VisitAll(func(flag *pflag.Flag) { flag.Hidden = true })
	c.Flags().BoolVar(&all, "all", false, "settings that nobody has set, too, with their defaults")
	return c
}

// showConfig prints NAME = VALUE (SOURCE), one setting a line.
func showConfig(c *cobra.Command, s streams, settings *config.Settings, all bool) error {
	flags := map[string]string{}
	for _, m := range flagOf {
		flags[m.setting] = m.flag
	}
	file := settings.File
	if file == "" {
		file = "no ansible.cfg"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", file)
	for _, d := range config.Names() {
		value, from := d.Default, "default"
		if v, ok := settings.Get(d.Name); ok {
			value, from = v.Text, v.From
		}
		if flag := c.Flags().Lookup(flags[d.Name]); flag != nil && flag.Changed {
			value, from = strings.Trim(flag.Value.String(), "[]"), "--"+flag.Name
		}
		if from != "default" || all {
			fmt.Fprintf(&b, "%s = %s  (%s)\n", d.Name, value, from)
		}
	}
	_, err := fmt.Fprint(s.out, b.String())
	return err
}
