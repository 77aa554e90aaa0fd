package modules

import (
	"context"
	"path"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/node"
)

func systemdEnv() map[string]string {
	return map[string]string{"LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""}
}

// unitSuffixes are the types of unit; a name without one of them is a service.
var unitSuffixes = []string{".service", ".socket", ".device", ".mount", ".automount", ".swap", ".target", ".path", ".timer", ".slice", ".scope"}

func unitName(name string) string {
	for _, s := range unitSuffixes {
		if strings.HasSuffix(name, s) {
			return name
		}
	}
	return name + ".service"
}

// unitDirs are where unit files lie, the strongest first.
var unitDirs = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

// templateOf gives name@.service for name@x.service, else "".
func templateOf(unit string) string {
	at := strings.IndexByte(unit, '@')
	if at < 0 {
		return ""
	}
	return unit[:at+1] + path.Ext(unit)
}

// unitState is what systemd says of a unit.
type unitState struct {
	unit    string
	status  map[string]any // systemctl show
	boot    string         // UnitFileState: enabled, disabled, static, masked, ...
	offline bool           // systemd does not run; only files can be read
	// guessed is why a unit that systemd does not know is taken to exist: check
	// mode, where an earlier task would have brought it.
	guessed string
}

func (u unitState) found() bool {
	load := u.status["LoadState"]
	return u.guessed != "" || u.offline && u.boot != "" || load != nil && load != "not-found"
}

func (u unitState) masked() bool { return u.status["LoadState"] == "masked" || u.boot == "masked" }

func (u unitState) running() bool {
	s := u.status["ActiveState"]
	return s == "active" || s == "activating" || s == "reloading" || s == "refreshing"
}

// enableName is the unit behind an alias: systemd refuses to enable the alias.
func (u unitState) enableName() string {
	if id, ok := u.status["Id"].(string); ok && id != "" && u.boot != "" && u.guessed == "" {
		return id
	}
	return u.unit
}

// bootIs says whether nothing is to do to have the unit enabled or not. A
// static, indirect or alias unit cannot be either by itself.
func (u unitState) bootIs(n node.Reader, want bool) bool {
	switch u.boot {
	case "enabled":
		return want
	case "disabled", "linked", "linked-runtime", "bad", "":
		return !want
	case "masked", "masked-runtime":
		return !want
	case "enabled-runtime":
		return !want
	case "generated":
		if on, sysv := sysvEnabled(n, strings.TrimSuffix(u.unit, ".service")); sysv {
			return on == want
		}
	}
	return true
}

// sysvEnabled reads the start links of an init script.
func sysvEnabled(n node.Reader, name string) (on, sysv bool) {
	if _, err := n.Stat("/etc/init.d/" + name); err != nil {
		return false, false
	}
	for _, level := range []string{"2", "3", "5"} {
		infos, _ := n.ReadDir("/etc/rc" + level + ".d")
		for _, i := range infos {
			base := path.Base(i.Path)
			if len(base) > 3 && base[0] == 'S' && base[3:] == name {
				return true, true
			}
		}
	}
	return false, true
}

// query reads the state of the unit, and lays over it what earlier tasks of a
// check run would have done.
func (t *unitTask) query(ctx context.Context, n node.Reader) (unitState, error) {
	u, err := t.show(ctx, n)
	if err != nil {
		return u, err
	}
	if !u.found() {
		for _, name := range []string{t.unit, templateOf(t.unit)} {
			for _, dir := range unitDirs {
				if _, err := n.Stat(dir + "/" + name); name != "" && err == nil {
					u.guessed, u.boot = "its unit file is new", "disabled"
				}
			}
		}
		if _, ok := n.Assumed("package", ""); ok && u.guessed == "" {
			u.guessed = "its unit would come with a package"
		}
	}
	if s, ok := n.Assumed("unit", t.unit); ok {
		u.guess("an earlier task would have started or stopped it")
		u.status["ActiveState"] = map[string]string{"started": "active", "stopped": "inactive"}[s]
	}
	if s, ok := n.Assumed("unit-enabled", t.unit); ok {
		u.guess("an earlier task would have enabled or masked it")
		u.boot = s
		if s == "masked" {
			u.status["LoadState"] = "masked"
		} else if u.status["LoadState"] == "masked" {
			u.status["LoadState"] = "loaded"
		}
	}
	return u, nil
}

func (u *unitState) guess(why string) {
	if !u.found() {
		u.guessed = why
	}
}

// show asks systemctl, once where systemd runs.
func (t *unitTask) show(ctx context.Context, n node.Reader) (unitState, error) {
	u := unitState{unit: t.unit, status: map[string]any{}}
	template := strings.Contains(t.unit, "@.")
	if t.Scope != "global" && !template {
		res, err := n.Query(ctx, node.Command{Argv: t.argv("show", t.unit), Env: systemdEnv()})
		if err != nil {
			return u, fault.New("this node has no systemctl").Because(err).WithHint("services are managed through systemd only")
		}
		text := string(res.Stderr) + string(res.Stdout)
		switch {
		case strings.Contains(text, "chroot") && !strings.Contains(string(res.Stdout), "LoadState="), strings.Contains(text, "not been booted with systemd"), strings.Contains(text, "Failed to connect to bus") && t.Scope != "user":
			u.offline = true
		case res.RC != 0:
			return u, t.failure(ctx, n, t.argv("show", t.unit), res)
		default:
			u.status = parseSystemdShow(cleanText(res.Stdout))
			u.boot, _ = u.status["UnitFileState"].(string)
			return u, nil
		}
	}
	u.offline = true
	res, err := n.Query(ctx, node.Command{Argv: t.argv("is-enabled", t.unit), Env: systemdEnv()})
	if err != nil {
		return u, err
	}
	if word := firstLine(cleanText(res.Stdout)); !strings.Contains(word, " ") && word != "not-found" {
		u.boot = word
	}
	return u, nil
}

// parseSystemdShow reads Key=value lines. A value in braces may run over several lines.
func parseSystemdShow(out string) map[string]any {
	status := map[string]any{}
	lines := strings.Split(out, "\n")
	for i := 0; i < len(lines); i++ {
		k, v, ok := strings.Cut(lines[i], "=")
		if !ok || k == "" || strings.ContainsAny(k, " \t") {
			continue
		}
		for strings.HasPrefix(v, "{") && !strings.HasSuffix(strings.TrimSpace(v), "}") && i+1 < len(lines) {
			i++
			v += "\n" + lines[i]
		}
		status[k] = v
	}
	return status
}

// unitFiles lists the unit files of one type, without their suffix.
func unitFiles(ctx context.Context, n node.Reader, systemctl []string, suffix string) ([]string, error) {
	argv := append(append([]string(nil), systemctl...), "list-unit-files", "--no-legend", "--no-pager", "--plain")
	res, err := n.Query(ctx, node.Command{Argv: argv, Env: systemdEnv()})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, line := range strings.Split(cleanText(res.Stdout), "\n") {
		if f := strings.Fields(line); len(f) > 0 && strings.HasSuffix(f[0], suffix) {
			names = append(names, strings.TrimSuffix(f[0], suffix))
		}
	}
	return names, nil
}
