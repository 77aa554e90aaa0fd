package playbook

import (
	"strings"

	"mageprov/internal/document"
	"mageprov/internal/fault"
)

// nodes reads a list of tasks and blocks.
func (s site) nodes(what string, n *document.Node) []Node {
	if n.IsNull() {
		return nil
	}
	if n.Kind != document.Seq {
		e := s.fail(n.Place, "%s: expected a list of tasks, found %s", what, describe(n))
		if n.Kind == document.Map {
			e.WithHint("start each task with a dash")
		}
		return nil
	}
	out := make([]Node, 0, len(n.Items))
	for _, it := range n.Items {
		switch {
		case it.Kind != document.Map:
			s.fail(it.Place, "expected a task, found %s", describe(it)).WithHint("a task is a dictionary: - name: ... and a module")
		case it.Get("block") != nil || it.Get("rescue") != nil || it.Get("always") != nil:
			out = append(out, s.block(it))
		default:
			if t := s.task(it); t != nil {
				out = append(out, t)
			}
		}
	}
	return out
}

func (s site) block(n *document.Node) *Block {
	b := &Block{}
	b.Place = n.Place
	s.l.parsed = append(s.l.parsed, Parsed{Node: n, Block: b})
	var notify []any
	for _, p := range n.Pairs {
		switch {
		case s.base(&b.Base, onBlock, p):
		case p.Key == "block":
			b.Body = s.nodes("block", p.Val)
		case p.Key == "rescue":
			b.Rescue = s.nodes("rescue", p.Val)
		case p.Key == "always":
			b.Always = s.nodes("always", p.Val)
		case p.Key == "notify":
			notify = s.list("notify", p.Val, false)
		default:
			s.unknownKeyword(onBlock, "a block", p)
		}
	}
	if n.Get("block") == nil {
		s.fail(n.Place, "rescue and always need a block: beside them")
	}
	if len(notify) > 0 {
		for _, part := range [][]Node{b.Body, b.Rescue, b.Always} {
			inheritNotify(part, notify)
		}
	}
	return b
}

// inheritNotify hands a block's notify down to tasks that have none of their own.
func inheritNotify(nodes []Node, notify []any) {
	for _, n := range nodes {
		switch n := n.(type) {
		case *Task:
			if n.Notify == nil {
				n.Notify = notify
			}
		case *Block:
			if n.Role != nil {
				continue // the role's tasks are shared with its other uses
			}
			for _, part := range [][]Node{n.Body, n.Rescue, n.Always} {
				inheritNotify(part, notify)
			}
		}
	}
}

// draft is a task while its keys are read.
type draft struct {
	*Task
	action   *document.Pair // the module's key and value
	written  string         // the key as written
	local    bool           // local_action
	extra    *document.Node // args:
	loopAt   *document.Pair
	ignored  []document.Pair // keywords of results, for imports, which have none
	include  string          // "import_tasks" and so on, "" for a module
	problems bool
}

func (s site) task(n *document.Node) Node {
	d := &draft{Task: &Task{Dir: s.dir, Role: s.role, IsHandler: s.handlers}}
	d.Place = n.Place
	d.include = includeKind(n)
	on := onTask
	if strings.HasPrefix(d.include, "include_") {
		on = onInclude
	}
	for i := range n.Pairs {
		s.taskKey(d, on, n.Pairs[i])
	}
	s.l.parsed = append(s.l.parsed, Parsed{Node: n, Task: d.Task, Include: d.include})
	if d.action == nil {
		if !d.problems {
			s.fail(n.Place, "the task has no module").WithHint("name a module as a key, such as command: or copy:")
		}
		return nil
	}
	if d.local && d.DelegateTo == nil {
		d.DelegateTo = "localhost"
	}
	switch d.include {
	case "import_tasks":
		return nodeOrNil(s.importTasks(d))
	case "import_role":
		return nodeOrNil(s.importRole(d))
	case "include_tasks":
		s.includeTasks(d)
	case "include_role":
		s.includeRole(d)
	default:
		s.moduleArgs(d)
	}
	return d.Task
}

func nodeOrNil(b *Block) Node {
	if b == nil {
		return nil
	}
	return b
}

var includeNames = []string{"import_tasks", "import_role", "include_tasks", "include_role", "import_playbook", "include"}

// builtinName is the short name of what may be written with its collection.
func builtinName(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, "ansible.builtin."), "ansible.legacy.")
}

// includeKind says which include or import a task is.
func includeKind(n *document.Node) string {
	for _, p := range n.Pairs {
		name := p.Key
		if name == "action" || name == "local_action" {
			name, _, _ = strings.Cut(strings.TrimSpace(p.Val.Raw), " ")
		}
		if name = builtinName(name); contains(includeNames, name) {
			return name
		}
	}
	return ""
}

// taskKey reads one key of a task: a keyword of all levels, one of tasks, or the module.
func (s site) taskKey(d *draft, on level, p document.Pair) {
	if s.base(&d.Base, on, p) {
		return
	}
	if on == onTask || contains(ownKeywords[onInclude], p.Key) || strings.HasPrefix(p.Key, "with_") || p.Key == "listen" && d.IsHandler {
		if s.taskKeyword(d, p) {
			return
		}
	}
	name := builtinName(p.Key)
	switch {
	case name == "include":
		d.problems = true
		s.fail(p.KeyPlace, "include is gone").WithHint("use import_tasks, or include_tasks where the name or the condition is known only when the task is reached")
	case name == "import_playbook":
		d.problems = true
		s.fail(p.KeyPlace, "import_playbook stands among plays, not among tasks")
	case contains(includeNames, name):
		s.setAction(d, p.Key, p)
	case s.isModule(p.Key): // user is a keyword of plays, and a module here
		s.setAction(d, p.Key, p)
	case isKeyword(p.Key):
		what := "a task"
		if on == onInclude {
			what = d.include
		}
		d.problems = true
		s.unknownKeyword(on, what, p)
	default:
		s.unknownKey(d, p)
	}
}

