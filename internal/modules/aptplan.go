package modules

import (
	"context"
	"path"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
	"mageprov/internal/pyre"
)

// operation gives apt-get's operation and packages, and the names that will be
// there afterwards; nil when nothing is to do. It is asked again when the
// package lists have been refreshed.
type operation func(ctx context.Context, n node.Reader) (op, names []string, err error)

func (t *aptTask) transaction(ctx context.Context, n node.Reader, what string, op, names []string) error {
	return t.transact(ctx, n, what, func(context.Context, node.Reader) ([]string, []string, error) { return op, names, nil })
}

// transact plans one run of apt-get, if apt-get itself says that it would do something.
func (t *aptTask) transact(ctx context.Context, n node.Reader, what string, build operation) error {
	op, sim, out, err := t.simulate(ctx, n, build)
	if err != nil {
		return err
	}
	if sim != nil && sim.empty() && !t.lists.refresh {
		if op != nil && t.State != "latest" {
			setOutput(t.ret, out)
			if t.Upgrade != nil {
				t.ret["msg"] = t.ret["stdout"]
			}
		}
		return nil
	}
	c := module.Change{What: what}
	if sim != nil {
		c.Before, c.After = sim.diff()
	}
	c.Apply = func(ctx context.Context, w node.Writer) error {
		if t.lists.refresh {
			if op, sim, out, err = t.simulate(ctx, w, build); err != nil {
				return err
			}
			if sim != nil && sim.empty() {
				return module.ErrNoChange
			}
		}
		res, err := t.run(ctx, w, op)
		if err != nil {
			return err
		}
		if res.Unknown {
			setOutput(t.ret, out)
			t.assume(ctx, w, sim, build)
		}
		if t.Upgrade != nil {
			t.ret["msg"] = t.ret["stdout"]
		}
		return nil
	}
	t.plan.Changes = append(t.plan.Changes, c)
	return nil
}

func (t *aptTask) assume(ctx context.Context, w node.Writer, sim *aptSim, build operation) {
	if sim != nil {
		sim.assume(w)
		return
	}
	_, names, _ := build(ctx, w)
	for _, name := range names {
		assumePackage(w, name, "")
	}
}

// simulate asks apt-get -s. A nil sim means that it cannot be known: the lists
// on the node lack what is asked for, but they are not those that would be used.
func (t *aptTask) simulate(ctx context.Context, n node.Reader, build operation) ([]string, *aptSim, node.Result, error) {
	for try := 0; ; try++ {
		op, _, err := build(ctx, n)
		if err != nil || op == nil {
			return op, &aptSim{}, node.Result{}, err
		}
		res, err := t.query(ctx, n, op)
		if err != nil {
			return op, nil, res, err
		}
		if res.RC == 0 {
			sim := parseAptSim(string(res.Stdout))
			return op, &sim, res, nil
		}
		if try == 0 && t.dropProvided(string(res.Stderr)) {
			continue
		}
		if (t.lists.refresh || t.lists.unknown) && missingFromLists(string(res.Stderr)) {
			return op, nil, res, nil
		}
		return op, nil, res, t.explain(ctx, n, op, res)
	}
}

var (
	noCandidate = pyre.MustCompile(`(?m)^E: Package '([^']+)' has no installation candidate`)
	notLocated  = pyre.MustCompile(`(?m)^E: (?:Unable to locate package|Unable to find a source package for) (\S+)`)
	noRelease   = pyre.MustCompile(`(?m)^E: Release '([^']+)' for '([^']+)' was not found`)
	noVersion   = pyre.MustCompile(`(?m)^E: Version '([^']+)' for '([^']+)' was not found`)
)

// dropProvided takes purely virtual names that an installed package provides
// off the list, and says whether there were any.
func (t *aptTask) dropProvided(stderr string) bool {
	dropped := false
	for _, m := range noCandidate.AllGroups(stderr) {
		if len(t.db.Providers(m[1])) > 0 {
			if t.provided == nil {
				t.provided = map[string]bool{}
			}
			t.provided[m[1]], dropped = true, true
		}
	}
	return dropped
}

func missingFromLists(stderr string) bool {
	return noCandidate.MatchString(stderr) || notLocated.MatchString(stderr) || noVersion.MatchString(stderr) ||
		strings.Contains(stderr, "is invalid for APT::Default-Release") || noRelease.MatchString(stderr) || strings.Contains(stderr, "Couldn't find any package by")
}

