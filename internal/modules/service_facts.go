package modules

import (
	"context"
	"path"
	"sort"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "ansible.builtin.service_facts",
		New:  func() any { return &serviceFacts{} },
	})
}

// serviceFacts gives the state of all services as facts.
type serviceFacts struct{}

// Check reads; there is nothing to change.
func (m *serviceFacts) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	services := map[string]any{}
	ask := func(words ...string) (string, error) {
		res, err := n.Query(ctx, node.Command{Argv: append([]string{"systemctl"}, words...), Env: systemdEnv()})
		if err != nil {
			return "", fault.New("this node has no systemctl").Because(err).WithHint("services are known through systemd only")
		}
		if res.RC != 0 {
			return "", fault.New("systemctl %s: %s", strings.Join(words, " "), firstLine(cleanText(res.Stderr)))
		}
		return cleanText(res.Stdout), nil
	}
	units, err := ask("list-units", "--no-pager", "--no-legend", "--plain", "--full", "--type", "service", "--all")
	if err != nil {
		return module.Plan{}, err
	}
	active := map[string]bool{}
	parseServiceUnits(units, services, active)
	files, err := ask("list-unit-files", "--no-pager", "--no-legend", "--plain", "--full", "--type", "service", "--all")
	if err != nil {
		return module.Plan{}, err
	}
	if idle := parseServiceFiles(files, services); len(idle) > 0 {
		out, err := ask(append([]string{"show", "--property=Id,Names,ActiveState", "--"}, idle...)...)
		if err != nil {
			return module.Plan{}, err
		}
		parseServiceStates(out, services, active)
	}
	addInitScripts(n, services, active)
	return module.Plan{Return: map[string]any{"ansible_facts": map[string]any{"services": services}}}, nil
}

func serviceFact(name, state, status string) map[string]any {
	return map[string]any{"name": name, "state": state, "status": status, "source": "systemd"}
}

// badStates of a loaded unit say more than what its file says.
func badState(s string) bool { return s == "not-found" || s == "masked" || s == "failed" }

// parseServiceUnits reads "ssh.service loaded active running OpenBSD ..." lines.
func parseServiceUnits(out string, services map[string]any, active map[string]bool) {
	for _, line := range strings.Split(out, "\n") {
		f := strings.Fields(line)
		if len(f) < 4 || !strings.HasSuffix(f[0], ".service") {
			continue
		}
		state, status := "stopped", f[2]
		for _, s := range f[1:4] {
			if badState(s) {
				status = s
			}
		}
		active[f[0]] = f[2] == "active"
		if f[3] == "running" {
			state = "running"
		}
		services[f[0]] = serviceFact(f[0], state, status)
	}
}

// parseServiceFiles reads "ssh.service enabled enabled" lines and gives the
// services that are not loaded. A template has no state of its own.
func parseServiceFiles(out string, services map[string]any) (idle []string) {
	for _, line := range strings.Split(out, "\n") {
		f := strings.Fields(line)
		if len(f) < 2 || !strings.HasSuffix(f[0], ".service") {
			continue
		}
		if have, ok := services[f[0]].(map[string]any); ok {
			if !badState(have["status"].(string)) {
				have["status"] = f[1]
			}
			continue
		}
		services[f[0]] = serviceFact(f[0], "unknown", f[1])
		if !strings.Contains(f[0], "@.") {
			idle = append(idle, f[0])
		}
	}
	sort.Strings(idle)
	return idle
}

// parseServiceStates reads the blocks of systemctl show, one per unit.
func parseServiceStates(out string, services map[string]any, active map[string]bool) {
	for _, block := range strings.Split(out, "\n\n") {
		props := parseSystemdShow(block)
		names, _ := props["Names"].(string)
		id, _ := props["Id"].(string)
		for _, name := range append(strings.Fields(names), id) {
			active[name] = active[name] || props["ActiveState"] == "active"
			if s, ok := services[name].(map[string]any); ok && s["state"] == "unknown" {
				s["state"] = props["ActiveState"]
			}
		}
	}
}

// addInitScripts adds the scripts of /etc/init.d, which service --status-all
// would list: under systemd a script's status is that of its unit.
func addInitScripts(n node.Reader, services map[string]any, active map[string]bool) {
	infos, _ := n.ReadDir("/etc/init.d")
	for _, i := range infos {
		if !i.IsRegular() || i.Mode&0o111 == 0 {
			continue
		}
		name, state := path.Base(i.Path), "stopped"
		if active[name+".service"] {
			state = "running"
		}
		services[name] = map[string]any{"name": name, "state": state, "source": "sysv"}
	}
}
