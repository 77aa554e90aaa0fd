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
		Name: "community.general.composer",
		New: func() any {
			return &composer{Command: "install", NoDev: true, OptimizeAutoloader: true}
		},
	})
}

// composer runs one command of PHP's package manager.
type composer struct {
	Command               string `arg:"command"`
	Arguments             string `arg:"arguments"`
	Executable            string `arg:"executable" alias:"php_path"`
	WorkingDir            string `arg:"working_dir"`
	GlobalCommand         bool   `arg:"global_command"`
	PreferSource          bool   `arg:"prefer_source"`
	PreferDist            bool   `arg:"prefer_dist"`
	NoDev                 bool   `arg:"no_dev"`
	NoScripts             bool   `arg:"no_scripts"`
	NoPlugins             bool   `arg:"no_plugins"`
	OptimizeAutoloader    bool   `arg:"optimize_autoloader"`
	ClassmapAuthoritative bool   `arg:"classmap_authoritative"`
	APCuAutoloader        bool   `arg:"apcu_autoloader"`
	IgnorePlatformReqs    bool   `arg:"ignore_platform_reqs"`
	ComposerExecutable    string `arg:"composer_executable"`
}

// Validate refuses what is no command.
func (m *composer) Validate() error {
	switch {
	case strings.ContainsAny(m.Command, " \t"):
		return fault.New("Use the 'arguments' param for passing arguments with the 'command'")
	case m.WorkingDir == "" && !m.GlobalCommand:
		return fault.New("global_command is False but all of the following are missing: working_dir")
	}
	return nil
}

// Check asks the command which options it has, and plans its run. What composer
// says then tells whether anything changed.
func (m *composer) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	p := module.Plan{Return: map[string]any{}}
	argv, err := m.program(n)
	if err != nil {
		return p, err
	}
	help := node.Command{Argv: append(slices.Clone(argv), "help", m.Command, "--no-interaction", "--format=json")}
	res, err := n.Query(ctx, help)
	if err != nil {
		return p, startFailure(err, help)
	}
	if res.RC != 0 {
		return p, commandFailure(help, res)
	}
	extra, err := splitArgv(m.Arguments)
	if err != nil {
		return p, fault.New("arguments: %v", err)
	}
	if m.GlobalCommand {
		argv = append(argv, "global")
	}
	argv = append(argv, m.Command)
	argv = append(argv, m.options(cleanText(res.Stdout))...)
	if dir := expandWord(n, m.WorkingDir); dir != "" {
		argv = append(argv, "--working-dir", dir)
	}
	c := node.Command{Argv: append(argv, extra...)}
	p.Changes = []module.Change{{What: strings.Join(c.Argv, " "), Apply: func(ctx context.Context, w node.Writer) error {
		res, err := w.Run(ctx, c)
		if err != nil {
			return startFailure(err, c)
		}
		if res.Unknown {
			return nil
		}
		fillOutput(p.Return, res)
		said := strings.TrimSpace(cleanText(res.Stdout) + cleanText(res.Stderr))
		p.Return["msg"] = strings.Join(strings.Fields(said), " ")
		if res.RC != 0 {
			return commandFailure(c, res)
		}
		if nothing := "Nothing to "; strings.Contains(said, nothing+"install") || strings.Contains(said, nothing+"update") || strings.Contains(said, nothing+"modify") {
			return module.ErrNoChange
		}
		return nil
	}}}
	return p, nil
}

func (m *composer) program(n node.Reader) ([]string, error) {
	var argv []string
	for _, p := range []struct{ given, name string }{{m.Executable, "php"}, {m.ComposerExecutable, "composer"}} {
		at := p.given
		if at == "" {
			var err error
			if at, err = n.LookPath(p.name); err != nil {
				return nil, notSure(n, fault.New("Failed to find required executable %q in paths: %s", p.name, n.Getenv("PATH")))
			}
		}
		argv = append(argv, at)
	}
	return argv, nil
}

// options are those wanted that the command has.
func (m *composer) options(help string) []string {
	out := []string{"--no-ansi", "--no-interaction", "--no-progress"}
	for _, o := range []struct {
		on   bool
		flag string
	}{
		{m.PreferSource, "prefer-source"}, {m.PreferDist, "prefer-dist"}, {m.NoDev, "no-dev"}, {m.NoScripts, "no-scripts"},
		{m.NoPlugins, "no-plugins"}, {m.OptimizeAutoloader, "optimize-autoloader"}, {m.ClassmapAuthoritative, "classmap-authoritative"},
		{m.APCuAutoloader, "apcu-autoloader"}, {m.IgnorePlatformReqs, "ignore-platform-reqs"},
	} {
		if o.on {
			out = append(out, "--"+o.flag)
		}
	}
	return slices.DeleteFunc(out, func(flag string) bool {
		return flag != "--no-interaction" && !strings.Contains(help, `"`+strings.TrimPrefix(flag, "--")+`"`)
	})
}
