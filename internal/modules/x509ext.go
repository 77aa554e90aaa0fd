package modules

import (
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"net"
	"slices"
	"sort"
	"strconv"
	"strings"

	"mageprov/internal/fault"
)

// The extensions are written here and not by crypto/x509: roles ask for kinds
// of names, flags and critical marks that its templates do not have.

var (
	oidSubjectKeyID     = asn1.ObjectIdentifier{2, 5, 29, 14}
	oidKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidSubjectAltName   = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidNameConstraints  = asn1.ObjectIdentifier{2, 5, 29, 30}
	oidCRLPoints        = asn1.ObjectIdentifier{2, 5, 29, 31}
	oidAuthorityKeyID   = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidExtKeyUsage      = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidTLSFeature       = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}
)

// usageBits are the names of key usages, without blanks and in lower case.
var usageBits = map[string]int{
	"digitalsignature": 0, "nonrepudiation": 1, "contentcommitment": 1, "keyencipherment": 2, "dataencipherment": 3,
	"keyagreement": 4, "keycertsign": 5, "certificatesign": 5, "crlsign": 6, "encipheronly": 7, "decipheronly": 8,
}

// extUsages are the names of extended key usages.
var extUsages = map[string]string{
	"serverauth": "1.3.6.1.5.5.7.3.1", "tlswebserverauthentication": "1.3.6.1.5.5.7.3.1",
	"clientauth": "1.3.6.1.5.5.7.3.2", "tlswebclientauthentication": "1.3.6.1.5.5.7.3.2",
	"codesigning": "1.3.6.1.5.5.7.3.3", "emailprotection": "1.3.6.1.5.5.7.3.4", "e-mailprotection": "1.3.6.1.5.5.7.3.4",
	"timestamping": "1.3.6.1.5.5.7.3.8", "ocspsigning": "1.3.6.1.5.5.7.3.9", "anyextendedkeyusage": "2.5.29.37.0",
	"ipsecenduse": "1.3.6.1.5.5.7.3.7", "ipsectunnel": "1.3.6.1.5.5.7.3.6", "ipsecendsystem": "1.3.6.1.5.5.7.3.5",
}

// subjectNames are the attributes of a name: their OIDs by all their names, and
// the short name that Ansible returns.
var subjectNames = map[string]string{
	"C": "2.5.4.6", "countryName": "2.5.4.6", "ST": "2.5.4.8", "stateOrProvinceName": "2.5.4.8", "S": "2.5.4.8",
	"L": "2.5.4.7", "localityName": "2.5.4.7", "O": "2.5.4.10", "organizationName": "2.5.4.10",
	"OU": "2.5.4.11", "organizationalUnitName": "2.5.4.11", "CN": "2.5.4.3", "commonName": "2.5.4.3",
	"E": "1.2.840.113549.1.9.1", "emailAddress": "1.2.840.113549.1.9.1", "email": "1.2.840.113549.1.9.1",
	"SN": "2.5.4.4", "surname": "2.5.4.4", "GN": "2.5.4.42", "givenName": "2.5.4.42", "title": "2.5.4.12",
	"serialNumber": "2.5.4.5", "street": "2.5.4.9", "streetAddress": "2.5.4.9", "postalCode": "2.5.4.17",
	"DC": "0.9.2342.19200300.100.1.25", "domainComponent": "0.9.2342.19200300.100.1.25",
	"UID": "0.9.2342.19200300.100.1.1", "userId": "0.9.2342.19200300.100.1.1", "dnQualifier": "2.5.4.46", "pseudonym": "2.5.4.65",
}

func squeeze(s string) string { return strings.ToLower(strings.ReplaceAll(s, " ", "")) }

func parseOID(s string) (asn1.ObjectIdentifier, error) {
	var oid asn1.ObjectIdentifier
	for _, part := range strings.Split(s, ".") {
		i, err := strconv.Atoi(part)
		if err != nil || i < 0 {
			return nil, fault.New("%q is no object identifier", s)
		}
		oid = append(oid, i)
	}
	if len(oid) < 2 {
		return nil, fault.New("%q is no object identifier", s)
	}
	return oid, nil
}

// attr is one part of a name, by the name the user gave.
type attr struct{ name, value string }

