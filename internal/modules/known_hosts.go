package modules

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"path"
	"slices"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "ansible.builtin.known_hosts",
		New:  func() any { return &knownHosts{State: "present", Path: "~/.ssh/known_hosts"} },
	})
}

// knownHosts keeps the keys by which ssh recognizes a host.
type knownHosts struct {
	Name     string  `arg:"name,required" alias:"host"`
	Key      *string `arg:"key"`
	State    string  `arg:"state" choices:"absent,present"`
	Path     string  `arg:"path"`
	HashHost bool    `arg:"hash_host"`
}

// Validate demands keys that belong to the host.
func (m *knownHosts) Validate() error {
	wanted := m.wanted()
	if m.State == "present" && len(wanted) == 0 {
		return fault.New("No key specified when adding a host").WithHint("key is a line as in known_hosts: the host's name, the type of the key, its text")
	}
	for _, k := range wanted {
		if !k.isFor(m.Name) {
			return fault.New("Host parameter does not match hashed host field in supplied key").
				WithHint("each line of key begins with %s: %s ssh-ed25519 AAAA...", m.Name, m.Name)
		}
	}
	return nil
}

// knownHost is a line of a known_hosts file: [@marker] names type key [comment].
type knownHost struct{ marker, names, kind, text, comment string }

func (k knownHost) String() string {
	return strings.Join(slices.DeleteFunc([]string{k.marker, k.names, k.kind, k.text, k.comment}, func(s string) bool { return s == "" }), " ")
}

// parseKnownHost reads a line; what is none, such as a comment, is not ok.
func parseKnownHost(line string) (k knownHost, ok bool) {
	words := strings.Fields(line)
	if len(words) > 0 && strings.HasPrefix(words[0], "@") {
		k.marker, words = words[0], words[1:]
	}
	if len(words) < 3 || strings.HasPrefix(words[0], "#") {
		return k, false
	}
	k.names, k.kind, k.text, k.comment = words[0], words[1], words[2], strings.Join(words[3:], " ")
	return k, true
}

// isFor says whether a line names the host, in clear or hashed. A pattern does
// not name the hosts that it matches.
func (k knownHost) isFor(host string) bool {
	host = strings.ToLower(host)
	if !k.hashed() {
		return slices.Contains(strings.Split(strings.ToLower(k.names), ","), host)
	}
	parts := strings.Split(k.names, "|")
	salt, err := base64.StdEncoding.DecodeString(parts[2])
	return err == nil && len(parts) == 4 && hmac.Equal([]byte(k.names), []byte(hashHost(salt, host)))
}

func (k knownHost) hashed() bool { return strings.HasPrefix(k.names, "|1|") }

// hashHost is the form in which ssh hides a host's name.
func hashHost(salt []byte, host string) string {
	h := hmac.New(sha1.New, salt)
	h.Write([]byte(host))
	return "|1|" + base64.StdEncoding.EncodeToString(salt) + "|" + base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// wanted are the keys of the task.
func (m *knownHosts) wanted() []knownHost {
	if m.Key == nil {
		return nil
	}
	var out []knownHost
	for _, line := range strings.Split(*m.Key, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		k, ok := parseKnownHost(line)
		if !ok {
			k = knownHost{text: line} // for no host: Validate refuses it
		}
		out = append(out, k)
	}
	return out
}

// Check compares the file with the wanted keys.
func (m *knownHosts) Check(_ context.Context, n node.Reader) (module.Plan, error) {
	m.Path = expandWord(n, m.Path)
	ret := map[string]any{"name": m.Name, "path": m.Path, "hash_host": m.HashHost, "key": nil}
	if m.Key != nil {
		ret["key"] = *m.Key
	}
	p := module.Plan{Return: ret, After: func(_ context.Context, n node.Reader, ret map[string]any) error {
		addPathInfo(n, m.Path, ret)
		return nil
	}}
	before, exists, err := readText(n, m.Path)
	if err != nil {
		return p, fmt.Errorf("Failed to read %s: %w", m.Path, err) //lint:ignore ST1005 the words of Ansible
	}
	lines := textLines(before)
	after, err := m.edit(slices.Clone(lines))
	if err != nil || slices.Equal(after, lines) {
		return p, err
	}
	if dir, err := statOrNil(n, path.Dir(m.Path)); err == nil && dir == nil {
		return p, notSure(n, fault.New("Failed to write to file %s: there is no directory %s", m.Path, path.Dir(m.Path)).WithHint("make it before, with mode 0700"))
	}
	c := rewriteText(m.Path, before, linesText(after), exists, newFile(n, m.Path).Mode)
	if !exists {
		c.BeforeName = "/dev/null"
	}
	p.Changes = []module.Change{c}
	return p, nil
}

// edit takes out the host's lines that are wrong and adds what is missing.
func (m *knownHosts) edit(lines []string) ([]string, error) {
	wanted := m.wanted()
	if m.State == "absent" {
		return slices.DeleteFunc(lines, func(line string) bool {
			have, ok := parseKnownHost(line)
			return ok && have.isFor(m.Name) && (m.Key == nil && have.marker == "" ||
				slices.ContainsFunc(wanted, func(k knownHost) bool { return have.kind == k.kind && have.marker == k.marker }))
		}), nil
	}
	for _, k := range wanted {
		if slices.ContainsFunc(lines, func(line string) bool { return m.stands(line, k) }) {
			continue
		}
		lines = slices.DeleteFunc(lines, func(line string) bool {
			have, ok := parseKnownHost(line)
			return ok && have.isFor(m.Name) && have.kind == k.kind && have.marker == k.marker
		})
		if m.HashHost && !k.hashed() {
			salt := make([]byte, sha1.Size)
			if _, err := rand.Read(salt); err != nil {
				return nil, err
			}
			k.names = hashHost(salt, strings.ToLower(m.Name))
		}
		lines = append(lines, k.String())
	}
	return lines, nil
}

// stands says whether a line is the wanted one: the same key, the name hashed
// or not as it shall be. Comments do not matter.
func (m *knownHosts) stands(line string, want knownHost) bool {
	have, ok := parseKnownHost(line)
	if !ok || have.kind != want.kind || have.text != want.text || have.marker != want.marker || !have.isFor(m.Name) {
		return false
	}
	if m.HashHost || want.hashed() {
		return have.hashed()
	}
	return have.names == want.names
}
