package modules

import (
	"context"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "ansible.posix.acl",
		New:  func() any { return &acl{State: "query", Follow: true, RecalculateMask: "default"} },
	})
}

// acl keeps one entry of a path's access control list.
type acl struct {
	Path            string `arg:"path,required" alias:"name"`
	Entry           string `arg:"entry"`
	Entity          string `arg:"entity"`
	EType           string `arg:"etype" choices:",group,mask,other,user"`
	Permissions     string `arg:"permissions"`
	State           string `arg:"state" choices:"absent,present,query"`
	Follow          bool   `arg:"follow"`
	Default         bool   `arg:"default"`
	Recursive       bool   `arg:"recursive" alias:"recurse"`
	RecalculateMask string `arg:"recalculate_mask" choices:"default,mask,no_mask"`
	UseNFSv4        bool   `arg:"use_nfsv4_acls"`
}

// Validate holds Ansible's rules about what goes together.
func (m *acl) Validate() error {
	parts := m.EType != "" || m.Entity != "" || m.Permissions != ""
	sections := strings.Count(strings.TrimPrefix(m.Entry, "default:"), ":") + 1
	switch {
	case m.UseNFSv4:
		return fault.New("use_nfsv4_acls is not supported").WithHint("nodes have POSIX ACLs")
	case m.State == "query" && m.Recursive:
		return fault.New("'recursive' MUST NOT be set when 'state=query'.")
	case m.State == "query" && m.RecalculateMask != "default":
		return fault.New("'recalculate_mask' MUST NOT be set to 'mask' or 'no_mask' when 'state=query'.")
	case m.Entry != "" && parts:
		return fault.New("'entry' MUST NOT be set when 'entity', 'etype' or 'permissions' are set.")
	case m.State == "query":
		return nil
	case m.Entry != "" && m.State == "present" && sections != 3:
		return fault.New("'entry' MUST have 3 or 4 sections divided by ':' when 'state=present'.")
	case m.Entry != "" && sections != 2 && sections != 3:
		return fault.New("'entry' MUST have 2 or 3 sections divided by ':' when 'state=absent'.")
	case m.Entry != "":
		return nil
	case m.EType == "":
		return fault.New("'etype' MUST be set when 'state=%s'.", m.State)
	case m.State == "absent" && m.Permissions != "":
		return fault.New("'permissions' MUST NOT be set when 'state=absent'.")
	case m.State == "present" && m.Permissions == "":
		return fault.New("permissions are needed with state=present").WithHint("such as permissions: rX")
	}
	return nil
}

// entry is what setfacl is told, and whether it is a default entry.
func (m *acl) entry() (entry string, isDefault bool) {
	if m.Entry == "" {
		entry = m.EType + ":" + m.Entity
		if m.State == "present" {
			entry += ":" + m.Permissions
		}
		return entry, m.Default
	}
	entry, found := strings.CutPrefix(m.Entry, "default:")
	if f := strings.Split(entry, ":"); m.State == "absent" && len(f) == 3 {
		entry = f[0] + ":" + f[1] // the permissions do not matter
	}
	return entry, found || m.Default
}

// Check asks setfacl what it would change.
func (m *acl) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	p := module.Plan{Return: map[string]any{}}
	m.Path = expandWord(n, m.Path)
	i, err := statOrNil(n, m.Path)
	if err != nil || i == nil {
		return p, notSure(n, fault.New("Path not found or not accessible.").Because(err))
	}
	entry, isDefault := m.entry()
	p.After = func(ctx context.Context, n node.Reader, ret map[string]any) error {
		list, err := m.list(ctx, n, isDefault)
		ret["acl"] = list
		return err
	}
	if m.State == "query" {
		p.Return["msg"] = "current acl"
		return p, nil
	}
	p.Return["msg"] = entry + " is " + m.State
	if isDefault && !m.Recursive && !i.IsDir() {
		return p, fault.New("setfacl: %s: Only directories can have default ACLs", m.Path)
	}
	key := m.Path + "\n" + entry
	if s, ok := n.Assumed("acl", key); ok && s == m.State {
		return p, nil
	}
	c := node.Command{Argv: m.setfacl(entry, isDefault, true), Env: map[string]string{"LC_ALL": "C"}}
	res, err := n.Query(ctx, c)
	if err != nil {
		return p, notSure(n, startFailure(err, c))
	}
	said := strings.TrimSpace(cleanText(res.Stderr))
	// a path that was seen above and is not there is one that an earlier task of this check would make
	assumed := res.RC != 0 && strings.HasSuffix(said, "No such file or directory")
	if assumed && m.State == "absent" {
		return p, nil
	}
	if res.RC != 0 && !assumed {
		return p, notSure(n, &module.Failure{Msg: said, Return: map[string]any{"rc": res.RC, "cmd": strings.Join(c.Argv, " "), "stderr": said}})
	}
	if !assumed && !aclChanges(string(res.Stdout)) {
		return p, nil
	}
	verb := map[string]string{"present": "set ", "absent": "remove "}[m.State]
	p.Changes = []module.Change{{What: verb + "acl " + entry + " of " + m.Path, After: cleanText(res.Stdout), Apply: func(ctx context.Context, w node.Writer) error {
		w.Assume("acl", key, m.State)
		return mustRun(ctx, w, node.Command{Argv: m.setfacl(entry, isDefault, false), Env: map[string]string{"LC_ALL": "C"}})
	}}}
	return p, nil
}

// aclChanges reads the answer of setfacl --test: a line per path, which ends in
// "*,*" where nothing would change.
func aclChanges(text string) bool {
	for _, line := range textLines(text) {
		if line != "" && !strings.HasSuffix(line, ": *,*") {
			return true
		}
	}
	return false
}

func (m *acl) setfacl(entry string, isDefault, test bool) []string {
	argv := []string{"setfacl"}
	if test {
		argv = append(argv, "--test")
	}
	if m.Recursive {
		argv = append(argv, "--recursive")
	}
	switch m.RecalculateMask {
	case "mask":
		argv = append(argv, "--mask")
	case "no_mask":
		argv = append(argv, "--no-mask")
	}
	if !m.Follow {
		argv = append(argv, "--physical")
	}
	if isDefault {
		argv = append(argv, "-d")
	}
	verb := "-m"
	if m.State == "absent" {
		verb = "-x"
	}
	return append(argv, verb, entry, m.Path)
}

// list gives the entries as getfacl shows them.
func (m *acl) list(ctx context.Context, n node.Reader, isDefault bool) ([]any, error) {
	argv := []string{"getfacl", "--omit-header", "--absolute-names"}
	if m.Recursive {
		argv = append(argv, "--recursive")
	}
	if !m.Follow {
		argv = append(argv, "--physical")
	}
	if isDefault {
		argv = append(argv, "-d")
	}
	c := node.Command{Argv: append(argv, m.Path), Env: map[string]string{"LC_ALL": "C"}}
	res, err := n.Query(ctx, c)
	if err != nil {
		return nil, notSure(n, startFailure(err, c))
	}
	text := strings.TrimSpace(cleanText(res.Stdout))
	if text == "" {
		return []any{}, nil
	}
	return anyList(strings.Split(text, "\n")), nil
}
