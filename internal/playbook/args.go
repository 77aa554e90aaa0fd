package playbook

import (
	"math/big"
	"strings"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/module"
)

// argSet is what a module's arguments are, worked out once.
type argSet struct {
	args   []module.Arg
	byName map[string]*module.Arg
	node   map[string]bool // arguments of the module itself, not of its action alone
}

func (l *Loader) argsOf(spec *module.Spec) *argSet {
	if a, ok := l.args[spec]; ok {
		return a
	}
	a := &argSet{byName: map[string]*module.Arg{}, node: map[string]bool{}}
	if spec.New != nil {
		for _, arg := range module.ArgsOf(spec.New()) {
			a.args = append(a.args, arg)
			for _, name := range append([]string{arg.Name}, arg.Aliases...) {
				a.node[name] = true
			}
		}
	}
	for _, arg := range module.ArgsOf(spec.ActionArgs) {
		if !a.node[arg.Name] {
			a.args = append(a.args, arg)
		}
	}
	for i := range a.args {
		for _, name := range append([]string{a.args[i].Name}, a.args[i].Aliases...) {
			a.byName[name] = &a.args[i]
		}
	}
	l.args[spec] = a
	return a
}

func (a *argSet) known(name string) bool { return a.byName[name] != nil }

// names lists what a user may write; a leading underscore marks what actions pass on.
func (a *argSet) names() []string {
	var out []string
	for _, arg := range a.args {
		if !strings.HasPrefix(arg.Name, "_") {
			out = append(append(out, arg.Name), arg.Aliases...)
		}
	}
	return out
}

// passesOn says whether a module hands its arguments to another one that the
// host decides on: what that one does not know may be meant for other systems.
func passesOn(spec *module.Spec) bool { return spec.Short() == "package" }

// checkNames notes arguments that the module does not have, or has twice.
func (s site) checkNames(spec *module.Spec, args *document.Node) {
	if spec.OpenArgs {
		return
	}
	set := s.l.argsOf(spec)
	given := map[string]string{}
	for _, p := range args.Pairs {
		arg := set.byName[p.Key]
		if arg == nil {
			if p.Key == spec.FreeForm && spec.FreeForm != "" {
				continue
			}
			if passesOn(spec) {
				s.note(Finding{Place: p.KeyPlace, Rule: "foreign-argument", Level: Warning, Msg: spec.Short() + " has no argument " + p.Key + " on Debian and Ubuntu"})
				continue
			}
			e := s.fail(p.KeyPlace, "%s has no argument %q", spec.Short(), p.Key)
			near := fault.Nearest(p.Key, set.names())
			switch _, isModule := s.module(p.Key); {
			case near != "":
				e.WithHint("did you mean %s?", near)
			case isKeyword(p.Key):
				e.WithHint("%s is a keyword of the task: indent it as the module", p.Key)
			case len(set.args) == 0:
				e.WithHint("%s takes no arguments", spec.Short())
			case isModule && len(args.Pairs) == 1:
				e.WithHint("%s is a module itself: one task, one module", p.Key)
			default:
				e.WithHint("known: %s", strings.Join(set.names(), ", "))
			}
			continue
		}
		if first, dup := given[arg.Name]; dup {
			s.fail(p.KeyPlace, "%s and %s are the same argument", first, p.Key)
		}
		given[arg.Name] = p.Key
	}
}

// checkArgs holds the arguments of a task against the module: names, and what
// is literal by value too.
func (s site) checkArgs(d *draft, spec *module.Spec, args *document.Node) {
	s.checkNames(spec, args)
	set := s.l.argsOf(spec)
	literal, complete := module.Args{}, d.ArgsText == nil
	given := map[string]bool{}
	for _, p := range args.Pairs {
		arg := set.byName[p.Key]
		if arg == nil {
			complete = complete && spec.OpenArgs
			continue
		}
		if given[arg.Name] { // said by checkNames
			return
		}
		given[arg.Name] = true
		v, ok := goValue(p.Val.ToValue())
		if !ok || contains(spec.Raw, arg.Name) {
			complete = false
			continue
		}
		if set.node[p.Key] {
			literal[p.Key] = v
		}
	}
	for _, arg := range set.args {
		if arg.Required && !given[arg.Name] && d.ArgsText == nil && !s.l.defaulted && !strings.HasPrefix(arg.Name, "_") {
			complete = false
			s.fail(d.action.KeyPlace, "%s needs the argument %s", spec.Short(), arg.Name)
		}
	}
	if spec.New == nil || passesOn(spec) {
		return
	}
	err := module.Decode(spec.New(), literal)
	if err == nil {
		return
	}
	bad := strings.Contains(err.Error(), "argument ") && s.badValues(spec, args, literal)
	if !bad && complete && spec.ActionArgs == nil && !spec.OpenArgs && !s.l.defaulted && !strings.Contains(err.Error(), missingArg) {
		s.fail(d.action.KeyPlace, "%s: %v", spec.Short(), err).WithHint("%s", fault.HintOf(err))
	}
}

const missingArg = "missing required argument: "

// badValues finds which arguments a failed Decode was about, and says whether it found any.
func (s site) badValues(spec *module.Spec, args *document.Node, literal module.Args) bool {
	found := false
	for _, p := range args.Pairs {
		v, ok := literal[p.Key]
		if !ok {
			continue
		}
		err := module.Decode(spec.New(), module.Args{p.Key: v})
		if err == nil {
			continue
		}
		for _, msg := range strings.Split(err.Error(), "; ") {
			if msg, ok := strings.CutPrefix(msg, "argument "+p.Key+": "); ok {
				found = true
				s.fail(p.Val.Place, "%s.%s: %s", spec.Short(), p.Key, msg)
			}
		}
	}
	return found
}

// goValue gives a literal as modules take it; ok is false where a template is in it.
func goValue(v any) (any, bool) {
	switch v := v.(type) {
	case *jinja.Text, *document.Sealed:
		return nil, false
	case *big.Int:
		return v.String(), true
	case *jinja.List:
		if v.Templated {
			return nil, false
		}
		out := make([]any, len(v.Items))
		for i, it := range v.Items {
			x, ok := goValue(it)
			if !ok {
				return nil, false
			}
			out[i] = x
		}
		return out, true
	case *jinja.Dict:
		if v.Templated {
			return nil, false
		}
		out := make(map[string]any, v.Len())
		for k, it := range v.All() {
			x, ok := goValue(it)
			name, isText := k.(string)
			if !isText {
				name = lintText(k)
			}
			if !ok {
				return nil, false
			}
			out[name] = x
		}
		return out, true
	}
	return v, true
}
