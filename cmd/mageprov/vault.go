package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mageprov/internal/fault"
	"mageprov/internal/vault"
)

// vaultCommand is what the commands below vault share.
type vaultCommand struct {
	s         streams
	flags     *pflag.FlagSet
	passwords vaultFlags
	encryptID string // --encrypt-vault-id
	output    string // --output
}

func newVault(s streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "vault",
		Short: "Encrypt and decrypt files and strings as ansible-vault does",
		Long: "What vault writes, ansible-vault reads, and the other way round. Without a password\n" +
			"flag it asks for the password. Files are replaced whole, readable by their owner only.",
		Example: "  mageprov vault encrypt --vault-id prod@~/.vault-prod group_vars/prod/secrets.yml\n" +
			"  mageprov vault encrypt-string --vault-password-file ~/.vault --stdin-name db_password\n" +
			"  mageprov vault edit -J group_vars/prod/secrets.yml",
		Args: noSuchCommand,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(vaultEncrypt(s), vaultDecrypt(s), vaultView(s), vaultEdit(s), vaultCreate(s), vaultRekey(s), vaultEncryptString(s))
	return c
}

// newVaultCommand makes one of them; encrypts and writes say which flags it takes.
func newVaultCommand(s streams, c *cobra.Command, encrypts, writes bool) (*vaultCommand, *cobra.Command) {
	v := &vaultCommand{s: s, flags: c.Flags()}
	v.passwords.add(c.Flags())
	c.Flags().CountP("verbose", "v", "taken for ansible-vault's sake")
	c.Flags().Lookup("verbose").Hidden = true
	if encrypts {
		c.Flags().StringVar(&v.encryptID, "encrypt-vault-id", "", "encrypt with the password of this vault `id`, where there are several")
	}
	if writes {
		c.Flags().StringVar(&v.output, "output", "", "write to this `file` instead; - is stdout")
	}
	return v, c
}

// keys reads the passwords, ansible.cfg's too, and asks for one where none is
// named; fresh: it is going to encrypt something new, so that a prompt asks twice.
func (v *vaultCommand) keys(ctx context.Context, fresh bool) (*vault.Keyring, error) {
	if _, err := loadSettings(v.flags, v.s.warn); err != nil {
		return nil, err
	}
	src := v.passwords.sources(v.s)
	src.Ask = src.Ask || src.None()
	src.New = fresh
	return src.Load(ctx)
}

// secret is the password to encrypt something new with.
func (v *vaultCommand) secret(ctx context.Context) (vault.Secret, error) {
	keys, err := v.keys(ctx, true)
	if err != nil {
		return vault.Secret{}, err
	}
	return keys.ForEncryption(v.encryptID)
}

func (v *vaultCommand) say(text string) { fmt.Fprintln(v.s.err, text) }

// each does something with the files of the command line, stdin where there are
// none. --output takes one.
func (v *vaultCommand) each(files []string, do func(file string) error) error {
	if len(files) == 0 {
		files = []string{stdio}
	}
	if len(files) > 1 && v.output != "" && v.output != stdio {
		return fault.New("--output takes one file, found %d", len(files))
	}
	for _, f := range files {
		if err := do(f); err != nil {
			return err
		}
	}
	return nil
}

// eachOpened does something with the decrypted text of each file.
func (v *vaultCommand) eachOpened(ctx context.Context, files []string, do func(file string, data []byte) error) error {
	keys, err := v.keys(ctx, false)
	if err != nil {
		return err
	}
	return v.each(files, func(f string) error {
		data, _, err := v.open(f, keys)
		if err != nil {
			return err
		}
		return do(f, data)
	})
}

func vaultEncrypt(s streams) *cobra.Command {
	v, c := newVaultCommand(s, &cobra.Command{Use: "encrypt [FILE...]", Short: "Encrypt files, or stdin"}, true, true)
	c.RunE = func(c *cobra.Command, files []string) error {
		secret, err := v.secret(c.Context())
		if err != nil {
			return err
		}
		return v.each(files, func(f string) error {
			data, err := v.read(f)
			if err != nil {
				return err
			}
			if vault.Encrypted(data) {
				return fault.New("%s is encrypted already", shownFile(f)).WithHint("mageprov vault rekey encrypts it with another password")
			}
			if data, err = secret.Encrypt(data); err != nil {
				return err
			}
			if err := v.write(f, data); err != nil {
				return err
			}
			v.say("Encryption successful")
			return nil
		})
	}
	return c
}

func vaultDecrypt(s streams) *cobra.Command {
	v, c := newVaultCommand(s, &cobra.Command{Use: "decrypt [FILE...]", Short: "Decrypt files, or stdin"}, false, true)
	c.RunE = func(c *cobra.Command, files []string) error {
		return v.eachOpened(c.Context(), files, func(f string, data []byte) error {
			if err := v.write(f, data); err != nil {
				return err
			}
			v.say("Decryption successful")
			return nil
		})
	}
	return c
}

func vaultView(s streams) *cobra.Command {
	v, c := newVaultCommand(s, &cobra.Command{Use: "view [FILE...]", Short: "Print what encrypted files hold"}, false, false)
	c.RunE = func(c *cobra.Command, files []string) error {
		return v.eachOpened(c.Context(), files, func(_ string, data []byte) error {
			_, err := s.out.Write(data)
			return err
		})
	}
	return c
}

func vaultRekey(s streams) *cobra.Command {
	v, c := newVaultCommand(s, &cobra.Command{Use: "rekey FILE...", Short: "Encrypt files with a new password"}, true, false)
	var newID, newFile string
	c.Flags().StringVar(&newID, "new-vault-id", "", "the new password: `label@source`")
	c.Flags().StringVar(&newFile, "new-vault-password-file", "", "`file` that holds, or executable that prints, the new password")
	c.MarkFlagsMutuallyExclusive("new-vault-id", "new-vault-password-file")
	c.RunE = func(c *cobra.Command, files []string) error {
		if len(files) == 0 {
			return fault.New("rekey wants a file")
		}
		keys, err := v.keys(c.Context(), false)
		if err != nil {
			return err
		}
		src := vault.Sources{New: true, Prompt: v.passwords.sources(s).Prompt}
		switch {
		case newID != "":
			src.IDs = []string{newID}
		case newFile != "":
			src.Files = []string{newFile}
		default:
			src.Ask = true
		}
		fresh, err := src.Load(c.Context())
		if err != nil {
			return err
		}
		secret, err := fresh.ForEncryption(v.encryptID)
		if err != nil {
			return err
		}
		return v.each(files, func(f string) error {
			data, _, err := v.open(f, keys)
			if err != nil {
				return err
			}
			if data, err = secret.Encrypt(data); err != nil {
				return err
			}
			if err := v.write(f, data); err != nil {
				return err
			}
			v.say("Rekey successful")
			return nil
		})
	}
	return c
}
