package vault

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"mageprov/internal/fault"
)

// Sources say where the vault passwords of a run come from.
type Sources struct {
	IDs   []string // LABEL@SOURCE or SOURCE: a file, an executable, or prompt
	Files []string // password files and executables without a label
	Ask   bool     // ask for one password
	// Prompt asks for a password without showing it.
	Prompt func(question string) (string, error)
	// New says that the passwords are for encrypting something anew: prompts
	// ask twice.
	New bool
}

// None says that no password is asked for or named.
func (s Sources) None() bool { return len(s.IDs) == 0 && len(s.Files) == 0 && !s.Ask }

// exitNoSecret is how a -client script says that it has no password for an id.
const exitNoSecret = 2

// Load reads every password at once, so that what is missing is known before
// anything else happens.
func (s Sources) Load(ctx context.Context) (*Keyring, error) {
	var secrets []Secret
	for _, text := range s.IDs {
		label, source, ok := strings.Cut(text, "@")
		if !ok {
			label, source = "", text
		}
		secret, err := s.read(ctx, label, source)
		if err != nil {
			return nil, err
		}
		secrets = append(secrets, secret)
	}
	for _, f := range s.Files {
		secret, err := s.read(ctx, "", f)
		if err != nil {
			return nil, err
		}
		secrets = append(secrets, secret)
	}
	if s.Ask {
		secret, err := s.read(ctx, "", "prompt")
		if err != nil {
			return nil, err
		}
		secrets = append(secrets, secret)
	}
	return NewKeyring(secrets...), nil
}

// read gives the password of one source.
func (s Sources) read(ctx context.Context, label, source string) (Secret, error) {
	if strings.ContainsAny(label, "; \t\r\n") {
		return Secret{}, fault.New("%q cannot be a vault id: it holds a blank or a semicolon", label)
	}
	switch source {
	case "":
		return Secret{}, fault.New("--vault-id %s@ names no source", label).WithHint("LABEL@FILE or LABEL@prompt")
	case "prompt", "prompt_ask_vault_pass":
		password, err := s.ask(label)
		return NewSecret(label, "prompt", password), err
	}
	file := expandHome(source)
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return Secret{}, fault.New("the vault password file %s does not exist", source)
	case err != nil:
		return Secret{}, fault.Wrap(err, "reading the vault password file %s", source)
	case info.IsDir():
		return Secret{}, fault.New("the vault password file %s is a directory", source)
	}
	what := "file"
	var password []byte
	if info.Mode()&0o111 != 0 {
		what = "script"
		password, err = runScript(ctx, file, label)
	} else if password, err = os.ReadFile(file); err != nil {
		err = fault.Wrap(err, "reading the vault password file %s", source)
	}
	if err != nil {
		return Secret{}, err
	}
	if password = bytes.TrimSpace(password); len(password) == 0 {
		return Secret{}, fault.New("the vault password %s %s gives no password", what, source)
	}
	return NewSecret(label, what+" "+source, password), nil
}

// ask prompts for a password, twice for a new one.
func (s Sources) ask(label string) ([]byte, error) {
	if s.Prompt == nil {
		return nil, fault.New("nobody can be asked for a vault password here").WithHint("give --vault-password-file FILE")
	}
	question := "Vault password"
	if s.New {
		question = "New Vault password"
	}
	if label != "" {
		question += " (" + label + ")"
	}
	first, err := s.Prompt(question + ": ")
	if err != nil {
		return nil, err
	}
	if s.New {
		again, err := s.Prompt("Confirm " + question + ": ")
		if err != nil {
			return nil, err
		}
		if again != first {
			return nil, fault.New("the two passwords differ")
		}
	}
	if first = strings.TrimSpace(first); first == "" {
		return nil, fault.New("an empty vault password")
	}
	return []byte(first), nil
}

// runScript takes the password from what an executable prints. One whose name
// ends in -client, before its extension, is told which vault id is wanted.
func runScript(ctx context.Context, file, label string) ([]byte, error) {
	if !strings.ContainsRune(file, filepath.Separator) {
		file = "./" + file
	}
	var args []string
	client := strings.HasSuffix(strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)), "-client")
	if client {
		if label == "" {
			label = DefaultID
		}
		args = []string{"--vault-id", label}
	}
	cmd := exec.CommandContext(ctx, file, args...)
	cmd.Stdin = os.Stdin
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return out, nil
	case client && errors.As(err, &exit) && exit.ExitCode() == exitNoSecret:
		return nil, fault.New("the vault password script %s has no password for the vault id %s", file, label)
	}
	e := fault.New("running the vault password script %s", file).Because(err)
	if said := strings.TrimSpace(stderr.String()); said != "" {
		e.WithHint("it said: %s", said)
	}
	return nil, e
}

// expandHome replaces a ~ at the front by the home directory.
func expandHome(p string) string {
	rest, ok := strings.CutPrefix(p, "~/")
	if !ok {
		return p
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return p
	}
	return filepath.Join(home, rest)
}
