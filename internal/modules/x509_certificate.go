package modules

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"slices"
	"strconv"
	"time"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
	"mageprov/internal/pyre"
)

func init() {
	module.Register(module.Spec{
		Name: "community.crypto.x509_certificate", Aliases: []string{"community.crypto.openssl_certificate"},
		New: func() any {
			return &certificate{
				pemFile: pemFile{State: "present", Backend: "auto"}, IgnoreTimestamps: true,
				SelfDigest: "sha256", SelfVersion: 3, SelfNotBefore: "+0s", SelfNotAfter: "+3650d", SelfKeyID: "create_if_not_provided",
				OwnDigest: "sha256", OwnVersion: 3, OwnNotBefore: "+0s", OwnNotAfter: "+3650d", OwnKeyID: "create_if_not_provided", OwnAuthorityID: true,
			}
		},
	})
}

// certificate is a certificate in a file, signed by its own key or by a CA's.
type certificate struct {
	pemFile
	keyArgs
	Provider         string `arg:"provider" choices:"selfsigned,ownca"`
	CSRPath          string `arg:"csr_path"`
	CSRContent       string `arg:"csr_content"`
	IgnoreTimestamps bool   `arg:"ignore_timestamps"`
	SelfDigest       string `arg:"selfsigned_digest"`
	SelfVersion      int    `arg:"selfsigned_version" choices:"3"`
	SelfNotBefore    string `arg:"selfsigned_not_before" alias:"selfsigned_notBefore"`
	SelfNotAfter     string `arg:"selfsigned_not_after" alias:"selfsigned_notAfter"`
	SelfKeyID        string `arg:"selfsigned_create_subject_key_identifier" choices:"create_if_not_provided,always_create,never_create"`
	OwnPath          string `arg:"ownca_path"`
	OwnContent       string `arg:"ownca_content"`
	OwnKeyPath       string `arg:"ownca_privatekey_path"`
	OwnKeyContent    string `arg:"ownca_privatekey_content" secret:"true"`
	OwnPassphrase    string `arg:"ownca_privatekey_passphrase" secret:"true"`
	OwnDigest        string `arg:"ownca_digest"`
	OwnVersion       int    `arg:"ownca_version" choices:"3"`
	OwnNotBefore     string `arg:"ownca_not_before"`
	OwnNotAfter      string `arg:"ownca_not_after"`
	OwnKeyID         string `arg:"ownca_create_subject_key_identifier" choices:"create_if_not_provided,always_create,never_create"`
	OwnAuthorityID   bool   `arg:"ownca_create_authority_key_identifier"`
}

// Validate refuses what cannot go together.
func (m *certificate) Validate() error {
	if m.State == "absent" {
		return nil
	}
	key, csr := m.KeyPath != "" || m.KeyContent != "", m.CSRPath != "" || m.CSRContent != ""
	switch {
	case m.Provider == "":
		return fault.New("state is present but all of the following are missing: provider").WithHint("provider is selfsigned or ownca")
	case m.CSRPath != "" && m.CSRContent != "":
		return fault.New("parameters are mutually exclusive: csr_path|csr_content")
	case m.KeyPath != "" && m.KeyContent != "":
		return fault.New("parameters are mutually exclusive: privatekey_path|privatekey_content")
	case m.Provider == "selfsigned" && !key:
		return fault.New("One of privatekey_path and privatekey_content must be specified for the selfsigned provider.")
	case m.Provider == "ownca" && !csr:
		return fault.New("csr_path or csr_content is required for provider 'ownca'")
	case m.Provider == "ownca" && (m.OwnPath == "") == (m.OwnContent == ""):
		return fault.New("exactly one of ownca_path and ownca_content must be specified for the ownca provider")
	case m.Provider == "ownca" && (m.OwnKeyPath == "") == (m.OwnKeyContent == ""):
		return fault.New("exactly one of ownca_privatekey_path and ownca_privatekey_content must be specified for the ownca provider")
	}
	now := time.Now()
	for name, v := range map[string]string{"selfsigned_not_before": m.SelfNotBefore, "selfsigned_not_after": m.SelfNotAfter,
		"ownca_not_before": m.OwnNotBefore, "ownca_not_after": m.OwnNotAfter} {
		if _, err := certTime(v, now); err != nil {
			return fault.Wrap(err, "%s", name)
		}
	}
	err := knownDigest(m.SelfDigest)
	err2 := knownDigest(m.OwnDigest)
	return errors.Join(err, err2)
}

