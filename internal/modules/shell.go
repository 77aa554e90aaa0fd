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
		Name:     "ansible.builtin.shell",
		New:      func() any { return &shell{runOptions: runDefaults()} },
		FreeForm: "cmd",
	})
}

// shell runs a line through a shell.
type shell struct {
	runOptions
}

// Validate asks for a command.
func (m *shell) Validate() error {
	if strings.TrimSpace(m.Cmd) == "" {
		return fault.New("no command given").WithHint("write the command after the module's name, or as cmd:")
	}
	return nil
}

// Check plans the run of the line.
func (m *shell) Check(_ context.Context, n node.Reader) (module.Plan, error) {
	sh := m.Executable
	if sh == "" {
		sh = "/bin/sh"
	}
	return m.plan(n, m.Cmd, []string{sh, "-c", m.Cmd})
}
