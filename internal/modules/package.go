package modules

import (
	"context"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "ansible.builtin.package",
		New:  func() any { return &packageModule{apt: *newApt(), Use: "auto"} },
	})
}

// packageModule is apt under the name that does not say so.
type packageModule struct {
	apt
	Use string `arg:"use"`
	// dnf's; a role for several systems names it in tasks that Debian skips.
	DisableGPGCheck *bool `arg:"disable_gpg_check"`
}

// Validate asks for names.
func (m *packageModule) Validate() error {
	switch m.Use {
	case "auto", "apt", "ansible.builtin.apt":
	default:
		return fault.New("use: %q is not supported", m.Use).WithHint("packages are managed through apt only")
	}
	return m.apt.Validate()
}

// Check is apt's.
func (m *packageModule) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	if _, err := n.Stat(dpkgStatusFile); err != nil {
		return module.Plan{}, fault.New("this node has no package manager that is known").Because(err).
			WithHint("packages are managed through apt only, on Debian and Ubuntu")
	}
	if m.DisableGPGCheck != nil {
		return module.Plan{}, fault.New("argument disable_gpg_check is not one of apt's").WithHint("it is for dnf; see allow_unauthenticated")
	}
	return m.apt.Check(ctx, n)
}
