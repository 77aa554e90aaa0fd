package modules

import (
	"context"
	"path"
	"slices"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
	"mageprov/internal/pyre"
)

func init() {
	module.Register(module.Spec{
		Name: "ansible.builtin.pip",
		New:  func() any { return &pip{State: "present", VenvCommand: "virtualenv"} },
	})
}

// pip is Python packages, in a virtual environment or the system's own.
type pip struct {
	Names         []string    `arg:"name"`
	Version       string      `arg:"version"`
	Requirements  string      `arg:"requirements"`
	State         string      `arg:"state" choices:"absent,forcereinstall,latest,present"`
	Virtualenv    string      `arg:"virtualenv"`
	SitePackages  bool        `arg:"virtualenv_site_packages"`
	VenvCommand   string      `arg:"virtualenv_command"`
	VenvPython    string      `arg:"virtualenv_python"`
	ExtraArgs     string      `arg:"extra_args"`
	Editable      bool        `arg:"editable"`
	Chdir         string      `arg:"chdir"`
	Executable    string      `arg:"executable"`
	Umask         module.Mode `arg:"umask"`
	BreakPackages bool        `arg:"break_system_packages"`
}

// Validate refuses what cannot go together.
func (m *pip) Validate() error {
	var names []string
	for _, n := range m.Names { // a comma also stands within one requirement
		switch n = strings.TrimSpace(n); {
		case n == "":
		case strings.ContainsAny(n[:1], "<>=!~") && len(names) > 0:
			names[len(names)-1] += "," + n
		default:
			names = append(names, n)
		}
	}
	m.Names = names
	switch {
	case len(m.Names) == 0 && m.Requirements == "" && m.Virtualenv == "":
		return fault.New("one of the following is required: name, requirements, virtualenv")
	case len(m.Names) > 0 && m.Requirements != "":
		return fault.New("parameters are mutually exclusive: name|requirements")
	case m.Executable != "" && m.Virtualenv != "":
		return fault.New("parameters are mutually exclusive: executable|virtualenv")
	case m.State == "latest" && m.Version != "":
		return fault.New("version is incompatible with state=latest")
	case m.Version != "" && len(m.Names) > 1:
		return fault.New("'version' argument is ambiguous when installing multiple package distributions. Please specify version restrictions next to each package in 'name' argument.")
	}
	for _, n := range m.Names {
		if strings.HasPrefix(n, "-") {
			return fault.New("name does not begin with a dash: %q", n)
		}
	}
	if m.Version != "" && len(m.Names) == 1 && !strings.ContainsAny(m.Names[0], "<>=!~") {
		if !strings.ContainsAny(m.Version[:1], "<>=!~") {
			m.Version = "==" + m.Version
		}
		m.Names[0] += m.Version
	}
	return nil
}

// Check compares with what pip lists.
func (m *pip) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	m.Virtualenv, m.Requirements, m.Chdir = expandWord(n, m.Virtualenv), expandWord(n, m.Requirements), expandWord(n, m.Chdir)
	version := orNull(strings.TrimPrefix(m.Version, "=="))
	p := module.Plan{Return: map[string]any{"name": listOrNull(m.Names), "version": version,
		"requirements": orNull(m.Requirements), "virtualenv": orNull(m.Virtualenv), "state": m.State}}
	made := true
	if m.Virtualenv != "" {
		if _, err := n.Stat(path.Join(m.Virtualenv, "bin/activate")); err != nil {
			made = false
			p.Changes = append(p.Changes, m.makeVenv())
		}
	}
	if len(m.Names) == 0 && m.Requirements == "" {
		return p, nil
	}
	program, err := m.program(n, made)
	if err != nil {
		return p, err
	}
	have := map[string]string{}
	if made {
		if have, err = m.installed(ctx, n, program); err != nil {
			return p, err
		}
	}
	argv, needed := m.command(n, program, have)
	p.Return["cmd"] = anyList(argv)
	if needed {
		p.Changes = append(p.Changes, m.install(argv, p.Return))
	}
	return p, nil
}

// makeVenv plans a new virtual environment.
func (m *pip) makeVenv() module.Change {
	argv := strings.Fields(m.VenvCommand)
	if m.SitePackages {
		argv = append(argv, "--system-site-packages")
	}
	if m.VenvPython != "" {
		argv = append(argv, "-p"+m.VenvPython)
	}
	argv = umasked(m.Umask, append(argv, m.Virtualenv))
	return module.Change{What: "make the virtual environment " + m.Virtualenv, Apply: func(ctx context.Context, w node.Writer) error {
		if err := mustRun(ctx, w, node.Command{Argv: argv, Dir: m.Chdir}); err != nil {
			return err
		}
		if w.IsCheck() {
			return makeAll(ctx, w, m.Virtualenv)
		}
		return nil
	}}
}

// umasked runs a command under a umask, where one is given.
func umasked(umask module.Mode, argv []string) []string {
	if umask == "" {
		return argv
	}
	return append([]string{"sh", "-c", "umask " + shellWord(string(umask)) + ` && exec "$@"`, "sh"}, argv...)
}

