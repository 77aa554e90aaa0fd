package modules

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mageprov/internal/module"
	"mageprov/internal/node"
)

// TestExtensionsAreAnsibles compares with what Ansible writes for the same task.
func TestExtensionsAreAnsibles(t *testing.T) {
	m := &signingRequest{CommonNameAsSAN: true}
	if err := module.Decode(m, module.Args{
		"path": "/x", "privatekey_path": "/k",
		"subject_alt_name": []any{"DNS:a.example.com", "IP:10.0.0.1", "email:x@y.z", "URI:http://a/b", "RID:1.2.3.4", "dirName:CN = x, O = y"},
		"key_usage":        []any{"digitalSignature", "keyAgreement", "Key Encipherment"}, "key_usage_critical": true,
		"extended_key_usage": []any{"serverAuth", "TLS Web Client Authentication", "1.2.3.4"},
		"basic_constraints":  []any{"CA:TRUE", "pathlen:0"}, "basic_constraints_critical": true, "ocsp_must_staple": true,
		"name_constraints_permitted": []any{"DNS:.x.y"}, "authority_key_identifier": "00:11", "authority_cert_issuer": []any{"DNS:ca"},
		"authority_cert_serial_number": int64(12345), "digest": "sha256",
		"crl_distribution_points": []any{map[string]any{"full_name": []any{"URI:http://crl/x"}, "reasons": []any{"key_compromise", "ca_compromise"}}},
	}); err != nil {
		t.Fatal(err)
	}
	got, err := m.extensions(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"1.3.6.1.5.5.7.1.24": "MAMCAQU=", "2.5.29.15": "AwIDqA==", "2.5.29.19": "MAYBAf8CAQA=", "2.5.29.30": "MAqgCDAGggQueC55",
		"2.5.29.17": "MEmCDWEuZXhhbXBsZS5jb22HBAoAAAGBBXhAeS56hgpodHRwOi8vYS9iiAMqAwSkGjAYMQowCAYDVQQKDAF5MQowCAYDVQQDDAF4",
		"2.5.29.31": "MBgwFqAQoA6GDGh0dHA6Ly9jcmwveIECBWA=", "2.5.29.35": "MA6AAgARoQSCAmNhggIwOQ==",
		"2.5.29.37": "MBkGCCsGAQUFBwMBBggrBgEFBQcDAgYDKgME",
	}
	for _, e := range got {
		id := e.Id.String()
		if v := base64.StdEncoding.EncodeToString(e.Value); v != want[id] {
			t.Errorf("%s is %s, want %s", id, v, want[id])
		}
		if critical := id == "2.5.29.15" || id == "2.5.29.19"; e.Critical != critical {
			t.Errorf("%s: critical=%v", id, e.Critical)
		}
		delete(want, id)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

// pki runs the modules of this file's subject in a directory.
type pki struct {
	t    *testing.T
	root string
	n    *node.Local
}

func (p pki) run(name string, args module.Args) *module.Result {
	p.t.Helper()
	spec, ok := module.Lookup(name)
	if !ok {
		p.t.Fatalf("no module %s", name)
	}
	for k, v := range args {
		if s, isText := v.(string); isText && (k == "path" || strings.HasSuffix(k, "_path")) {
			args[k] = filepath.Join(p.root, s)
		}
	}
	do := func(w node.Writer) *module.Result {
		m := spec.New().(module.Module)
		if err := module.Decode(m, args); err != nil {
			return &module.Result{Failed: true, Msg: err.Error()}
		}
		return module.Run(p.t.Context(), m, w, true)
	}
	checked := do(node.NewOverlay(p.n))
	ran := do(p.n)
	if checked.Failed != ran.Failed || checked.Changed != ran.Changed {
		p.t.Errorf("%s %v: check failed=%v changed=%v, run failed=%v changed=%v %s", name, args, checked.Failed, checked.Changed, ran.Failed, ran.Changed, ran.Msg)
	}
	if args["force"] == nil && !ran.Failed {
		if again := do(p.n); again.Changed || again.Failed {
			p.t.Errorf("%s %v: changed=%v in the second run, %s", name, args, again.Changed, again.Msg)
		}
	}
	for _, c := range ran.Changes {
		if strings.Contains(c.Before+c.After, "PRIVATE") || strings.Contains(c.Before+c.After, "geheim") {
			p.t.Errorf("%s: the diff has the secret: %s", name, c.After)
		}
	}
	return ran
}

func TestKeysRequestsCertificates(t *testing.T) {
	p := pki{t: t, root: t.TempDir(), n: node.NewLocal(node.LocalOptions{Umask: 0o022, Env: map[string]string{"PATH": os.Getenv("PATH")}})}
	changed := func(r *module.Result, want bool) {
		t.Helper()
		if r.Failed || r.Changed != want {
			t.Errorf("failed=%v changed=%v, want changed=%v: %s", r.Failed, r.Changed, want, r.Msg)
		}
	}
	fails := func(r *module.Result, want string) {
		t.Helper()
		if !r.Failed || !strings.Contains(r.Msg, want) {
			t.Errorf("failed=%v %q, want %q", r.Failed, r.Msg, want)
		}
	}
	type a = module.Args
	const key, csr, crt = "openssl_privatekey", "openssl_csr", "x509_certificate"

	changed(p.run(key, a{"path": "rsa.key", "size": 2048}), true)
	if i, _ := os.Stat(p.root + "/rsa.key"); i.Mode().Perm() != 0o600 {
		t.Errorf("a key has the mode %v", i.Mode())
	}
	changed(p.run(key, a{"path": "rsa.key", "size": 2048, "format": "pkcs8", "format_mismatch": "convert"}), true)
	fails(p.run(key, a{"path": "rsa.key", "size": 1024, "regenerate": "fail"}), "Key has wrong type and/or size")
	changed(p.run(key, a{"path": "rsa.key", "type": "ECC", "curve": "secp384r1", "regenerate": "never"}), false)
	changed(p.run(key, a{"path": "rsa.key", "size": 2048, "force": true, "backup": true}), true)
	changed(p.run(key, a{"path": "ec.key", "type": "ECC", "curve": "secp256r1"}), true)
	changed(p.run(key, a{"path": "ed.key", "type": "Ed25519", "passphrase": "geheim", "cipher": "auto"}), true)
	changed(p.run(key, a{"path": "sec.key", "size": 2048, "passphrase": "geheim", "cipher": "auto"}), true)
	fails(p.run(key, a{"path": "sec.key", "size": 2048, "regenerate": "partial_idempotence"}), "Unable to read the key")
	fails(p.run(key, a{"path": "no/where.key"}), "does not exist or the file is not a directory")

	ca := a{"path": "ca.csr", "privatekey_path": "sec.key", "privatekey_passphrase": "geheim", "common_name": "CA", "use_common_name_for_san": false,
		"basic_constraints": []any{"CA:TRUE"}, "basic_constraints_critical": true, "key_usage": "keyCertSign"}
	changed(p.run(csr, ca), true)
	changed(p.run(crt, a{"path": "ca.crt", "csr_path": "ca.csr", "privatekey_path": "sec.key", "privatekey_passphrase": "geheim", "provider": "selfsigned"}), true)
	req := a{"path": "ec.csr", "privatekey_path": "ec.key", "common_name": "b.example.com", "O": "Bäh", "subject": map[string]any{"OU": []any{"x", "y"}}}
	changed(p.run(csr, req), true)
	own := a{"path": "ec.crt", "csr_path": "ec.csr", "provider": "ownca", "ownca_path": "ca.crt", "ownca_privatekey_path": "sec.key",
		"ownca_privatekey_passphrase": "geheim", "ownca_not_after": "+30d"}
	r := p.run(crt, own)
	changed(r, true)
	req["path"], req["privatekey_path"], req["subject_alt_name"] = "ec.csr", "ec.key", []any{"DNS:c", "DNS:d"}
	changed(p.run(csr, req), true)
	own["path"], own["csr_path"], own["ownca_path"], own["ownca_privatekey_path"] = "ec.crt", "ec.csr", "ca.crt", "sec.key"
	changed(p.run(crt, own), true)
	changed(p.run(crt, a{"path": "ed.crt", "privatekey_path": "ed.key", "privatekey_passphrase": "geheim", "provider": "selfsigned"}), true)
	fails(p.run(crt, a{"path": "x.crt", "csr_path": "none", "privatekey_path": "ec.key", "provider": "selfsigned"}), "does not exist")
	fails(p.run(crt, a{"path": "x.crt", "csr_path": "ec.csr", "privatekey_path": "rsa.key", "provider": "selfsigned"}), "do not belong together")
	fails(p.run(csr, a{"path": "x.csr", "privatekey_path": "sec.key", "common_name": "x"}), "passphrase")
	fails(p.run(csr, a{"path": "x.csr", "privatekey_path": "ec.key", "C": "Deutschland"}), "2 character country code")
	changed(p.run(crt, a{"path": "ed.crt", "state": "absent"}), true)

	out, err := exec.Command("openssl", "verify", "-CAfile", p.root+"/ca.crt", p.root+"/ec.crt").CombinedOutput()
	if err != nil && exec.Command("openssl", "version").Run() == nil {
		t.Errorf("openssl does not agree: %s", out)
	}
	out, err = exec.Command("openssl", "pkey", "-in", p.root+"/ed.key", "-passin", "pass:geheim", "-noout").CombinedOutput()
	if err != nil && exec.Command("openssl", "version").Run() == nil {
		t.Errorf("openssl cannot read the encrypted key: %s", out)
	}
}

func FuzzReadKey(f *testing.F) {
	k, err := generateKey("Ed25519", 0, "")
	if err != nil {
		f.Fatal(err)
	}
	for _, pass := range []string{"", "x"} {
		b, err := pemKey{key: k}.pem(pass)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, pass)
	}
	f.Add([]byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n"), "x")
	f.Fuzz(func(t *testing.T, data []byte, pass string) {
		k, err := readKey(data, pass)
		if err != nil {
			return
		}
		if kind, _, _ := describeKey(k.key); kind == "" {
			return
		}
		if _, err := k.pem(""); err != nil {
			t.Error(err)
		}
	})
}

func FuzzExtensions(f *testing.F) {
	f.Add([]byte("0\x0f\x82\rb.example.com"), []byte("0\x00"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		one := []pkix.Extension{{Id: oidSubjectAltName, Value: a}, {Id: oidExtKeyUsage, Value: b}}
		if !sameExtensions(one, []pkix.Extension{one[1], one[0]}) {
			t.Error("the order counts")
		}
		nameOf(a)
		if block, _ := pem.Decode(a); block != nil && !bytes.Equal(block.Bytes, nil) {
			parseCSR(a)
		}
	})
}
