package modules

import (
	"context"
	"path"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "community.general.modprobe",
		New:  func() any { return &modprobe{State: "present", Persistent: "disabled"} },
	})
}

// modprobe is a kernel module that is loaded or not, now and at boot.
type modprobe struct {
	Name       string `arg:"name,required"`
	State      string `arg:"state" choices:"absent,present"`
	Params     string `arg:"params"`
	Persistent string `arg:"persistent" choices:"disabled,absent,present"`
}

// Validate asks for a name that can be a file's.
func (m *modprobe) Validate() error {
	if m.Name == "" || strings.ContainsAny(m.Name, "/ \n") {
		return fault.New("name: %q is no name of a kernel module", m.Name)
	}
	return nil
}

// Check compares the kernel and the files under /etc.
func (m *modprobe) Check(_ context.Context, n node.Reader) (module.Plan, error) {
	p := module.Plan{Return: map[string]any{"name": m.Name, "params": m.Params, "state": m.State}}
	loaded := m.loaded(n)
	switch {
	case m.State == "present" && !loaded:
		p.Changes = append(p.Changes, m.step("load "+m.Name, append([]string{"modprobe", m.Name}, strings.Fields(m.Params)...)))
	case m.State == "absent" && loaded:
		p.Changes = append(p.Changes, m.step("unload "+m.Name, []string{"modprobe", "-r", m.Name}))
	}
	var err error
	switch m.Persistent {
	case "present":
		err = m.persist(n, &p)
	case "absent":
		err = m.forget(n, &p)
	}
	return p, err
}

func (m *modprobe) step(what string, argv []string) module.Change {
	return module.Change{What: what, Apply: func(ctx context.Context, w node.Writer) error {
		if err := mustRun(ctx, w, node.Command{Argv: argv}); err != nil {
			return err
		}
		w.Assume("module", moduleKey(m.Name), m.State)
		return nil
	}}
}

// moduleKey is the kernel's own spelling.
func moduleKey(name string) string { return strings.ReplaceAll(name, "-", "_") }

func (m *modprobe) loaded(n node.Reader) bool {
	key := moduleKey(m.Name)
	if state, ok := n.Assumed("module", key); ok {
		return state == "present"
	}
	b, _ := n.ReadFile("/proc/modules")
	for _, line := range strings.Split(string(b), "\n") {
		if name, _, _ := strings.Cut(line, " "); name == key {
			return true
		}
	}
	if _, err := n.Stat("/sys/module/" + key); err == nil { // built in, with parameters
		return true
	}
	release, err := n.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return false
	}
	builtin, _ := n.ReadFile("/lib/modules/" + strings.TrimSpace(string(release)) + "/modules.builtin")
	for _, line := range strings.Split(string(builtin), "\n") {
		if file := path.Base(line); moduleKey(strings.TrimSuffix(file, ".ko")) == key && file != line {
			return true
		}
	}
	return false
}

// persist plans the files that load the module at boot, unless others do it already.
func (m *modprobe) persist(n node.Reader, p *module.Plan) error {
	listed, err := m.confLines(n, "/etc/modules-load.d", m.loads)
	if err != nil {
		return err
	}
	if len(listed) == 0 {
		if err := m.write(n, p, "/etc/modules-load.d/"+m.Name+".conf", m.Name+"\n"); err != nil {
			return err
		}
	}
	want := "options " + m.Name + " " + normalSpace(m.Params)
	options, err := m.confLines(n, "/etc/modprobe.d", m.sets)
	if err != nil || m.Params == "" {
		return err
	}
	for _, c := range options {
		if len(c.hits) == 1 && normalSpace(c.lines[c.hits[0]]) == want && len(options) == 1 {
			return nil
		}
	}
	own := "/etc/modprobe.d/" + m.Name + ".conf"
	m.comment(p, options, own)
	return m.write(n, p, own, want+"\n")
}

func (m *modprobe) write(n node.Reader, p *module.Plan, file, text string) error {
	before, exists, err := readText(n, file)
	if err == nil && before != text {
		p.Changes = append(p.Changes, rewriteText(file, before, text, exists, 0o644))
	}
	return err
}

// forget comments out every line that loads the module or sets its options.
func (m *modprobe) forget(n node.Reader, p *module.Plan) error {
	for _, where := range []struct {
		dir   string
		match func(string) bool
	}{{"/etc/modules-load.d", m.loads}, {"/etc/modprobe.d", m.sets}} {
		found, err := m.confLines(n, where.dir, where.match)
		if err != nil {
			return err
		}
		m.comment(p, found, "")
	}
	return nil
}

func (m *modprobe) comment(p *module.Plan, found []confFile, except string) {
	for _, c := range found {
		if c.path == except {
			continue
		}
		lines := append([]string(nil), c.lines...)
		for _, i := range c.hits {
			lines[i] = "#" + lines[i]
		}
		p.Changes = append(p.Changes, rewriteText(c.path, c.text, linesText(lines), true, 0o644))
	}
}

// confFile is a configuration file with the lines that concern the module.
type confFile struct {
	path, text string
	lines      []string
	hits       []int
}

func (m *modprobe) confLines(n node.Reader, dir string, match func(line string) bool) ([]confFile, error) {
	entries, err := n.ReadDir(dir)
	if err != nil {
		return nil, nil // no such directory: nothing is configured
	}
	var out []confFile
	for _, e := range entries {
		if !strings.HasSuffix(e.Path, ".conf") {
			continue
		}
		c := confFile{path: path.Join(dir, path.Base(e.Path))}
		if c.text, _, err = readText(n, c.path); err != nil {
			return nil, err
		}
		c.lines = textLines(c.text)
		for i, line := range c.lines {
			if match(strings.TrimSpace(line)) {
				c.hits = append(c.hits, i)
			}
		}
		if len(c.hits) > 0 {
			out = append(out, c)
		}
	}
	return out, nil
}

func (m *modprobe) loads(line string) bool { return moduleKey(line) == moduleKey(m.Name) }

func (m *modprobe) sets(line string) bool {
	w := strings.Fields(line)
	return len(w) > 2 && w[0] == "options" && moduleKey(w[1]) == moduleKey(m.Name)
}
