package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"mageprov/internal/fault"
	"mageprov/internal/vault"
)

// namedText is a text to encrypt and the variable it is for, "" for none.
type namedText struct{ name, text string }

// stringFlags are those of encrypt-string.
type stringFlags struct {
	names     []string
	stdinName string
	prompt    bool
	show      bool
}

func vaultEncryptString(s streams) *cobra.Command {
	v, c := newVaultCommand(s, &cobra.Command{
		Use:     "encrypt-string [TEXT...]",
		Aliases: []string{"encrypt_string"},
		Short:   "Encrypt strings, to be pasted into a file of variables",
		Long: "Whatever stands on a command line can be seen in the list of processes: prefer --prompt,\n" +
			"or --stdin-name and a pipe.",
	}, true, true)
	var f stringFlags
	c.Flags().StringArrayVarP(&f.names, "name", "n", nil, "`variable` for the text at the same place among the arguments (repeatable)")
	c.Flags().StringVar(&f.stdinName, "stdin-name", "", "`variable` for the text of stdin")
	c.Flags().BoolVarP(&f.prompt, "prompt", "p", false, "ask for the text")
	c.Flags().BoolVar(&f.show, "show-input", false, "show what is typed at the prompt")
	c.RunE = func(c *cobra.Command, args []string) error {
		secret, err := v.secret(c.Context())
		if err != nil {
			return err
		}
		texts, err := v.texts(f, args)
		if err != nil {
			return err
		}
		var b strings.Builder
		for _, t := range texts {
			data, err := secret.Encrypt([]byte(t.text))
			if err != nil {
				return err
			}
			b.WriteString(vault.YAML(t.name, data))
		}
		if err := v.write(stdio, []byte(b.String())); err != nil {
			return err
		}
		v.say("Encryption successful")
		return nil
	}
	return c
}

// texts gathers what is to be encrypted: from a prompt, stdin, and the arguments.
func (v *vaultCommand) texts(f stringFlags, args []string) ([]namedText, error) {
	var out []namedText
	if len(f.names) > len(args) && !f.prompt {
		return nil, fault.New("%d names for %d texts", len(f.names), len(args)).WithHint("--stdin-name names the text of stdin")
	}
	if f.prompt {
		t, err := v.prompted(f)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
		f.names = nil
	}
	if f.stdinName != "" || len(args) == 0 && !f.prompt {
		data, err := io.ReadAll(v.s.in)
		switch {
		case err != nil:
			return nil, fault.Wrap(err, "reading stdin")
		case len(data) == 0:
			return nil, fault.New("stdin was empty, not encrypting")
		}
		out = append(out, namedText{f.stdinName, string(data)})
	}
	for i, a := range args {
		t := namedText{text: a}
		if i < len(f.names) {
			t.name = f.names[i]
		}
		out = append(out, t)
	}
	return out, nil
}

// prompted asks for a text, twice where it cannot be seen.
func (v *vaultCommand) prompted(f stringFlags) (namedText, error) {
	w := &workshop{streams: v.s}
	var t namedText
	var err error
	if len(f.names) > 0 {
		t.name = f.names[0]
	} else if t.name, err = w.ask("Variable name (enter for no name): ", false); err != nil {
		return t, err
	}
	if f.show {
		t.text, err = w.ask("String to encrypt: ", false)
	} else {
		var again string
		if t.text, err = w.askSecret("String to encrypt (hidden): "); err == nil {
			again, err = w.askSecret("Confirm String to encrypt (hidden): ")
		}
		if err == nil && again != t.text {
			err = fault.New("the two texts differ")
		}
	}
	if err == nil && t.text == "" {
		err = fault.New("the text was empty, not encrypting")
	}
	return t, err
}
