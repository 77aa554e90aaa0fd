package modules

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "ansible.builtin.apt_key",
		New:  func() any { return &aptKey{State: "present", ValidateCerts: true} },
	})
}

// aptKey keeps keys that apt trusts for every repository. It reads and writes
// the keyrings itself: the program apt-key is going away.
type aptKey struct {
	ID            string `arg:"id"`
	Data          string `arg:"data"`
	File          string `arg:"file"`
	URL           string `arg:"url"`
	Keyserver     string `arg:"keyserver"`
	Keyring       string `arg:"keyring"`
	State         string `arg:"state" choices:"absent,present"`
	ValidateCerts bool   `arg:"validate_certs"`
}

const (
	aptTrustedFile = "/etc/apt/trusted.gpg"
	aptTrustedDir  = "/etc/apt/trusted.gpg.d"
	aptKeyWarning  = "apt_key makes apt trust a key for every repository, and the program apt-key is deprecated: " +
		"put the key in /etc/apt/keyrings and name it in signed-by (see deb822_repository)"
)

// Validate demands an id or a key.
func (m *aptKey) Validate() error {
	sources := 0
	for _, s := range []string{m.Data, m.File, m.URL, m.Keyserver} {
		if s != "" {
			sources++
		}
	}
	id := m.keyID()
	switch {
	case sources > 1:
		return fault.New("parameters are mutually exclusive: data|file|keyserver|url")
	case id == "" && (m.State == "absent" || sources == 0 || m.Keyserver != ""):
		return fault.New("Invalid key_id").WithHint("give id, the fingerprint of the key")
	case strings.Trim(id, "0123456789ABCDEF") != "" || id != "" && len(id) < 8:
		return fault.New("Invalid key_id").WithHint("id is at least 8 hexadecimal digits, 40 of them are safe: %q is not", m.ID)
	}
	return nil
}

// keyID is the id in capitals, without 0x and blanks.
func (m *aptKey) keyID() string {
	id := strings.ToUpper(strings.ReplaceAll(m.ID, " ", ""))
	return strings.TrimPrefix(id, "0X")
}

// keyring is a file of keys.
type keyring struct {
	path, text string
	keys       []pgpKey
}

// keyrings reads the one that is named, or all that apt trusts.
func (m *aptKey) keyrings(n node.Reader) ([]keyring, error) {
	files := []string{m.Keyring}
	if m.Keyring == "" {
		files = []string{aptTrustedFile}
		infos, err := n.ReadDir(aptTrustedDir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, i := range infos {
			if ext := path.Ext(i.Path); ext == ".gpg" || ext == ".asc" {
				files = append(files, i.Path)
			}
		}
	}
	var out []keyring
	for _, f := range files {
		b, err := n.ReadFile(f)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		keys, err := parsePGP(b)
		if err != nil && m.Keyring != "" {
			return nil, fault.Wrap(err, "reading the keyring %s", f)
		}
		out = append(out, keyring{f, string(b), keys}) // apt, too, goes on without a file that it cannot read
	}
	return out, nil
}

// Check compares the keyrings with the wanted key.
func (m *aptKey) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	p := module.Plan{Return: map[string]any{"warnings": []any{aptKeyWarning}}}
	m.Keyring, m.File = expandWord(n, m.Keyring), expandWord(n, m.File)
	rings, err := m.keyrings(n)
	if err != nil {
		return p, err
	}
	var have []pgpKey
	for _, r := range rings {
		have = append(have, r.keys...)
	}
	id := m.keyID()
	there := id != "" && slices.ContainsFunc(have, func(k pgpKey) bool { return k.has(id) })
	var added []pgpKey
	var source []byte
	if m.State == "present" && !there {
		if source, added, err = m.source(ctx, n); err != nil {
			return p, err
		}
		if id == "" {
			id = added[0].longID()
		} else if !slices.ContainsFunc(added, func(k pgpKey) bool { return k.has(id) }) {
			return p, fault.New("the key that was given is not %s", id).WithHint("it is %s", added[0].fingerprint())
		}
		added = slices.DeleteFunc(added, func(k pgpKey) bool {
			return slices.ContainsFunc(have, func(h pgpKey) bool { return h.has(k.fingerprint()) })
		})
	}
	m.answer(&p, id, have)
	switch {
	case m.State == "absent":
		err = m.planRemove(&p, rings, id)
	case len(added) > 0:
		err = m.planAdd(n, &p, source, added)
	}
	if err == nil && len(p.Changes) > 0 {
		p.After = func(_ context.Context, n node.Reader, ret map[string]any) error {
			rings, err := m.keyrings(n)
			after := []pgpKey{}
			for _, r := range rings {
				after = append(after, r.keys...)
			}
			ret["after"] = m.listed(after, id)
			return err
		}
	}
	return p, err
}

// answer gives the ids as Ansible returns them.
func (m *aptKey) answer(p *module.Plan, id string, have []pgpKey) {
	p.Return["id"], p.Return["key_id"], p.Return["short_id"] = m.ID, id, id[len(id)-8:]
	if m.ID == "" {
		p.Return["id"] = id
	}
	p.Return["fp"] = id[max(0, len(id)-16):]
	if len(id) < 16 {
		p.Return["fp"] = id[len(id)-8:]
	}
	p.Return["before"] = m.listed(have, id)
}

