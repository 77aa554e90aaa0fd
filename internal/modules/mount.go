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
		Name: "ansible.posix.mount",
		New:  func() any { return newMount() },
	})
}

// mount is a place in the file system and what stands in fstab for it.
type mount struct {
	Path      string `arg:"path,required" alias:"name"`
	Src       string `arg:"src"`
	FSType    string `arg:"fstype"`
	Opts      string `arg:"opts"`
	OptsNoLog bool   `arg:"opts_no_log"`
	Dump      string `arg:"dump"`
	Passno    string `arg:"passno"`
	State     string `arg:"state,required" choices:"absent,absent_from_fstab,ephemeral,mounted,present,remounted,unmounted"`
	Fstab     string `arg:"fstab"`
	Boot      bool   `arg:"boot"`
	Backup    bool   `arg:"backup"`
}

func newMount() *mount {
	return &mount{Dump: "0", Passno: "0", Fstab: "/etc/fstab", Boot: true}
}

// Validate asks for source and type where something is to be mounted.
func (m *mount) Validate() error {
	switch m.State {
	case "mounted", "present", "ephemeral":
		if m.Src == "" || m.FSType == "" {
			return fault.New("state is %s but src or fstype is missing", m.State)
		}
	}
	if m.State == "mounted" && m.Path == "none" || strings.TrimSpace(m.Path) == "" {
		return fault.New("path: %q is no place to mount", m.Path)
	}
	return nil
}

func (m *mount) entry() fstabEntry {
	opts := m.Opts
	if opts == "" {
		opts = "defaults"
	}
	if !m.Boot && !hasOption(opts, "noauto") {
		opts += ",noauto"
	}
	return fstabEntry{Src: m.Src, Path: m.place(), FSType: m.FSType, Opts: opts, Dump: m.Dump, Passno: m.Passno}
}

// place is path without a slash at its end.
func (m *mount) place() string {
	if p := strings.TrimRight(m.Path, "/"); p != "" {
		return p
	}
	return "/"
}

func hasOption(opts, name string) bool {
	for _, o := range strings.Split(opts, ",") {
		if o == name {
			return true
		}
	}
	return false
}

// Check compares fstab and the kernel's list with the wanted state.
func (m *mount) Check(_ context.Context, n node.Reader) (module.Plan, error) {
	e := m.entry()
	p := module.Plan{Return: map[string]any{
		"name": e.Path, "opts": e.Opts, "dump": e.Dump, "passno": e.Passno, "fstab": m.Fstab,
		"boot": map[bool]string{true: "yes", false: "no"}[m.Boot], "backup_file": "",
	}}
	if m.OptsNoLog {
		delete(p.Return, "opts")
	}
	if m.Src != "" {
		p.Return["src"] = m.Src
	}
	if m.FSType != "" {
		p.Return["fstype"] = m.FSType
	}
	current, err := m.current(n)
	if err != nil {
		return p, err
	}
	switch m.State {
	case "present":
		_, err = m.edit(n, &p, true)
	case "absent_from_fstab":
		_, err = m.edit(n, &p, false)
	case "absent":
		err = m.planAbsent(n, &p, current)
	case "unmounted":
		if current != nil {
			p.Changes = append(p.Changes, m.umount())
		}
	case "remounted":
		if current == nil {
			return p, &module.Failure{Msg: "Error remounting " + e.Path + ": it is not mounted"}
		}
		p.Changes = append(p.Changes, m.remount(e))
	case "mounted":
		err = m.planMounted(n, &p, current, e)
	case "ephemeral":
		err = m.planEphemeral(n, &p, current, e)
	}
	return p, err
}

// current is what is mounted at the place now, the topmost; nil for nothing.
func (m *mount) current(n node.Reader) (*mountEntry, error) {
	if state, ok := n.Assumed("mount", m.place()); ok {
		if state == "unmounted" {
			return nil, nil
		}
		return &mountEntry{Point: m.place(), Source: state}, nil
	}
	b, err := n.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("reading what is mounted: %w", err)
	}
	want := realPath(n, m.place())
	var found *mountEntry
	for _, e := range parseMountinfo(string(b)) {
		if e.Point == m.place() || e.Point == want {
			found = &e
		}
	}
	return found, nil
}

// edit plans the line in fstab, and says whether there is anything to plan.
func (m *mount) edit(n node.Reader, p *module.Plan, present bool) (bool, error) {
	before, exists, err := readText(n, m.Fstab)
	if err != nil {
		return false, err
	}
	after := unsetFstab(before, m.place(), m.Src)
	if present {
		after = setFstab(before, m.entry())
	}
	if after == before {
		return false, nil
	}
	if m.Backup && exists {
		name, step := keepCopy(n, m.Fstab)
		p.Changes, p.Return["backup_file"] = append(p.Changes, step), name
	}
	c := rewriteText(m.Fstab, before, after, exists, 0o644)
	if m.OptsNoLog {
		c.Before, c.After = "", ""
	}
	p.Changes = append(p.Changes, c)
	return true, nil
}

