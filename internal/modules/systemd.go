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
		Name:    "ansible.builtin.systemd_service",
		Aliases: []string{"ansible.builtin.systemd"},
		New:     func() any { return &systemd{Scope: "system"} },
	})
}

// systemd manages a unit: started or not, at boot or not, masked or not.
type systemd struct {
	Name         string `arg:"name" alias:"service,unit"`
	State        string `arg:"state" choices:"reloaded,restarted,started,stopped"`
	Enabled      *bool  `arg:"enabled"`
	Masked       *bool  `arg:"masked"`
	Force        *bool  `arg:"force"`
	DaemonReload bool   `arg:"daemon_reload" alias:"daemon-reload"`
	DaemonReexec bool   `arg:"daemon_reexec" alias:"daemon-reexec"`
	Scope        string `arg:"scope" choices:"system,user,global"`
	NoBlock      bool   `arg:"no_block"`
}

// Validate asks for something to do, and for a unit to do it with.
func (m *systemd) Validate() error {
	unit := m.State != "" || m.Enabled != nil || m.Masked != nil
	switch {
	case !unit && !m.DaemonReload && !m.DaemonReexec:
		return fault.New("one of the following is required: state, enabled, masked, daemon_reload, daemon_reexec")
	case unit && m.Name == "":
		return fault.New("name is required with state, enabled and masked")
	case strings.ContainsAny(m.Name, "*?["):
		return fault.New("name %q is a pattern", m.Name).WithHint("this module works with exactly one unit: use loop")
	case strings.HasPrefix(m.Name, "-") || strings.ContainsAny(m.Name, " \n"):
		return fault.New("%q is not the name of a unit", m.Name)
	case m.Scope == "global" && m.State != "":
		return fault.New("scope global has no running units: state cannot be set")
	}
	return nil
}

// argv is a call of systemctl in the task's scope.
func (m *systemd) argv(words ...string) []string {
	argv := []string{"systemctl"}
	if m.Scope != "system" && m.Scope != "" {
		argv = append(argv, "--"+m.Scope)
	}
	return append(argv, words...)
}

// unitTask is one run: the unit as it is.
type unitTask struct {
	*systemd
	unit string // with its suffix
	have unitState
	plan module.Plan
	ret  map[string]any
}

// Check plans reexec and reload, then masking, boot and state, as Ansible does.
func (m *systemd) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	t := &unitTask{systemd: m, ret: map[string]any{}}
	t.plan.Return = t.ret
	for _, step := range []struct {
		wanted bool
		word   string
	}{{m.DaemonReexec, "daemon-reexec"}, {m.DaemonReload, "daemon-reload"}} {
		if step.wanted {
			t.plan.Changes = append(t.plan.Changes, t.reload(step.word))
		}
	}
	t.ret["name"], t.ret["status"] = nil, map[string]any{}
	if m.Name == "" {
		return t.plan, nil
	}
	t.ret["name"], t.unit = m.Name, unitName(m.Name)
	have, err := t.query(ctx, n)
	if err != nil {
		return t.plan, err
	}
	t.have = have
	t.ret["status"] = t.have.status
	if err := t.planMask(n); err != nil {
		return t.plan, err
	}
	if m.Enabled != nil {
		if err := t.planEnabled(ctx, n); err != nil {
			return t.plan, err
		}
	}
	if m.State != "" {
		err = t.planState(ctx, n)
	}
	return t.plan, err
}

// reload has systemd read its files anew. What is reported of the unit is what
// they say now, not what systemd knew before.
func (t *unitTask) reload(word string) module.Change {
	c := t.change("systemctl "+word, t.argv(word), nil)
	c.Quiet = true
	run := c.Apply
	c.Apply = func(ctx context.Context, w node.Writer) error {
		if err := run(ctx, w); err != nil || t.unit == "" || w.IsCheck() {
			return err
		}
		have, err := t.show(ctx, w)
		if err == nil && have.found() {
			t.ret["status"] = have.status
		}
		return err
	}
	return c
}

// planMask masks or unmasks. systemd masks units that do not exist, too.
func (t *unitTask) planMask(n node.Reader) error {
	if t.Masked == nil || *t.Masked == t.have.masked() || !*t.Masked && !t.have.found() {
		return nil
	}
	own := unitDirs[0] + "/" + t.unit
	if i, err := n.Lstat(own); *t.Masked && t.Scope == "system" && err == nil && i.IsRegular() {
		return fault.New("unit %s cannot be masked: its own file lies at %s, where the mask would be", t.unit, own).
			WithHint("remove that file, or move it to /usr/local/lib/systemd/system")
	}
	word, state := "mask", "masked"
	if !*t.Masked {
		word, state = "unmask", "disabled"
	}
	t.plan.Changes = append(t.plan.Changes, t.change(word+" "+t.unit, t.argv(word, t.unit), func(w node.Writer) {
		w.Assume("unit-enabled", t.unit, state)
	}))
	return nil
}

