package modules

import (
	"context"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "ansible.builtin.dpkg_selections",
		New:  func() any { return &dpkgSelections{} },
	})
}

// dpkgSelections sets what dpkg and apt shall do with a package: hold it, say.
type dpkgSelections struct {
	Name      string `arg:"name,required"`
	Selection string `arg:"selection,required" choices:"install,hold,deinstall,purge"`
}

// Check compares the selection with the wanted one.
func (m *dpkgSelections) Check(_ context.Context, n node.Reader) (module.Plan, error) {
	db, err := readDpkg(n)
	if err != nil {
		return module.Plan{}, fault.New("this node has no dpkg").Because(err)
	}
	before := "not present"
	p, found := db.Find(m.Name)
	if found {
		before = p.Want
	}
	if s, ok := n.Assumed("selection", m.Name); ok {
		before = s
	} else if s, ok := n.Assumed("package", m.Name); ok && !found && s == "present" {
		before, found = "install", true
	}
	if !found {
		return module.Plan{}, fault.New("failed to find package '%s' to perform selection '%s'", m.Name, m.Selection).
			WithHint("dpkg knows packages that are or were installed: install it first")
	}
	plan := module.Plan{Return: map[string]any{"before": before, "after": m.Selection}}
	if before == m.Selection {
		return plan, nil
	}
	plan.Changes = []module.Change{{
		What: "set the selection of " + m.Name, Before: before + "\n", After: m.Selection + "\n",
		Apply: func(ctx context.Context, w node.Writer) error {
			res, err := w.Run(ctx, node.Command{Argv: []string{"dpkg", "--set-selections"}, Stdin: []byte(m.Name + " " + m.Selection + "\n"), Env: aptEnv()})
			switch {
			case err != nil:
				return err
			case res.Unknown:
				w.Assume("selection", m.Name, m.Selection)
			case res.RC != 0:
				return aptFailure("dpkg --set-selections", res)
			}
			return nil
		},
	}}
	return plan, nil
}
