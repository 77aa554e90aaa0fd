package playbook

import (
	"path"

	"mageprov/internal/argspec"
	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// validation makes the task that a role's argument specification stands for;
// nil where it says nothing of the entry point.
func (s site) validation(r *Role, specs *document.Node, entry string) *Task {
	if specs.IsNull() {
		return nil
	}
	if specs.Kind != document.Map {
		s.fail(specs.Place, "argument_specs: expected a dictionary of entry points, found %s", describe(specs)).WithHint("put the options under main:")
		return nil
	}
	n := specs.Get(entry)
	if n.IsNull() {
		return nil
	}
	spec, known := s.module("ansible.builtin.validate_argument_spec")
	if n.Kind != document.Map || !known {
		if known {
			s.fail(n.Place, "argument_specs: expected a dictionary with options, found %s", describe(n))
		}
		return nil
	}
	for _, p := range n.Pairs {
		if !contains(entryKeys, p.Key) {
			s.oddKey(p, "an entry point", entryKeys)
		}
	}
	s.options(n.Get("options"))
	t := &Task{Action: spec.Name, Spec: spec, Role: r, Dir: path.Join(r.Path, "tasks")}
	name := "Validating arguments against arg spec '" + entry + "'"
	if text, ok := scalarText(n.Get("short_description")); ok {
		name += " - " + text
	}
	t.Place, t.Name, t.Tags = n.Place, name, []any{"always"}
	options := any(jinja.NewDict())
	if o := n.Get("options"); !o.IsNull() {
		options = o.ToValue()
	}
	t.Args = jinja.NewDict("argument_spec", options, "provided_arguments", jinja.NewDict(),
		"validate_args_context", jinja.NewDict("type", "role", "name", r.Name, "argument_spec_name", entry, "path", r.Path))
	t.Args.Templated = jinja.IsTemplated(options)
	return t
}

var (
	entryKeys  = []string{"short_description", "description", "author", "options", "version_added", "seealso", "notes", "examples", "attributes"}
	optionKeys = []string{"type", "required", "default", "choices", "elements", "options", "description", "version_added", "aliases", "no_log",
		"mutually_exclusive", "required_together", "required_one_of", "required_if", "required_by", "apply_defaults", "fallback",
		"deprecated_aliases", "removed_in_version", "removed_at_date", "removed_from_collection"}
)

func (s site) oddKey(p document.Pair, what string, known []string) {
	s.note(Finding{Place: p.KeyPlace, Rule: "argument-spec", Level: Warning, Msg: "argument_specs: " + p.Key + " means nothing in " + what,
		Hint: fault.DidYouMean(p.Key, known)})
}

// options looks for what could never hold, before the first host is touched.
func (s site) options(n *document.Node) {
	if n.IsNull() || template(n) {
		return
	}
	if n.Kind != document.Map {
		s.fail(n.Place, "argument_specs: options: expected a dictionary, found %s", describe(n))
		return
	}
	for _, p := range n.Pairs {
		s.option(p)
	}
}

func (s site) option(p document.Pair) {
	if p.Val.IsNull() || template(p.Val) {
		return
	}
	if p.Val.Kind != document.Map {
		s.fail(p.Val.Place, "argument_specs: %s: expected a dictionary, found %s", p.Key, describe(p.Val)).WithHint("describe it: %s: {type: str}", p.Key)
		return
	}
	for _, key := range []string{"type", "elements"} {
		t := p.Val.Get(key)
		if name, ok := scalarText(t); ok && !template(t) && !contains(argspec.Types, name) {
			s.fail(t.Place, "argument_specs: %s: there is no type %q", p.Key, name).WithHint("%s", orList(fault.Nearest(name, argspec.Types), argspec.Types))
		}
	}
	if required := p.Val.Get("required"); required != nil && !p.Val.Get("default").IsNull() {
		if yes, ok := s.boolean("required", required).(bool); ok && yes {
			s.fail(p.Val.Get("default").Place, "argument_specs: %s is required, so its default means nothing", p.Key)
		}
	}
	for _, k := range p.Val.Pairs {
		if !contains(optionKeys, k.Key) {
			s.oddKey(k, "an option", optionKeys)
		}
	}
	s.options(p.Val.Get("options"))
}