func (t *unitTask) planEnabled(ctx context.Context, n node.Reader) error {
	if !t.have.found() {
		return t.missing(ctx, n)
	}
	want := *t.Enabled
	t.ret["enabled"] = want
	unmasking := t.have.masked() && t.Masked != nil && !*t.Masked
	if !unmasking && t.have.bootIs(n, want) {
		return nil
	}
	if want && t.have.masked() && !unmasking {
		return fault.New("unit %s is masked and cannot be enabled", t.unit).WithHint("set masked: false")
	}
	word, state := "disable", "disabled"
	if want {
		word, state = "enable", "enabled"
	}
	words := []string{word}
	if t.Force != nil && *t.Force {
		words = append(words, "--force")
	}
	c := t.change(word+" "+t.unit, t.argv(append(words, t.have.enableName())...), func(w node.Writer) {
		w.Assume("unit-enabled", t.unit, state)
	})
	if unmasking { // what lay below the mask shows only now
		apply := c.Apply
		c.Apply = func(ctx context.Context, w node.Writer) error {
			have, err := t.query(ctx, w)
			if err == nil && have.found() && !have.masked() && have.bootIs(w, want) {
				return module.ErrNoChange
			}
			return apply(ctx, w)
		}
	}
	t.plan.Changes = append(t.plan.Changes, c)
	return nil
}

func (t *unitTask) planState(ctx context.Context, n node.Reader) error {
	if !t.have.found() {
		return t.missing(ctx, n)
	}
	if t.have.offline {
		return fault.New("systemd does not run on this node, so %s cannot be %s", t.unit, t.State).
			WithHint("in a chroot or a container without systemd only enabled and masked can be set")
	}
	word, state := "", "started"
	switch running := t.have.running(); {
	case t.State == "started" && !running, t.State == "restarted" && !running, t.State == "reloaded" && !running:
		word = "start"
	case t.State == "restarted":
		word = "restart"
	case t.State == "reloaded":
		word = "reload"
	case t.State == "stopped":
		state = "stopped"
		if running || t.have.status["ActiveState"] == "deactivating" {
			word = "stop"
		}
	}
	t.ret["state"] = state
	if word == "" {
		return nil
	}
	if word != "stop" && t.have.masked() && (t.Masked == nil || *t.Masked) {
		return fault.New("unit %s is masked and cannot be started", t.unit).WithHint("set masked: false")
	}
	words := []string{word}
	if t.NoBlock {
		words = []string{"--no-block", word}
	}
	what := word + " " + t.unit
	if t.have.guessed != "" {
		what += " (" + t.have.guessed + ")"
	}
	t.plan.Changes = append(t.plan.Changes, t.change(what, t.argv(append(words, t.unit)...), func(w node.Writer) {
		w.Assume("unit", t.unit, state)
	}))
	return nil
}

// change is one call of systemctl.
func (t *unitTask) change(what string, argv []string, assume func(node.Writer)) module.Change {
	return module.Change{What: what, Apply: func(ctx context.Context, w node.Writer) error {
		res, err := w.Run(ctx, node.Command{Argv: argv, Env: systemdEnv()})
		switch {
		case err != nil:
			return err
		case res.Unknown && assume != nil:
			assume(w)
		case res.RC != 0:
			return t.failure(ctx, w, argv, res)
		}
		return nil
	}}
}

// failure repeats systemctl's words, and the unit's own last ones as the hint.
func (t *unitTask) failure(ctx context.Context, n node.Reader, argv []string, res node.Result) error {
	ret := map[string]any{"rc": int64(res.RC)}
	setOutput(ret, res)
	f := &module.Failure{Msg: strings.Join(argv, " ") + ": " + firstLine(cleanText(res.Stderr)), Return: ret}
	text := string(res.Stderr)
	switch {
	case strings.Contains(text, "Failed to connect to bus") && t.Scope == "user":
		f.Hint = "the user has no session: log in once or 'loginctl enable-linger', and set XDG_RUNTIME_DIR=/run/user/UID in environment:"
	case strings.Contains(text, "Interactive authentication required") || strings.Contains(text, "Access denied"):
		f.Hint = "this needs root: set become: true"
	case strings.Contains(text, "not applicable") && t.State == "reloaded":
		f.Hint = "the unit cannot reload: use state: restarted"
	case t.unit != "" && strings.Contains(text, "journalctl"):
		f.Hint = "see 'journalctl -u " + t.unit + "' on the node"
		jargv := []string{"journalctl", "--no-pager", "-o", "cat", "-n", "5", "-u", t.unit}
		if log, err := n.Query(ctx, node.Command{Argv: jargv}); err == nil && log.RC == 0 && len(log.Stdout) > 0 {
			f.Hint += "; its last words: " + strings.Join(strings.Split(strings.TrimSpace(cleanText(log.Stdout)), "\n"), " | ")
		}
	}
	return f
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return s
}

// missing is the error for a unit that is nowhere.
func (t *unitTask) missing(ctx context.Context, n node.Reader) error {
	clear(t.ret)
	//lint:ignore ST1005 the words of Ansible, which playbooks look for
	err := fault.New("Could not find the requested service %s: host", t.Name)
	suffix := path.Ext(t.unit)
	names, qerr := unitFiles(ctx, n, t.argv(), suffix)
	if near := fault.Nearest(strings.TrimSuffix(t.unit, suffix), names); qerr == nil && near != "" {
		return err.WithHint("did you mean %s?", near+suffix)
	}
	return err.WithHint("no unit %s is known to systemd: is its package installed? After adding a unit file set daemon_reload: true", t.unit)
}
