package playbook

import (
	"strings"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/module"
)

// module finds a module by name.
func (s site) module(name string) (*module.Spec, bool) {
	if s.l.o.Modules == nil {
		return nil, false
	}
	spec, known := s.l.o.Modules(name)
	// As in Ansible a module of the site comes before one of the same name, but
	// not one that could never run where there is one that can.
	if own, err := s.foreign(name); err == nil && own != nil {
		return own, true
	} else if err != nil && known {
		s.note(Finding{Place: placeOf(s.libraryFile(name)), Rule: "python-module", Level: Warning, Msg: err.Error(), Hint: "the " + name + " of mageprov runs in its place"})
	}
	return spec, known
}

func (s site) isModule(name string) bool {
	_, ok := s.module(name)
	return ok
}

// unknownModule notes a name that no module has. In a file that may never run
// it is a finding.
func (s site) unknownModule(p fault.Place, name string) {
	err := module.Unknown(p, name)
	if _, own := s.foreign(name); own != nil {
		err = (&fault.Error{Place: p, Err: own}).WithHint("%s", fault.HintOf(own))
	} else if hint := s.pluginHint("action_plugins", name); hint != "" {
		err = fault.At(p, "unknown module %q", name).WithHint("%s", hint)
	}
	if s.lenient {
		s.note(Finding{Place: p, Rule: "unknown-module", Level: Warning, Msg: "unknown module " + name + " in a file that is included at run time", Hint: fault.HintOf(err)})
		return
	}
	s.add(p, err)
}

// actionKeyword reads action: and local_action:, as text or as a dictionary.
func (s site) actionKeyword(d *draft, p document.Pair) {
	n := p.Val
	d.local = p.Key == "local_action"
	name, rest := "", &document.Node{Place: n.Place}
	switch {
	case n.Kind == document.Map:
		m := n.Get("module")
		if m == nil {
			s.fail(n.Place, "%s: the dictionary needs module:", p.Key)
			break
		}
		text, _ := scalarText(m)
		var more string
		name, more, _ = strings.Cut(strings.TrimSpace(text), " ")
		rest = &document.Node{Kind: document.Map, Place: n.Place}
		if more != "" { // module: copy src=a dest=b
			words := &document.Node{Place: shift(m.Place, text, len(text)-len(more)), Raw: more}
			words.Value = textOrString(more, words.Place, template(m))
			if parsed, ok := s.splitArgs(words, nil); ok {
				rest.Pairs = parsed.pairs
			}
		}
		for _, a := range n.Pairs {
			if a.Key != "module" {
				setPair(rest, a)
			}
		}
	default:
		text, ok := scalarText(n)
		if !ok {
			s.fail(n.Place, "%s: expected a module and its arguments, found %s", p.Key, describe(n))
			break
		}
		var args string
		trimmed := strings.TrimLeft(text, " ")
		name, args, _ = strings.Cut(trimmed, " ")
		rest.Raw = strings.TrimLeft(args, " ")
		rest.Place = shift(n.Place, text, len(text)-len(rest.Raw))
		rest.Value = textOrString(rest.Raw, rest.Place, template(n))
		if rest.Raw == "" {
			rest.Value = nil
		}
	}
	if name == "" {
		d.problems = true
		return
	}
	if strings.Contains(name, "{{") {
		d.problems = true
		s.fail(n.Place, "%s: the module's name cannot be a template", p.Key).WithHint("use package or service, which choose by the host, or tasks with when:")
		return
	}
	if _, ok := s.module(name); !ok && !contains(includeNames, builtinName(name)) {
		d.problems = true
		s.unknownModule(n.Place, name)
		return
	}
	s.setAction(d, name, document.Pair{Key: name, KeyPlace: n.Place, Val: rest})
}

// commandKeys are the arguments that may stand within the text of a command.
var commandKeys = []string{"creates", "removes", "chdir", "executable", "warn", "stdin", "stdin_add_newline", "strip_empty_ends"}