// rawName encodes a name, one attribute after the other.
func rawName(attrs []attr) ([]byte, error) {
	type pair struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue
	}
	type rdn []pair
	var seq []asn1.RawValue
	for _, a := range attrs {
		id, ok := subjectNames[a.name]
		if !ok {
			id = a.name
		}
		oid, err := parseOID(id)
		if err != nil {
			return nil, fault.New("Cannot find OID for %q", a.name)
		}
		tag := asn1.TagUTF8String
		switch a.name {
		case "C", "countryName", "serialNumber", "dnQualifier":
			tag = asn1.TagPrintableString
		case "E", "email", "emailAddress", "DC", "domainComponent":
			tag = asn1.TagIA5String
		}
		if id == "2.5.4.6" && len(a.value) != 2 {
			return nil, fault.New("Country name must be a 2 character country code, not %q", a.value)
		}
		der, err := asn1.Marshal(rdn{{oid, asn1.RawValue{Tag: tag, Bytes: []byte(a.value)}}})
		if err != nil {
			return nil, err
		}
		der[0] = 0x31 // a SET of one
		seq = append(seq, asn1.RawValue{FullBytes: der})
	}
	return asn1.Marshal(seq)
}

// nameOf reads a name as "oid=value" parts, however its text is encoded.
func nameOf(raw []byte) []string {
	var seq pkix.RDNSequence
	if rest, err := asn1.Unmarshal(raw, &seq); err != nil || len(rest) > 0 {
		return nil
	}
	out := []string{}
	for _, set := range seq {
		for _, a := range set {
			s, _ := a.Value.(string)
			out = append(out, a.Type.String()+"="+s)
		}
	}
	slices.Sort(out) // Ansible does not mind the order
	return out
}

// generalName encodes DNS:x, IP:x, email:x, URI:x, RID:x, dirName:x or otherName:oid;UTF8:x.
func generalName(s string) (asn1.RawValue, error) {
	kind, v, ok := strings.Cut(s, ":")
	if !ok {
		return asn1.RawValue{}, fault.New("Cannot parse Subject Alternative Name %q (forgot \"DNS:\" prefix?)", s)
	}
	context := func(tag int, b []byte) asn1.RawValue {
		return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: b}
	}
	switch strings.ToLower(kind) {
	case "email":
		return context(1, []byte(v)), nil
	case "dns":
		return context(2, []byte(v)), nil
	case "uri":
		return context(6, []byte(v)), nil
	case "ip":
		if _, ipnet, err := net.ParseCIDR(v); err == nil { // name constraints
			return context(7, append(slices.Clone(ipnet.IP), ipnet.Mask...)), nil
		}
		ip := net.ParseIP(v)
		if ip == nil {
			return asn1.RawValue{}, fault.New("%q is no IP address", v)
		}
		if four := ip.To4(); four != nil {
			ip = four
		}
		return context(7, ip), nil
	case "rid":
		oid, err := parseOID(v)
		if err != nil {
			return asn1.RawValue{}, err
		}
		der, err := asn1.Marshal(oid)
		if err != nil {
			return asn1.RawValue{}, err
		}
		return context(8, der[2:]), nil
	case "dirname":
		return directoryName(v)
	case "othername":
		return otherName(v)
	}
	return asn1.RawValue{}, fault.New("Cannot parse Subject Alternative Name %q (potentially unsupported by cryptography backend)", s)
}

// directoryName encodes a name written the last part first, as in LDAP, or with
// slashes.
func directoryName(v string) (asn1.RawValue, error) {
	var attrs []attr
	sep := ","
	if strings.HasPrefix(v, "/") {
		sep, v = "/", v[1:]
	}
	for _, part := range strings.Split(v, sep) {
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return asn1.RawValue{}, fault.New("dirName: %q is not of the form name=value", part)
		}
		attrs = append(attrs, attr{strings.TrimSpace(name), strings.TrimSpace(value)})
	}
	if sep == "," {
		slices.Reverse(attrs)
	}
	der, err := rawName(attrs)
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: der}, err
}

