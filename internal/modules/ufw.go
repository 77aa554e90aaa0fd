package modules

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "community.general.ufw",
		New:  func() any { return &ufw{FromIP: "any", ToIP: "any", InsertRelativeTo: "zero"} },
	})
}

// ufw is the state of the uncomplicated firewall, and one rule of it.
type ufw struct {
	State            string `arg:"state" choices:"disabled,enabled,reloaded,reset"`
	Logging          string `arg:"logging" choices:"on,off,low,medium,high,full"`
	Default          string `arg:"default" alias:"policy" choices:"allow,deny,reject"`
	Rule             string `arg:"rule" choices:"allow,deny,limit,reject"`
	Direction        string `arg:"direction" choices:"in,incoming,out,outgoing,routed"`
	Delete           bool   `arg:"delete"`
	Route            bool   `arg:"route"`
	Insert           *int   `arg:"insert"`
	InsertRelativeTo string `arg:"insert_relative_to" choices:"first-ipv4,first-ipv6,last-ipv4,last-ipv6,zero"`
	Interface        string `arg:"interface" alias:"if"`
	InterfaceIn      string `arg:"interface_in" alias:"if_in"`
	InterfaceOut     string `arg:"interface_out" alias:"if_out"`
	Log              bool   `arg:"log"`
	FromIP           string `arg:"from_ip" alias:"from,src"`
	FromPort         string `arg:"from_port"`
	ToIP             string `arg:"to_ip" alias:"dest,to"`
	ToPort           string `arg:"to_port" alias:"port"`
	Proto            string `arg:"proto" alias:"protocol" choices:"any,tcp,udp,ipv6,esp,ah,gre,igmp"`
	Profile          string `arg:"name" alias:"app"`
	Comment          string `arg:"comment"`
}

// Validate refuses what cannot go together, in Ansible's words.
func (m *ufw) Validate() error {
	given := 0
	for _, v := range []string{m.Profile, m.Proto, m.Logging} {
		if v != "" {
			given++
		}
	}
	switch in, out := m.InterfaceIn != "", m.InterfaceOut != ""; {
	case m.State+m.Default+m.Rule+m.Logging == "":
		return fault.New("one of the following is required: state, default, rule, logging")
	case given > 1:
		return fault.New("parameters are mutually exclusive: name|proto|logging")
	case m.Direction != "" && (in || out), m.Interface != "" && (in || out):
		return fault.New("parameters are mutually exclusive: direction|interface_in, direction|interface_out, interface|interface_in, interface|interface_out")
	case m.Interface != "" && m.Direction == "":
		return fault.New("missing parameter(s) required by 'interface': direction")
	case m.Rule != "" && in && out && !m.Route:
		return fault.New("Only route rules can combine interface_in and interface_out")
	case m.Rule != "" && m.Direction != "" && m.Direction != "in" && m.Direction != "out":
		return fault.New("For rules, direction must be one of \"in\" and \"out\", or direction must not be specified.")
	case m.Default != "" && (m.Direction == "in" || m.Direction == "out"):
		return fault.New("For default, direction must be one of \"outgoing\", \"incoming\" and \"routed\", or direction must not be specified.")
	}
	return nil
}

// Check compares ufw's status, its settings and its rules, in the order in
// which Ansible gives the commands.
func (m *ufw) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	p := module.Plan{Return: map[string]any{}}
	if _, err := n.LookPath("ufw"); err != nil {
		return p, notSure(n, fault.New("Failed to find required executable \"ufw\" in paths: %s", n.Getenv("PATH")).
			WithHint("install the package ufw before"))
	}
	f := &firewall{m: m}
	status, err := f.query(ctx, n, "status", "verbose")
	if err != nil {
		return p, err
	}
	f.active = strings.Contains(status, "Status: active")
	if state, ok := n.Assumed("ufw", "active"); ok {
		f.active = state == "yes"
	}
	_, f.reset = n.Assumed("ufw", "reset")
	for _, plan := range []func(context.Context, node.Reader) error{f.state, f.logging, f.policy, f.rule} {
		if err := plan(ctx, n); err != nil {
			return p, err
		}
	}
	p.Changes = f.changes
	p.Return["commands"] = f.commands
	p.Return["msg"] = strings.TrimRight(status, " \n")
	if len(p.Changes) > 0 {
		delete(p.Return, "msg")
		p.After = func(ctx context.Context, n node.Reader, ret map[string]any) error {
			if n.IsCheck() {
				return nil
			}
			out, err := f.query(ctx, n, "status", "verbose")
			ret["msg"] = strings.TrimRight(out, " \n")
			return err
		}
	}
	return p, nil
}

