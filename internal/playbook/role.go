package playbook

import (
	"path"
	"sort"
	"strings"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// RoleFrom names other files than main in a role's directories.
type RoleFrom struct{ Tasks, Vars, Defaults, Handlers string }

func (f *RoleFrom) fields() map[string]*string {
	return map[string]*string{"tasks_from": &f.Tasks, "vars_from": &f.Vars, "defaults_from": &f.Defaults, "handlers_from": &f.Handlers}
}

type roleKey struct {
	dir  string
	from RoleFrom
}

// Role loads a role by name, as include_role does at run time: base is the
// playbook's directory, parent the role that names it.
func (l *Loader) Role(name string, from RoleFrom, base string, parent *Role) (*Role, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.site(base)
	s.role = parent
	r := s.loadRole(name, from, fault.Place{})
	if err := s.err(); err != nil {
		return nil, err
	}
	return r, nil
}

// RolePath gives the directory of a role.
func (l *Loader) RolePath(name, base string, parent *Role) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.site(base)
	s.role = parent
	found, tried := s.findRole(name)
	if found.dir == "" {
		return "", s.noRole(fault.Place{}, name, tried)
	}
	return found.dir, nil
}

// roleDirs are the directories that hold roles, in the order of the search:
// Ansible's, then beside the playbook's directory (playbooks/ and roles/ are
// neighbours), then in the binary.
func (s site) roleDirs() []string {
	dirs := append([]string{document.Join(s.playDir, "roles")}, s.l.o.RolesPath...)
	dirs = append(dirs, s.playDir)
	if s.role != nil {
		dirs = append(dirs, document.Dir(s.role.Path))
	}
	return append(dirs, document.Join(s.playDir, "..", "roles"), document.Builtin+"roles")
}

// foundRole is where a role is. One of a collection has its full name.
type foundRole struct{ dir, name, collection string }

// findRole gives the directory of a role, "" and the places tried if there is none.
// A full name is looked for in the collections first, and in the directories of
// roles by its last part too; a short one first in the collection of the role
// that names it and in those of the keyword collections.
func (s site) findRole(name string) (found foundRole, tried []string) {
	for _, full := range s.fullNames(name) {
		at := strings.LastIndexByte(full, '.')
		for _, dir := range s.collectionDirs(full[:at]) {
			if p := document.Join(dir, "roles", full[at+1:]); s.l.isDir(p) {
				return foundRole{s.l.shown(p), full, full[:at]}, nil
			}
		}
	}
	names := []string{name}
	if i := strings.LastIndexByte(name, '.'); i >= 0 && strings.Count(name, ".") == 2 {
		names = append(names, name[i+1:])
	}
	for _, base := range s.roleDirs() {
		for _, n := range names {
			p := document.Join(base, n)
			if s.l.isDir(p) && s.looksLikeRole(p) {
				return foundRole{dir: s.l.shown(p), name: roleName(name)}, nil
			}
		}
		if !contains(tried, base) {
			tried = append(tried, base)
		}
	}
	return foundRole{}, tried
}

// fullNames are the names by which a role may stand in a collection.
func (s site) fullNames(name string) (full []string) {
	if strings.Contains(name, "/") {
		return nil
	}
	if strings.Count(name, ".") == 2 {
		return []string{name}
	}
	if s.role != nil && s.role.Collection != "" {
		full = append(full, s.role.Collection+"."+name)
	}
	for _, c := range s.collections {
		full = append(full, c+"."+name)
	}
	return full
}

// collectionDirs are the places where the collection "ns.name" may be.
func (s site) collectionDirs(collection string) (dirs []string) {
	ns, name, ok := strings.Cut(collection, ".")
	if !ok {
		return nil
	}
	for _, base := range append([]string{document.Join(s.playDir, "collections")}, s.l.o.CollectionsPath...) {
		if path.Base(base) != "ansible_collections" {
			base = document.Join(base, "ansible_collections")
		}
		dirs = append(dirs, document.Join(base, ns, name))
	}
	return dirs
}

// looksLikeRole keeps a mere directory beside the playbook (files/, a site's
// data) from being taken for a role of that name.
func (s site) looksLikeRole(dir string) bool {
	for _, sub := range []string{"tasks", "defaults", "vars", "handlers", "meta", "templates", "files"} {
		if s.l.isDir(document.Join(dir, sub)) {
			return true
		}
	}
	return false
}

