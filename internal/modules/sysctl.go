package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "ansible.posix.sysctl",
		New:  func() any { return &sysctl{State: "present", Reload: true, SysctlFile: "/etc/sysctl.conf"} },
	})
}

// sysctl is a kernel setting, in its file and, if wanted, in the kernel.
type sysctl struct {
	Name         string  `arg:"name,required" alias:"key"`
	Value        *string `arg:"value" alias:"val"`
	State        string  `arg:"state" choices:"present,absent"`
	IgnoreErrors bool    `arg:"ignoreerrors"`
	Reload       bool    `arg:"reload"`
	SysctlFile   string  `arg:"sysctl_file"`
	SysctlSet    bool    `arg:"sysctl_set"`
}

// Validate asks for a value where there must be one.
func (m *sysctl) Validate() error {
	switch {
	case strings.TrimSpace(m.Name) == "":
		return fault.New("name cannot be blank")
	case m.State == "present" && m.Value == nil:
		return fault.New("state is present but value is missing")
	case m.State == "present" && strings.TrimSpace(*m.Value) == "":
		return fault.New("value cannot be blank")
	}
	return nil
}

// Check compares file and kernel.
func (m *sysctl) Check(_ context.Context, n node.Reader) (module.Plan, error) {
	p := module.Plan{Return: map[string]any{}}
	name := strings.TrimSpace(m.Name)
	value := ""
	if m.Value != nil {
		value = sysctlValue(*m.Value)
	}
	before, exists, err := readText(n, m.SysctlFile)
	if err != nil {
		return p, err
	}
	after := editSysctl(before, name, value, m.State == "present")
	if m.SysctlSet && m.State == "present" {
		current, err := kernelValue(n, name)
		if err != nil {
			return p, err
		}
		if normalSpace(current) != normalSpace(value) {
			p.Changes = append(p.Changes, m.setKernel(name, value, current))
		}
	}
	if after != before {
		p.Changes = append(p.Changes, rewriteText(m.SysctlFile, before, after, exists, 0o644))
	}
	if m.Reload && len(p.Changes) > 0 {
		p.Changes = append(p.Changes, m.reload())
	}
	return p, nil
}

// setKernel writes through the sysctl program: its -e knows which errors can be passed over.
func (m *sysctl) setKernel(name, value, current string) module.Change {
	argv := []string{"sysctl", "-w", name + "=" + value}
	if m.IgnoreErrors {
		argv = []string{"sysctl", "-e", "-w", name + "=" + value}
	}
	return module.Change{
		What: fmt.Sprintf("set %s=%s", name, value), Before: name + "=" + current + "\n", After: name + "=" + value + "\n",
		Apply: func(ctx context.Context, w node.Writer) error {
			err := mustRun(ctx, w, node.Command{Argv: argv})
			if err != nil && !m.IgnoreErrors {
				return sysctlFailure(err, "setting "+name+" failed")
			}
			w.Assume("sysctl", name, value)
			return nil
		},
	}
}

func (m *sysctl) reload() module.Change {
	argv := []string{"sysctl", "-p", m.SysctlFile}
	if m.IgnoreErrors {
		argv = []string{"sysctl", "-e", "-p", m.SysctlFile}
	}
	return module.Change{What: "reload " + m.SysctlFile, Quiet: true, Apply: func(ctx context.Context, w node.Writer) error {
		if err := mustRun(ctx, w, node.Command{Argv: argv}); err != nil && !m.IgnoreErrors {
			return sysctlFailure(err, "reloading "+m.SysctlFile+" failed")
		}
		return nil
	}}
}

func sysctlFailure(err error, what string) error {
	var f *module.Failure
	if !errors.As(err, &f) {
		return fmt.Errorf("%s: %w", what, err)
	}
	said, _ := f.Return["stderr"].(string)
	if said == "" {
		said = f.Msg
	}
	return &module.Failure{Msg: what + ": " + strings.TrimSpace(said), Return: f.Return}
}

// sysctlValue writes truth as the kernel does.
func sysctlValue(s string) string {
	s = strings.TrimSpace(s)
	switch strings.ToLower(s) {
	case "y", "yes", "on", "true", "t":
		return "1"
	case "n", "no", "off", "false", "f":
		return "0"
	}
	return s
}

// kernelValue reads a setting; an unknown one has no value.
func kernelValue(n node.Reader, name string) (string, error) {
	if v, ok := n.Assumed("sysctl", name); ok {
		return v, nil
	}
	b, err := n.ReadFile("/proc/sys/" + sysctlPath(name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", name, err)
	}
	return strings.TrimSpace(string(b)), nil
}

// sysctlPath turns a name into a path: the first separator of a name decides
// whether dots or slashes separate, and the other kind then stands for a dot in
// a part (net.ipv4.conf.eth0/100.forwarding, net/ipv4/conf/eth0.100/forwarding).
func sysctlPath(name string) string {
	if i := strings.IndexAny(name, "./"); i >= 0 && name[i] == '.' {
		return strings.Map(func(r rune) rune {
			switch r {
			case '.':
				return '/'
			case '/':
				return '.'
			}
			return r
		}, name)
	}
	return name
}

func normalSpace(s string) string { return strings.Join(strings.Fields(s), " ") }

// editSysctl puts name=value in the place of the first line for name and drops
// the others. A text that already says so stays as it is, byte for byte.
func editSysctl(text, name, value string, present bool) string {
	lines := textLines(text)
	out := make([]string, 0, len(lines)+1)
	last, seen := "", false
	for _, line := range lines {
		k, v, ok := sysctlLine(line)
		if !ok || k != name {
			out = append(out, line)
			continue
		}
		last = v
		if !seen && present {
			out = append(out, name+"="+value)
		}
		seen = true
	}
	if present && seen && normalSpace(last) == normalSpace(value) || !present && !seen {
		return text
	}
	if present && !seen {
		out = append(out, name+"="+value)
	}
	return linesText(out)
}

// sysctlLine reads a setting; a leading minus (errors do not matter) is no part of the name.
func sysctlLine(line string) (name, value string, ok bool) {
	t := strings.TrimSpace(line)
	if t == "" || t[0] == '#' || t[0] == ';' {
		return "", "", false
	}
	k, v, ok := strings.Cut(t, "=")
	return strings.TrimPrefix(strings.TrimSpace(k), "-"), strings.TrimSpace(v), ok
}
