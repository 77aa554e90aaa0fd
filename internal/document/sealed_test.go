package document

import (
	"context"
	"os"
	"strings"
	"testing"

	"mageprov/internal/jinja"
	"mageprov/internal/vault"
)

// TestSealed reads what ansible-vault encrypt_string has written.
func TestSealed(t *testing.T) {
	data, err := os.ReadFile("testdata/sealed.yml")
	if err != nil {
		t.Fatal(err)
	}
	keys := vault.NewKeyring(vault.NewSecret("", "a test", []byte("swordfish")))
	n, err := LoadSealed("sealed.yml", data, keys)
	if err != nil {
		t.Fatal(err)
	}
	d := n.ToValue().(*jinja.Dict)
	if !d.Templated {
		t.Error("nobody would look for the sealed value")
	}
	got, err := jinja.Materialize(context.Background(), d)
	want := `{'db_password': 's3cret', 'users': [{'name': 'ada', 'key': '{{ not a template }}'}]}`
	if err != nil || jinja.Repr(got) != want {
		t.Errorf("%s %v, want %s", jinja.Repr(got), err, want)
	}
	if s := jinja.Repr(d); strings.Contains(s, "s3cret") {
		t.Errorf("printing the raw value shows the secret: %s", s)
	}

	n, err = LoadSealed("sealed.yml", data, vault.NewKeyring(vault.NewSecret("", "file pw", []byte("wrong"))))
	if err != nil {
		t.Fatal(err)
	}
	_, err = jinja.Materialize(context.Background(), n.ToValue())
	if want := "sealed.yml:2:11: encrypted, and no vault password decrypts it; tried default (file pw)"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if _, err = LoadSealed("sealed.yml", data, vault.NewKeyring()); err != nil {
		t.Errorf("those who only look: %v", err)
	}
}

// TestExported reads what ansible-inventory --list prints for such values.
func TestExported(t *testing.T) {
	text, err := os.ReadFile("testdata/whole.yml")
	if err != nil {
		t.Fatal(err)
	}
	encrypted := strings.ReplaceAll(string(text), "\n", `\n`)
	data := `{"a": {"__ansible_vault": "` + encrypted + `"}, "b": {"__ansible_unsafe": "{{ x }}"}, "c": {"__ansible_unsafe": "x", "d": 1}}`
	n, err := LoadSealed("f.json", []byte(data), vault.NewKeyring(vault.NewSecret("", "a test", []byte("swordfish"))))
	if err != nil {
		t.Fatal(err)
	}
	got, err := jinja.Materialize(context.Background(), n.ToValue())
	want := `{'a': 'a: from a file\n', 'b': '{{ x }}', 'c': {'__ansible_unsafe': 'x', 'd': 1}}`
	if err != nil || jinja.Repr(got) != want {
		t.Errorf("%s %v, want %s", jinja.Repr(got), err, want)
	}
}

func TestDiskDecrypts(t *testing.T) {
	keys := vault.NewKeyring(vault.NewSecret("", "a test", []byte("swordfish")))
	data, err := Disk{Vault: keys}.ReadFile("testdata/whole.yml")
	if string(data) != "a: from a file\n" || err != nil {
		t.Errorf("%q %v", data, err)
	}
	_, err = Disk{}.ReadFile("testdata/whole.yml")
	if want := "testdata/whole.yml:1:1: encrypted with ansible-vault, and no vault password was given"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
