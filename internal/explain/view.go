package explain

import (
	"bytes"
	"context"
	"os"
	"sort"
	"strings"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/inventory"
	"mageprov/internal/jinja"
	"mageprov/internal/playbook"
	"mageprov/internal/template"
	"mageprov/internal/vars"
)

// layer is one dictionary that sets variables.
type layer struct {
	level int
	name  string
	when  string
	vars  *jinja.Dict
	place func(key string) fault.Place
	seal  bool // of an encrypted file
}

// view is what a host sees in a play.
type view struct {
	in     Input
	play   *playbook.Play
	host   string
	layers []layer // weakest first
	scope  *template.Scope
}

func newView(in Input, p *playbook.Play, host string) (*view, error) {
	v := &view{in: in, play: p, host: host}
	if p != nil {
		if err := in.Inventory.LoadVars(document.Dir(p.File)); err != nil {
			return nil, err
		}
	}
	v.inventory()
	if p != nil {
		v.roles()
		v.plays()
		v.tasks()
	}
	v.add(layer{level: 22, name: "extra vars", vars: in.Extra, place: func(string) fault.Place { return fault.Place{File: "-e"} }})
	sort.SliceStable(v.layers, func(i, j int) bool { return v.layers[i].level < v.layers[j].level })
	v.scope = in.Templates.Scope(source{v}, nil)
	return v, nil
}

func (v *view) add(l layer) {
	if l.vars.Len() > 0 {
		v.layers = append(v.layers, l)
	}
}

// levels of inventory layers, by the beginnings of their names.
var levels = []struct {
	prefix string
	level  int
}{
	{"inventory group_vars/all", 4}, {"playbook group_vars/all", 5}, {"inventory group_vars/", 6}, {"playbook group_vars/", 7},
	{"inventory group ", 3}, {"inventory host ", 8}, {"inventory host_vars/", 9}, {"playbook host_vars/", 10},
}

func (v *view) inventory() {
	for _, l := range v.in.Inventory.Layers(v.host) {
		for _, k := range levels {
			exact := !strings.HasSuffix(k.prefix, "/all") || l.Name == k.prefix
			if strings.HasPrefix(l.Name, k.prefix) && exact {
				v.add(layer{level: k.level, name: l.Name, vars: l.Vars, place: l.Place, seal: sealed(l.Source)})
				break
			}
		}
	}
}

// sealed says whether a file on the disk is encrypted as a whole.
func sealed(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false // a list of hosts, or what the binary brings
	}
	defer f.Close()
	head := make([]byte, len("$ANSIBLE_VAULT"))
	n, _ := f.Read(head) // what cannot be read is no vault: whoever loaded it said so
	return bytes.Equal(head[:n], []byte("$ANSIBLE_VAULT"))
}

// roles takes defaults, vars and parameters of the roles that the play names.
func (v *view) roles() {
	seen := map[*playbook.Role]bool{}
	var use func(u *playbook.RoleUse)
	use = func(u *playbook.RoleUse) {
		for _, d := range u.Role.Dependencies {
			use(d)
		}
		in := "in the role " + u.Role.Name
		v.add(layer{level: 20, name: "parameters of the role " + u.Role.Name, when: in, vars: u.Params, place: v.under(u.Place, "")})
		v.add(layer{level: 15, name: "vars of the use of the role " + u.Role.Name, vars: u.Vars, place: v.under(u.Place, "vars")})
		if !seen[u.Role] {
			seen[u.Role] = true
			v.role(u.Role, "")
		}
	}
	for _, u := range v.play.Roles {
		use(u)
	}
	eachBlock(v.play, func(b *playbook.Block) {
		if b.Role != nil {
			use(b.Role)
		}
	})
	for _, r := range v.in.Loader.Contents().Roles {
		if !seen[r] && v.mine(r) {
			seen[r] = true
			v.role(r, "in the role "+r.Name+", once it is included")
		}
	}
}

// mine says whether a role that a task includes may belong to the play: with
// one play there is no doubt.
func (v *view) mine(*playbook.Role) bool {
	plays := 0
	for _, b := range v.in.Books {
		plays += len(b.Plays)
	}
	return plays == 1
}

func (v *view) role(r *playbook.Role, when string) {
	place := func(file string) func(string) fault.Place {
		return func(key string) fault.Place { return v.in.Loader.KeyPlace(file, key) }
	}
	v.add(layer{level: 2, name: "defaults of the role " + r.Name, when: when, vars: r.Defaults, place: place(r.DefaultsFile), seal: sealed(r.DefaultsFile)})
	v.add(layer{level: 15, name: "vars of the role " + r.Name, when: when, vars: r.Vars, place: place(r.VarsFile), seal: sealed(r.VarsFile)})
}

// under finds keys below a node's vars:, or in the node itself.
func (v *view) under(at fault.Place, key string) func(string) fault.Place {
	return func(name string) fault.Place {
		n := v.in.Loader.NodeAt(at)
		if n == nil {
			return at
		}
		inner := n
		if key != "" {
			inner = n.Get(key)
		}
		for _, m := range []*document.Node{inner, n.Get("vars"), n} {
			if m == nil {
				continue
			}
			for i := range m.Pairs {
				if m.Pairs[i].Key == name {
					return m.Pairs[i].KeyPlace
				}
			}
		}
		return at
	}
}