// firewall is ufw as one task finds it.
type firewall struct {
	m             *ufw
	active, reset bool
	changes       []module.Change
	commands      []any
}

func (f *firewall) query(ctx context.Context, n node.Reader, args ...string) (string, error) {
	c := node.Command{Argv: append([]string{"ufw"}, args...), Env: map[string]string{"LANG": "C", "LC_ALL": "C"}}
	f.commands = append(f.commands, strings.Join(c.Argv, " "))
	res, err := n.Query(ctx, c)
	if err != nil {
		return "", startFailure(err, c)
	}
	if res.RC != 0 {
		return "", commandFailure(c, res)
	}
	return cleanText(res.Stdout), nil
}

// change plans one command of ufw; assume tells check mode what it brings.
func (f *firewall) change(what string, assume func(w node.Writer), args ...string) *module.Change {
	c := node.Command{Argv: append([]string{"ufw"}, args...), Env: map[string]string{"LANG": "C", "LC_ALL": "C"}}
	f.commands = append(f.commands, strings.Join(c.Argv, " "))
	f.changes = append(f.changes, module.Change{What: what, Apply: func(ctx context.Context, w node.Writer) error {
		if err := mustRun(ctx, w, c); err != nil {
			return err
		}
		if assume != nil {
			assume(w)
		}
		return nil
	}})
	return &f.changes[len(f.changes)-1]
}

func (f *firewall) state(context.Context, node.Reader) error {
	active := func(state string) func(node.Writer) {
		return func(w node.Writer) { w.Assume("ufw", "active", state) }
	}
	switch f.m.State {
	case "enabled":
		if !f.active {
			f.change("enable the firewall", active("yes"), "-f", "enable")
		}
	case "disabled":
		if f.active {
			f.change("disable the firewall", active("no"), "-f", "disable")
		}
	case "reloaded":
		f.change("reload the firewall", nil, "-f", "reload")
	case "reset":
		f.change("reset the firewall", func(w node.Writer) {
			w.Assume("ufw", "active", "no")
			w.Assume("ufw", "reset", "yes")
		}, "-f", "reset")
		f.reset = true
	}
	return nil
}

// setting reads NAME=value of one of ufw's files.
func setting(n node.Reader, file, name string) (string, error) {
	text, _, err := readText(n, file)
	if err != nil {
		return "", err
	}
	value := ""
	for _, line := range textLines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok && strings.EqualFold(k, name) {
			value = strings.ToLower(strings.Trim(v, `"' `))
		}
	}
	return value, nil
}

func (f *firewall) logging(_ context.Context, n node.Reader) error {
	if f.m.Logging == "" {
		return nil
	}
	have, err := setting(n, "/etc/ufw/ufw.conf", "LOGLEVEL")
	if err != nil {
		return err
	}
	if state, ok := n.Assumed("ufw", "logging"); ok {
		have = state
	}
	if want := f.m.Logging; have != want && (want != "on" || have == "off" || have == "") {
		c := f.change("set logging to "+want, func(w node.Writer) { w.Assume("ufw", "logging", want) }, "logging", want)
		c.Before, c.After = have+"\n", want+"\n"
	}
	return nil
}

func (f *firewall) policy(_ context.Context, n node.Reader) error {
	if f.m.Default == "" {
		return nil
	}
	direction := f.m.Direction
	if direction == "" {
		direction = "incoming"
	}
	name := map[string]string{"incoming": "INPUT", "outgoing": "OUTPUT", "routed": "FORWARD"}[direction]
	have, err := setting(n, "/etc/default/ufw", "DEFAULT_"+name+"_POLICY")
	if err != nil {
		return err
	}
	have = map[string]string{"accept": "allow", "drop": "deny", "reject": "reject"}[have]
	if state, ok := n.Assumed("ufw", direction); ok {
		have = state
	}
	if have == f.m.Default {
		return nil
	}
	args := []string{"default", f.m.Default}
	if f.m.Direction != "" {
		args = append(args, direction)
	}
	c := f.change("set the default for "+direction+" to "+f.m.Default,
		func(w node.Writer) { w.Assume("ufw", direction, f.m.Default) }, args...)
	c.Before, c.After = have+"\n", f.m.Default+"\n"
	return nil
}