// freeText says whether a module takes any text, so that only commandKeys are arguments in it.
func freeText(spec *module.Spec) bool {
	switch spec.Short() {
	case "command", "shell", "script", "raw", "expect":
		return spec.FreeForm != ""
	}
	return false
}

// moduleArgs brings every way to write arguments into one dictionary, and checks it.
func (s site) moduleArgs(d *draft) {
	d.Action = d.written
	spec, ok := s.module(d.written)
	if !ok {
		return
	}
	d.Spec = spec
	args := &document.Node{Kind: document.Map, Place: d.action.KeyPlace}
	if d.extra != nil {
		s.addArgs(d, args, d.extra, "args")
	}
	n := d.action.Val
	switch {
	case n.IsNull():
	case n.Kind == document.Map:
		s.addArgs(d, args, n, d.written)
	case n.Kind == document.Seq:
		s.fail(n.Place, "%s: expected a dictionary of arguments, found a list", d.written).WithHint("remove the dashes before the arguments")
		return
	default:
		if !s.textArgs(d, spec, args, n) {
			return
		}
	}
	d.Args = args.ToValue().(*jinja.Dict)
	s.checkArgs(d, spec, args)
	if that := args.Get("that"); that != nil && contains(spec.Raw, "that") {
		s.conditions("that", that) // for its mistakes: the module evaluates it as written
	}
}

// addArgs adds the pairs of a dictionary; what is written nearer to the module wins.
func (s site) addArgs(d *draft, args, n *document.Node, what string) {
	if t, ok := n.Value.(*jinja.Text); ok {
		d.ArgsText = t
		return
	}
	if n.IsNull() {
		return
	}
	if n.Kind != document.Map {
		s.fail(n.Place, "%s: expected a dictionary of arguments, found %s", what, describe(n))
		return
	}
	for _, p := range n.Pairs {
		if p.Key == "_raw_params" && d.Spec.FreeForm != "" {
			p.Key, p.KeyValue = d.Spec.FreeForm, d.Spec.FreeForm
		}
		setPair(args, p)
	}
}

func setPair(n *document.Node, p document.Pair) {
	for i := range n.Pairs {
		if n.Pairs[i].Key == p.Key {
			n.Pairs[i] = p
			return
		}
	}
	n.Pairs = append(n.Pairs, p)
}

// textArgs reads arguments written as one string.
func (s site) textArgs(d *draft, spec *module.Spec, args, n *document.Node) bool {
	if t, ok := n.Value.(*jinja.Text); ok && spec.FreeForm == "" && wholeTemplate(t.Source) {
		d.ArgsText = t
		return true
	}
	only := []string(nil)
	if freeText(spec) {
		only = commandKeys
	}
	parsed, ok := s.splitArgs(n, only)
	if !ok {
		return false
	}
	for _, p := range parsed.pairs {
		setPair(args, p)
	}
	if parsed.free == "" {
		return true
	}
	if spec.FreeForm == "" {
		e := s.fail(parsed.at, "%s: expected arguments as key=value, found %q", d.written, parsed.free)
		if len(s.l.argsOf(spec).args) > 0 {
			e.WithHint("arguments of %s: %s", spec.Short(), strings.Join(s.l.argsOf(spec).names(), ", "))
		}
		return false
	}
	val := &document.Node{Place: parsed.at, Raw: parsed.free, Value: textOrString(parsed.free, parsed.at, template(n))}
	setPair(args, document.Pair{Key: spec.FreeForm, KeyValue: spec.FreeForm, KeyPlace: parsed.at, Val: val})
	return true
}

// wholeTemplate says whether text is one {{ }} and nothing else.
func wholeTemplate(s string) bool {
	s = strings.TrimSpace(s)
	return strings.HasPrefix(s, "{{") && strings.HasSuffix(s, "}}") && strings.Count(s, "{{") == 1
}