func otherName(v string) (asn1.RawValue, error) {
	id, text, ok := strings.Cut(v, ";")
	kind, value, isTyped := strings.Cut(text, ":")
	oid, err := parseOID(id)
	if err != nil || !ok || !isTyped || !strings.EqualFold(kind, "UTF8") {
		return asn1.RawValue{}, fault.New("otherName: %q is not of the form OID;UTF8:text", v)
	}
	id1, err := asn1.Marshal(oid)
	if err != nil {
		return asn1.RawValue{}, err
	}
	str, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(value)})
	if err != nil {
		return asn1.RawValue{}, err
	}
	val, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: str})
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: append(id1, val...)}, err
}

func generalNames(list []string) ([]asn1.RawValue, error) {
	out := make([]asn1.RawValue, 0, len(list))
	for _, s := range list {
		v, err := generalName(s)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// extension encodes one extension.
func extension(oid asn1.ObjectIdentifier, critical bool, value any) (pkix.Extension, error) {
	der, err := asn1.Marshal(value)
	return pkix.Extension{Id: oid, Critical: critical, Value: der}, err
}

// keyUsage encodes names of usages as bits.
func keyUsage(names []string) (asn1.BitString, error) {
	var bits asn1.BitString
	bits.Bytes = make([]byte, 2)
	for _, n := range names {
		i, ok := usageBits[squeeze(n)]
		if !ok {
			return bits, fault.New("Unknown key usage %q", n)
		}
		bits.Bytes[i/8] |= 0x80 >> (i % 8)
		bits.BitLength = max(bits.BitLength, i+1)
	}
	bits.Bytes = bits.Bytes[:(bits.BitLength+7)/8]
	return bits, nil
}

func extKeyUsage(names []string) ([]asn1.ObjectIdentifier, error) {
	var out []asn1.ObjectIdentifier
	for _, n := range names {
		id, ok := extUsages[squeeze(n)]
		if !ok {
			id = n
		}
		oid, err := parseOID(id)
		if err != nil {
			return nil, fault.New("Unknown extended key usage %q", n)
		}
		out = append(out, oid)
	}
	return out, nil
}

type basicConstraintsDER struct {
	IsCA    bool     `asn1:"optional"`
	PathLen *big.Int `asn1:"optional"`
}

// basicConstraints encodes CA:TRUE and pathlen:N.
func basicConstraints(words []string) (any, error) {
	var plain struct {
		IsCA bool `asn1:"optional"`
	}
	full := basicConstraintsDER{}
	for _, w := range words {
		key, v, _ := strings.Cut(w, ":")
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "ca":
			plain.IsCA = strings.EqualFold(strings.TrimSpace(v), "true")
			full.IsCA = plain.IsCA
		case "pathlen":
			i, ok := new(big.Int).SetString(strings.TrimSpace(v), 10)
			if !ok || i.Sign() < 0 {
				return nil, fault.New("Cannot parse path length constraint %q", v)
			}
			full.PathLen = i
		default:
			return nil, fault.New("Unknown basic constraint %q", w)
		}
	}
	if full.PathLen == nil {
		return plain, nil
	}
	return full, nil
}

// subjectKeyID is the usual one: SHA-1 of the public key's bits.
func subjectKeyID(pub any) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, err
	}
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		return nil, err
	}
	sum := sha1.Sum(info.Key.Bytes)
	return sum[:], nil
}

// hexBytes reads 00:11:22.
func hexBytes(s string) ([]byte, error) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, ":", ""))
	if err != nil {
		return nil, fault.New("Cannot parse key identifier %q", s).WithHint("it is written as 00:11:22")
	}
	return b, nil
}

// sameExtensions compares without regard to the order.
func sameExtensions(a, b []pkix.Extension) bool {
	key := func(list []pkix.Extension) []string {
		var out []string
		for _, e := range list {
			out = append(out, e.Id.String()+strconv.FormatBool(e.Critical)+string(normalExtension(e)))
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(key(a), key(b))
}

// normalExtension sorts what is a set written as a list.
func normalExtension(e pkix.Extension) []byte {
	if !e.Id.Equal(oidSubjectAltName) && !e.Id.Equal(oidExtKeyUsage) {
		return e.Value
	}
	var list []asn1.RawValue
	if _, err := asn1.Unmarshal(e.Value, &list); err != nil {
		return e.Value
	}
	sort.Slice(list, func(i, j int) bool { return string(list[i].FullBytes) < string(list[j].FullBytes) })
	der, err := asn1.Marshal(list)
	if err != nil {
		return e.Value
	}
	return der
}
