package modules

import (
	"context"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "ansible.builtin.service",
		New:  func() any { return &service{systemd: systemd{Scope: "system"}, Use: "auto"} },
	})
}

// service is systemd under the name that does not say so. What only other
// service managers know is taken and does nothing, as in Ansible.
type service struct {
	systemd
	Use       string `arg:"use"`
	Pattern   string `arg:"pattern"`
	Sleep     int    `arg:"sleep"`
	Runlevel  string `arg:"runlevel"`
	Arguments string `arg:"arguments" alias:"args"`
}

// Validate asks for a name and for something to do.
func (m *service) Validate() error {
	if m.Name == "" {
		return fault.New("missing required argument: name")
	}
	switch m.Use {
	case "auto", "systemd", "service", "ansible.builtin.systemd", "ansible.builtin.systemd_service":
	default:
		return fault.New("use: %q is not supported", m.Use).WithHint("services are managed through systemd only")
	}
	return m.systemd.Validate()
}

// Check is systemd's.
func (m *service) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	if _, err := n.LookPath("systemctl"); err != nil {
		return module.Plan{}, fault.New("this node has no systemd, so service %s cannot be managed", m.Name).
			WithHint("services are managed through systemd only")
	}
	return m.systemd.Check(ctx, n)
}
