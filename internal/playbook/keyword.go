package playbook

import (
	"sort"
	"strings"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// level is a kind of thing that takes keywords.
type level uint8

const (
	onPlay level = 1 << iota
	onRole
	onBlock
	onTask
	onInclude // include_tasks and include_role, which take few

	everywhere = onPlay | onRole | onBlock | onTask
	below      = onRole | onBlock | onTask // not on plays
)

type keyword struct {
	on  level
	set func(s site, b *Base, n *document.Node)
}

// baseKeywords are the keywords that several levels share.
var baseKeywords = map[string]keyword{
	"name": {everywhere | onInclude, func(s site, b *Base, n *document.Node) { b.Name = s.text("name", n) }},
	"when": {below | onInclude, func(s site, b *Base, n *document.Node) { b.When = s.conditions("when", n) }},
	"tags": {everywhere | onInclude, func(s site, b *Base, n *document.Node) { b.Tags = s.list("tags", n, true) }},
	"vars": {everywhere | onInclude, func(s site, b *Base, n *document.Node) { b.Vars = s.variables("vars", n) }},

	"become":        {everywhere, boolKeyword("become", func(b *Base) *any { return &b.Become })},
	"become_user":   {everywhere, textKeyword("become_user", func(b *Base) *any { return &b.BecomeUser })},
	"become_method": {everywhere, textKeyword("become_method", func(b *Base) *any { return &b.BecomeMethod })},
	"become_flags":  {everywhere, textKeyword("become_flags", func(b *Base) *any { return &b.BecomeFlags })},
	"become_exe":    {everywhere, textKeyword("become_exe", func(b *Base) *any { return &b.BecomeExe })},
	"connection":    {everywhere, textKeyword("connection", func(b *Base) *any { return &b.Connection })},
	"remote_user":   {everywhere, textKeyword("remote_user", func(b *Base) *any { return &b.RemoteUser })},
	"port":          {everywhere, numberKeyword("port", func(b *Base) *any { return &b.Port })},

	"ignore_errors":      {everywhere | onInclude, boolKeyword("ignore_errors", func(b *Base) *any { return &b.IgnoreErrors })},
	"ignore_unreachable": {everywhere, boolKeyword("ignore_unreachable", func(b *Base) *any { return &b.IgnoreUnreachable })},
	"any_errors_fatal":   {everywhere, boolKeyword("any_errors_fatal", func(b *Base) *any { return &b.AnyErrorsFatal })},
	"no_log":             {everywhere | onInclude, boolKeyword("no_log", func(b *Base) *any { return &b.NoLog })},
	"check_mode":         {everywhere, boolKeyword("check_mode", func(b *Base) *any { return &b.CheckMode })},
	"diff":               {everywhere, boolKeyword("diff", func(b *Base) *any { return &b.Diff })},
	"run_once":           {everywhere | onInclude, boolKeyword("run_once", func(b *Base) *any { return &b.RunOnce })},
	"throttle":           {everywhere, numberKeyword("throttle", func(b *Base) *any { return &b.Throttle })},
	"timeout":            {everywhere | onInclude, numberKeyword("timeout", func(b *Base) *any { return &b.Timeout })},
	"delegate_to":        {below, textKeyword("delegate_to", func(b *Base) *any { return &b.DelegateTo })},
	"delegate_facts":     {below, boolKeyword("delegate_facts", func(b *Base) *any { return &b.DelegateFacts })},

	"environment": {everywhere, func(s site, b *Base, n *document.Node) { b.Environment = s.dicts("environment", n) }},
	"module_defaults": {everywhere, func(s site, b *Base, n *document.Node) {
		b.ModuleDefaults = s.dicts("module_defaults", n)
		s.l.defaulted = s.l.defaulted || len(b.ModuleDefaults) > 0
	}},
	"debugger": {everywhere | onInclude, func(s site, b *Base, n *document.Node) {
		b.Debugger = s.choice("debugger", n, "always", "never", "on_failed", "on_unreachable", "on_skipped")
	}},
	"collections": {everywhere | onInclude, func(s site, b *Base, n *document.Node) {
		for _, c := range s.list("collections", n, true) {
			b.Collections = append(b.Collections, lintText(c))
		}
	}},
}

func boolKeyword(key string, field func(*Base) *any) func(site, *Base, *document.Node) {
	return func(s site, b *Base, n *document.Node) { *field(b) = s.boolean(key, n) }
}

func textKeyword(key string, field func(*Base) *any) func(site, *Base, *document.Node) {
	return func(s site, b *Base, n *document.Node) { *field(b) = s.text(key, n) }
}

func numberKeyword(key string, field func(*Base) *any) func(site, *Base, *document.Node) {
	return func(s site, b *Base, n *document.Node) { *field(b) = s.number(key, n, false) }
}

// base handles a keyword that the level shares with others and says whether it was one.
func (s site) base(b *Base, on level, p document.Pair) bool {
	k, ok := baseKeywords[p.Key]
	if !ok || k.on&on == 0 {
		return false
	}
	k.set(s, b, p.Val)
	if p.Key == "module_defaults" {
		s.moduleDefaults(p.Val)
	}
	return true
}

// ownKeywords are the keywords of one level only, for hints and for telling a
// misplaced keyword from a module.
var ownKeywords = map[level][]string{
	onPlay: {"hosts", "gather_facts", "gather_subset", "gather_timeout", "fact_path", "vars_files", "vars_prompt", "roles", "pre_tasks",
		"tasks", "post_tasks", "handlers", "serial", "strategy", "max_fail_percentage", "order", "force_handlers", "user"},
	onRole:  {"role"},
	onBlock: {"block", "rescue", "always", "notify"},
	onTask: {"action", "local_action", "args", "async", "changed_when", "delay", "failed_when", "listen", "loop", "loop_control", "notify",
		"poll", "register", "retries", "until"},
	onInclude: {"action", "args", "loop", "loop_control", "register"},
}

// keywordsOf lists all keywords of a level.
func keywordsOf(on level) []string {
	names := append([]string(nil), ownKeywords[on]...)
	for name, k := range baseKeywords {
		if k.on&on != 0 {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// isKeyword says whether a name is a keyword of any level.
func isKeyword(name string) bool {
	if _, ok := baseKeywords[name]; ok {
		return true
	}
	for _, names := range ownKeywords {
		if contains(names, name) {
			return true
		}
	}
	return strings.HasPrefix(name, "with_")
}

// unknownKeyword notes a key that means nothing on this level.
func (s site) unknownKeyword(on level, what string, p document.Pair) {
	if isKeyword(p.Key) {
		s.fail(p.KeyPlace, "%s cannot stand on %s", p.Key, what).WithHint("%s", placement(p.Key, on))
		return
	}
	hint := ""
	if n := fault.Nearest(p.Key, keywordsOf(on)); n != "" {
		hint = "did you mean " + n + "?"
	} else if !strings.Contains(what, "role") {
		hint = "known: " + strings.Join(keywordsOf(on), ", ")
	}
	s.fail(p.KeyPlace, "unknown keyword %q on %s", p.Key, what).WithHint("%s", hint)
}

// placement says where a keyword belongs.
func placement(key string, on level) string {
	if on == onInclude {
		return "put it under apply:, or on a block around the include; what an include takes: " + strings.Join(keywordsOf(onInclude), ", ")
	}
	if key == "listen" {
		return "only handlers listen"
	}
	if key == "when" && on == onPlay {
		return "put it on the tasks or roles, or on a block around them"
	}
	var at []string
	for _, l := range []struct {
		on   level
		name string
	}{{onPlay, "a play"}, {onRole, "a role"}, {onBlock, "a block"}, {onTask, "a task"}} {
		if contains(keywordsOf(l.on), key) {
			at = append(at, l.name)
		}
	}
	return "it belongs on " + strings.Join(at, " or ")
}

// moduleDefaults checks the names of the modules; group/... are sets of modules.
func (s site) moduleDefaults(n *document.Node) {
	items := []*document.Node{n}
	if n.Kind == document.Seq {
		items = n.Items
	}
	for _, it := range items {
		for _, p := range it.Pairs {
			if strings.HasPrefix(p.Key, "group/") {
				continue
			}
			spec, ok := s.module(p.Key)
			if !ok {
				s.note(Finding{Place: p.KeyPlace, Rule: "unknown-module", Level: Warning, Msg: "module_defaults: unknown module " + p.Key})
				continue
			}
			if p.Val.Kind == document.Map {
				s.checkNames(spec, p.Val)
			}
		}
	}
}

// addVars lays more variables over some.
func addVars(under, over *jinja.Dict) *jinja.Dict {
	if under.Len() == 0 {
		return over
	}
	if over.Len() == 0 {
		return under
	}
	all := under.Clone()
	for k, v := range over.All() {
		all.Set(k, v)
	}
	all.Templated = all.Templated || over.Templated
	return all
}