// plays takes vars, vars_prompt and vars_files of the play.
func (v *view) plays() {
	p := v.play
	v.add(layer{level: 12, name: "vars of the play", vars: p.Vars, place: v.under(p.Place, "vars")})
	for _, q := range p.VarsPrompt {
		v.add(layer{level: 13, name: "vars_prompt", when: "", vars: jinja.NewDict(q.Name, q.Default), place: func(string) fault.Place { return q.Place }})
	}
	dir := document.Dir(p.File)
	for _, entry := range p.VarsFiles {
		names := []any{entry}
		if list, ok := entry.(*jinja.List); ok {
			names = list.Items
		}
		for _, n := range names {
			if v.varsFile(n, dir) {
				break // of a list the first that is there
			}
		}
	}
}

func (v *view) varsFile(name any, dir string) bool {
	s, ok := name.(string)
	if !ok { // a template: what it says now, without facts
		scope := v.in.Templates.Scope(source{v}, nil)
		r, err := scope.Render(context.Background(), name)
		if s, ok = r.(string); err != nil || !ok {
			return false
		}
	}
	for _, d := range []string{dir, document.Join(dir, "vars")} {
		p := document.Join(d, s)
		if isDir, err := v.in.Files.Stat(p); err != nil || isDir {
			continue
		}
		if file, err := v.in.Loader.VarsFile(p); err == nil {
			v.add(layer{level: 14, name: "vars_files " + s, vars: file, seal: sealed(p),
				place: func(key string) fault.Place { return v.in.Loader.KeyPlace(p, key) }})
			return true
		}
	}
	return false
}

// origins lists the layers that set a name, weakest first.
func (v *view) origins(name string) []Origin {
	var out []Origin
	for _, l := range v.layers {
		value, ok := l.vars.Get(name)
		if !ok {
			continue
		}
		_, secret := value.(*document.Sealed)
		out = append(out, Origin{Level: l.level, Layer: l.name, Place: l.place(name), Value: value, When: l.when, Secret: secret || l.seal})
	}
	return out
}

func (v *view) names() map[string]bool {
	out := map[string]bool{}
	for _, l := range v.layers {
		for k := range l.vars.All() {
			if s, ok := k.(string); ok {
				out[s] = true
			}
		}
	}
	return out
}

// source gives the winners to templates.
type source struct{ v *view }

// Lookup gives the strongest value that holds for the whole play, or what is
// known of a magic variable.
func (s source) Lookup(_ context.Context, name string) (any, bool, error) {
	if m, ok := s.v.magic(name); ok {
		return m, true, nil
	}
	for i := len(s.v.layers) - 1; i >= 0; i-- {
		if l := s.v.layers[i]; l.when == "" {
			if v, ok := l.vars.Get(name); ok {
				return v, true, nil
			}
		}
	}
	if vars.IsFact(name) || name == "ansible_facts" {
		return nil, false, fault.New("%s is a fact, which the host is asked for when it is read", name)
	}
	return nil, false, nil
}

// Names lists what can be looked up.
func (s source) Names() []string {
	var out []string
	for n := range s.v.names() {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

// magic gives the magic variables that are known before a run.
func (v *view) magic(name string) (any, bool) {
	inv := v.in.Inventory
	switch name {
	case "inventory_hostname":
		return v.host, true
	case "inventory_hostname_short":
		return inventory.ShortName(v.host), true
	case "group_names":
		return jinja.FromGo(inv.GroupNames(v.host)), true
	case "groups":
		return inv.GroupsDict(), true
	case "inventory_dir":
		return inv.Dir(v.host), true
	case "inventory_file":
		return inv.File(v.host), true
	case "omit":
		return template.Omit, true
	case "playbook_dir":
		if v.play != nil {
			return document.Dir(v.play.File), true
		}
	case "hostvars":
		return vars.HostVars{Hosts: inv.HostNames, View: func(host string) (any, bool) {
			if !inv.Has(host) {
				return nil, false
			}
			other := &view{in: v.in, host: host}
			other.inventory()
			other.add(layer{level: 22, vars: v.in.Extra})
			other.scope = v.in.Templates.Scope(source{other}, nil)
			return all{other}, true
		}}, true
	}
	return nil, false
}

// all is hostvars[host]: what the inventory says of another host.
type all struct{ v *view }

// Get gives a rendered variable.
func (a all) Get(ctx context.Context, key any) (any, bool, error) {
	name, ok := key.(string)
	if !ok {
		return nil, false, nil
	}
	return a.v.scope.Lookup(ctx, name)
}

// Keys lists the names.
func (a all) Keys(context.Context) ([]any, error) {
	var out []any
	for _, n := range source(a).Names() {
		out = append(out, n)
	}
	return out, nil
}
