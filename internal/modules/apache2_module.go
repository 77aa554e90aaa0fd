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
		Name: "community.general.apache2_module",
		New:  func() any { return &apacheModule{State: "present", WarnMPM: true} },
	})
}

// apacheModule is a module of the Apache web server that is enabled or not.
type apacheModule struct {
	ModuleName        string `arg:"name,required"`
	Identifier        string `arg:"identifier"`
	State             string `arg:"state" choices:"present,absent"`
	Force             bool   `arg:"force"`
	IgnoreConfigcheck bool   `arg:"ignore_configcheck"`
	WarnMPM           bool   `arg:"warn_mpm_absent"`
}

// Validate keeps words of the task from being taken for flags.
func (m *apacheModule) Validate() error {
	if strings.HasPrefix(m.ModuleName, "-") {
		return fault.New("name does not begin with a dash: %q", m.ModuleName)
	}
	return nil
}

// identifier is the name under which the server lists the module.
func (m *apacheModule) identifier() string {
	if m.Identifier != "" {
		return m.Identifier
	}
	switch name := m.ModuleName; {
	case name == "shib", name == "shib2":
		return "mod_shib"
	case name == "evasive":
		return "evasive20_module"
	case strings.HasPrefix(name, "php"):
		return "php" + phpMajor(name) + "_module"
	default:
		return name + "_module"
	}
}

// phpMajor: php7.4 is php7_module, php8.2 is php_module.
func phpMajor(name string) string {
	major, _, _ := strings.Cut(strings.TrimPrefix(name, "php"), ".")
	if major == "5" || major == "7" {
		return major
	}
	return ""
}

// Check asks the server for its modules.
func (m *apacheModule) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	p := module.Plan{Return: map[string]any{}}
	ctl := ""
	for _, name := range []string{"apache2ctl", "apachectl"} {
		if at, err := n.LookPath(name); err == nil {
			ctl = at
			break
		}
	}
	if ctl == "" {
		return p, notSure(n, fault.New("Neither of apache2ctl nor apachectl found. At least one apache control binary is necessary."))
	}
	enabled, err := m.enabled(ctx, n, ctl)
	if err != nil {
		return p, err
	}
	word, program, flags := "enabled", "a2enmod", []string(nil)
	if m.State == "absent" {
		word, program = "disabled", "a2dismod"
		if m.Force {
			flags = []string{"-f"}
		}
	}
	p.Return["result"] = fmt.Sprintf("Module %s %s", m.ModuleName, word)
	if enabled == (m.State == "present") {
		return p, nil
	}
	if _, err := n.LookPath(program); err != nil {
		return p, notSure(n, fault.New("%s not found. Perhaps this system does not use %s to manage apache", program, program))
	}
	c := node.Command{Argv: append(append([]string{program}, flags...), m.ModuleName)}
	p.Changes = []module.Change{{What: strings.Join(c.Argv, " "), Apply: func(ctx context.Context, w node.Writer) error {
		if err := mustRun(ctx, w, c); err != nil {
			return fault.Wrap(err, "Failed to set module %s to %s", m.ModuleName, word)
		}
		w.Assume("apache2-module", m.identifier(), m.State)
		return nil
	}}}
	return p, nil
}

func (m *apacheModule) enabled(ctx context.Context, n node.Reader, ctl string) (bool, error) {
	if state, ok := n.Assumed("apache2-module", m.identifier()); ok {
		return state == "present", nil
	}
	c := node.Command{Argv: []string{ctl, "-M"}}
	res, err := n.Query(ctx, c)
	if err != nil {
		return false, startFailure(err, c)
	}
	if res.RC != 0 {
		if !m.IgnoreConfigcheck {
			return false, notSure(n, fault.New("Error executing %s: %s", ctl, strings.TrimSpace(cleanText(res.Stderr))).
				WithHint("ignore_configcheck: true goes by the links in mods-enabled instead"))
		}
		_, err := n.Lstat("/etc/apache2/mods-enabled/" + m.ModuleName + ".load")
		return err == nil, nil
	}
	for _, line := range strings.Split(cleanText(res.Stdout), "\n") {
		if f := strings.Fields(line); len(f) > 0 && f[0] == m.identifier() {
			return true, nil
		}
	}
	return false, nil
}