func (s site) noRole(at fault.Place, name string, tried []string) error {
	var names []string
	for _, dir := range tried {
		found, _ := s.l.o.Files.ReadDir(dir)
		names = append(names, found...)
	}
	e := fault.At(at, "the role %s does not exist", name).WithHint("looked in %s", strings.Join(tried, ", "))
	if n := fault.Nearest(name, names); n != "" {
		e.WithHint("did you mean %s?", n)
	}
	return e
}

// loadRole reads a role with its dependencies, once.
func (s site) loadRole(name string, from RoleFrom, at fault.Place) *Role {
	found, tried := s.findRole(name)
	dir := found.dir
	if dir == "" {
		s.add(at, s.noRole(at, name, tried))
		return nil
	}
	key := roleKey{dir, from}
	if r, ok := s.l.roles[key]; ok {
		return r
	}
	step := dir + roleMark + from.Tasks
	if contains(s.chain, step) {
		s.circle(at, "roles need each other", step)
		return nil
	}
	before := len(s.errs)
	notes := len(s.l.findings)
	s.chain = append(append([]string(nil), s.chain...), step)
	r := &Role{Name: found.name, Collection: found.collection, Path: dir}
	s.l.bring(r)
	s.role, s.handlers = r, false
	s.roleMeta(r, from)
	r.Defaults, r.DefaultsFile = s.roleVars(r, "defaults", from.Defaults)
	r.Vars, r.VarsFile = s.roleVars(r, "vars", from.Vars)
	if file := s.roleFile(r, "tasks", from.Tasks, at); file != "" {
		r.TasksFile = file
		r.Tasks = s.taskFile(file, at)
	}
	if file := s.roleFile(r, "handlers", from.Handlers, at); file != "" {
		s.handlers = true
		r.Handlers = s.taskFile(file, at)
	}
	if len(s.errs) == before && (!s.lenient || len(s.l.findings) == notes) {
		s.l.roles[key] = r
	}
	return r
}

func roleName(name string) string {
	if strings.Contains(name, "/") {
		return path.Base(name)
	}
	return name
}

// mainNames are the names a directory's main file may have.
func mainNames(from string) []string {
	if from == "" {
		from = "main"
	}
	if ext := path.Ext(from); ext == ".yml" || ext == ".yaml" || ext == ".json" {
		return []string{from}
	}
	return []string{from + ".yml", from + ".yaml", from + ".json", from}
}

// roleFile finds main, or the file that was asked for instead.
func (s site) roleFile(r *Role, kind, from string, at fault.Place) string {
	for _, n := range mainNames(from) {
		if p := document.Join(r.Path, kind, n); s.l.isFile(p) {
			return p
		}
	}
	if from != "" {
		e := s.fail(at, "the role %s has no file %s/%s", r.Name, kind, mainNames(from)[0])
		if found, err := s.l.o.Files.ReadDir(document.Join(r.Path, kind)); err == nil && len(found) > 0 {
			e.WithHint("%s", fault.DidYouMean(mainNames(from)[0], found))
		}
	}
	return ""
}

// roleVars reads main, or all files of a directory of that name.
func (s site) roleVars(r *Role, kind, from string) (*jinja.Dict, string) {
	base := document.Join(r.Path, kind)
	for _, n := range mainNames(from) {
		p := document.Join(base, n)
		if s.l.isFile(p) {
			return s.varsFile(p, fault.Place{}), p
		}
		if !s.l.isDir(p) {
			continue
		}
		all := jinja.NewDict()
		for _, f := range s.filesBelow(p) {
			all = addVars(all, s.varsFile(f, fault.Place{}))
		}
		return all, p
	}
	if from != "" {
		s.roleFile(r, kind, from, fault.Place{File: base})
	}
	return jinja.NewDict(), ""
}

func (s site) filesBelow(dir string) []string {
	names, _ := s.l.o.Files.ReadDir(dir)
	sort.Strings(names)
	var out []string
	for _, n := range names {
		p := document.Join(dir, n)
		switch ext := path.Ext(n); {
		case strings.HasPrefix(n, "."):
		case s.l.isDir(p):
			out = append(out, s.filesBelow(p)...)
		case ext == ".yml" || ext == ".yaml" || ext == ".json" || ext == "":
			out = append(out, p)
		}
	}
	return out
}

// VarsFile reads a file of variables; an empty one gives an empty Dict. The
// Dict is shared: clone before changing it.
func (l *Loader) VarsFile(path string) (*jinja.Dict, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.site(l.playDir)
	d := s.varsFile(path, fault.Place{File: path})
	return d, s.err()
}