// program finds pip.
func (m *pip) program(n node.Reader, made bool) ([]string, error) {
	if m.Virtualenv != "" {
		for _, name := range []string{"pip3", "pip"} {
			at := path.Join(m.Virtualenv, "bin", name)
			if _, err := n.Stat(at); err == nil {
				return []string{at}, nil
			}
		}
		if made {
			return nil, notSure(n, fault.New("Unable to find pip in the virtualenv, %s, under any of these names: pip3, pip. Make sure pip is present in the virtualenv.", m.Virtualenv))
		}
		return []string{path.Join(m.Virtualenv, "bin", "pip")}, nil
	}
	if path.IsAbs(m.Executable) {
		return []string{m.Executable}, nil
	}
	names := []string{"pip3", "pip"}
	if m.Executable != "" {
		names = []string{m.Executable}
	}
	for _, name := range names {
		if at, err := n.LookPath(name); err == nil {
			return []string{at}, nil
		}
	}
	return nil, notSure(n, fault.New("Unable to find any of %s to use.  pip needs to be installed.", strings.Join(names, ", ")))
}

var dashes = pyre.MustCompile(`[-_.]+`)

func pipName(s string) string { return strings.ToLower(dashes.Replace(s, "-")) }

// installed lists packages and their versions by their normal names.
func (m *pip) installed(ctx context.Context, n node.Reader, program []string) (map[string]string, error) {
	c := node.Command{Argv: append(slices.Clone(program), "list", "--format=freeze", "--disable-pip-version-check"), Dir: m.Chdir}
	res, err := n.Query(ctx, c)
	if err != nil {
		return nil, notSure(n, startFailure(err, c))
	}
	if res.RC != 0 {
		return nil, commandFailure(c, res)
	}
	have := map[string]string{}
	for _, line := range strings.Split(cleanText(res.Stdout), "\n") {
		if name, version, ok := strings.Cut(strings.TrimSpace(line), "=="); ok {
			have[pipName(name)] = version
		}
	}
	return have, nil
}

var requirement = pyre.MustCompile(`^([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*((?:(?:[<>=!~]=?|===)[^,;]+(?:,|\Z))*)\Z`)

// command is what pip is asked to do, and whether it needs to.
func (m *pip) command(n node.Reader, program []string, have map[string]string) (argv []string, needed bool) {
	argv = slices.Clone(program)
	if m.State == "absent" {
		argv = append(argv, "uninstall", "-y")
		argv = append(argv, m.extra()...)
		for _, name := range m.Names {
			bare := name
			if g := requirement.Groups(name); g != nil {
				bare = g[1]
			}
			_, is := have[pipName(bare)]
			needed = needed || is
			argv = append(argv, bare)
		}
		if m.Requirements != "" {
			return append(argv, "-r", m.Requirements), true
		}
		return argv, needed
	}
	argv = append(argv, "install")
	switch m.State {
	case "latest":
		argv = append(argv, "-U")
	case "forcereinstall":
		argv = append(argv, "-U", "--force-reinstall")
	}
	if m.BreakPackages {
		argv = append(argv, "--break-system-packages")
	}
	argv = append(argv, m.extra()...)
	if m.Editable {
		argv = append(argv, "-e")
	}
	list := m.Names
	if m.Requirements != "" {
		argv = append(argv, "-r", m.Requirements)
		list = m.requirementLines(n)
	}
	needed = m.State != "present" || m.Editable || list == nil
	for _, r := range list {
		g := requirement.Groups(strings.TrimSpace(r))
		if g == nil {
			needed = true // a path or a URL: pip knows
			continue
		}
		version, is := have[pipName(g[1])]
		needed = needed || !is || !pipSatisfies(version, g[2])
	}
	if m.Requirements == "" {
		argv = append(argv, list...)
	}
	return argv, needed
}

func (m *pip) extra() []string {
	words, err := splitArgv(m.ExtraArgs)
	if err != nil {
		return strings.Fields(m.ExtraArgs)
	}
	return words
}

// requirementLines reads the file; nil where only pip can tell what it means.
func (m *pip) requirementLines(n node.Reader) []string {
	file := m.Requirements
	if !path.IsAbs(file) {
		file = path.Join(m.Chdir, file)
	}
	text, exists, err := readText(n, file)
	if err != nil || !exists {
		return nil
	}
	out := []string{}
	for _, line := range textLines(text) {
		line, _, _ = strings.Cut(line, " #")
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '-' || strings.HasSuffix(line, `\`):
			return nil
		default:
			out = append(out, line)
		}
	}
	return out
}

// install runs pip; what it says tells whether anything changed.
func (m *pip) install(argv []string, ret map[string]any) module.Change {
	c := node.Command{Argv: umasked(m.Umask, argv), Dir: m.Chdir}
	return module.Change{What: strings.Join(argv, " "), Apply: func(ctx context.Context, w node.Writer) error {
		res, err := w.Run(ctx, c)
		if err != nil {
			return startFailure(err, c)
		}
		if res.Unknown {
			return nil
		}
		out := cleanText(res.Stdout)
		ret["stdout"], ret["stderr"] = out, cleanText(res.Stderr)
		ret["stdout_lines"], ret["stderr_lines"] = splitLines(out), splitLines(cleanText(res.Stderr))
		if res.RC != 0 {
			return commandFailure(c, res)
		}
		if !strings.Contains(out, "Successfully installed") && !strings.Contains(out, "Successfully uninstalled") {
			return module.ErrNoChange
		}
		return nil
	}}
}
