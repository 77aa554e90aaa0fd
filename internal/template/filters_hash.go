package template

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"strings"
	"unicode/utf16"

	"crypto/sha3"

	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/blake2s"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

var hashFilters = map[string]jinja.Filter{
	"b64encode":     b64Encode,
	"b64decode":     b64Decode,
	"md5":           digestFilter("md5"),
	"sha1":          digestFilter("sha1"),
	"checksum":      digestFilter("sha1"),
	"hash":          hashFilter,
	"crc32":         onText(func(s string) string { return fmt.Sprintf("%x", crc32.ChecksumIEEE([]byte(s))) }),
	"to_uuid":       toUUID,
	"password_hash": passwordHashFilter,
}

func b64Encode(c *jinja.Call, in any) (any, error) {
	a := take(c, "encoding")
	raw, err := encodeText(jinja.Str(in), a.str("encoding", "utf-8"))
	if a.err != nil {
		return nil, a.err
	}
	if err != nil {
		return nil, refuse(c, "%v", err)
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}

func b64Decode(c *jinja.Call, in any) (any, error) {
	a := take(c, "encoding")
	if a.err != nil {
		return nil, a.err
	}
	// blanks and characters outside the alphabet are skipped, as Python does
	given := jinja.Str(in)
	clean := strings.Map(func(r rune) rune {
		if r < 128 && isWordByte(byte(r)) && r != '_' || r == '+' || r == '/' {
			return r
		}
		return -1
	}, given)
	if missing := (4 - len(clean)%4) % 4; strings.Count(given, "=") < missing {
		return nil, refuse(c, "incorrect padding: %s", short(given))
	}
	raw, err := base64.RawStdEncoding.DecodeString(clean)
	if err != nil {
		return nil, refuse(c, "not base64: %v", err)
	}
	s, err := decodeText(raw, a.str("encoding", "utf-8"))
	if err != nil {
		return nil, refuse(c, "%v", err)
	}
	return s, nil
}

func encodeText(s, encoding string) ([]byte, error) {
	switch encodingName(encoding) {
	case "utf8", "ascii":
		return []byte(s), nil
	case "latin1", "iso88591":
		var out []byte
		for _, r := range s {
			if r > 0xff {
				return nil, fmt.Errorf("%q cannot be written in %s", r, encoding)
			}
			out = append(out, byte(r))
		}
		return out, nil
	case "utf16le":
		var out []byte
		for _, u := range utf16.Encode([]rune(s)) {
			out = append(out, byte(u), byte(u>>8))
		}
		return out, nil
	}
	return nil, fmt.Errorf("unknown encoding %q", encoding)
}

func decodeText(raw []byte, encoding string) (string, error) {
	switch encodingName(encoding) {
	case "utf8", "ascii":
		return string(raw), nil
	case "latin1", "iso88591":
		rs := make([]rune, len(raw))
		for i, b := range raw {
			rs[i] = rune(b)
		}
		return string(rs), nil
	case "utf16le":
		us := make([]uint16, len(raw)/2)
		for i := range us {
			us[i] = uint16(raw[2*i]) | uint16(raw[2*i+1])<<8
		}
		return string(utf16.Decode(us)), nil
	}
	return "", fmt.Errorf("unknown encoding %q", encoding)
}

func encodingName(s string) string {
	return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(s))
}

// newHash gives the digest of that name, or nil. md5 and sha1 are here because
// playbooks use them as names of things, not as protection.
func newHash(name string) hash.Hash {
	switch strings.ToLower(name) {
	case "md5":
		return md5.New()
	case "sha1", "sha":
		return sha1.New()
	case "sha224":
		return sha256.New224()
	case "sha256":
		return sha256.New()
	case "sha384":
		return sha512.New384()
	case "sha512":
		return sha512.New()
	case "blake2b":
		h, _ := blake2b.New512(nil) // fails for long keys only
		return h
	case "blake2s":
		h, _ := blake2s.New256(nil)
		return h
	case "sha3_224":
		return sha3.New224()
	case "sha3_256":
		return sha3.New256()
	case "sha3_384":
		return sha3.New384()
	case "sha3_512":
		return sha3.New512()
	}
	return nil
}

func digest(name, text string) string {
	h := newHash(name)
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

func digestFilter(name string) jinja.Filter {
	return onText(func(s string) string { return digest(name, s) })
}

func hashFilter(c *jinja.Call, in any) (any, error) {
	a := take(c, "hashtype")
	name := a.str("hashtype", "sha1")
	if a.err != nil {
		return nil, a.err
	}
	if newHash(name) == nil {
		return nil, refuse(c, "unknown digest %q", name)
	}
	return digest(name, jinja.Str(in)), nil
}

// ansibleNamespace is the UUID that Ansible hashes names under.
const ansibleNamespace = "361E6D51-FAEC-444A-9079-341386DA8E2E"

func toUUID(c *jinja.Call, in any) (any, error) {
	a := take(c, "namespace")
	ns, err := hex.DecodeString(strings.ReplaceAll(a.str("namespace", ansibleNamespace), "-", ""))
	if a.err != nil {
		return nil, a.err
	}
	if err != nil || len(ns) != 16 {
		return nil, refuse(c, "invalid value for 'namespace': %s", jinja.Repr(a.value("namespace", nil)))
	}
	h := sha1.New()
	h.Write(ns)
	h.Write([]byte(jinja.Str(in)))
	u := h.Sum(nil)[:16]
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:]), nil
}

func passwordHashFilter(c *jinja.Call, in any) (any, error) {
	a := take(c, "hashtype", "salt", "salt_size", "rounds", "ident")
	o := cryptOptions{
		Scheme: a.str("hashtype", "sha512"),
		Salt:   a.str("salt", ""),
		Size:   a.num("salt_size", 0),
		Rounds: a.num("rounds", 0),
		Ident:  a.str("ident", ""),
	}
	if a.err != nil {
		return nil, a.err
	}
	switch in.(type) {
	case string, int64, float64:
	default:
		return nil, refuse(c, "a password must be text, not %s", jinja.TypeName(in))
	}
	h, err := cryptPassword(jinja.Str(in), o)
	if err != nil {
		return nil, fault.At(c.Place, "%s: %v", c.Name, err)
	}
	return h, nil
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
