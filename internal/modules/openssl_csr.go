package modules

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"slices"
	"sort"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "community.crypto.openssl_csr",
		New: func() any {
			return &signingRequest{pemFile: pemFile{State: "present", Backend: "auto"}, Digest: "sha256", Version: 1, CommonNameAsSAN: true}
		},
	})
}

// signingRequest is a certificate signing request in a file.
type signingRequest struct {
	pemFile
	keyArgs
	Digest                string           `arg:"digest"`
	Version               int              `arg:"version" choices:"1"`
	Subject               map[string]any   `arg:"subject"`
	SubjectOrdered        []map[string]any `arg:"subject_ordered"`
	CountryName           string           `arg:"country_name" alias:"C,countryName"`
	StateOrProvinceName   string           `arg:"state_or_province_name" alias:"ST,stateOrProvinceName"`
	LocalityName          string           `arg:"locality_name" alias:"L,localityName"`
	OrganizationName      string           `arg:"organization_name" alias:"O,organizationName"`
	OrganizationalUnit    string           `arg:"organizational_unit_name" alias:"OU,organizationalUnitName"`
	CommonName            string           `arg:"common_name" alias:"CN,commonName"`
	EmailAddress          string           `arg:"email_address" alias:"E,emailAddress"`
	SubjectAltName        []string         `arg:"subject_alt_name" alias:"subjectAltName"`
	SANCritical           bool             `arg:"subject_alt_name_critical" alias:"subjectAltName_critical"`
	CommonNameAsSAN       bool             `arg:"use_common_name_for_san" alias:"useCommonNameForSAN"`
	KeyUsage              []string         `arg:"key_usage" alias:"keyUsage"`
	KeyUsageCritical      bool             `arg:"key_usage_critical" alias:"keyUsage_critical"`
	ExtKeyUsage           []string         `arg:"extended_key_usage" alias:"extKeyUsage,extendedKeyUsage"`
	ExtKeyUsageCritical   bool             `arg:"extended_key_usage_critical" alias:"extKeyUsage_critical,extendedKeyUsage_critical"`
	BasicConstraints      []string         `arg:"basic_constraints" alias:"basicConstraints"`
	BasicCritical         bool             `arg:"basic_constraints_critical" alias:"basicConstraints_critical"`
	OCSPMustStaple        bool             `arg:"ocsp_must_staple" alias:"ocspMustStaple"`
	OCSPCritical          bool             `arg:"ocsp_must_staple_critical" alias:"ocspMustStaple_critical"`
	NamesPermitted        []string         `arg:"name_constraints_permitted"`
	NamesExcluded         []string         `arg:"name_constraints_excluded"`
	NamesCritical         bool             `arg:"name_constraints_critical"`
	CreateSubjectKeyID    bool             `arg:"create_subject_key_identifier"`
	SubjectKeyID          string           `arg:"subject_key_identifier"`
	AuthorityKeyID        string           `arg:"authority_key_identifier"`
	AuthorityCertIssuer   []string         `arg:"authority_cert_issuer"`
	AuthorityCertSerial   string           `arg:"authority_cert_serial_number"`
	CRLDistributionPoints []crlPoint       `arg:"crl_distribution_points"`
}

// keyArgs say where the private key is.
type keyArgs struct {
	KeyPath       string `arg:"privatekey_path"`
	KeyContent    string `arg:"privatekey_content" secret:"true"`
	KeyPassphrase string `arg:"privatekey_passphrase" secret:"true"`
}

// crlPoint is one entry of crl_distribution_points.
type crlPoint map[string]any

// Validate refuses what cannot go together.
func (m *signingRequest) Validate() error {
	switch {
	case m.State == "present" && (m.KeyPath == "") == (m.KeyContent == ""):
		return fault.New("exactly one of privatekey_path and privatekey_content is needed")
	case m.SubjectKeyID != "" && m.CreateSubjectKeyID:
		return fault.New("subject_key_identifier cannot be specified if create_subject_key_identifier is true")
	case (len(m.AuthorityCertIssuer) > 0) != (m.AuthorityCertSerial != ""):
		return fault.New("parameters are required together: authority_cert_issuer, authority_cert_serial_number")
	case m.Subject != nil && m.SubjectOrdered != nil:
		return fault.New("parameters are mutually exclusive: subject|subject_ordered")
	}
	if err := knownDigest(m.Digest); err != nil {
		return err
	}
	_, err := m.extensions(nil)
	return err
}