var relativeTime = pyre.MustCompile(`^([+-])(?:([0-9]+)w)?(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s?)?\Z`)

// certTime reads +32w1d2h or 20260101120000Z.
func certTime(s string, now time.Time) (time.Time, error) {
	if g := relativeTime.Groups(s); g != nil {
		var d time.Duration
		for i, unit := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second} {
			if n, err := strconv.Atoi(g[i+2]); err == nil {
				d += time.Duration(n) * unit
			}
		}
		if g[1] == "-" {
			d = -d
		}
		return now.UTC().Truncate(time.Second).Add(d), nil
	}
	for _, layout := range []string{"20060102150405Z", "200601021504Z", "20060102150405-0700", "200601021504-0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fault.New("The time spec %q is invalid", s).WithHint("write it as +365d or 20260101120000Z")
}

// issue is what a certificate is made of.
type issue struct {
	name      []byte // the subject
	exts      []pkix.Extension
	public    crypto.PublicKey
	signer    crypto.Signer
	parent    *x509.Certificate // nil: itself
	keyID     string            // create_if_not_provided and so on
	digest    string
	from, til string
}

// Check compares the certificate that is there with the request, the keys and the CA.
func (m *certificate) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	ret := map[string]any{"filename": m.Path, "privatekey": orNull(m.KeyPath), "csr": orNull(m.CSRPath)}
	if m.State == "absent" {
		return m.absent(n, map[string]any{"filename": m.Path})
	}
	is, err := m.gather(n)
	if err != nil {
		return module.Plan{}, err
	}
	if m.Provider == "ownca" {
		ret["ca_cert"], ret["ca_privatekey"] = orNull(m.OwnPath), orNull(m.OwnKeyPath)
	}
	old, data, err := m.open(n)
	if err != nil {
		return module.Plan{}, err
	}
	have, parseErr := parseCertificate(data)
	if old != nil && !m.Force && parseErr == nil && m.fits(have, is, n.Now()) {
		m.describe(ret, have, data)
		return m.unchanged(n, old, ret)
	}
	der, err := m.sign(is, n.Now())
	if err != nil {
		return module.Plan{}, fmt.Errorf("making the certificate: %w", err)
	}
	after := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if have, err = parseCertificate(after); err != nil {
		return module.Plan{}, err
	}
	m.describe(ret, have, after)
	p, err := m.write(n, after, ret, string(after))
	if len(p.Changes) > 0 {
		p.Changes[0].Before = string(data)
	}
	return p, err
}

func (m *certificate) describe(ret map[string]any, c *x509.Certificate, data []byte) {
	const layout = "20060102150405Z"
	ret["notBefore"], ret["notAfter"] = c.NotBefore.UTC().Format(layout), c.NotAfter.UTC().Format(layout)
	ret["serial_number"] = c.SerialNumber.String()
	if m.ReturnContent {
		ret["certificate"] = string(data)
	}
}

