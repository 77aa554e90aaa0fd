package playbook

import (
	"strings"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// Playbook reads a playbook and all that it names before it starts. The error
// is a *multierror.Error of every mistake in every file, as *fault.Error.
func (l *Loader) Playbook(path string) (*Playbook, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.site(document.Dir(l.shown(path)))
	l.playDir = s.playDir
	pb := &Playbook{Path: path}
	pb.Plays = s.playbook(path, fault.Place{})
	return pb, s.err()
}

func (s site) playbook(path string, from fault.Place) []*Play {
	n, shown, ok := s.read(path, from)
	if !ok {
		return nil
	}
	s = s.in(shown)
	s.playDir = s.dir
	if n.Kind != document.Seq {
		e := s.fail(n.Place, "a playbook is a list of plays, found %s", describe(n))
		if n.Get("hosts") != nil {
			e.WithHint("put a dash before the first key: - hosts: ...")
		}
		return nil
	}
	if len(n.Items) == 0 {
		s.fail(n.Place, "the playbook is empty")
	}
	var plays []*Play
	for _, it := range n.Items {
		plays = append(plays, s.playOrImport(it)...)
	}
	return plays
}

func (s site) playOrImport(n *document.Node) []*Play {
	if n.Kind != document.Map {
		s.fail(n.Place, "expected a play, found %s", describe(n)).WithHint("a play is a dictionary with hosts: and tasks: or roles:")
		return nil
	}
	for _, p := range n.Pairs {
		switch builtinName(p.Key) {
		case "import_playbook":
			return s.importPlaybook(n, p)
		case "include":
			s.fail(p.KeyPlace, "include is gone").WithHint("use import_playbook")
			return nil
		}
	}
	return []*Play{s.play(n)}
}

// importPlaybook gives the plays of another playbook, with the import's
// conditions, tags and variables on each of them.
func (s site) importPlaybook(n *document.Node, at document.Pair) []*Play {
	var b Base
	for _, p := range n.Pairs {
		switch p.Key {
		case at.Key:
		case "name", "when", "tags", "vars":
			s.base(&b, onTask, p)
		default:
			s.fail(p.KeyPlace, "%s cannot stand on import_playbook", p.Key).WithHint("it takes name, when, tags and vars")
		}
	}
	name, ok := s.static("import_playbook", at.Val)
	if !ok {
		return nil
	}
	path := s.playbookFile(name)
	if contains(s.chain, s.l.shown(path)) {
		s.circle(at.Val.Place, "playbooks import each other", path)
		return nil
	}
	plays := s.playbook(path, at.Val.Place)
	for _, p := range plays {
		p.When = append(append([]any(nil), b.When...), p.When...)
		p.Tags = append(append([]any(nil), p.Tags...), b.Tags...)
		p.Vars = addVars(p.Vars, b.Vars)
	}
	return plays
}

// playbookFile is the file of a playbook: beside the one that names it, or, by
// a full name "ns.collection.playbook", in a collection.
func (s site) playbookFile(name string) string {
	beside := document.Join(s.dir, name)
	at := strings.LastIndexByte(name, '.')
	if strings.Count(name, ".") < 2 || strings.Contains(name, "/") || s.l.isFile(beside) {
		return beside
	}
	for _, dir := range s.collectionDirs(name[:at]) {
		for _, ext := range []string{".yml", ".yaml"} {
			if p := document.Join(dir, "playbooks", name[at+1:]+ext); s.l.isFile(p) {
				return p
			}
		}
	}
	return beside
}

func (s site) play(n *document.Node) *Play {
	p := &Play{File: s.file}
	p.Place = n.Place
	var later []document.Pair // what needs the play's vars and module_defaults
	for _, pair := range n.Pairs {
		switch {
		case s.base(&p.Base, onPlay, pair):
		case s.playKeyword(p, pair):
		case contains([]string{"tasks", "pre_tasks", "post_tasks", "handlers", "roles"}, pair.Key):
			later = append(later, pair)
		default:
			s.unknownKeyword(onPlay, "a play", pair)
		}
	}
	if n.Get("hosts") == nil {
		s.fail(n.Place, "the play has no hosts").WithHint("add hosts: with a host, a group or all")
	}
	s.vars = p.Vars
	s.collections = p.Collections
	for _, pair := range later {
		switch pair.Key {
		case "tasks":
			p.Tasks = s.nodes("tasks", pair.Val)
		case "pre_tasks":
			p.PreTasks = s.nodes("pre_tasks", pair.Val)
		case "post_tasks":
			p.PostTasks = s.nodes("post_tasks", pair.Val)
		case "handlers":
			h := s
			h.handlers = true
			p.Handlers = h.nodes("handlers", pair.Val)
		case "roles":
			p.Roles = s.roleUses(pair.Val)
		}
	}
	return p
}

func (s site) playKeyword(p *Play, pair document.Pair) bool {
	n := pair.Val
	switch pair.Key {
	case "hosts":
		p.Hosts = s.hosts(n)
	case "user":
		p.RemoteUser = s.text("user", n)
		s.note(Finding{Place: pair.KeyPlace, Rule: "deprecated", Level: Warning, Msg: "user is the old name of remote_user", Hint: "use remote_user"})
	case "gather_facts":
		p.GatherFacts = s.boolean(pair.Key, n)
	case "gather_subset":
		p.GatherSubset = anyList(s.list(pair.Key, n, true))
	case "gather_timeout":
		p.GatherTimeout = s.number(pair.Key, n, false)
	case "fact_path":
		p.FactPath = s.text(pair.Key, n)
	case "force_handlers":
		p.ForceHandlers = s.boolean(pair.Key, n)
	case "max_fail_percentage":
		p.MaxFailPercentage = s.number(pair.Key, n, true)
	case "order":
		p.Order = s.choice(pair.Key, n, "inventory", "sorted", "reverse_sorted", "reverse_inventory", "shuffle")
	case "strategy":
		p.Strategy = s.strategy(n)
	case "serial":
		p.Serial = s.serial(n)
	case "vars_files":
		p.VarsFiles = s.varsFiles(n)
	case "vars_prompt":
		p.VarsPrompt = s.prompts(n)
	default:
		return false
	}
	return true
}

func anyList(items []any) any {
	if len(items) == 0 {
		return nil
	}
	return jinja.NewList(items...)
}

func (s site) hosts(n *document.Node) any {
	if n.Kind == document.Seq {
		for _, it := range n.Items {
			s.text("hosts", it)
		}
		if len(n.Items) > 0 {
			return n.ToValue()
		}
	} else if v := s.text("hosts", n); v != nil && v != "" {
		return v
	} else if n.Kind == document.Map {
		return nil
	}
	s.fail(n.Place, "hosts is empty").WithHint("name a host, a group or all")
	return nil
}

// NoDebugger is what can be done without strategy: debug.
const NoDebugger = "take strategy: linear; -vvv and a debug task show what the debugger would"

func (s site) strategy(n *document.Node) any {
	v, ok := s.text("strategy", n).(string)
	if !ok {
		return n.Value
	}
	short := v[strings.LastIndexByte(v, '.')+1:]
	known := []string{"linear", "free", "host_pinned"}
	if short == "debug" {
		s.fail(n.Place, "strategy: there is no debugger").WithHint("%s", NoDebugger)
	} else if !contains(known, short) {
		s.fail(n.Place, "strategy: %q is not known", v).WithHint("%s", orList(fault.Nearest(short, known), known))
	}
	return short
}

func (s site) serial(n *document.Node) []any {
	items := []*document.Node{n}
	if n.Kind == document.Seq {
		items = n.Items
	}
	var out []any
	for _, it := range items {
		if raw := strings.TrimSpace(it.Raw); strings.HasSuffix(raw, "%") && !template(it) {
			percent := &document.Node{Value: strings.TrimSpace(strings.TrimSuffix(raw, "%")), Raw: raw, Place: it.Place}
			if s.number("serial", percent, true) != nil {
				out = append(out, raw)
			}
			continue
		}
		if v := s.number("serial", it, false); v != nil {
			out = append(out, v)
		}
	}
	return out
}

func (s site) varsFiles(n *document.Node) []any {
	items := []*document.Node{n}
	if n.Kind == document.Seq {
		items = n.Items
	}
	var out []any
	for _, it := range items {
		if it.Kind == document.Seq {
			s.list("vars_files", it, false) // for its mistakes
			out = append(out, it.ToValue())
			continue
		}
		v := s.text("vars_files", it)
		if name, ok := v.(string); ok {
			// what is named outright must be there, and readable, before the play starts
			if path := s.varsPath(name); path != "" {
				s.read(path, it.Place)
			} else {
				s.fail(it.Place, "the variables file %s does not exist", name)
			}
		}
		if v != nil {
			out = append(out, v)
		}
	}
	return out
}

func (s site) varsPath(name string) string {
	for _, dir := range []string{s.playDir, document.Join(s.playDir, "vars")} {
		if p := document.Join(dir, name); s.l.isFile(p) {
			return p
		}
	}
	return ""
}

func (s site) prompts(n *document.Node) []VarsPrompt {
	if n.Kind != document.Seq {
		s.fail(n.Place, "vars_prompt: expected a list, found %s", describe(n))
		return nil
	}
	var out []VarsPrompt
	for _, it := range n.Items {
		if it.Kind != document.Map {
			s.fail(it.Place, "vars_prompt: expected a dictionary with a name, found %s", describe(it))
			continue
		}
		v := VarsPrompt{Place: it.Place, Private: true}
		for _, p := range it.Pairs {
			s.prompt(&v, p)
		}
		if v.Name == "" {
			s.fail(it.Place, "vars_prompt: the question has no name")
		}
		if v.Prompt == "" {
			v.Prompt = v.Name
		}
		out = append(out, v)
	}
	return out
}

func (s site) prompt(v *VarsPrompt, p document.Pair) {
	flag := func() bool { b, _ := s.boolean(p.Key, p.Val).(bool); return b }
	switch p.Key {
	case "name":
		v.Name = s.literal(p.Key, p.Val)
	case "prompt":
		if t, ok := s.text(p.Key, p.Val).(*jinja.Text); ok {
			v.Prompt = t.Source
		} else {
			v.Prompt = s.literal(p.Key, p.Val)
		}
	case "default":
		v.Default = p.Val.ToValue()
	case "private":
		v.Private = flag()
	case "confirm":
		v.Confirm = flag()
	case "unsafe":
		v.Unsafe = flag()
	case "encrypt":
		v.Encrypt = s.literal(p.Key, p.Val)
	case "salt":
		v.Salt = s.literal(p.Key, p.Val)
	case "salt_size":
		if i, ok := s.number(p.Key, p.Val, false).(int64); ok {
			v.SaltSize = int(i)
		}
	default:
		known := []string{"name", "prompt", "default", "private", "confirm", "unsafe", "encrypt", "salt", "salt_size"}
		s.fail(p.KeyPlace, "unknown key %q in vars_prompt", p.Key).WithHint("%s", fault.DidYouMean(p.Key, known))
	}
}
