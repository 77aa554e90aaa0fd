package playbook

import (
	"strings"

	"mageprov/internal/document"
	"mageprov/internal/fault"
)

// TasksContext says for whom a task file is read.
type TasksContext struct {
	Role        *Role  // the role it belongs to, nil for none
	Handlers    bool   // its tasks are handlers
	Dir         string // where relative names of its tasks start; "": the file's own directory
	PlaybookDir string // "": of the playbook loaded last
}

// Tasks reads a task file, as include_tasks does at run time. The nodes may be
// shared with other includes of the same file.
func (l *Loader) Tasks(path string, c TasksContext) ([]Node, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := tasksKey{l.shown(path), c.Role, c.Handlers}
	if nodes, ok := l.tasks[key]; ok {
		return nodes, nil
	}
	if c.PlaybookDir == "" {
		c.PlaybookDir = l.playDir
	}
	s := l.site(c.PlaybookDir)
	s.role, s.handlers = c.Role, c.Handlers
	var nodes []Node
	if n, shown, ok := s.read(path, fault.Place{}); ok {
		s = s.in(shown)
		if c.Dir != "" {
			s.dir = c.Dir
		}
		nodes = s.taskList(path, n)
	}
	if err := s.err(); err != nil {
		return nil, err
	}
	l.tasks[key] = nodes
	return nodes, nil
}

// taskFile reads the tasks of a file.
func (s site) taskFile(path string, from fault.Place) []Node {
	n, shown, ok := s.read(path, from)
	if !ok {
		return nil
	}
	return s.in(shown).taskList(path, n)
}

func (s site) taskList(path string, n *document.Node) []Node {
	if n.Kind == document.Seq && len(n.Items) > 0 && n.Items[0].Get("hosts") != nil {
		s.fail(n.Items[0].Place, "found a play where tasks are expected").WithHint("a whole playbook is taken in with import_playbook")
		return nil
	}
	return s.nodes(path, n)
}

// includeArgs takes the arguments of an include or import apart: free is the
// argument that text without key= means.
func (s site) includeArgs(d *draft, free string, known ...string) map[string]*document.Node {
	out := map[string]*document.Node{}
	take := func(p document.Pair) {
		if p.Key == "_raw_params" {
			p.Key = free
		}
		if !contains(known, p.Key) {
			s.fail(p.KeyPlace, "%s has no argument %q", d.include, p.Key).
				WithHint("%s; variables for the tasks go under vars:", strings.TrimSuffix(orList(fault.Nearest(p.Key, known), known), "?"))
			return
		}
		out[p.Key] = p.Val
	}
	for _, n := range []*document.Node{d.extra, d.action.Val} {
		switch {
		case n.IsNull():
		case n.Kind == document.Map:
			for _, p := range n.Pairs {
				take(p)
			}
		case n.Kind == document.Seq:
			s.fail(n.Place, "%s: expected a name, found a list", d.include).WithHint("name one, or loop over an include_")
		default:
			parsed, ok := s.splitArgs(n, known)
			if !ok {
				continue
			}
			for _, p := range parsed.pairs {
				take(p)
			}
			if parsed.free != "" {
				out[free] = &document.Node{Place: parsed.at, Raw: parsed.free, Value: textOrString(parsed.free, parsed.at, template(n))}
			}
		}
	}
	return out
}

// findTasks gives the path of a task file that a literal name means: beside the
// file that names it, in the role's tasks, beside the playbook.
func (s site) findTasks(name string) (path string, tried []string) {
	dirs := []string{s.dir}
	if s.role != nil && s.handlers {
		dirs = append(dirs, document.Join(s.role.Path, "handlers"))
	}
	if s.role != nil {
		dirs = append(dirs, document.Join(s.role.Path, "tasks"))
	}
	for _, dir := range append(dirs, s.playDir) {
		p := document.Join(dir, name)
		if s.l.isFile(p) {
			return p, nil
		}
		if !contains(tried, p) {
			tried = append(tried, p)
		}
	}
	return "", tried
}

// implicit makes the block an import leaves behind: it carries the import's keywords.
func (s site) implicit(d *draft) *Block {
	if d.loopAt != nil {
		s.fail(d.loopAt.KeyPlace, "%s cannot loop", d.include).WithHint("use include_%s", strings.TrimPrefix(d.include, "import_"))
	}
	for _, p := range d.ignored {
		s.note(Finding{Place: p.KeyPlace, Rule: "ignored-keyword", Level: Warning, Msg: p.Key + " has no effect on " + d.include,
			Hint: "put it on the imported tasks"})
	}
	return &Block{Base: d.Base, Implicit: true}
}

// importTasks puts the tasks of a file in place of the import.
func (s site) importTasks(d *draft) *Block {
	args := s.includeArgs(d, "file", "file")
	b := s.implicit(d)
	file := args["file"]
	if file.IsNull() {
		s.fail(d.action.KeyPlace, "import_tasks names no file")
		return nil
	}
	name, ok := s.static("import_tasks", file)
	if !ok {
		return nil
	}
	path, tried := s.findTasks(name)
	if path == "" {
		s.fail(file.Place, "the task file %s does not exist", name).WithHint("looked for %s", strings.Join(tried, ", "))
		return nil
	}
	if contains(s.chain, s.l.shown(path)) {
		s.circle(file.Place, "task files import each other", path).
			WithHint("include_tasks may call itself, as long as a condition ends it")
		return nil
	}
	if d.Vars != nil {
		s.vars = addVars(s.vars, d.Vars)
	}
	b.Dir = document.Dir(s.l.shown(path))
	b.Body = s.taskFile(path, file.Place)
	return b
}

