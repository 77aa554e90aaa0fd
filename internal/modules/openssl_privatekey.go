package modules

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "community.crypto.openssl_privatekey",
		New: func() any {
			return &privateKey{pemFile: pemFile{State: "present", Backend: "auto"}, Type: "RSA", Size: 4096,
				Format: "auto_ignore", FormatMismatch: "regenerate", Regenerate: "full_idempotence"}
		},
	})
}

// pemFile are the arguments that keys, requests and certificates share.
type pemFile struct {
	FileArgs
	Path          string `arg:"path,required"`
	State         string `arg:"state" choices:"absent,present"`
	Force         bool   `arg:"force"`
	Backup        bool   `arg:"backup"`
	ReturnContent bool   `arg:"return_content"`
	Backend       string `arg:"select_crypto_backend" choices:"auto,cryptography"`
}

// privateKey is a private key in a file.
type privateKey struct {
	pemFile
	Type           string `arg:"type" choices:"DSA,ECC,Ed25519,Ed448,RSA,X25519,X448"`
	Size           int    `arg:"size"`
	Curve          string `arg:"curve"`
	Passphrase     string `arg:"passphrase" secret:"true"`
	Cipher         string `arg:"cipher"`
	Format         string `arg:"format" choices:"pkcs1,pkcs8,raw,auto,auto_ignore"`
	FormatMismatch string `arg:"format_mismatch" choices:"regenerate,convert"`
	Regenerate     string `arg:"regenerate" choices:"never,fail,partial_idempotence,full_idempotence,always"`
}

// Validate refuses what cannot go together, and what cannot be made here.
func (m *privateKey) Validate() error {
	switch {
	case m.Type == "ECC" && m.Curve == "":
		return fault.New("type is ECC but all of the following are missing: curve")
	case m.Type == "ECC" && keyCurves[m.Curve] == nil:
		return fault.New("the curve %s is not supported", m.Curve).WithHint("secp256r1, secp384r1, secp521r1 and secp224r1 are")
	case m.Type == "DSA" || m.Type == "Ed448" || m.Type == "X448":
		return fault.New("keys of type %s are not supported", m.Type).WithHint("RSA, ECC, Ed25519 and X25519 are")
	case m.Format == "raw":
		return fault.New("the format raw is not supported").WithHint("pkcs8 is")
	case m.Cipher != "" && m.Cipher != "auto":
		return fault.New("cipher must be 'auto'")
	case m.Cipher != "" && m.Passphrase == "", m.Cipher == "" && m.Passphrase != "":
		return fault.New("parameters are required together: cipher, passphrase")
	case m.Type == "RSA" && (m.Size < 1024 || m.Size > 16384):
		return fault.New("an RSA key has between 1024 and 16384 bits, not %d", m.Size)
	case m.Format == "pkcs1" && m.Type != "RSA" && m.Type != "ECC":
		return fault.New("a key of type %s has no form pkcs1", m.Type)
	}
	return nil
}

// format is the one the key is to have; "" for any.
func (m *privateKey) format() string {
	switch {
	case m.Format == "auto_ignore":
		return ""
	case m.Format != "auto":
		return m.Format
	case m.Type == "RSA" || m.Type == "ECC":
		return "pkcs1"
	}
	return "pkcs8"
}

// Check reads the key that is there and decides whether it will do.
func (m *privateKey) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	if m.Mode == "" {
		m.Mode = "0600"
	}
	ret := map[string]any{"filename": m.Path, "type": m.Type, "size": m.Size, "fingerprint": nil}
	if m.State == "absent" {
		return m.absent(n, ret)
	}
	old, data, err := m.open(n)
	if err != nil {
		return module.Plan{}, err
	}
	have, convert, err := m.keep(old != nil, data)
	if err != nil {
		return module.Plan{Return: ret}, err
	}
	if have != nil && !convert {
		m.describe(ret, *have, data)
		return m.unchanged(n, old, ret)
	}
	key := pemKey{format: m.format()}
	if key.format == "" && m.Type != "Ed25519" && m.Type != "X25519" {
		key.format = "pkcs1"
	}
	if have != nil {
		key.key = have.key
	} else if key.key, err = generateKey(m.Type, m.Size, m.Curve); err != nil {
		return module.Plan{Return: ret}, err
	}
	if data, err = key.pem(m.Passphrase); err != nil {
		return module.Plan{Return: ret}, err
	}
	m.describe(ret, key, data)
	shown := fmt.Sprintf("%s %d\n", m.Type, m.Size)
	if m.Type != "RSA" {
		shown = m.Type + "\n"
	}
	return m.write(n, data, ret, shown)
}

