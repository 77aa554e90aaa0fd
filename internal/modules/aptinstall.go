package modules

import (
	"context"
	"path"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

// present tells whether a package is installed, and in which version ("" when
// check mode only assumes it).
func (t *aptTask) present(n node.Reader, name string) (version string, ok bool) {
	if state, assumed := n.Assumed("package", name); assumed {
		v, _ := n.Assumed("package-version", name)
		return v, state == "present"
	}
	p, found := t.db.Find(name)
	if !found || !p.Installed() {
		return "", false
	}
	return p.Version, true
}

func (t *aptTask) planInstall(ctx context.Context, n node.Reader) error {
	t.planMarks()
	verb := "install "
	if t.State == "latest" {
		verb = "bring to the newest version: "
	}
	op, names, err := t.installOp(ctx, n)
	if err != nil {
		return err
	}
	if op == nil && !(t.lists.refresh && t.anyGlob()) {
		return nil
	}
	return t.transact(ctx, n, verb+strings.Join(names, ", "), t.installOp)
}

func (t *aptTask) anyGlob() bool {
	for _, s := range t.Name {
		if parseAptSpec(s).glob() {
			return true
		}
	}
	return false
}

// installOp lists what apt-get has to install or upgrade.
func (t *aptTask) installOp(ctx context.Context, n node.Reader) (op, names []string, err error) {
	var want []string
	for _, raw := range t.Name {
		specs := []aptSpec{parseAptSpec(raw)}
		if specs[0].glob() {
			if specs, err = t.expandAvailable(ctx, n, specs[0]); err != nil {
				return nil, nil, err
			}
		}
		for _, s := range specs {
			if t.provided[s.name] {
				continue
			}
			version, ok := t.present(n, s.name)
			if ok && s.fits(version) && (t.State == "present" || s.op == "=") || !ok && t.OnlyUpgrade {
				continue
			}
			arg := s.String()
			if s.op == ">=" {
				arg = t.atLeast(ctx, n, s)
			}
			want, names = append(want, arg), append(names, s.name)
		}
	}
	if len(want) == 0 {
		return nil, nil, nil
	}
	return append([]string{"install"}, want...), names, nil
}

// atLeast picks the newest version on offer that is new enough. Where none is,
// apt-get is asked for the version itself and says so.
func (t *aptTask) atLeast(ctx context.Context, n node.Reader, s aptSpec) string {
	best := s.version
	for _, v := range t.versions(ctx, n, s.name) {
		if compareDebVersions(v, best) >= 0 {
			best = v
		}
	}
	return s.name + "=" + best
}

func (t *aptTask) expandAvailable(ctx context.Context, n node.Reader, s aptSpec) ([]aptSpec, error) {
	prefix := s.name[:strings.IndexAny(s.name, "*?[")]
	all, err := pkgNames(ctx, n, prefix)
	if err != nil {
		return nil, err
	}
	var out []aptSpec
	for _, name := range all {
		if ok, err := path.Match(s.name, name); err == nil && ok {
			out = append(out, aptSpec{name, s.op, s.version})
		}
	}
	if len(out) == 0 && !t.lists.refresh && !t.lists.unknown {
		return nil, fault.New("no package(s) matching '%s' available", s.name).WithHint("update_cache: true refreshes the package lists")
	}
	return out, nil
}

// planMarks tells apt that packages which are here for others are now wanted by
// themselves, so that autoremove keeps them. As in Ansible this is no change.
func (t *aptTask) planMarks() {
	var names []string
	for _, raw := range t.Name {
		s := parseAptSpec(raw)
		if p, ok := t.db.Find(s.name); ok && p.Installed() && t.auto[p.Name] {
			names = append(names, s.name)
		}
	}
	if len(names) == 0 {
		return
	}
	t.plan.Changes = append(t.plan.Changes, module.Change{
		What: "mark as installed by hand: " + strings.Join(names, ", "), Quiet: true,
		Apply: func(ctx context.Context, w node.Writer) error {
			res, err := w.Run(ctx, node.Command{Argv: append([]string{"apt-mark", "manual"}, names...), Env: aptEnv()})
			if err == nil && !res.Unknown && res.RC != 0 {
				err = aptFailure("apt-mark manual", res)
			}
			return err
		},
	})
}

// planAbsent removes what is installed; what is not costs nothing.
func (t *aptTask) planAbsent(ctx context.Context, n node.Reader) error {
	var names, assumed []string
	for _, raw := range t.Name {
		for _, s := range t.expandInstalled(parseAptSpec(raw)) {
			p, found := t.db.Find(s.name)
			state, isAssumed := n.Assumed("package", s.name)
			switch {
			case isAssumed && state == "absent":
			case found && s.op == "=" && !s.fits(p.Version):
			case found && p.State == "config-files" && t.Purge, found && p.State != "config-files" && p.State != "not-installed":
				names = append(names, s.name)
			case isAssumed:
				assumed = append(assumed, s.name)
			}
		}
	}
	if len(assumed) > 0 { // only an earlier step of this check run would have brought them
		t.plan.Changes = append(t.plan.Changes, module.Change{
			What: "remove " + strings.Join(assumed, ", "),
			Apply: func(_ context.Context, w node.Writer) error {
				for _, name := range assumed {
					w.Assume("package", name, "absent")
				}
				return nil
			},
		})
	}
	if len(names) == 0 {
		return nil
	}
	return t.transaction(ctx, n, "remove "+strings.Join(names, ", "), append([]string{"remove"}, names...), nil)
}

func (t *aptTask) expandInstalled(s aptSpec) []aptSpec {
	if !s.glob() {
		return []aptSpec{s}
	}
	var out []aptSpec
	seen := map[string]bool{}
	for _, p := range t.db.order {
		if ok, err := path.Match(s.name, p.Name); err == nil && ok && !seen[p.Name] {
			seen[p.Name] = true
			out = append(out, aptSpec{p.Name, s.op, s.version})
		}
	}
	return out
}
