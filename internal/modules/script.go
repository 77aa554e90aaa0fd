package modules

import (
	"context"
	"fmt"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name:     "ansible.builtin.script",
		New:      func() any { return &script{runOptions: runDefaults()} },
		FreeForm: "cmd",
		Action:   runScript,
	})
}

// script runs a file of the controller on the node.
type script struct {
	runOptions
	// Uploaded is the file on the node, in place of the first word of cmd. The
	// controller sets it, never a user.
	Uploaded string `arg:"_uploaded"`
}

// Validate asks for a script.
func (m *script) Validate() error {
	if strings.TrimSpace(m.Cmd) == "" {
		return fault.New("no script given").WithHint("write the script's path after the module's name, or as cmd:")
	}
	return nil
}

// Check plans the run of the uploaded file and its removal.
func (m *script) Check(_ context.Context, n node.Reader) (module.Plan, error) {
	words, err := splitArgv(m.Cmd)
	if err != nil {
		return module.Plan{}, fmt.Errorf("splitting the command %q: %w", m.Cmd, err)
	}
	if file, why := m.needless(n, m.Chdir); why != "" {
		option := "creates"
		if file == m.Removes {
			option = "removes"
		}
		return module.Plan{Skipped: fmt.Sprintf("%s %s, matching %s option", file, why, option)}, nil
	}
	m.StripEmptyEnds = false
	argv := append([]string{m.Uploaded}, words[1:]...)
	if m.Executable != "" {
		interpreter, err := splitArgv(m.Executable)
		if err != nil {
			return module.Plan{}, fmt.Errorf("splitting executable %q: %w", m.Executable, err)
		}
		argv = append(interpreter, argv...)
	}
	p, err := m.plan(n, m.Cmd, argv)
	if m.Uploaded == "" {
		return p, err
	}
	p.Changes = append([]module.Change{{
		What: "make the script executable", Quiet: true,
		Apply: func(_ context.Context, w node.Writer) error { return w.Chmod(m.Uploaded, 0o700) },
	}}, p.Changes...)
	p.Changes = append(p.Changes, module.Change{
		What: "remove the script", Quiet: true,
		Apply: func(_ context.Context, w node.Writer) error { return w.Remove(m.Uploaded) },
	})
	return p, err
}
