package modules

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "ansible.posix.authorized_key",
		New:  func() any { return &authorizedKey{State: "present", ManageDir: true, ValidateCerts: true} },
	})
}

// authorizedKey manages the public keys that may log in as a user.
type authorizedKey struct {
	User          string  `arg:"user,required"`
	Key           string  `arg:"key,required"`
	State         string  `arg:"state" choices:"absent,present"`
	Path          string  `arg:"path"`
	ManageDir     bool    `arg:"manage_dir"`
	KeyOptions    *string `arg:"key_options"`
	Exclusive     bool    `arg:"exclusive"`
	Comment       *string `arg:"comment"`
	Follow        bool    `arg:"follow"`
	ValidateCerts bool    `arg:"validate_certs"`
}

// Validate refuses what is no list of keys.
func (m *authorizedKey) Validate() error {
	if strings.HasPrefix(m.Key, "http://") || strings.HasPrefix(m.Key, "https://") {
		return fault.New("a URL as key is not supported").WithHint("give the keys themselves: key: \"{{ lookup('file', 'keys/%s.pub') }}\"", m.User)
	}
	_, err := m.wanted()
	return err
}

// wanted are the keys of the task.
func (m *authorizedKey) wanted() ([]sshKey, error) {
	var keys []sshKey
	for _, line := range strings.Split(m.Key, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		k, ok := parseSSHKey(line)
		if !ok {
			return nil, fault.New("invalid key specified: %s", shorten(line)).WithHint("a key is one line: its type, its text, a comment")
		}
		if m.KeyOptions != nil {
			k.options = *m.KeyOptions
		}
		if m.Comment != nil {
			k.comment = *m.Comment
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 && !m.Exclusive {
		return nil, fault.New("key holds no key").WithHint("an empty list of keys is taken with exclusive: true only")
	}
	return keys, nil
}

// shorten keeps a private key that was given by mistake out of the output.
func shorten(s string) string {
	if len(s) > 24 {
		return s[:24] + "..."
	}
	return s
}

// Check compares the file, its directory, their owner and modes.
func (m *authorizedKey) Check(_ context.Context, n node.Reader) (module.Plan, error) {
	keys, err := m.wanted()
	if err != nil {
		return module.Plan{}, err
	}
	u, err := n.LookupUser(m.User)
	if err != nil {
		return module.Plan{}, fault.New("failed to lookup user %s", m.User).Because(err).WithHint("add the user first with the module user")
	}
	file, err := m.file(n, u)
	if err != nil {
		return module.Plan{}, err
	}
	plan := module.Plan{Return: m.answer(file)}
	if m.Path != "" { // as Ansible describes any path that a module returns
		plan.After = func(_ context.Context, n node.Reader, ret map[string]any) error {
			if _, err := n.Lstat(file); err == nil {
				addPathInfo(n, file, ret)
			}
			return nil
		}
	}
	old, err := n.ReadFile(file)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return plan, err
	}
	content := m.edit(string(old), keys)
	if missing && m.State == "absent" {
		return plan, nil
	}
	if m.ManageDir {
		if err := planSSHDir(n, &plan, path.Dir(file), u); err != nil {
			return plan, err
		}
	}
	if content != string(old) || missing {
		plan.Changes = append(plan.Changes, m.write(file, string(old), content, u))
		return plan, nil
	}
	return plan, planOwner(n, &plan, file, u, 0o600)
}

func (m *authorizedKey) write(file, old, content string, u *node.User) module.Change {
	what := "authorize keys in " + file
	if m.State == "absent" {
		what = "remove keys from " + file
	}
	return module.Change{What: what, Before: old, After: content, BeforeName: file, AfterName: file, Apply: func(ctx context.Context, w node.Writer) error {
		mode := uint32(0o600)
		return w.WriteFile(ctx, file, strings.NewReader(content), node.WriteOptions{Mode: &mode, UID: u.UID, GID: u.GID})
	}}
}

func (m *authorizedKey) file(n node.Reader, u *node.User) (string, error) {
	file := path.Join(u.Home, ".ssh/authorized_keys")
	if m.Path != "" {
		file = expandHome(n, m.Path)
	}
	if !path.IsAbs(file) {
		return "", fault.New("path %s is not absolute", file)
	}
	if !m.Follow {
		return file, nil
	}
	real, err := n.EvalSymlinks(file)
	if errors.Is(err, fs.ErrNotExist) {
		return file, nil
	}
	return real, err
}

func (m *authorizedKey) answer(file string) map[string]any {
	text := func(p *string) any {
		if p == nil {
			return nil
		}
		return *p
	}
	var given any
	if m.Path != "" {
		given = m.Path
	}
	return map[string]any{
		"user": m.User, "key": m.Key, "state": m.State, "path": given, "keyfile": file, "manage_dir": m.ManageDir,
		"key_options": text(m.KeyOptions), "comment": text(m.Comment), "exclusive": m.Exclusive, "follow": m.Follow,
		"validate_certs": m.ValidateCerts,
	}
}

// edit gives the file with the keys added, replaced or taken out. Lines that
// are not the task's keys stay as they are, unless the task is exclusive.
func (m *authorizedKey) edit(old string, keys []sshKey) string {
	want := map[string]sshKey{}
	for _, k := range keys {
		want[k.text] = k
	}
	var out []string
	done := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSuffix(old, "\n"), "\n") {
		have, isKey := parseSSHKey(strings.TrimSpace(line))
		k, ours := want[have.text]
		switch {
		case isKey && ours && m.State == "absent":
		case isKey && ours && done[k.text]: // a double
		case isKey && ours && have.sameAs(k, m.Comment != nil):
			out, done[k.text] = append(out, line), true
		case isKey && ours: // what changes goes to the end, as in Ansible
			if k.comment == "" && m.Comment == nil {
				k.comment = have.comment
				want[k.text] = k
			}
		case m.Exclusive && m.State == "present":
		default:
			out = append(out, line)
		}
	}
	if old == "" {
		out = nil
	}
	for _, k := range keys {
		if m.State == "present" && !done[k.text] {
			out, done[k.text] = append(out, want[k.text].String()), true
		}
	}
	if strings.TrimSuffix(old, "\n") == strings.Join(out, "\n") {
		return old
	}
	return joinLines(out)
}