// planAbsent takes the line out, unmounts, and removes the empty directory.
func (m *mount) planAbsent(n node.Reader, p *module.Plan, current *mountEntry) error {
	edited, err := m.edit(n, p, false)
	if err != nil || !edited {
		return err
	}
	if current != nil {
		p.Changes = append(p.Changes, m.umount())
	}
	if info, err := n.Lstat(m.place()); err == nil && info.IsDir() {
		p.Changes = append(p.Changes, module.Change{What: "remove directory " + m.place(),
			Apply: func(_ context.Context, w node.Writer) error { return w.Remove(m.place()) }})
	}
	return nil
}

func (m *mount) planMounted(n node.Reader, p *module.Plan, current *mountEntry, e fstabEntry) error {
	if err := m.planDir(n, p); err != nil {
		return err
	}
	edited, err := m.edit(n, p, true)
	switch {
	case err != nil:
		return err
	case current == nil:
		p.Changes = append(p.Changes, m.mountStep(e, m.fromFstab()))
	case edited:
		p.Changes = append(p.Changes, m.remount(e))
	}
	return nil
}

// planEphemeral mounts without fstab.
func (m *mount) planEphemeral(n node.Reader, p *module.Plan, current *mountEntry, e fstabEntry) error {
	delete(p.Return, "fstab")
	if current != nil {
		if current.Source != m.Src && realPath(n, current.Source) != realPath(n, m.Src) {
			return &module.Failure{Msg: fmt.Sprintf(
				"Ephemeral mount point is already mounted with a different source than the specified one. "+
					"Failing in order to prevent an unwanted unmount or override operation: %s is mounted on %s", current.Source, e.Path)}
		}
		p.Changes = append(p.Changes, m.remount(e))
		return nil
	}
	if err := m.planDir(n, p); err != nil {
		return err
	}
	p.Changes = append(p.Changes, m.mountStep(e, []string{"mount", "-t", e.FSType, "-o", e.Opts, e.Src, e.Path}))
	return nil
}

func (m *mount) planDir(n node.Reader, p *module.Plan) error {
	if info, err := n.Stat(m.place()); err == nil && !info.IsDir() { // bind mounts of files
		return nil
	}
	steps, err := mkdirs(n, m.place(), 0o755)
	p.Changes = append(p.Changes, steps...)
	return err
}

// fromFstab mounts what fstab says, whatever its name.
func (m *mount) fromFstab() []string {
	if m.Fstab != "/etc/fstab" {
		return []string{"mount", "-T", m.Fstab, m.place()}
	}
	return []string{"mount", m.place()}
}

func (m *mount) mountStep(e fstabEntry, argv []string) module.Change {
	return module.Change{What: "mount " + e.Path, Apply: func(ctx context.Context, w node.Writer) error {
		if err := mustRun(ctx, w, node.Command{Argv: argv}); err != nil {
			return fault.Wrap(err, "mounting %s", e.Path)
		}
		w.Assume("mount", e.Path, e.Src)
		return nil
	}}
}

func (m *mount) umount() module.Change {
	return module.Change{What: "unmount " + m.place(), Apply: func(ctx context.Context, w node.Writer) error {
		if err := mustRun(ctx, w, node.Command{Argv: []string{"umount", m.place()}}); err != nil {
			return fault.Wrap(err, "unmounting %s", m.place())
		}
		w.Assume("mount", m.place(), "unmounted")
		return nil
	}}
}

// remount gives a mount its new options. Where the file system cannot change
// them while mounted, it is unmounted and mounted again.
func (m *mount) remount(e fstabEntry) module.Change {
	argv := []string{"mount", "-o", "remount", e.Path}
	switch {
	case m.State == "ephemeral", m.State == "remounted" && m.Opts != "":
		argv = []string{"mount", "-o", "remount," + e.Opts, e.Path}
	case m.Fstab != "/etc/fstab":
		argv = []string{"mount", "-T", m.Fstab, "-o", "remount", e.Path}
	}
	return module.Change{What: "remount " + e.Path, Apply: func(ctx context.Context, w node.Writer) error {
		first := mustRun(ctx, w, node.Command{Argv: argv})
		if first == nil {
			return nil
		}
		again := m.fromFstab()
		if m.State == "ephemeral" {
			again = []string{"mount", "-t", e.FSType, "-o", e.Opts, e.Src, e.Path}
		}
		if err := mustRun(ctx, w, node.Command{Argv: []string{"umount", e.Path}}); err != nil {
			return fault.Wrap(first, "remounting %s", e.Path)
		}
		return fault.Wrap(mustRun(ctx, w, node.Command{Argv: again}), "mounting %s again", e.Path)
	}}
}
