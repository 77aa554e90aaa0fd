package lint

import (
	"regexp"
	"slices"
	"strings"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/module"
	"mageprov/internal/playbook"
)

// tasks looks at every task by itself.
func (l *linter) tasks() {
	hidden := l.hidden()
	for _, p := range l.read.Parsed {
		if p.Task == nil {
			continue
		}
		l.form(p)
		if p.Include != "" || p.Task.Spec == nil {
			continue
		}
		l.name(p)
		l.errors(p)
		l.latest(p)
		if !hidden[p.Node] {
			l.passwords(p)
		}
		switch p.Task.Spec.Short() {
		case "command", "shell", "raw", "script":
			l.command(p)
		}
	}
}

// hidden marks the tasks whose results a play, block or the task itself hides.
func (l *linter) hidden() map[*document.Node]bool {
	out := map[*document.Node]bool{}
	var mark func(n *document.Node)
	mark = func(n *document.Node) {
		out[n] = true
		for i := range n.Pairs {
			mark(n.Pairs[i].Val)
		}
		for _, it := range n.Items {
			mark(it)
		}
	}
	for _, p := range l.read.Parsed {
		if p.Task != nil && p.Task.NoLog != nil || p.Block != nil && p.Block.NoLog != nil {
			mark(p.Node)
		}
	}
	for _, b := range l.Books {
		for _, play := range b.Plays {
			if n := l.Loader.NodeAt(play.Place); n != nil && play.NoLog != nil {
				mark(n)
			}
		}
	}
	return out
}

// form looks at how the task is written.
func (l *linter) form(p playbook.Parsed) {
	for _, kv := range p.Node.Pairs {
		switch {
		case kv.Key == "action" || kv.Key == "local_action":
			hint := "write the module as a key"
			if kv.Key == "local_action" {
				hint += ", with delegate_to: localhost"
			}
			l.say("action-string", kv.KeyPlace, kv.Key+" names the module in its value", hint)
		case strings.HasPrefix(kv.Key, "with_") && bareName(kv):
			l.say("bare-variable", kv.Val.Place, kv.Key+": "+kv.Val.Raw+" is a list of one text, not the variable", `write "{{ `+kv.Val.Raw+` }}"`)
		case p.Task.Spec != nil && kv.Key == p.Task.Action && keyValues(p.Task.Spec, kv.Val):
			l.say("key-value-form", kv.Val.Place, "arguments of "+kv.Key+" as key=value text", "write a dictionary, one argument a line")
		}
	}
}

var identifier = regexp.MustCompile(`^[A-Za-z_]\w*(\.\w+)*$`)

// bareName says that a loop runs over what looks like a variable without braces.
func bareName(kv document.Pair) bool {
	switch kv.Key {
	case "with_items", "with_dict", "with_list", "with_indexed_items", "with_flattened", "with_together", "with_subelements", "with_nested":
		return kv.Val.Kind == document.Scalar && kv.Val.Value == any(kv.Val.Raw) && identifier.MatchString(kv.Val.Raw)
	}
	return false
}

func keyValues(spec *module.Spec, n *document.Node) bool {
	text, ok := n.Text()
	return ok && spec.FreeForm == "" && regexp.MustCompile(`^\s*\w+=`).MatchString(text)
}

func (l *linter) name(p playbook.Parsed) {
	if p.Task.Name == nil && p.Task.Spec.Short() != "meta" && !p.Task.IsHandler {
		l.say("missing-name", p.Node.Place, "the task has no name", "say what it is for: it is what the output shows")
	}
}

func (l *linter) errors(p playbook.Parsed) {
	if p.Task.IgnoreErrors == true && p.Task.Register == nil {
		l.say("ignore-errors", keyPlace(p.Node, "ignore_errors"), "ignore_errors: true, and nothing looks at the result",
			"say with failed_when what is a failure, or register the result and use it")
	}
}

func (l *linter) latest(p playbook.Parsed) {
	if !slices.Contains([]string{"apt", "package", "dnf", "yum", "pip", "apk", "snap"}, p.Task.Spec.Short()) || p.Task.Args == nil {
		return
	}
	if v, _ := p.Task.Args.Get("state"); v == "latest" {
		if up, ok := p.Task.Args.Get("only_upgrade"); !ok || up != true {
			l.say("package-latest", p.Node.Place, "state: latest installs another version on another day", "name the version, or state: present")
		}
	}
}

var secretArg = regexp.MustCompile(`(^|_)(password|passwd|passphrase|secret|token|api_key|login_password)$`)

// passwords finds secrets among the arguments that nothing hides.
func (l *linter) passwords(p playbook.Parsed) {
	if p.Task.Args == nil || p.Task.Spec.OpenArgs {
		return
	}
	secret := map[string]bool{}
	if p.Task.Spec.New != nil {
		for _, a := range module.ArgsOf(p.Task.Spec.New()) {
			secret[a.Name] = a.Secret
		}
	}
	for k, v := range p.Task.Args.All() {
		name, _ := k.(string)
		if !secret[name] && !secretArg.MatchString(name) {
			continue
		}
		switch v := v.(type) {
		case nil, bool:
		case string:
			if v == "" || v == "*" || v == "!" {
				continue
			}
			l.say("no-log-password", p.Node.Place, name+" is a secret, and the task has no no_log", "add no_log: true")
		default:
			l.say("no-log-password", p.Node.Place, name+" is a secret, and the task has no no_log", "add no_log: true")
		}
	}
}

// keyPlace is the place of a key of a task.
func keyPlace(n *document.Node, key string) fault.Place {
	for i := range n.Pairs {
		if n.Pairs[i].Key == key {
			return n.Pairs[i].KeyPlace
		}
	}
	return n.Place
}

func source(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case *jinja.Text:
		return v.Source
	}
	return ""
}