// planSSHDir makes the directory, or sets owner and mode of one that exists.
func planSSHDir(n node.Reader, plan *module.Plan, dir string, u *node.User) error {
	if _, err := n.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		if err != nil {
			return err
		}
		return planOwner(n, plan, dir, u, 0o700)
	}
	plan.Changes = append(plan.Changes, module.Change{What: "create " + dir, After: dir + "\n", Apply: func(_ context.Context, w node.Writer) error {
		if err := makeHomeParents(w, path.Dir(dir)); err != nil {
			return err
		}
		if err := w.Mkdir(dir, 0o700); err != nil {
			return err
		}
		return w.Chown(dir, u.UID, u.GID)
	}})
	return nil
}

// planOwner sets what sshd insists on: the user's own, and nobody else's to write.
func planOwner(n node.Reader, plan *module.Plan, p string, u *node.User, mode uint32) error {
	i, err := n.Stat(p)
	if err != nil {
		return err
	}
	if real, err := n.EvalSymlinks(p); err == nil {
		p = real
	}
	if i.UID != u.UID || i.GID != u.GID {
		plan.Changes = append(plan.Changes, module.Change{
			What: "give " + p + " to " + u.Name, Before: "owner: " + i.Owner + "\ngroup: " + i.Group + "\n",
			After: "owner: " + u.Name + "\n",
			Apply: func(_ context.Context, w node.Writer) error { return w.Chown(p, u.UID, u.GID) },
		})
	}
	if i.Mode != mode {
		plan.Changes = append(plan.Changes, module.Change{
			What: "set the mode of " + p, Before: "mode: " + octal(i.Mode) + "\n", After: "mode: " + octal(mode) + "\n",
			Apply: func(_ context.Context, w node.Writer) error { return w.Chmod(p, mode) },
		})
	}
	return nil
}