func knownDigest(name string) error {
	switch strings.ToLower(name) {
	case "sha1", "sha256", "sha384", "sha512":
		return nil
	}
	return fault.New("the digest %q is not supported", name).WithHint("sha256, sha384 and sha512 are")
}

// signatureOf names the algorithm for a key and a digest.
func signatureOf(key crypto.PrivateKey, digest string) x509.SignatureAlgorithm {
	kind, _, _ := describeKey(key)
	return map[string]x509.SignatureAlgorithm{
		"RSAsha1": x509.SHA1WithRSA, "RSAsha256": x509.SHA256WithRSA, "RSAsha384": x509.SHA384WithRSA, "RSAsha512": x509.SHA512WithRSA,
		"ECCsha1": x509.ECDSAWithSHA1, "ECCsha256": x509.ECDSAWithSHA256, "ECCsha384": x509.ECDSAWithSHA384, "ECCsha512": x509.ECDSAWithSHA512,
		"Ed25519" + digest: x509.PureEd25519,
	}[kind+strings.ToLower(digest)]
}

// load reads the private key.
func (k *keyArgs) load(n node.Reader, missing string) (crypto.Signer, error) {
	data := []byte(k.KeyContent)
	if k.KeyPath != "" {
		var err error
		k.KeyPath = expandWord(n, k.KeyPath)
		if data, err = n.ReadFile(k.KeyPath); errors.Is(err, fs.ErrNotExist) {
			return nil, notSure(n, fault.New(missing, k.KeyPath))
		} else if err != nil {
			return nil, err
		}
	}
	key, err := readKey(data, k.KeyPassphrase)
	if err != nil {
		return nil, err
	}
	signer, ok := key.key.(crypto.Signer)
	if !ok {
		return nil, fault.New("the private key cannot sign")
	}
	return signer, nil
}

// subject lists the parts of the name in the order in which Ansible writes them.
func (m *signingRequest) subject() []attr {
	var out []attr
	for _, a := range []attr{
		{"C", m.CountryName}, {"ST", m.StateOrProvinceName}, {"L", m.LocalityName}, {"O", m.OrganizationName},
		{"OU", m.OrganizationalUnit}, {"CN", m.CommonName}, {"emailAddress", m.EmailAddress},
	} {
		if a.value != "" {
			out = append(out, a)
		}
	}
	add := func(parts map[string]any) {
		names := make([]string, 0, len(parts))
		for name := range parts {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			values, isList := parts[name].([]any)
			if !isList {
				values = []any{parts[name]}
			}
			for _, v := range values {
				out = append(out, attr{name, module.Text(v)})
			}
		}
	}
	for _, parts := range m.SubjectOrdered {
		add(parts)
	}
	add(m.Subject)
	return out
}

// altNames are those given, or the common name.
func (m *signingRequest) altNames() []string {
	if len(m.SubjectAltName) > 0 || !m.CommonNameAsSAN || m.CommonName == "" {
		return m.SubjectAltName
	}
	if net.ParseIP(m.CommonName) != nil {
		return []string{"IP:" + m.CommonName}
	}
	return []string{"DNS:" + m.CommonName}
}

