package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"mageprov/internal/fault"
	"mageprov/internal/vault"
)

// stdio is the name of stdin and stdout on the command line.
const stdio = "-"

func shownFile(f string) string {
	if f == stdio {
		return "stdin"
	}
	return f
}

func (v *vaultCommand) read(f string) ([]byte, error) {
	if f == stdio {
		data, err := io.ReadAll(v.s.in)
		return data, fault.Wrap(err, "reading stdin")
	}
	data, err := os.ReadFile(f)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fault.New("%s does not exist", f)
	}
	return data, fault.Wrap(err, "reading %s", f)
}

// open reads and decrypts a file.
func (v *vaultCommand) open(f string, keys *vault.Keyring) ([]byte, vault.Secret, error) {
	data, err := v.read(f)
	if err != nil {
		return nil, vault.Secret{}, err
	}
	if !vault.Encrypted(data) {
		return nil, vault.Secret{}, fault.New("%s is not encrypted", shownFile(f))
	}
	return keys.OpenBy(data, fault.Place{File: shownFile(f)})
}

// write puts the result where --output says, or in place of what was read.
func (v *vaultCommand) write(f string, data []byte) error {
	if v.output != "" {
		f = v.output
	}
	if f == stdio {
		_, err := v.s.out.Write(data)
		return err
	}
	return replaceFile(f, data)
}

// replaceFile writes a file whole or not at all, for its owner only. Whoever
// owned it before owns it afterwards; a link stays a link.
func replaceFile(f string, data []byte) error {
	if real, err := filepath.EvalSymlinks(f); err == nil {
		f = real
	}
	tmp, err := os.CreateTemp(filepath.Dir(f), ".vault-*") // created with mode 0600
	if err != nil {
		return fault.Wrap(err, "writing %s", f)
	}
	defer os.Remove(tmp.Name()) // gone already where all went well
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if old, serr := os.Stat(f); err == nil && serr == nil {
		if st, ok := old.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
			err = os.Chown(tmp.Name(), int(st.Uid), int(st.Gid))
		}
	}
	if err == nil {
		err = os.Rename(tmp.Name(), f)
	}
	return fault.Wrap(err, "writing %s", f)
}

// editor lets the user edit text in $EDITOR, as a file in a directory that only
// they can enter and that is gone afterwards. name is for the editor's sake.
func (v *vaultCommand) editor(ctx context.Context, name string, text []byte) ([]byte, error) {
	base := os.Getenv("XDG_RUNTIME_DIR") // in memory, where there is one
	if i, err := os.Stat(base); err != nil || !i.IsDir() {
		base = ""
	}
	dir, err := os.MkdirTemp(base, "mageprov-vault-") // created with mode 0700
	if err != nil {
		return nil, fault.Wrap(err, "making a private directory")
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, filepath.Base(name))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, fault.Wrap(err, "writing %s", file)
	}
	argv := strings.Fields(os.Getenv("EDITOR"))
	if len(argv) == 0 {
		argv = []string{"vi"}
	}
	cmd := exec.CommandContext(ctx, argv[0], append(argv[1:], file)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = v.s.in, v.s.out, v.s.err
	if err := cmd.Run(); err != nil {
		return nil, fault.New("the editor %s", argv[0]).Because(err).WithHint("nothing was changed; EDITOR names another one")
	}
	edited, err := os.ReadFile(file)
	return edited, fault.Wrap(err, "reading what was edited")
}

func vaultEdit(s streams) *cobra.Command {
	v, c := newVaultCommand(s, &cobra.Command{Use: "edit FILE...", Short: "Edit encrypted files in $EDITOR"}, true, false)
	c.RunE = func(c *cobra.Command, files []string) error {
		if len(files) == 0 {
			return fault.New("edit wants a file")
		}
		keys, err := v.keys(c.Context(), false)
		if err != nil {
			return err
		}
		return v.each(files, func(f string) error {
			text, secret, err := v.open(f, keys)
			if err != nil {
				return err
			}
			if v.encryptID != "" {
				if secret, err = keys.ForEncryption(v.encryptID); err != nil {
					return err
				}
			}
			edited, err := v.editor(c.Context(), f, text)
			if err != nil || bytes.Equal(edited, text) {
				return err
			}
			data, err := secret.Encrypt(edited)
			if err != nil {
				return err
			}
			return replaceFile(f, data)
		})
	}
	return c
}

func vaultCreate(s streams) *cobra.Command {
	v, c := newVaultCommand(s, &cobra.Command{Use: "create FILE", Short: "Write a new encrypted file in $EDITOR"}, true, false)
	c.RunE = func(c *cobra.Command, files []string) error {
		if len(files) != 1 {
			return fault.New("create wants one file, found %d", len(files))
		}
		f := files[0]
		if _, err := os.Lstat(f); err == nil {
			return fault.New("%s exists already", f).WithHint("mageprov vault edit changes it")
		}
		secret, err := v.secret(c.Context())
		if err != nil {
			return err
		}
		text, err := v.editor(c.Context(), f, nil)
		if err != nil {
			return err
		}
		data, err := secret.Encrypt(text)
		if err != nil {
			return err
		}
		return replaceFile(f, data)
	}
	return c
}
