package modules

import (
	"context"
	"slices"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "community.general.kernel_blacklist",
		New: func() any {
			return &kernelBlacklist{State: "present", BlacklistFile: "/etc/modprobe.d/blacklist-ansible.conf"}
		},
	})
}

// kernelBlacklist keeps a kernel module from being loaded by itself.
type kernelBlacklist struct {
	Name          string `arg:"name,required"`
	State         string `arg:"state" choices:"absent,present"`
	BlacklistFile string `arg:"blacklist_file"`
}

// Validate refuses what is no name.
func (m *kernelBlacklist) Validate() error {
	if len(strings.Fields(m.Name)) != 1 {
		return fault.New("name %q is no single word", m.Name)
	}
	return nil
}

// Check looks for the line.
func (m *kernelBlacklist) Check(_ context.Context, n node.Reader) (module.Plan, error) {
	before, exists, err := readText(n, m.BlacklistFile)
	if err != nil {
		return module.Plan{}, err
	}
	lines := textLines(before)
	mine := func(line string) bool { return slices.Equal(strings.Fields(line), []string{"blacklist", m.Name}) }
	after := slices.Clone(lines)
	switch {
	case m.State == "absent":
		after = slices.DeleteFunc(after, mine)
	case !slices.ContainsFunc(lines, mine):
		after = append(after, "blacklist "+m.Name)
	}
	shown := []any{}
	for _, l := range after {
		shown = append(shown, strings.TrimRight(l, " \t\r"))
	}
	p := module.Plan{Return: map[string]any{
		"name": m.Name, "filename": m.BlacklistFile, "state": m.State, "lines": shown, "is_blacklisted": m.State == "present",
	}}
	if !slices.Equal(lines, after) {
		p.Changes = []module.Change{rewriteText(m.BlacklistFile, before, linesText(after), exists, 0o644)}
	}
	return p, nil
}
