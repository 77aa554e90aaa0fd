package modules

import (
	"context"
	"slices"
	"sort"
	"strconv"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{Name: "community.general.make", New: func() any { return &makeTarget{} }})
}

// makeTarget is a target of a makefile that is up to date.
type makeTarget struct {
	Chdir   string         `arg:"chdir,required"`
	Target  string         `arg:"target"`
	Targets []string       `arg:"targets"`
	Params  map[string]any `arg:"params"`
	File    string         `arg:"file"`
	Jobs    *int           `arg:"jobs"`
	Make    string         `arg:"make"`
}

// Validate refuses what cannot go together.
func (m *makeTarget) Validate() error {
	if m.Target != "" && len(m.Targets) > 0 {
		return fault.New("parameters are mutually exclusive: target|targets")
	}
	return nil
}

// Check asks make whether there is anything to do.
func (m *makeTarget) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	program := m.Make
	if program == "" {
		for _, name := range []string{"gmake", "make"} {
			if at, err := n.LookPath(name); err == nil {
				program = at
				break
			}
		}
	}
	if program == "" {
		return module.Plan{}, notSure(n, fault.New("Failed to find required executable \"make\" in paths: %s", n.Getenv("PATH")))
	}
	dir := expandWord(n, m.Chdir)
	argv := m.argv(program)
	p := module.Plan{Return: map[string]any{"chdir": m.Chdir, "command": strings.Join(argv, " "), "file": orNull(m.File),
		"target": orNull(m.Target), "targets": listOrNull(m.Targets), "params": nil, "jobs": nil}}
	if m.Params != nil {
		p.Return["params"] = m.Params
	}
	if m.Jobs != nil {
		p.Return["jobs"] = *m.Jobs
	}
	if i, err := statOrNil(n, dir); err != nil || i == nil || !i.IsDir() {
		return p, notSure(n, fault.New("there is no directory %s", dir))
	}
	c := node.Command{Argv: append(slices.Clone(argv), "-q"), Dir: dir}
	res, err := n.Query(ctx, c)
	if err != nil {
		return p, startFailure(err, c)
	}
	if res.RC == 0 {
		fillOutput(p.Return, res)
		return p, nil
	}
	p.Changes = []module.Change{{What: strings.Join(argv, " "), Apply: func(ctx context.Context, w node.Writer) error {
		c := node.Command{Argv: argv, Dir: dir}
		res, err := w.Run(ctx, c)
		if err != nil {
			return startFailure(err, c)
		}
		if res.Unknown {
			return nil
		}
		fillOutput(p.Return, res)
		if res.RC != 0 {
			return commandFailure(c, res)
		}
		return nil
	}}}
	return p, nil
}

// fillOutput adds what a program said.
func fillOutput(ret map[string]any, res node.Result) {
	for name, b := range map[string][]byte{"stdout": res.Stdout, "stderr": res.Stderr} {
		s := strings.TrimRight(cleanText(b), "\r\n")
		ret[name], ret[name+"_lines"] = s, splitLines(s)
	}
}

func (m *makeTarget) argv(program string) []string {
	argv := []string{program}
	if m.Jobs != nil {
		argv = append(argv, "-j", strconv.Itoa(*m.Jobs))
	}
	if m.File != "" {
		argv = append(argv, "-f", m.File)
	}
	if m.Target != "" {
		argv = append(argv, m.Target)
	}
	argv = append(argv, m.Targets...)
	names := make([]string, 0, len(m.Params))
	for name := range m.Params {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if v := m.Params[name]; v == nil {
			argv = append(argv, name)
		} else {
			argv = append(argv, name+"="+module.Text(v))
		}
	}
	return argv
}
