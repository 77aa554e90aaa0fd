package modules

import (
	"context"
	"encoding/json"
	"slices"
	"sort"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{Name: "community.general.npm", New: func() any { return &npm{State: "present"} }})
}

// npm is a Node.js package, or all that package.json of a directory asks for.
type npm struct {
	PackageName   string `arg:"name"`
	Path          string `arg:"path"`
	Version       string `arg:"version"`
	Global        bool   `arg:"global"`
	Executable    string `arg:"executable"`
	IgnoreScripts bool   `arg:"ignore_scripts"`
	UnsafePerm    bool   `arg:"unsafe_perm"`
	CI            bool   `arg:"ci"`
	Production    bool   `arg:"production"`
	Registry      string `arg:"registry"`
	NoOptional    bool   `arg:"no_optional"`
	NoBinLinks    bool   `arg:"no_bin_links"`
	Force         bool   `arg:"force"`
	State         string `arg:"state" choices:"present,absent,latest"`
}

// Validate refuses what cannot go together.
func (m *npm) Validate() error {
	switch {
	case m.Path == "" && !m.Global:
		return fault.New("path must be specified when not using global")
	case m.State == "absent" && m.PackageName == "":
		return fault.New("state is absent but all of the following are missing: name")
	case strings.HasPrefix(m.PackageName, "-"):
		return fault.New("name does not begin with a dash: %q", m.PackageName)
	}
	return nil
}

// spec is the package as npm installs it.
func (m *npm) spec() string {
	if m.Version != "" {
		return m.PackageName + "@" + m.Version
	}
	return m.PackageName
}

func (m *npm) command(args ...string) node.Command {
	if m.Global {
		args = append(args, "--global")
	}
	for _, f := range []struct {
		on   bool
		flag string
	}{
		{m.Production, "--production"}, {m.IgnoreScripts, "--ignore-scripts"}, {m.UnsafePerm, "--unsafe-perm"},
		{m.NoOptional, "--no-optional"}, {m.NoBinLinks, "--no-bin-links"}, {m.Force, "--force"},
	} {
		if f.on {
			args = append(args, f.flag)
		}
	}
	if m.Registry != "" {
		args = append(args, "--registry", m.Registry)
	}
	return node.Command{Argv: append([]string{m.Executable}, args...), Dir: m.Path}
}

// npmTree is what npm list and npm outdated print of a package.
type npmTree struct {
	Version      string             `json:"version"`
	Missing      bool               `json:"missing"`
	Invalid      any                `json:"invalid"`
	Dependencies map[string]npmTree `json:"dependencies"`
}

// Check compares with what npm lists.
func (m *npm) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	var p module.Plan
	m.Path = expandWord(n, m.Path)
	if m.Executable == "" {
		at, err := n.LookPath("npm")
		if err != nil {
			return p, notSure(n, fault.New("Failed to find required executable \"npm\" in paths: %s", n.Getenv("PATH")).WithHint("install npm before"))
		}
		m.Executable = at
	}
	newDir := false
	if m.Path != "" {
		i, err := statOrNil(n, m.Path)
		if err != nil {
			return p, err
		}
		if newDir = i == nil; newDir && m.State == "present" {
			if p.Changes, err = mkdirs(n, m.Path, 0o777&^n.Umask()); err != nil {
				return p, err
			}
		}
	}
	var tree npmTree
	if !newDir {
		if err := m.ask(ctx, n, &tree, "list", "--json", "--long"); err != nil {
			return p, err
		}
	}
	argv, err := m.needed(ctx, n, tree)
	if err != nil || argv == nil {
		return p, err
	}
	c := m.command(argv...)
	p.Changes = append(p.Changes, module.Change{What: strings.Join(append([]string{"npm"}, c.Argv[1:]...), " "),
		Apply: func(ctx context.Context, w node.Writer) error { return mustRun(ctx, w, c) }})
	return p, nil
}

// ask reads JSON. npm ends with a failure where something is missing, which is an answer.
func (m *npm) ask(ctx context.Context, n node.Reader, v any, args ...string) error {
	c := m.command(args...)
	res, err := n.Query(ctx, c)
	if err != nil {
		return startFailure(err, c)
	}
	if len(res.Stdout) == 0 && res.RC == 0 {
		return nil
	}
	if err := json.Unmarshal(res.Stdout, v); err != nil {
		if res.RC != 0 {
			return commandFailure(c, res)
		}
		return fault.Wrap(err, "reading what npm %s says", args[0])
	}
	return nil
}

// needed gives the arguments that bring about the state; nil: it is so.
func (m *npm) needed(ctx context.Context, n node.Reader, tree npmTree) ([]string, error) {
	if m.PackageName == "" {
		return m.all(ctx, n, tree)
	}
	have, is := tree.Dependencies[m.PackageName]
	is = is && !have.Missing
	switch {
	case m.State == "absent" && is:
		return []string{"uninstall", m.PackageName}, nil
	case m.State == "absent":
		return nil, nil
	case !is, m.Version != "" && have.Version != strings.TrimPrefix(m.Version, "v"):
		return []string{"install", m.spec()}, nil
	case m.State == "latest":
		old, err := m.outdated(ctx, n)
		if err != nil || !slices.Contains(old, m.PackageName) {
			return nil, err
		}
		return []string{"install", m.PackageName + "@latest"}, nil
	}
	return nil, nil
}

// all is about every dependency of package.json.
func (m *npm) all(ctx context.Context, n node.Reader, tree npmTree) ([]string, error) {
	verb := "install"
	if m.CI {
		verb = "ci"
	}
	missing := false
	for _, d := range tree.Dependencies {
		missing = missing || d.Missing || d.Invalid != nil && d.Invalid != false && d.Invalid != ""
	}
	if _, err := n.Stat(m.Path + "/node_modules"); err != nil && len(tree.Dependencies) == 0 {
		_, err := n.Stat(m.Path + "/package.json")
		missing = missing || err != nil
	}
	if missing {
		return []string{verb}, nil
	}
	if m.State == "latest" {
		old, err := m.outdated(ctx, n)
		if err != nil || len(old) == 0 {
			return nil, err
		}
		return []string{"update"}, nil
	}
	return nil, nil
}

func (m *npm) outdated(ctx context.Context, n node.Reader) ([]string, error) {
	var found map[string]json.RawMessage
	if err := m.ask(ctx, n, &found, "outdated", "--json"); err != nil {
		return nil, err
	}
	names := make([]string, 0, len(found))
	for name := range found {
		names = append(names, name)
	}
	sort.Strings(names)
	return names, nil
}
