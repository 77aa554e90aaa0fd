package vault

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mageprov/internal/fault"
)

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestOfAnsible decrypts what ansible-vault has encrypted (testdata/record.sh).
func TestOfAnsible(t *testing.T) {
	password := bytes.TrimSpace(read(t, "password"))
	files, err := filepath.Glob("testdata/*.vault")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".vault")
		e, err := Parse(read(t, name+".vault"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := e.Decrypt(password)
		if err != nil || !bytes.Equal(got, read(t, name+".plain")) {
			t.Errorf("%s: %q %v", name, got, err)
		}
		if want := map[bool]string{true: "dev"}[name == "labelled"]; e.ID != want {
			t.Errorf("%s: vault id %q, want %q", name, e.ID, want)
		}
		if _, err := e.Decrypt([]byte("wrong")); err == nil {
			t.Errorf("%s: a wrong password decrypts it", name)
		}
	}
}

// TestForAnsible lets ansible-vault decrypt what we encrypt.
func TestForAnsible(t *testing.T) {
	if _, err := exec.LookPath("ansible-vault"); err != nil {
		t.Skip("needs ansible-vault (the package ansible-core)")
	}
	password := bytes.TrimSpace(read(t, "password"))
	for _, id := range []string{"", "default", "dev"} {
		for _, plaintext := range []string{"", "x", "0123456789abcdef", strings.Repeat("ä\x00", 5000)} {
			data, err := Encrypt([]byte(plaintext), password, id)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("ansible-vault", "decrypt", "--output", "-", "--vault-password-file", "testdata/password", file).Output()
			if err != nil || string(out) != plaintext {
				t.Errorf("id %q: ansible-vault gives %d bytes of %d, %v", id, len(out), len(plaintext), err)
			}
		}
	}
}

func TestRoundTrip(t *testing.T) {
	for _, id := range []string{"", DefaultID, "prod"} {
		data, err := Encrypt([]byte("text"), []byte("pw"), id)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := Encrypt([]byte("text"), []byte("pw"), id)
		if bytes.Equal(data, again) {
			t.Error("two encryptions look the same")
		}
		for line := range strings.Lines(string(data)) {
			if len(line) > lineLen+1 {
				t.Errorf("a line of %d bytes", len(line))
			}
		}
		want := Header + "1.1;AES256\n"
		if id == "prod" {
			want = Header + "1.2;AES256;prod\n"
		}
		if !strings.HasPrefix(string(data), want) {
			t.Errorf("id %q: header %.40q", id, data)
		}
		crlf := strings.ReplaceAll(string(data), "\n", "\r\n")
		e, err := Parse([]byte(crlf))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := e.Decrypt([]byte("pw")); string(got) != "text" || err != nil {
			t.Errorf("%q %v", got, err)
		}
	}
	if _, err := Encrypt(nil, nil, "a;b"); err == nil {
		t.Error("a semicolon in a vault id is accepted")
	}
}

func TestDamaged(t *testing.T) {
	whole := string(read(t, "yaml.vault"))
	last := strings.LastIndexAny(strings.TrimSpace(whole), "0123456789")
	other := map[byte]byte{'0': '1'}[whole[last]]
	if other == 0 {
		other = '0'
	}
	for name, c := range map[string]struct{ text, want string }{
		"plain":   {"a: 1\n", "does not begin with"},
		"header":  {Header + "\n", "does not begin with"},
		"old":     {Header + "1.0;AES\n00", "format 1.0"},
		"new":     {Header + "9.9;AES256\n00", `format "9.9"`},
		"cipher":  {Header + "1.1;ROT13\n00", `cipher "ROT13"`},
		"short":   {whole[:len(whole)-2], "not hexadecimal"},
		"no body": {Header + "1.1;AES256\n", "not all there"},
		"parts":   {Header + "1.1;AES256\n300a300a30\n", "damaged"},
		"changed": {whole[:last] + string(other) + whole[last+1:], "no vault password decrypts it"},
	} {
		_, err := NewKeyring(NewSecret("", "file pw", bytes.TrimSpace(read(t, "password")))).Open([]byte(c.text), fault.Place{File: "f.yml", Line: 3})
		if err == nil || !strings.Contains(err.Error(), c.want) && !(name == "changed" && strings.Contains(err.Error(), "damaged")) || !strings.HasPrefix(err.Error(), "f.yml:3: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestYAML(t *testing.T) {
	if got, want := YAML("a", []byte("x\ny\n")), "a: !vault |\n          x\n          y\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// FuzzParse: foreign text never panics, and what can be read is decrypted or refused.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"yaml.vault", "labelled.vault", "empty.vault"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(Header + "1.1;AES256\n300a300a30\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Parse(data)
		if err == nil {
			_, _ = e.Decrypt([]byte("x"))
		}
	})
}