func (s site) varsFile(file string, at fault.Place) *jinja.Dict {
	n, _, ok := s.read(file, at)
	if !ok || n.IsNull() {
		return jinja.NewDict()
	}
	if n.Kind != document.Map {
		s.fail(n.Place, "expected variables (name: value), found %s", describe(n))
		return jinja.NewDict()
	}
	return n.ToValue().(*jinja.Dict)
}

// roleMeta reads meta/main.yml and the argument specification.
func (s site) roleMeta(r *Role, from RoleFrom) {
	entry := strings.TrimSuffix(mainNames(from.Tasks)[0], path.Ext(mainNames(from.Tasks)[0]))
	for _, name := range []string{"argument_specs.yml", "argument_specs.yaml"} {
		if p := document.Join(r.Path, "meta", name); s.l.isFile(p) {
			if n, _, ok := s.read(p, fault.Place{}); ok {
				r.Validation = s.validation(r, n.Get("argument_specs"), entry)
			}
		}
	}
	file := s.roleFile(r, "meta", "", fault.Place{})
	if file == "" {
		return
	}
	n, shown, ok := s.read(file, fault.Place{})
	if !ok || n.IsNull() {
		return
	}
	if n.Kind != document.Map {
		s.fail(n.Place, "meta: expected a dictionary, found %s", describe(n))
		return
	}
	s = s.in(shown)
	for _, p := range n.Pairs {
		switch p.Key {
		case "dependencies":
			r.Dependencies = s.roleUses(p.Val)
		case "allow_duplicates":
			r.AllowDuplicates, _ = s.boolean(p.Key, p.Val).(bool)
		case "argument_specs":
			if r.Validation == nil {
				r.Validation = s.validation(r, p.Val, entry)
			}
		case "galaxy_info", "collections", "standalone", "galaxy_tags":
		default:
			known := []string{"dependencies", "allow_duplicates", "argument_specs", "galaxy_info", "collections"}
			s.fail(p.KeyPlace, "unknown key %q in a role's meta", p.Key).WithHint("%s", fault.DidYouMean(p.Key, known))
		}
	}
}

// roleUses reads roles: and dependencies:.
func (s site) roleUses(n *document.Node) []*RoleUse {
	if n.IsNull() {
		return nil
	}
	if n.Kind != document.Seq {
		s.fail(n.Place, "expected a list of roles, found %s", describe(n))
		return nil
	}
	var out []*RoleUse
	for _, it := range n.Items {
		if u := s.roleUse(it); u != nil {
			out = append(out, u)
		}
	}
	return out
}

func (s site) roleUse(n *document.Node) *RoleUse {
	u := &RoleUse{Base: Base{Place: n.Place}}
	nameNode := n
	if n.Kind == document.Map {
		nameNode = n.Get("role")
		if nameNode == nil {
			nameNode = n.Get("name")
		}
		for _, p := range n.Pairs {
			s.roleKey(u, p)
		}
	}
	if nameNode == nil || n.Kind == document.Seq {
		s.fail(n.Place, "expected the name of a role, found %s", describe(n)).WithHint("name it with role:")
		return nil
	}
	name, ok := s.static("import_role", nameNode)
	if !ok {
		return nil
	}
	if u.Role = s.loadRole(name, RoleFrom{}, nameNode.Place); u.Role == nil {
		return nil
	}
	return u
}

// roleKey reads one key of an entry: a keyword, or a variable for the role.
func (s site) roleKey(u *RoleUse, p document.Pair) {
	if p.Key == "role" || p.Key == "name" || s.base(&u.Base, onRole, p) {
		return
	}
	if isKeyword(p.Key) {
		s.unknownKeyword(onRole, "a role", p)
		return
	}
	if near := fault.Nearest(p.Key, keywordsOf(onRole)); near != "" && len(p.Key) > 4 {
		s.note(Finding{Place: p.KeyPlace, Rule: "role-parameter", Level: Warning,
			Msg: p.Key + " is no keyword, so it is a variable for the role", Hint: "did you mean " + near + "?"})
	}
	if u.Params == nil {
		u.Params = jinja.NewDict()
	}
	v := p.Val.ToValue()
	u.Params.Set(p.KeyValue, v)
	u.Params.Templated = u.Params.Templated || jinja.IsTemplated(v)
}
