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
		Name: "community.general.capabilities",
		New:  func() any { return &capabilities{State: "present"} },
	})
}

// capabilities gives a program privileges of its own.
type capabilities struct {
	Path       string `arg:"path,required" alias:"key"`
	Capability string `arg:"capability,required" alias:"cap"`
	State      string `arg:"state" choices:"absent,present"`
}

// Validate demands names, and for present an operator.
func (m *capabilities) Validate() error {
	names, op, flags := m.parse()
	switch {
	case op == 0 && m.State == "present":
		return fault.New("Couldn't find operator (one of: ('=', '-', '+'))").WithHint("such as %s+ep", m.Capability)
	case strings.Trim(flags, "eip") != "":
		return fault.New("capability %s: the flags are e, i and p", m.Capability)
	}
	for _, name := range names {
		if !strings.HasPrefix(name, "cap_") {
			return fault.New("capability %s: %q is no name of a capability", m.Capability, name).WithHint("such as cap_net_bind_service+ep")
		}
	}
	return nil
}

// parse takes "cap_a,cap_b+ep" apart; op is 0 where there is none.
func (m *capabilities) parse() (names []string, op byte, flags string) {
	list := strings.ToLower(strings.TrimSpace(m.Capability))
	if i := strings.IndexAny(list, "=-+"); i >= 0 {
		list, op, flags = list[:i], list[i], list[i+1:]
	}
	return strings.Split(list, ","), op, flags
}

// fileCap is one capability of a file with its flags, in the order e, i, p.
type fileCap struct{ name, flags string }

// parseCaps reads what getcap prints behind the path: "cap_a,cap_b=ep cap_c+p".
func parseCaps(text string) []fileCap {
	var out []fileCap
	for _, clause := range strings.Fields(text) {
		i := strings.IndexAny(clause, "=-+")
		if i <= 0 {
			continue // an equals sign of its own: older versions put one first
		}
		for _, name := range strings.Split(clause[:i], ",") {
			out = setCap(out, name, clause[i], clause[i+1:])
		}
	}
	return out
}

// setCap applies an operator to one capability. One without flags is none.
func setCap(caps []fileCap, name string, op byte, flags string) []fileCap {
	at := slices.IndexFunc(caps, func(c fileCap) bool { return c.name == name })
	have := ""
	if at >= 0 {
		have = caps[at].flags
	}
	now := ""
	for _, f := range "eip" {
		given := strings.ContainsRune(flags, f)
		if op == '=' && given || op == '+' && (given || strings.ContainsRune(have, f)) || op == '-' && !given && strings.ContainsRune(have, f) {
			now += string(f)
		}
	}
	caps = slices.Clone(caps)
	switch {
	case at >= 0 && now == "":
		return slices.Delete(caps, at, at+1)
	case at >= 0:
		caps[at].flags = now
	case now != "":
		caps = append(caps, fileCap{name, now})
	}
	return caps
}

func capsText(caps []fileCap) string {
	words := make([]string, len(caps))
	for i, c := range caps {
		words[i] = c.name + "=" + c.flags
	}
	return strings.Join(words, " ")
}

// Check compares the capabilities of the file with the wanted ones.
func (m *capabilities) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	p := module.Plan{Return: map[string]any{"state": m.State}}
	file := realPath(n, expandWord(n, m.Path))
	if i, err := statOrNil(n, file); err != nil || i == nil {
		return p, notSure(n, fault.New("Unable to get capabilities of %s", file).Because(err))
	}
	before, err := m.read(ctx, n, file)
	if err != nil {
		return p, err
	}
	after := before
	names, op, flags := m.parse()
	for _, name := range names {
		switch {
		case m.State == "absent":
			after = setCap(after, name, '=', "")
		case op == '+': // as Ansible has it, what is given takes the place of what is there
			after = setCap(after, name, '=', flags)
		default:
			after = setCap(after, name, op, flags)
		}
	}
	if slices.Equal(before, after) {
		return p, nil
	}
	p.Return["msg"] = "capabilities changed"
	want := capsText(after)
	p.Changes = []module.Change{{
		What: "set the capabilities of " + file, Before: capsText(before) + "\n", After: want + "\n", BeforeName: file, AfterName: file,
		Apply: func(ctx context.Context, w node.Writer) error {
			argv := []string{"setcap", want, file}
			if want == "" {
				argv[1] = "-r"
			}
			res, err := w.Run(ctx, node.Command{Argv: argv, Env: map[string]string{"LC_ALL": "C"}})
			switch {
			case err != nil:
				return startFailure(err, node.Command{Argv: argv})
			case res.Unknown:
				w.Assume("capabilities", file, want)
			case res.RC == 0:
				out := cleanText(res.Stdout)
				p.Return["stdout"], p.Return["stdout_lines"] = out, splitLines(out)
			default:
				said := strings.TrimSpace(cleanText(res.Stderr))
				return &module.Failure{Msg: "Unable to set capabilities of " + file, Hint: firstLine(said), Return: map[string]any{"stdout": cleanText(res.Stdout), "stderr": said}}
			}
			return nil
		},
	}}
	return p, nil
}

// read asks getcap. Of a file that check mode only assumes there is no answer.
func (m *capabilities) read(ctx context.Context, n node.Reader, file string) ([]fileCap, error) {
	if s, ok := n.Assumed("capabilities", file); ok {
		return parseCaps(s), nil
	}
	c := node.Command{Argv: []string{"getcap", file}, Env: map[string]string{"LC_ALL": "C"}}
	res, err := n.Query(ctx, c)
	if err != nil {
		return nil, notSure(n, startFailure(err, c))
	}
	line := strings.TrimSpace(cleanText(res.Stdout))
	return parseCaps(strings.TrimPrefix(line, file)), nil
}