// explain turns apt-get's refusal into an error with the next step.
func (t *aptTask) explain(ctx context.Context, n node.Reader, op []string, res node.Result) error {
	stderr := string(res.Stderr)
	fail := &module.Failure{Return: map[string]any{}}
	if listsPrint(n) == "" && missingFromLists(stderr) {
		fail.Hint = "the node has no package lists yet: set update_cache: true"
	}
	switch {
	case notLocated.MatchString(stderr):
		name := notLocated.Groups(stderr)[1]
		fail.Msg = "No package matching '" + name + "' is available"
		delete(t.ret, "cache_updated")
		delete(t.ret, "cache_update_time")
		if fail.Hint == "" {
			fail.Hint = t.nearestPackage(ctx, n, name)
		}
	case noVersion.MatchString(stderr):
		m := noVersion.Groups(stderr)
		fail.Msg = "no available installation candidate for " + m[2] + "=" + m[1]
		if vs := t.versions(ctx, n, m[2]); len(vs) > 0 && fail.Hint == "" {
			fail.Hint = "available: " + strings.Join(vs, ", ")
		}
	default:
		fail.Return["rc"] = int64(res.RC)
		setOutput(fail.Return, res)
		e := aptFailure("apt-get "+strings.Join(op, " ")+" failed", res).(*module.Failure)
		if fail.Hint == "" {
			fail.Hint = e.Hint
		}
		fail.Msg = e.Msg
		if _, unmet, ok := strings.Cut(string(res.Stdout), "unmet dependencies:\n"); ok {
			words := strings.Join(strings.Fields(unmet), " ")
			if len(words) > 300 {
				words = words[:300] + "..."
			}
			fail.Hint = strings.TrimPrefix(fail.Hint+": "+words, ": ")
		}
		if m := noCandidate.Groups(stderr); m != nil && strings.Contains(string(res.Stdout), "virtual package") {
			fail.Hint = m[1] + " is a virtual package: name one of those that provide it"
		}
	}
	return fail
}

// nearestPackage looks for a slip of the pen among names that begin alike.
func (t *aptTask) nearestPackage(ctx context.Context, n node.Reader, name string) string {
	const refresh = "if it is new in the repository, set update_cache: true"
	names, err := pkgNames(ctx, n, name[:min(2, len(name))])
	if near := fault.Nearest(name, names); err == nil && near != "" {
		return "did you mean " + near + "? " + refresh
	}
	return refresh
}

// pkgNames lists the packages of the lists that begin with prefix.
func pkgNames(ctx context.Context, n node.Reader, prefix string) ([]string, error) {
	argv := []string{"apt-cache", "pkgnames"}
	if prefix != "" {
		argv = append(argv, prefix)
	}
	res, err := n.Query(ctx, node.Command{Argv: argv, Env: aptEnv()})
	if err != nil {
		return nil, err
	}
	return strings.Fields(string(res.Stdout)), nil
}

// versions lists what the lists offer of a package, newest first.
func (t *aptTask) versions(ctx context.Context, n node.Reader, name string) []string {
	res, err := n.Query(ctx, node.Command{Argv: []string{"apt-cache", "madison", name}, Env: aptEnv()})
	if err != nil {
		return nil
	}
	var vs []string
	seen := map[string]bool{}
	for _, line := range strings.Split(string(res.Stdout), "\n") {
		if f := strings.Split(line, "|"); len(f) == 3 && !strings.HasSuffix(strings.TrimSpace(f[2]), "Sources") {
			if v := strings.TrimSpace(f[1]); !seen[v] {
				seen[v] = true
				vs = append(vs, v)
			}
		}
	}
	return vs
}

// aptSpec is a wanted package: name, name=1.2*, name>=1.2, name/release.
type aptSpec struct{ name, op, version string }

var aptSpecPattern = pyre.MustCompile(`^([^<>=/]+)(>=|=|/)(.+)\Z`)

func parseAptSpec(s string) aptSpec {
	if m := aptSpecPattern.Groups(s); m != nil {
		return aptSpec{strings.TrimSpace(m[1]), m[2], strings.TrimSpace(m[3])}
	}
	return aptSpec{name: s}
}

func (s aptSpec) String() string { return s.name + s.op + s.version }

// glob says that the name is a pattern: apt's own names hold none of these letters.
func (s aptSpec) glob() bool { return strings.ContainsAny(s.name, "*?[") }

// fits says whether an installed version is what is asked for. A version that
// is not known (check mode) fits.
func (s aptSpec) fits(version string) bool {
	switch {
	case version == "" || s.op == "" || s.op == "/":
		return true
	case s.op == ">=":
		return compareDebVersions(version, s.version) >= 0
	}
	ok, err := path.Match(s.version, version)
	return ok && err == nil || version == s.version
}