// Check compares the request that is there with the arguments and the key.
func (m *signingRequest) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	ret := m.ret()
	if m.State == "absent" {
		return m.absent(n, ret)
	}
	key, err := m.load(n, "[Errno 2] No such file or directory: '%s'")
	if err != nil {
		return module.Plan{}, err
	}
	exts, err := m.extensions(key.Public())
	if err != nil {
		return module.Plan{}, err
	}
	name, err := rawName(m.subject())
	if err != nil {
		return module.Plan{}, err
	}
	old, data, err := m.open(n)
	if err != nil {
		return module.Plan{}, err
	}
	if old != nil && !m.Force && m.fits(data, key, name, exts) {
		if m.ReturnContent {
			ret["csr"] = string(data)
		}
		return m.unchanged(n, old, ret)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		RawSubject: name, ExtraExtensions: exts, SignatureAlgorithm: signatureOf(key, m.Digest),
	}, key)
	if err != nil {
		return module.Plan{}, fmt.Errorf("making the request: %w", err)
	}
	after := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	if m.ReturnContent {
		ret["csr"] = string(after)
	}
	p, err := m.write(n, after, ret, string(after))
	if len(p.Changes) > 0 {
		p.Changes[0].Before = string(data)
	}
	return p, err
}

func (m *signingRequest) ret() map[string]any {
	subject := []any{}
	for _, a := range m.subject() {
		subject = append(subject, []any{a.name, a.value})
	}
	return map[string]any{
		"filename": m.Path, "privatekey": orNull(m.KeyPath), "subject": subject, "subjectAltName": listOrNull(m.altNames()),
		"keyUsage": listOrNull(m.KeyUsage), "extendedKeyUsage": listOrNull(m.ExtKeyUsage), "basicConstraints": listOrNull(m.BasicConstraints),
		"ocspMustStaple": m.OCSPMustStaple, "name_constraints_permitted": anyList(m.NamesPermitted), "name_constraints_excluded": anyList(m.NamesExcluded),
	}
}

func listOrNull(list []string) any {
	if len(list) == 0 {
		return nil
	}
	return anyList(list)
}

func (m *signingRequest) fits(data []byte, key crypto.Signer, name []byte, exts []pkix.Extension) bool {
	csr, err := parseCSR(data)
	if err != nil || csr.CheckSignature() != nil || !samePublic(csr.PublicKey, key.Public()) {
		return false
	}
	return slices.Equal(nameOf(csr.RawSubject), nameOf(name)) && sameExtensions(csr.Extensions, exts)
}

func parseCSR(data []byte) (*x509.CertificateRequest, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("it is not in PEM")
	}
	return x509.ParseCertificateRequest(block.Bytes)
}

func samePublic(a, b crypto.PublicKey) bool {
	e, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && e.Equal(b)
}

// extensions encodes all that is asked for. Without a public key the one
// that depends on it is left out.
func (m *signingRequest) extensions(pub crypto.PublicKey) ([]pkix.Extension, error) {
	var out []pkix.Extension
	var failed error
	add := func(oid asn1.ObjectIdentifier, critical bool, value any, err error) {
		if err == nil {
			var e pkix.Extension
			e, err = extension(oid, critical, value)
			out = append(out, e)
		}
		failed = errors.Join(failed, err)
	}
	if names := m.altNames(); len(names) > 0 {
		v, err := generalNames(names)
		add(oidSubjectAltName, m.SANCritical, v, err)
	}
	if len(m.KeyUsage) > 0 {
		v, err := keyUsage(m.KeyUsage)
		add(oidKeyUsage, m.KeyUsageCritical, v, err)
	}
	if len(m.ExtKeyUsage) > 0 {
		v, err := extKeyUsage(m.ExtKeyUsage)
		add(oidExtKeyUsage, m.ExtKeyUsageCritical, v, err)
	}
	if len(m.BasicConstraints) > 0 {
		v, err := basicConstraints(m.BasicConstraints)
		add(oidBasicConstraints, m.BasicCritical, v, err)
	}
	if m.OCSPMustStaple {
		add(oidTLSFeature, m.OCSPCritical, []int{5}, nil)
	}
	if len(m.NamesPermitted)+len(m.NamesExcluded) > 0 {
		v, err := nameConstraints(m.NamesPermitted, m.NamesExcluded)
		add(oidNameConstraints, m.NamesCritical, v, err)
	}
	switch {
	case m.SubjectKeyID != "":
		v, err := hexBytes(m.SubjectKeyID)
		add(oidSubjectKeyID, false, v, err)
	case m.CreateSubjectKeyID && pub != nil:
		v, err := subjectKeyID(pub)
		add(oidSubjectKeyID, false, v, err)
	}
	if m.AuthorityKeyID != "" || len(m.AuthorityCertIssuer) > 0 {
		v, err := authorityKeyID(m.AuthorityKeyID, m.AuthorityCertIssuer, m.AuthorityCertSerial)
		add(oidAuthorityKeyID, false, v, err)
	}
	if len(m.CRLDistributionPoints) > 0 {
		v, err := crlPoints(m.CRLDistributionPoints)
		add(oidCRLPoints, false, v, err)
	}
	return out, failed
}