func (m *privateKey) describe(ret map[string]any, k pemKey, data []byte) {
	kind, size, curve := describeKey(k.key)
	ret["type"], ret["fingerprint"] = kind, fingerprints(k.key)
	if kind == "RSA" {
		ret["size"] = size
	}
	if curve != "" {
		ret["curve"] = curve
	}
	if m.ReturnContent {
		ret["privatekey"] = string(data)
	}
}

// keep gives the key that is there when it stays, in this form or converted;
// nil for a new one.
func (m *privateKey) keep(exists bool, data []byte) (have *pemKey, convert bool, err error) {
	if !exists || m.Force || m.Regenerate == "always" {
		return nil, false, nil
	}
	k, err := readKey(data, m.Passphrase)
	if err != nil {
		if m.Regenerate == "full_idempotence" {
			return nil, false, nil
		}
		return nil, false, fault.New("Unable to read the key. The key is protected with a another passphrase / no passphrase or broken. Will not proceed. (%v)", err).
			WithHint("regenerate: full_idempotence or force: true makes a new one")
	}
	kind, size, curve := describeKey(k.key)
	fits := kind == m.Type && (kind != "RSA" || size == m.Size) && (kind != "ECC" || curve == m.Curve)
	if !fits {
		return m.mismatch(k, "Key has wrong type and/or size. Will not proceed.")
	}
	if want := m.format(); want == "" || k.format == want {
		return &k, false, nil
	}
	if m.FormatMismatch == "convert" && m.Regenerate != "never" && m.Regenerate != "fail" {
		return &k, true, nil
	}
	return m.mismatch(k, "Key has wrong format. Will not proceed.")
}

func (m *privateKey) mismatch(k pemKey, msg string) (*pemKey, bool, error) {
	switch m.Regenerate {
	case "never":
		return &k, false, nil
	case "fail":
		return nil, false, fault.New("%s", msg).WithHint("regenerate: full_idempotence or force: true makes a new one")
	}
	return nil, false, nil
}

// open reads the file. A nil Info: it is not there.
func (m *pemFile) open(n node.Reader) (*node.Info, []byte, error) {
	m.Path = expandWord(n, m.Path)
	old, err := statOrNil(n, m.Path)
	if err != nil {
		return nil, nil, err
	}
	if old == nil {
		if i, err := statOrNil(n, path.Dir(m.Path)); err != nil || i == nil || !i.IsDir() {
			return nil, nil, errors.Join(err, notSure(n, &module.Failure{
				Msg:    fmt.Sprintf("The directory %s does not exist or the file is not a directory", path.Dir(m.Path)),
				Return: map[string]any{"name": path.Dir(m.Path)}}))
		}
		return nil, nil, nil
	}
	if old.IsDir() {
		return nil, nil, fault.New("%s is a directory", m.Path)
	}
	data, err := n.ReadFile(m.Path)
	return old, data, err
}

// absent removes the file.
func (m *pemFile) absent(n node.Reader, ret map[string]any) (module.Plan, error) {
	m.Path = expandWord(n, m.Path)
	p := module.Plan{Return: ret}
	old, err := lstatOrNil(n, m.Path)
	if err != nil || old == nil {
		return p, err
	}
	if m.Backup && old.IsRegular() {
		name, keep := keepCopy(n, m.Path)
		p.Return["backup_file"], p.Changes = name, append(p.Changes, keep)
	}
	p.Changes = append(p.Changes, module.Change{What: "remove " + m.Path,
		Apply: func(_ context.Context, w node.Writer) error { return w.Remove(m.Path) }})
	return p, nil
}

// unchanged leaves the content and sees to owner and mode.
func (m *pemFile) unchanged(n node.Reader, old *node.Info, ret map[string]any) (module.Plan, error) {
	changes, err := m.changes(n, realPath(n, m.Path), *old)
	return module.Plan{Changes: changes, Return: ret}, err
}

// write puts new content in place. What a diff shows is told apart from the
// content, which may be secret.
func (m *pemFile) write(n node.Reader, data []byte, ret map[string]any, shown string) (module.Plan, error) {
	p, err := put{args: m.FileArgs, src: bytesSource(data), dest: m.Path, force: true, backup: m.Backup, follow: true}.plan(n, false)
	if err != nil {
		return p, err
	}
	if b, ok := p.Return["backup_file"]; ok {
		ret["backup_file"] = b
	}
	p.Return, p.After = ret, nil
	i := slices.IndexFunc(p.Changes, func(c module.Change) bool { return c.AfterName == m.Path })
	if i >= 0 {
		p.Changes[i].Before, p.Changes[i].After = "", shown
	}
	return p, nil
}