// includeTasks reads what is known of an include before it runs.
func (s site) includeTasks(d *draft) {
	args := s.includeArgs(d, "file", "file", "apply")
	d.Action = d.written
	inc := &Include{}
	d.Include = inc
	s.apply(inc, args["apply"])
	file := args["file"]
	if file.IsNull() {
		s.fail(d.action.KeyPlace, "include_tasks names no file")
		return
	}
	inc.File = s.text("file", file)
	name, literal := inc.File.(string)
	if !literal {
		return
	}
	path, tried := s.findTasks(name)
	if path == "" {
		s.note(Finding{Place: file.Place, Rule: "missing-include", Level: Warning, Msg: "the task file " + name + " does not exist",
			Hint: "looked for " + strings.Join(tried, ", ")})
		return
	}
	s.lookInto(tasksKey{s.l.shown(path), s.role, s.handlers}, func(s site) { s.taskFile(path, file.Place) })
}

// lookInto reads what a dynamic include names, once, only to find mistakes
// before the first host is touched. It may well name itself.
func (s site) lookInto(key tasksKey, read func(site)) {
	if s.l.checked[key] {
		return
	}
	s.l.checked[key] = true
	s.lenient, s.chain = true, nil
	read(s)
}

// apply reads the keywords that apply: hands to the included tasks.
func (s site) apply(inc *Include, n *document.Node) {
	if n.IsNull() {
		return
	}
	if n.Kind != document.Map {
		s.fail(n.Place, "apply: expected a dictionary of keywords, found %s", describe(n))
		return
	}
	inc.Apply = s.dict("apply", n)
	inc.ApplyBase = &Base{Place: n.Place}
	for _, p := range n.Pairs {
		if !s.base(inc.ApplyBase, onBlock, p) {
			s.unknownKeyword(onBlock, "apply", p)
		}
	}
}

// importRole puts a role in place of the import.
func (s site) importRole(d *draft) *Block {
	args := s.roleArgs(d, "public", "allow_duplicates", "rolespec_validate")
	b := s.implicit(d)
	n := args["name"]
	if n == nil {
		return nil
	}
	name, ok := s.static("import_role", n)
	if !ok {
		return nil
	}
	var from RoleFrom
	for key, dst := range from.fields() {
		if a := args[key]; !a.IsNull() {
			if *dst, ok = s.static("import_role", a); !ok {
				return nil
			}
		}
	}
	role := s.loadRole(name, from, n.Place)
	if role == nil {
		return nil
	}
	b.Role = &RoleUse{Base: Base{Place: d.Place}, Role: role, Included: true}
	refused := func(arg string) bool {
		n := args[arg]
		if n == nil {
			return false
		}
		yes, isBool := s.boolean(arg, n).(bool)
		return isBool && !yes
	}
	b.Role.Unchecked, b.Role.Once = refused("rolespec_validate"), refused("allow_duplicates")
	return b
}

// includeRole reads what is known of an include before it runs.
func (s site) includeRole(d *draft) {
	args := s.roleArgs(d, "apply", "public", "allow_duplicates", "rolespec_validate", "roles_path")
	d.Action = d.written
	inc := &Include{}
	d.Include = inc
	s.apply(inc, args["apply"])
	if n := args["public"]; n != nil {
		inc.Public = s.boolean("public", n)
	}
	if n := args["rolespec_validate"]; n != nil {
		inc.RolespecValidate = s.boolean("rolespec_validate", n)
	}
	if n := args["allow_duplicates"]; n != nil {
		inc.AllowDuplicates = s.boolean("allow_duplicates", n)
	}
	var from RoleFrom
	literal := true
	for key, dst := range from.fields() {
		n := args[key]
		if n.IsNull() {
			continue
		}
		v := s.text(key, n)
		switch key {
		case "tasks_from":
			inc.TasksFrom = v
		case "vars_from":
			inc.VarsFrom = v
		case "defaults_from":
			inc.DefaultsFrom = v
		case "handlers_from":
			inc.HandlersFrom = v
		}
		text, ok := v.(string)
		literal = literal && ok
		*dst = text
	}
	n := args["name"]
	if n == nil {
		return
	}
	inc.Role = s.text("name", n)
	name, ok := inc.Role.(string)
	if !ok || !literal {
		return
	}
	found, tried := s.findRole(name)
	if found.dir == "" {
		s.note(Finding{Place: n.Place, Rule: "missing-include", Level: Warning, Msg: "the role " + name + " does not exist",
			Hint: "looked in " + strings.Join(tried, ", ")})
		return
	}
	if found.collection != "" && (s.role == nil || s.role.Collection == "") {
		inc.Role = found.name // at run time the keyword collections is not at hand
	}
	s.lookInto(tasksKey{path: found.dir + "\x00" + from.Tasks}, func(s site) { s.loadRole(name, from, n.Place) })
}

// roleArgs are the arguments of import_role and include_role.
func (s site) roleArgs(d *draft, more ...string) map[string]*document.Node {
	args := s.includeArgs(d, "name", append([]string{"name", "role", "tasks_from", "vars_from", "defaults_from", "handlers_from"}, more...)...)
	if args["name"] == nil && args["role"] != nil {
		args["name"] = args["role"]
	}
	if args["name"].IsNull() {
		s.fail(d.action.KeyPlace, "%s needs the argument name", d.include)
		args["name"] = nil
	}
	return args
}
