package main

import (
	"context"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"mageprov/internal/vault"
)

// vaultFlags say where vault passwords come from, in Ansible's names. What the
// environment names (ANSIBLE_VAULT_PASSWORD_FILE, ANSIBLE_VAULT_IDENTITY_LIST)
// counts, too.
type vaultFlags struct {
	ids, files []string
	ask        bool
}

func (v *vaultFlags) add(fs *pflag.FlagSet) {
	fs.StringArrayVar(&v.ids, "vault-id", nil, "vault password of a vault id: `label@source`, the source a file, an executable or prompt (repeatable)")
	fs.StringArrayVar(&v.files, "vault-password-file", nil, "`file` that holds, or executable that prints, the vault password (repeatable)")
	fs.StringArrayVar(&v.files, "vault-pass-file", nil, "the same as --vault-password-file")
	fs.BoolVarP(&v.ask, "ask-vault-pass", "J", false, "ask for the vault password")
	fs.BoolVar(&v.ask, "ask-vault-password", false, "the same as --ask-vault-pass")
	for _, name := range []string{"vault-pass-file", "ask-vault-password"} {
		fs.Lookup(name).Hidden = true
	}
}

// sources adds what the environment names: ids before, files behind.
func (v *vaultFlags) sources(s streams) vault.Sources {
	src := vault.Sources{Ask: v.ask, Prompt: (&workshop{streams: s}).askSecret}
	for _, id := range strings.Split(os.Getenv("ANSIBLE_VAULT_IDENTITY_LIST"), ",") {
		if id = strings.TrimSpace(id); id != "" {
			src.IDs = append(src.IDs, id)
		}
	}
	src.IDs = append(src.IDs, v.ids...)
	src.Files = append(src.Files, v.files...)
	if f := os.Getenv("ANSIBLE_VAULT_PASSWORD_FILE"); f != "" {
		src.Files = append(src.Files, f)
	}
	return src
}

// keys reads the passwords. Where there is none, an encrypted value is an error
// of the file that holds it, unless the command only looks at what is written.
func (v *vaultFlags) keys(ctx context.Context, s streams, looks bool) (*vault.Keyring, error) {
	src := v.sources(s)
	if src.None() && !looks {
		return nil, nil
	}
	return src.Load(ctx)
}