// listed gives the ids of keys and their subkeys, as short as the wanted one.
func (m *aptKey) listed(keys []pgpKey, id string) []any {
	digits := 16
	if len(id) < 16 {
		digits = 8
	}
	out := []any{}
	for _, k := range keys {
		for _, fp := range k.fingerprints {
			out = append(out, shortKeyID(fp, digits))
		}
	}
	return out
}

// source reads the key to add.
func (m *aptKey) source(ctx context.Context, n node.Reader) ([]byte, []pgpKey, error) {
	var data []byte
	var err error
	name := "inline data"
	switch {
	case m.Data != "":
		data = []byte(m.Data)
	case m.File != "":
		name = m.File
		if data, err = n.ReadFile(m.File); errors.Is(err, fs.ErrNotExist) {
			err = notSure(n, fault.New("Unable to extract key from '%s'", name).Because(err))
		}
	case m.URL != "":
		name = hidePassword(m.URL)
		data, err = fetchKey(ctx, n, m.URL, m.ValidateCerts)
	case m.Keyserver != "":
		name = m.Keyserver
		data, err = fetchKey(ctx, n, keyserverURL(m.Keyserver, m.keyID()), m.ValidateCerts)
	default:
		err = fault.New("there is no key %s, and nothing says where it is", m.ID).WithHint("give data, file, url or keyserver")
	}
	if err != nil {
		return nil, nil, err
	}
	keys, err := parsePGP(data)
	if err == nil && len(keys) == 0 {
		err = errors.New("it holds no key")
	}
	if err != nil {
		return nil, nil, fault.New("Unable to extract key from '%s'", name).Because(err)
	}
	return data, keys, nil
}

// keyserverURL is where a server has a key: hkp is HTTP at a port of its own.
func keyserverURL(server, id string) string {
	scheme, host, found := strings.Cut(server, "://")
	if !found {
		scheme, host = "hkp", server
	}
	switch host = strings.TrimRight(host, "/"); {
	case scheme == "hkp" && !strings.Contains(host, ":"):
		scheme, host = "http", host+":11371"
	case scheme == "hkp":
		scheme = "http"
	case scheme == "hkps":
		scheme = "https"
	}
	return scheme + "://" + host + "/pks/lookup?op=get&options=mr&search=0x" + id
}

// planAdd adds keys to the keyring, or makes one for each.
func (m *aptKey) planAdd(n node.Reader, p *module.Plan, source []byte, added []pgpKey) error {
	if m.Keyring == "" {
		for _, k := range added {
			f := path.Join(aptTrustedDir, k.fingerprint()+".gpg")
			p.Changes = append(p.Changes, m.write("add key "+k.longID()+" in "+f, f, k.packets))
		}
		return nil
	}
	old, err := n.ReadFile(m.Keyring)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var content []byte
	switch armored := bytes.Contains(source, []byte(pgpBegin)); {
	case path.Ext(m.Keyring) == ".asc" && (len(old) > 0 || !armored):
		return fault.New("keys cannot be added to the text file %s", m.Keyring).WithHint("name the keyring with .gpg at its end")
	case path.Ext(m.Keyring) == ".asc":
		content = source
	case bytes.Contains(old, []byte(pgpBegin)):
		return fault.New("the keyring %s holds text", m.Keyring).WithHint("apt reads such files as .asc only")
	default:
		content = slices.Clone(old)
		for _, k := range added {
			content = append(content, k.packets...)
		}
	}
	p.Changes = append(p.Changes, m.write("add key "+added[0].longID()+" to "+m.Keyring, m.Keyring, content))
	return nil
}

// planRemove takes the key out of every keyring that has it.
func (m *aptKey) planRemove(p *module.Plan, rings []keyring, id string) error {
	for _, r := range rings {
		var kept []byte
		found := false
		for _, k := range r.keys {
			if strings.HasSuffix(k.fingerprint(), id) {
				found = true
				continue
			}
			if k.has(id) {
				return fault.New("%s is a subkey of %s", id, k.fingerprint()).WithHint("give the id of the key itself")
			}
			kept = append(kept, k.packets...)
		}
		what := fmt.Sprintf("remove key %s from %s", id, r.path)
		switch {
		case !found:
		case len(kept) == 0:
			p.Changes = append(p.Changes, module.Change{What: what, Apply: func(_ context.Context, w node.Writer) error { return w.Remove(r.path) }})
		case strings.Contains(r.text, pgpBegin):
			return fault.New("%s holds further keys, as text", r.path).WithHint("remove the file, or the package that brings it")
		default:
			p.Changes = append(p.Changes, m.write(what, r.path, kept))
		}
	}
	return nil
}

// write puts a keyring in place that apt's unprivileged user can read.
func (m *aptKey) write(what, file string, content []byte) module.Change {
	return module.Change{What: what, Apply: func(ctx context.Context, w node.Writer) error {
		if err := makeHomeParents(w, path.Dir(file)); err != nil {
			return err
		}
		w.Assume("apt-lists", "", "updated")
		mode := uint32(0o644)
		err := w.WriteFile(ctx, file, bytes.NewReader(content), node.WriteOptions{Mode: &mode, UID: -1, GID: -1})
		return fault.Wrap(err, "writing the keyring %s", file)
	}}
}
