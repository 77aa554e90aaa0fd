package connection

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the format of hashed names in known_hosts
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// knownKey is one line of a known_hosts file.
type knownKey struct {
	marker string // "", "cert-authority", "revoked"
	hosts  []string
	key    ssh.PublicKey
	file   string
	line   int
}

// knownHosts is what the files say. A line that does not parse counts for
// nothing, as for OpenSSH: one bad line must not lock out every host.
type knownHosts []knownKey

func readKnownHosts(files ...string) (knownHosts, error) {
	var known knownHosts
	for _, f := range files {
		text, err := os.ReadFile(f)
		if os.IsNotExist(err) || err != nil && filepath.IsAbs(f) && strings.HasPrefix(f, "/dev/") {
			continue
		}
		if err != nil {
			return nil, err
		}
		for i, line := range bytes.Split(text, []byte("\n")) {
			marker, hosts, key, _, _, err := ssh.ParseKnownHosts(line)
			if err == nil {
				known = append(known, knownKey{marker, hosts, key, f, i + 1})
			}
		}
	}
	return known, nil
}

// hostKeyNames are the names under which a host's key may stand, the one to
// write first. Like OpenSSH, a key without port is good for another port too.
func hostKeyNames(e *endpoint) (names []string) {
	name := e.host
	if e.hostKeyName != "" {
		name = e.hostKeyName
	}
	if e.port != 22 {
		names = append(names, knownhosts.Normalize(net.JoinHostPort(name, strconv.Itoa(e.port))))
	}
	return append(names, strings.ToLower(name))
}

func (k *knownKey) matches(name string) bool {
	found := false
	for _, p := range k.hosts {
		negated := strings.HasPrefix(p, "!")
		if negated {
			p = p[1:]
		}
		var hit bool
		if strings.HasPrefix(p, "|1|") {
			hit = hashMatches(p, name)
		} else {
			hit = globMatches(strings.ToLower(p), strings.ToLower(name))
		}
		if hit && negated {
			return false
		}
		found = found || hit
	}
	return found
}

func hashMatches(pattern, name string) bool {
	parts := strings.Split(pattern, "|")
	if len(parts) != 4 {
		return false
	}
	salt, err1 := base64.StdEncoding.DecodeString(parts[2])
	want, err2 := base64.StdEncoding.DecodeString(parts[3])
	if err1 != nil || err2 != nil {
		return false
	}
	h := hmac.New(sha1.New, salt)
	io.WriteString(h, name)
	return hmac.Equal(h.Sum(nil), want)
}

// globMatches knows * and ?, without backtracking more than one star.
func globMatches(p, s string) bool {
	star, mark, i, j := -1, 0, 0, 0
	for j < len(s) {
		switch {
		case i < len(p) && (p[i] == '?' || p[i] == s[j]) && p[i] != '*':
			i++
			j++
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case star >= 0:
			i, mark = star+1, mark+1
			j = mark
		default:
			return false
		}
	}
	return strings.Trim(p[i:], "*") == ""
}

// find lists the entries of a marker for a host; exact says that they stand
// under its own port.
func (k knownHosts) find(marker, name string) (found []knownKey) {
	for _, e := range k {
		if e.marker == marker && e.matches(name) {
			found = append(found, e)
		}
	}
	return found
}

func (k knownHosts) revoked(key ssh.PublicKey) bool {
	for _, e := range k {
		if e.marker == "revoked" && bytes.Equal(e.key.Marshal(), key.Marshal()) {
			return true
		}
	}
	return false
}

// algorithms orders what is asked of the server so that it shows a key that is
// known already: a server with several keys must not look changed. Certificates
// are asked for only where there is an authority to judge them by.
func (k knownHosts) algorithms(names []string) []string {
	all := ssh.SupportedAlgorithms().HostKeys
	var first []string
	take := func(match func(algo string) bool) {
		for _, a := range all {
			if match(a) {
				first = append(first, a)
			}
		}
	}
	for _, name := range names {
		if len(k.find("cert-authority", name)) > 0 {
			take(func(a string) bool { return strings.Contains(a, "-cert-v01@") })
		}
		for _, e := range k.find("", name) {
			take(func(a string) bool { return keyTypeOf(a) == e.key.Type() })
		}
	}
	take(func(a string) bool { return !strings.Contains(a, "-cert-v01@") })
	seen, out := map[string]bool{}, []string(nil)
	for _, a := range first {
		if !seen[a] {
			seen[a] = true
			out = append(out, a)
		}
	}
	return out
}

// keyTypeOf gives the type of key that signs with an algorithm.
func keyTypeOf(algo string) string {
	if algo == ssh.KeyAlgoRSASHA256 || algo == ssh.KeyAlgoRSASHA512 {
		return ssh.KeyAlgoRSA
	}
	return algo
}

// learn appends a key, whole and once, though many hosts may be learned at a
// time by several processes: the file is locked meanwhile.
func learn(file, name string, key ssh.PublicKey) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("locking %s: %w", file, err)
	}
	have, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	line := knownhosts.Line([]string{name}, key) + "\n"
	if bytes.Contains(append([]byte("\n"), have...), []byte("\n"+line)) {
		return nil
	}
	if len(have) > 0 && have[len(have)-1] != '\n' {
		line = "\n" + line
	}
	if _, err := io.WriteString(f, line); err != nil {
		return err
	}
	return f.Sync()
}
