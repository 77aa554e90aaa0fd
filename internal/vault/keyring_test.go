package vault

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mageprov/internal/fault"
)

func TestKeyring(t *testing.T) {
	dev, prod := NewSecret("dev", "file d", []byte("1")), NewSecret("prod", "file p", []byte("2"))
	forProd, err := prod.Encrypt([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	at := fault.Place{File: "f", Line: 1}
	for _, c := range []struct {
		name string
		k    *Keyring
		by   string
		err  string
		hint string
	}{
		{"both", NewKeyring(dev, prod), "prod (file p)", "", ""},
		{"another label", NewKeyring(dev, NewSecret("other", "prompt", []byte("2"))), "other (prompt)", "", ""},
		{"wrong label", NewKeyring(dev), "", "f:1: encrypted for vault id prod, and no vault password decrypts it; tried dev (file d)", "give the password of prod: --vault-id prod@FILE"},
		{"wrong password", NewKeyring(NewSecret("prod", "prompt", []byte("3"))), "", "f:1: encrypted for vault id prod, and no vault password decrypts it; tried prod (prompt)", "the password is wrong, or the encrypted text was changed"},
		{"none", nil, "", "f:1: encrypted with ansible-vault for vault id prod, and no vault password was given", "give --vault-id prod@FILE or --vault-id prod@prompt"},
	} {
		for range 2 { // the second time from memory
			got, by, err := c.k.OpenBy(forProd, at)
			if c.err == "" && (err != nil || string(got) != "x" || by.String() != c.by) {
				t.Errorf("%s: %q %s %v", c.name, got, by, err)
			}
			if c.err != "" && (err == nil || err.Error() != c.err || fault.HintOf(err) != c.hint) {
				t.Errorf("%s: %v (%s)", c.name, err, fault.HintOf(err))
			}
		}
	}
}

func TestForEncryption(t *testing.T) {
	dev, prod := NewSecret("dev", "d", nil), NewSecret("prod", "p", nil)
	for _, c := range []struct {
		k        *Keyring
		id, want string
	}{
		{NewKeyring(dev), "", "dev"},
		{NewKeyring(dev, prod), "prod", "prod"},
		{NewKeyring(dev, prod), "", "error the vault ids dev,prod are available to encrypt"},
		{NewKeyring(dev), "prd", "error no password was given for the vault id prd to encrypt with"},
		{nil, "", "error no vault password was given to encrypt with"},
	} {
		s, err := c.k.ForEncryption(c.id)
		got := s.ID
		if err != nil {
			got = "error " + err.Error()
		}
		if got != c.want {
			t.Errorf("%q: %s, want %s", c.id, got, c.want)
		}
	}
}

func TestSources(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return p
	}
	t.Setenv("HOME", dir)
	plain := write("plain", " from a file \n\n", 0o600)
	empty := write("empty", "\n", 0o600)
	script := write("script.sh", "#!/bin/sh\necho from a script $*\n", 0o700)
	client := write("my-client.sh", "#!/bin/sh\n[ $2 = dev ] || exit 2\necho client $*\n", 0o700)
	broken := write("broken", "#!/bin/sh\necho no luck >&2; exit 1\n", 0o700)
	for name, c := range map[string]struct {
		s    Sources
		want string // "label=password", or "error ..."
	}{
		"file":            {Sources{Files: []string{plain}}, "default=from a file"},
		"home":            {Sources{Files: []string{"~/plain"}}, "default=from a file"},
		"id":              {Sources{IDs: []string{"dev@" + plain, script}}, "dev=from a file default=from a script"},
		"client":          {Sources{IDs: []string{"dev@" + client}}, "dev=client --vault-id dev"},
		"client, unknown": {Sources{IDs: []string{"x@" + client}}, "error the vault password script " + client + " has no password for the vault id x"},
		"prompt":          {Sources{IDs: []string{"dev@prompt"}, Ask: true}, "dev=Vault password (dev): default=Vault password:"},
		"new":             {Sources{IDs: []string{"a@prompt"}, New: true}, "error the two passwords differ"},
		"broken":          {Sources{Files: []string{broken}}, "error running the vault password script " + broken + ": exit status 1"},
		"empty":           {Sources{Files: []string{empty}}, "error the vault password file " + empty + " gives no password"},
		"missing":         {Sources{Files: []string{"nope"}}, "error the vault password file nope does not exist"},
		"directory":       {Sources{Files: []string{dir}}, "error the vault password file " + dir + " is a directory"},
		"no source":       {Sources{IDs: []string{"dev@"}}, "error --vault-id dev@ names no source"},
		"bad label":       {Sources{IDs: []string{"a;b@" + plain}}, `error "a;b" cannot be a vault id: it holds a blank or a semicolon`},
	} {
		c.s.Prompt = func(q string) (string, error) { return q, nil }
		k, err := c.s.Load(context.Background())
		var got []string
		if err != nil {
			got = []string{"error " + err.Error()}
		} else {
			for _, s := range k.secrets {
				got = append(got, s.ID+"="+string(s.password))
			}
		}
		if g := strings.Join(got, " "); g != c.want {
			t.Errorf("%s: %s, want %s", name, g, c.want)
		}
	}
	_, err := Sources{Ask: true, Prompt: func(string) (string, error) { return "", errors.New("gone") }}.Load(context.Background())
	if err == nil || !strings.Contains(err.Error(), "gone") {
		t.Error(err)
	}
}
