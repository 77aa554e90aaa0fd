package modules

import (
	"context"
	"errors"
	"io/fs"
	"strconv"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "ansible.builtin.group",
		New:  func() any { return &groupModule{State: "present"} },
	})
}

// groupModule manages an entry of /etc/group.
type groupModule struct {
	Name      string `arg:"name,required"`
	State     string `arg:"state" choices:"absent,present"`
	GID       *int   `arg:"gid"`
	System    bool   `arg:"system"`
	Local     bool   `arg:"local"`
	NonUnique bool   `arg:"non_unique"`
	Force     bool   `arg:"force"`
	GIDMin    *int   `arg:"gid_min"`
	GIDMax    *int   `arg:"gid_max"`
}

// Validate refuses names that groupadd would take for a flag.
func (m *groupModule) Validate() error {
	if m.NonUnique && m.GID == nil {
		return fault.New("non_unique needs gid")
	}
	return checkAccountName("group", m.Name)
}

func checkAccountName(kind, name string) error {
	if name == "" || name[0] == '-' {
		return fault.New("%q is not a name for a %s", name, kind)
	}
	for _, r := range name {
		if r == ':' || r == ',' || r == '/' || r <= ' ' {
			return fault.New("%q is not a name for a %s", name, kind).WithHint("names hold no blanks, colons, commas or slashes")
		}
	}
	return nil
}

// Check compares the group with what is wanted.
func (m *groupModule) Check(_ context.Context, n node.Reader) (module.Plan, error) {
	plan := module.Plan{Return: map[string]any{"name": m.Name, "state": m.State}}
	g, err := n.LookupGroup(m.Name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return plan, err
	}
	if err != nil {
		g = nil
	}
	if m.State == "absent" {
		if g != nil {
			argv := []string{"groupdel"}
			if m.Force {
				argv = append(argv, "-f")
			}
			plan.Changes = []module.Change{accountChange("remove group "+m.Name, m.Name+"\n", "", append(argv, m.Name),
				func(w node.Writer) { w.Assume("group", m.Name, "absent") })}
		}
		return plan, nil
	}
	plan.Return["system"] = m.System
	plan.After = m.after
	if g == nil {
		plan.Changes = []module.Change{m.add(n)}
		return plan, nil
	}
	if m.GID != nil && *m.GID != g.GID {
		want := *g
		want.GID = *m.GID
		argv := []string{"groupmod", "-g", strconv.Itoa(*m.GID)}
		if m.NonUnique {
			argv = append(argv, "-o")
		}
		plan.Changes = []module.Change{accountChange("change the number of group "+m.Name,
			"gid: "+strconv.Itoa(g.GID)+"\n", "gid: "+strconv.Itoa(*m.GID)+"\n", append(argv, m.Name),
			func(w node.Writer) { w.AssumeGroup(want) })}
	}
	return plan, nil
}

func (m *groupModule) add(n node.Reader) module.Change {
	argv := []string{"groupadd"}
	want := node.Group{Name: m.Name}
	if m.GID != nil {
		argv = append(argv, "-g", strconv.Itoa(*m.GID))
		want.GID = *m.GID
	} else {
		want.GID = freeGID(n, m.System)
	}
	if m.NonUnique {
		argv = append(argv, "-o")
	}
	for key, v := range map[string]*int{"GID_MAX": m.GIDMax, "GID_MIN": m.GIDMin} {
		if v != nil {
			argv = append(argv, "-K", key+"="+strconv.Itoa(*v))
		}
	}
	if m.System {
		argv = append(argv, "-r")
	}
	return accountChange("add group "+m.Name, "", m.Name+"\n", append(argv, m.Name), func(w node.Writer) { w.AssumeGroup(want) })
}

// after reports the number that the group has got.
func (m *groupModule) after(_ context.Context, n node.Reader, ret map[string]any) error {
	g, err := n.LookupGroup(m.Name)
	if err != nil {
		return fault.New("group %s does not exist after it was added", m.Name).Because(err)
	}
	ret["gid"] = int64(g.GID)
	return nil
}

// accountChange is one call of the shadow tools; assume tells check mode of it.
func accountChange(what, before, after string, argv []string, assume func(node.Writer)) module.Change {
	return module.Change{What: what, Before: before, After: after, Apply: func(ctx context.Context, w node.Writer) error {
		res, err := runAccount(ctx, w, argv, nil)
		if err == nil && res.Unknown && assume != nil {
			assume(w)
		}
		return err
	}}
}