// setAction notes the module of a task: there is one.
func (s site) setAction(d *draft, name string, p document.Pair) {
	if d.action != nil {
		d.problems = true
		s.fail(p.KeyPlace, "a second module in one task: %s beside %s", name, d.written).
			WithHint("make it two tasks, or indent what is an argument")
		return
	}
	d.action, d.written = &p, name
}

// unknownKey is for a key that is neither keyword nor module. Only the whole
// task tells which of the two was meant, so its other keys are looked at.
func (s site) unknownKey(d *draft, p document.Pair) {
	d.problems = true
	if contains([]string{"sudo", "sudo_user", "su", "su_user"}, p.Key) {
		s.fail(p.KeyPlace, "%s is gone", p.Key).WithHint("use become, become_user and become_method")
		return
	}
	if n := fault.Nearest(p.Key, keywordsOf(onTask)); n != "" && !strings.Contains(p.Key, ".") {
		s.fail(p.KeyPlace, "unknown keyword or module %q", p.Key).WithHint("did you mean %s?", n)
		return
	}
	if d.action != nil {
		if spec, ok := s.module(d.written); ok && s.l.argsOf(spec).known(p.Key) {
			s.fail(p.KeyPlace, "unknown keyword %q", p.Key).WithHint("it is an argument of %s: indent it below %s:", d.written, d.written)
			return
		}
	}
	s.unknownModule(p.KeyPlace, p.Key)
}

// taskKeyword reads the keywords that only tasks have.
func (s site) taskKeyword(d *draft, p document.Pair) bool {
	n := p.Val
	switch p.Key {
	case "register":
		d.Register = s.register(n)
	case "changed_when":
		d.ChangedWhen = s.conditions(p.Key, n)
	case "failed_when":
		d.FailedWhen = s.conditions(p.Key, n)
	case "until":
		d.Until = s.conditions(p.Key, n)
	case "retries":
		d.Retries = s.number(p.Key, n, false)
	case "delay":
		d.Delay = s.number(p.Key, n, true)
	case "async":
		d.Async = s.number(p.Key, n, false)
	case "poll":
		d.Poll = s.number(p.Key, n, false)
	case "notify":
		d.Notify = s.list(p.Key, n, false)
	case "listen":
		if !d.IsHandler {
			s.unknownKeyword(onTask, "a task", p)
		}
		d.Listen = s.list(p.Key, n, false)
	case "args":
		d.extra = n
	case "loop_control":
		d.LoopControl = s.loopControl(n)
	case "loop":
		s.loop(d, "", p)
	case "action", "local_action":
		s.actionKeyword(d, p)
	default:
		lookup, ok := strings.CutPrefix(p.Key, "with_")
		if ok {
			s.loop(d, lookup, p)
		}
		return ok
	}
	if contains([]string{"register", "changed_when", "failed_when", "until", "retries", "delay", "async", "poll", "notify", "loop_control"}, p.Key) {
		d.ignored = append(d.ignored, p)
	}
	return true
}

func (s site) register(n *document.Node) any {
	v := s.text("register", n)
	if name, ok := v.(string); ok && !identifier.MatchString(name) {
		s.fail(n.Place, "register: %q is no name for a variable", name).WithHint("letters, digits and _ only, not starting with a digit")
	}
	return v
}

func (s site) loop(d *draft, lookup string, p document.Pair) {
	if d.loopAt != nil {
		s.fail(p.KeyPlace, "two loops on one task: %s and %s", d.loopAt.Key, p.Key)
		return
	}
	d.loopAt = &p
	if lookup == "" && !p.Val.IsNull() && p.Val.Kind != document.Seq && !template(p.Val) {
		e := s.fail(p.Val.Place, "loop: expected a list, found %s", describe(p.Val))
		switch {
		case p.Val.Kind == document.Map:
			e.WithHint("loop over the pairs of a dictionary with | dict2items")
		case identifier.MatchString(p.Val.Raw):
			e.WithHint(`to loop over the variable write "{{ %s }}"`, p.Val.Raw)
		}
	}
	d.Loop, d.LoopWith = p.Val.ToValue(), lookup
	if d.Loop == nil {
		d.Loop = (&document.Node{Kind: document.Seq}).ToValue()
	}
}

func (s site) loopControl(n *document.Node) (c LoopControl) {
	if n.Kind != document.Map {
		if !n.IsNull() {
			s.fail(n.Place, "loop_control: expected a dictionary, found %s", describe(n))
		}
		return c
	}
	for _, p := range n.Pairs {
		switch p.Key {
		case "loop_var":
			c.LoopVar = s.text(p.Key, p.Val)
		case "index_var":
			c.IndexVar = s.text(p.Key, p.Val)
		case "label":
			c.Label = p.Val.ToValue()
		case "pause":
			c.Pause = s.number(p.Key, p.Val, true)
		case "extended":
			c.Extended = s.boolean(p.Key, p.Val)
		case "extended_allitems":
			c.ExtendedAllitems = s.boolean(p.Key, p.Val)
		case "break_when":
			c.BreakWhen = s.conditions(p.Key, p.Val)
		default:
			known := []string{"loop_var", "index_var", "label", "pause", "extended", "extended_allitems", "break_when"}
			s.fail(p.KeyPlace, "unknown key %q in loop_control", p.Key).WithHint("%s", fault.DidYouMean(p.Key, known))
		}
	}
	return c
}