func parseCertificate(data []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("it is not in PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}

// content reads a file that has to be there, or takes the text given instead.
func content(n node.Reader, p, text, missing string) ([]byte, error) {
	if p == "" {
		return []byte(text), nil
	}
	data, err := n.ReadFile(expandWord(n, p))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, notSure(n, fault.New(missing, p))
	}
	return data, err
}

// gather reads the request, the keys and the CA.
func (m *certificate) gather(n node.Reader) (is issue, err error) {
	is = issue{keyID: m.SelfKeyID, digest: m.SelfDigest, from: m.SelfNotBefore, til: m.SelfNotAfter}
	if is.name, err = rawName(nil); err != nil {
		return is, err
	}
	var key crypto.Signer
	if m.KeyPath != "" || m.KeyContent != "" {
		if key, err = m.load(n, "The private key file %s does not exist"); err != nil {
			return is, err
		}
		is.public, is.signer = key.Public(), key
	}
	if m.CSRPath != "" || m.CSRContent != "" {
		data, err := content(n, m.CSRPath, m.CSRContent, "The certificate signing request file %s does not exist")
		if err != nil {
			return is, err
		}
		csr, err := parseCSR(data)
		if err != nil {
			return is, fmt.Errorf("reading the certificate signing request: %w", err)
		}
		if err := csr.CheckSignature(); err != nil {
			return is, fmt.Errorf("CSR signature is not valid: %w", err)
		}
		if key != nil && !samePublic(csr.PublicKey, key.Public()) && m.Provider == "selfsigned" {
			return is, fault.New("CSR and private key do not belong together")
		}
		is.name, is.exts, is.public = csr.RawSubject, csr.Extensions, csr.PublicKey
	}
	if m.Provider == "ownca" {
		err = m.gatherCA(n, &is)
	}
	return is, err
}

func (m *certificate) gatherCA(n node.Reader, is *issue) error {
	is.keyID, is.digest, is.from, is.til = m.OwnKeyID, m.OwnDigest, m.OwnNotBefore, m.OwnNotAfter
	data, err := content(n, m.OwnPath, m.OwnContent, "The CA certificate file %s does not exist")
	if err != nil {
		return err
	}
	if is.parent, err = parseCertificate(data); err != nil {
		return fmt.Errorf("reading the CA certificate: %w", err)
	}
	k := keyArgs{m.OwnKeyPath, m.OwnKeyContent, m.OwnPassphrase}
	if is.signer, err = k.load(n, "The CA private key file %s does not exist"); err != nil {
		return err
	}
	if !samePublic(is.parent.PublicKey, is.signer.Public()) {
		return fault.New("The CA private key does not belong to the CA certificate")
	}
	return nil
}

// extensions are those of the request, with the identifiers that are made here.
func (m *certificate) extensions(is issue) ([]pkix.Extension, error) {
	exts := slices.Clone(is.exts)
	has := slices.ContainsFunc(exts, func(e pkix.Extension) bool { return e.Id.Equal(oidSubjectKeyID) })
	if is.keyID == "always_create" || is.keyID == "create_if_not_provided" && !has {
		id, err := subjectKeyID(is.public)
		if err != nil {
			return nil, err
		}
		e, err := extension(oidSubjectKeyID, false, id)
		if err != nil {
			return nil, err
		}
		exts = append(slices.DeleteFunc(exts, func(e pkix.Extension) bool { return e.Id.Equal(oidSubjectKeyID) }), e)
	}
	if is.parent == nil || !m.OwnAuthorityID {
		return exts, nil
	}
	id := is.parent.SubjectKeyId
	if len(id) == 0 {
		var err error
		if id, err = subjectKeyID(is.parent.PublicKey); err != nil {
			return nil, err
		}
	}
	v, err := authorityKeyID(colons(id), nil, "")
	if err != nil {
		return nil, err
	}
	e, err := extension(oidAuthorityKeyID, false, v)
	return append(slices.DeleteFunc(exts, func(e pkix.Extension) bool { return e.Id.Equal(oidAuthorityKeyID) }), e), err
}

func (m *certificate) fits(c *x509.Certificate, is issue, now time.Time) bool {
	exts, err := m.extensions(is)
	if err != nil || !samePublic(c.PublicKey, is.public) || !sameExtensions(c.Extensions, exts) {
		return false
	}
	issuer := is.name
	if is.parent != nil {
		issuer = is.parent.RawSubject
	}
	if !slices.Equal(nameOf(c.RawSubject), nameOf(is.name)) || !slices.Equal(nameOf(c.RawIssuer), nameOf(issuer)) {
		return false
	}
	by := &x509.Certificate{PublicKey: is.signer.Public(), PublicKeyAlgorithm: signerAlgorithm(is.signer)}
	if by.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) != nil || c.SignatureAlgorithm != signatureOf(is.signer, is.digest) {
		return false
	}
	if m.IgnoreTimestamps {
		return true
	}
	from, _ := certTime(is.from, now)
	til, _ := certTime(is.til, now)
	return c.NotBefore.Equal(from) && c.NotAfter.Equal(til)
}

func signerAlgorithm(key crypto.Signer) x509.PublicKeyAlgorithm {
	kind, _, _ := describeKey(key)
	return map[string]x509.PublicKeyAlgorithm{"RSA": x509.RSA, "ECC": x509.ECDSA, "Ed25519": x509.Ed25519}[kind]
}

func (m *certificate) sign(is issue, now time.Time) ([]byte, error) {
	exts, err := m.extensions(is)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 159))
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{SerialNumber: serial, RawSubject: is.name, ExtraExtensions: exts, SignatureAlgorithm: signatureOf(is.signer, is.digest)}
	if t.NotBefore, err = certTime(is.from, now); err != nil {
		return nil, err
	}
	if t.NotAfter, err = certTime(is.til, now); err != nil {
		return nil, err
	}
	parent := t
	if is.parent != nil { // only the name: identifiers are among the extensions
		parent = &x509.Certificate{RawSubject: is.parent.RawSubject}
	}
	return x509.CreateCertificate(rand.Reader, t, parent, is.public, is.signer)
}