func nameConstraints(permitted, excluded []string) (any, error) {
	type subtree struct{ Base asn1.RawValue }
	trees := func(list []string) ([]subtree, error) {
		names, err := generalNames(list)
		var out []subtree
		for _, n := range names {
			out = append(out, subtree{n})
		}
		return out, err
	}
	p, err := trees(permitted)
	if err != nil {
		return nil, err
	}
	e, err := trees(excluded)
	return struct {
		Permitted []subtree `asn1:"optional,omitempty,tag:0"`
		Excluded  []subtree `asn1:"optional,omitempty,tag:1"`
	}{p, e}, err
}

func authorityKeyID(id string, issuer []string, serial string) (any, error) {
	var v struct {
		ID     []byte          `asn1:"optional,omitempty,tag:0"`
		Issuer []asn1.RawValue `asn1:"optional,omitempty,tag:1"`
		Serial *big.Int        `asn1:"optional,tag:2"`
	}
	var err error
	if v.ID, err = hexBytes(id); err != nil {
		return nil, err
	}
	if len(issuer) == 0 {
		return struct {
			ID []byte `asn1:"optional,omitempty,tag:0"`
		}{v.ID}, nil
	}
	if v.Issuer, err = generalNames(issuer); err != nil {
		return nil, err
	}
	var ok bool
	if v.Serial, ok = new(big.Int).SetString(serial, 10); !ok {
		return nil, fault.New("authority_cert_serial_number: %q is no whole number", serial)
	}
	return v, nil
}

// crlReasons are the bits of the reasons for which a list is valid.
var crlReasons = map[string]int{
	"key_compromise": 1, "ca_compromise": 2, "affiliation_changed": 3, "superseded": 4, "cessation_of_operation": 5,
	"certificate_hold": 6, "privilege_withdrawn": 7, "aa_compromise": 8,
}

func crlPoints(points []crlPoint) (any, error) {
	type where struct {
		Full []asn1.RawValue `asn1:"optional,omitempty,tag:0"`
	}
	type point struct {
		Where   where           `asn1:"optional,tag:0"`
		Reasons asn1.BitString  `asn1:"optional,tag:1"`
		Issuer  []asn1.RawValue `asn1:"optional,omitempty,tag:2"`
	}
	var out []point
	for _, p := range points {
		var e point
		var err error
		for key, v := range p {
			var words []string
			if list, ok := v.([]any); ok {
				for _, w := range list {
					words = append(words, module.Text(w))
				}
			}
			switch key {
			case "full_name":
				e.Where.Full, err = generalNames(words)
			case "crl_issuer":
				e.Issuer, err = generalNames(words)
			case "reasons":
				e.Reasons, err = reasonBits(words)
			default:
				err = fault.New("crl_distribution_points: %s is not supported", key).WithHint("full_name, crl_issuer and reasons are")
			}
			if err != nil {
				return nil, err
			}
		}
		out = append(out, e)
	}
	return out, nil
}

func reasonBits(words []string) (asn1.BitString, error) {
	bits := asn1.BitString{Bytes: make([]byte, 2)}
	for _, w := range words {
		i, ok := crlReasons[w]
		if !ok {
			return bits, fault.New("crl_distribution_points: unknown reason %q", w)
		}
		bits.Bytes[i/8] |= 0x80 >> (i % 8)
		bits.BitLength = max(bits.BitLength, i+1)
	}
	bits.Bytes = bits.Bytes[:(bits.BitLength+7)/8]
	return bits, nil
}
