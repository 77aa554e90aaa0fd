package modules

import (
	"context"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

// packetTable is the table of the kernel that an iptables task is about.
type packetTable struct {
	m       *iptables
	program string
}

func (t *packetTable) command(args ...string) node.Command {
	argv := []string{t.program, "-t", t.m.Table}
	if t.m.Wait != "" && args[0] != "-A" && args[0] != "-I" && args[0] != "-D" && args[0] != "-C" { // theirs is in the rule
		argv = append(argv, "-w", t.m.Wait)
	}
	return node.Command{Argv: append(argv, args...)}
}

func (t *packetTable) change(what string, args ...string) module.Change {
	return module.Change{What: what, Apply: func(ctx context.Context, w node.Writer) error {
		return mustRun(ctx, w, t.command(args...))
	}}
}

// key is the name under which check mode remembers a chain.
func (t *packetTable) key() string { return t.program + " " + t.m.Table + " " + t.m.Chain }

// list gives the lines of iptables -S for the chain, or the table where none is
// named. ok is false where there is no such chain.
func (t *packetTable) list(ctx context.Context, n node.Reader) (lines []string, ok bool, err error) {
	args := []string{"-S"}
	if t.m.Chain != "" {
		args = append(args, t.m.Chain)
		if state, assumed := n.Assumed("packet-chain", t.key()); assumed {
			return nil, state == "present", nil
		}
	}
	c := t.command(args...)
	res, err := n.Query(ctx, c)
	if err != nil {
		return nil, false, startFailure(err, c)
	}
	if res.RC != 0 && t.m.Chain == "" || res.RC > 1 {
		return nil, false, commandFailure(c, res)
	}
	return strings.Split(strings.TrimSpace(cleanText(res.Stdout)), "\n"), res.RC == 0, nil
}

// commandFailure is the failure of a program, with what it said.
func commandFailure(c node.Command, res node.Result) error {
	stderr, stdout := cleanText(res.Stderr), cleanText(res.Stdout)
	msg := strings.TrimSpace(stderr)
	if msg == "" {
		msg = strings.TrimSpace(stdout)
	}
	return &module.Failure{Msg: msg, Return: map[string]any{
		"cmd": strings.Join(c.Argv, " "), "rc": res.RC, "stdout": stdout, "stderr": stderr,
		"stdout_lines": splitLines(stdout), "stderr_lines": splitLines(stderr),
	}}
}

func (t *packetTable) noChain(n node.Reader) error {
	return notSure(n, fault.New("%s: no chain %s in the table %s", t.program, t.m.Chain, t.m.Table).
		WithHint("chain_management: true makes it"))
}

func (t *packetTable) flush(ctx context.Context, n node.Reader) ([]module.Change, error) {
	lines, ok, err := t.list(ctx, n)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, t.noChain(n)
	}
	if _, some := n.Assumed(node.AnyOf, "packet-rule"); some {
		lines = append(lines, "-A ")
	}
	for _, line := range lines {
		if strings.HasPrefix(line, "-A ") {
			args := []string{"-F"}
			what := "flush the table " + t.m.Table
			if t.m.Chain != "" {
				args, what = append(args, t.m.Chain), "flush the chain "+t.m.Chain
			}
			return []module.Change{t.change(what, args...)}, nil
		}
	}
	return nil, nil
}

func (t *packetTable) policy(ctx context.Context, n node.Reader) ([]module.Change, error) {
	lines, ok, err := t.list(ctx, n)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, t.noChain(n)
	}
	for _, line := range lines {
		if have, is := strings.CutPrefix(line, "-P "+t.m.Chain+" "); is {
			have, _, _ = strings.Cut(have, " ")
			if have == t.m.Policy {
				return nil, nil
			}
			c := t.change("set the policy of "+t.m.Chain+" to "+t.m.Policy, "-P", t.m.Chain, t.m.Policy)
			c.Before, c.After = have+"\n", t.m.Policy+"\n"
			return []module.Change{c}, nil
		}
	}
	return nil, fault.New("the chain %s of the table %s has no policy", t.m.Chain, t.m.Table).WithHint("only built-in chains have one")
}

