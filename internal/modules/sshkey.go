package modules

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
)

// sshKey is a line of an authorized_keys file.
type sshKey struct{ options, kind, text, comment string }

func (k sshKey) String() string {
	s := k.kind + " " + k.text
	if k.options != "" {
		s = k.options + " " + s
	}
	if k.comment != "" {
		s += " " + k.comment
	}
	return s
}

// sameAs says whether a line needs no change to be the wanted key.
func (k sshKey) sameAs(want sshKey, commentMatters bool) bool {
	return k.options == want.options && k.kind == want.kind && (k.comment == want.comment || want.comment == "" && !commentMatters)
}

// parseSSHKey reads "[options] type text [comment]". The text must be a key of
// that type: what only looks like one would lock somebody out.
func parseSSHKey(line string) (sshKey, bool) {
	if line == "" || line[0] == '#' {
		return sshKey{}, false
	}
	var k sshKey
	first, rest := cutQuoted(line)
	if !isSSHKeyType(first) {
		k.options = first
		first, rest, _ = strings.Cut(strings.TrimLeft(rest, " \t"), " ")
	}
	k.kind = first
	rest = strings.TrimLeft(rest, " \t")
	if i := strings.IndexAny(rest, " \t"); i >= 0 {
		k.text, k.comment = rest[:i], strings.TrimSpace(rest[i:])
	} else {
		k.text = rest
	}
	return k, isSSHKeyType(k.kind) && k.text != "" && keyBlobType(k.text) == k.kind
}

func isSSHKeyType(s string) bool {
	return strings.HasPrefix(s, "ssh-") || strings.HasPrefix(s, "ecdsa-sha2-") || strings.HasPrefix(s, "sk-ssh-") || strings.HasPrefix(s, "sk-ecdsa-") || strings.HasPrefix(s, "rsa-sha2-")
}

// cutQuoted cuts at the first blank that is not in double quotes: options may
// hold command="a b".
func cutQuoted(s string) (first, rest string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case (s[i] == ' ' || s[i] == '\t') && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// keyBlobType reads the type that a key's text itself begins with.
func keyBlobType(text string) string {
	blob, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(blob) < 4 {
		return ""
	}
	n := binary.BigEndian.Uint32(blob)
	if uint64(n) > uint64(len(blob)-4) {
		return ""
	}
	return string(blob[4 : 4+n])
}

// octal shows a mode as Ansible does: four digits.
func octal(mode uint32) string { return fmt.Sprintf("%04o", mode) }