// rule asks ufw itself: a dry run prints the rules as they would be.
func (f *firewall) rule(ctx context.Context, n node.Reader) error {
	if f.m.Rule == "" {
		return nil
	}
	words, err := f.words(ctx, n)
	if err != nil {
		return err
	}
	what := strings.Join(words, " ")
	out, err := f.query(ctx, n, append([]string{"--dry-run"}, words...)...)
	f.commands = f.commands[:len(f.commands)-1]
	if err != nil {
		return notSure(n, err)
	}
	changed := f.reset && !f.m.Delete
	if !changed && (!f.reset || !f.m.Delete) {
		if changed, err = wouldChange(n, out); err != nil {
			return err
		}
	}
	if changed {
		f.change("ufw "+what, nil, words...)
	}
	return nil
}

// wouldChange compares the rules of a dry run with those in ufw's files. A
// family that the dry run leaves out stays as it is.
func wouldChange(n node.Reader, dryRun string) (bool, error) {
	var would [2][]string
	var shown [2]bool
	family := -1
	for _, line := range strings.Split(dryRun, "\n") {
		switch {
		case strings.HasPrefix(line, ":ufw-user-input"):
			family, shown[0] = 0, true
		case strings.HasPrefix(line, ":ufw6-user-input"):
			family, shown[1] = 1, true
		case strings.HasPrefix(line, "### tuple ###") && family >= 0:
			would[family] = append(would[family], line)
		}
	}
	for i, file := range []string{"user.rules", "user6.rules"} {
		if !shown[i] {
			continue
		}
		var have []string
		for _, dir := range []string{"/etc/ufw/", "/lib/ufw/", "/var/lib/ufw/"} {
			text, exists, err := readText(n, dir+file)
			if err != nil {
				return false, err
			}
			for _, line := range textLines(text) {
				if strings.HasPrefix(line, "### tuple ###") {
					have = append(have, line)
				}
			}
			if exists {
				break
			}
		}
		if !slices.Equal(have, would[i]) {
			return true, nil
		}
	}
	return false, nil
}

// words are the rule as ufw takes it.
func (f *firewall) words(ctx context.Context, n node.Reader) ([]string, error) {
	m := f.m
	var w []string
	if m.Route {
		w = append(w, "route")
	}
	if m.Delete {
		w = append(w, "delete")
	} else if m.Insert != nil {
		at, err := f.position(ctx, n)
		if err != nil {
			return nil, err
		}
		if at > 0 {
			w = append(w, "insert", strconv.Itoa(at))
		}
	}
	w = append(w, m.Rule)
	pair := func(word, value string) {
		if value != "" {
			w = append(w, word, value)
		}
	}
	if m.Direction != "" {
		w = append(w, m.Direction)
	}
	pair("on", m.Interface)
	if m.InterfaceIn != "" {
		w = append(w, "in", "on", m.InterfaceIn)
	}
	if m.InterfaceOut != "" {
		w = append(w, "out", "on", m.InterfaceOut)
	}
	if m.Log {
		w = append(w, "log")
	}
	pair("from", m.FromIP)
	pair("port", m.FromPort)
	pair("to", m.ToIP)
	pair("port", m.ToPort)
	pair("proto", m.Proto)
	pair("app", m.Profile)
	if !m.Delete {
		pair("comment", m.Comment)
	}
	return w, nil
}

// position is where the rule is inserted; 0: at the end.
func (f *firewall) position(ctx context.Context, n node.Reader) (int, error) {
	at := *f.m.Insert
	if f.m.InsertRelativeTo == "zero" {
		return at, nil
	}
	out, err := f.query(ctx, n, "status", "numbered")
	if err != nil {
		return 0, err
	}
	v4, v6 := 0, 0
	for _, line := range strings.Split(out, "\n") {
		switch {
		case !strings.HasPrefix(line, "["):
		case strings.Contains(line, "(v6)"):
			v6++
		default:
			v4++
		}
	}
	switch f.m.InsertRelativeTo {
	case "first-ipv4":
		at++
	case "last-ipv4":
		at += max(v4, 1)
	case "first-ipv6":
		at += v4 + 1
	case "last-ipv6":
		at += v4 + max(v6, 1)
	}
	if at > v4+v6 {
		return 0, nil
	}
	return max(at, 1), nil
}