func (t *packetTable) dropChain(ctx context.Context, n node.Reader) ([]module.Change, error) {
	_, ok, err := t.list(ctx, n)
	if err != nil || !ok {
		return nil, err
	}
	return []module.Change{t.chainChange("remove the chain ", "-X", "absent")}, nil
}

func (t *packetTable) chainChange(what, flag, state string) module.Change {
	c := t.change(what+t.m.Chain, flag, t.m.Chain)
	apply := c.Apply
	c.Apply = func(ctx context.Context, w node.Writer) error {
		if err := apply(ctx, w); err != nil {
			return err
		}
		w.Assume("packet-chain", t.key(), state)
		return nil
	}
	return c
}

// rule adds or removes one rule. With chain_management and no words it is about
// the chain alone.
func (t *packetTable) rule(ctx context.Context, n node.Reader, rule []string) ([]module.Change, error) {
	add := t.m.State == "present"
	chainOnly := add && len(rule) == 0 && t.m.ChainManagement
	if !chainOnly {
		have, err := t.has(ctx, n, rule)
		if err != nil || have == add {
			return nil, err
		}
	}
	var out []module.Change
	if add {
		_, ok, err := t.list(ctx, n)
		switch {
		case err != nil:
			return nil, err
		case !ok && !t.m.ChainManagement:
			return nil, t.noChain(n)
		case !ok:
			out = append(out, t.chainChange("make the chain ", "-N", "present"))
		}
	}
	if chainOnly {
		return out, nil
	}
	shown := strings.TrimSpace(t.m.Chain + " " + strings.Join(rule, " "))
	c := t.change("add the rule "+shown, t.words(rule)...)
	c.After = shown + "\n"
	if !add {
		c.What, c.Before, c.After = "remove the rule "+shown, c.After, ""
	}
	apply := c.Apply
	c.Apply = func(ctx context.Context, w node.Writer) error {
		if err := apply(ctx, w); err != nil {
			return err
		}
		w.Assume("packet-rule", t.key()+" "+strings.Join(rule, " "), t.m.State)
		return nil
	}
	return append(out, c), nil
}

// words are the arguments that add or remove the rule.
func (t *packetTable) words(rule []string) []string {
	flag := "-A"
	switch {
	case t.m.State == "absent":
		flag, rule = "-D", t.uncounted()
	case t.m.Action == "insert":
		flag = "-I"
	}
	args := []string{flag, t.m.Chain}
	if flag == "-I" && t.m.RuleNum != "" {
		args = append(args, t.m.RuleNum)
	}
	return append(args, rule...)
}

// uncounted is the rule without its counters, which only a new rule can have.
func (t *packetTable) uncounted() []string {
	m := *t.m
	m.SetCounters = ""
	return m.rule()
}

// has asks the kernel for the rule.
func (t *packetTable) has(ctx context.Context, n node.Reader, rule []string) (bool, error) {
	if state, ok := n.Assumed("packet-rule", t.key()+" "+strings.Join(rule, " ")); ok {
		return state == "present", nil
	}
	if _, ok := n.Assumed("packet-chain", t.key()); ok {
		return false, nil
	}
	c := t.command(append([]string{"-C", t.m.Chain}, t.uncounted()...)...)
	res, err := n.Query(ctx, c)
	if err != nil {
		return false, startFailure(err, c)
	}
	if res.RC == 4 || res.RC == 2 && t.m.State == "present" && !t.targetComes(n) {
		return false, notSure(n, commandFailure(c, res)) // no permission, or no sense
	}
	return res.RC == 0, nil
}

// targetComes says that the chain a rule leads to would have been made by an
// earlier task of this check run.
func (t *packetTable) targetComes(n node.Reader) bool {
	other := *t.m
	other.Chain = t.m.Jump + t.m.Goto
	state, ok := n.Assumed("packet-chain", (&packetTable{m: &other, program: t.program}).key())
	return ok && state == "present"
}
