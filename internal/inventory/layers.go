package inventory

import (
	"sort"
	"strings"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// Layer is what one file says about a host, or about a group it is in. Vars is
// shared by all hosts: it must not be changed.
type Layer struct {
	Name   string // "inventory group_vars/all", for explain
	Source string // file
	Vars   *jinja.Dict

	from fileVars
}

// Place tells where key is set, as far as it is known.
func (l Layer) Place(key string) fault.Place {
	if p, ok := l.from.places[key]; ok {
		return p
	}
	if l.from.node != nil {
		for i := range l.from.node.Pairs {
			if l.from.node.Pairs[i].Key == key {
				return l.from.node.Pairs[i].KeyPlace
			}
		}
	}
	return fault.Place{File: l.Source}
}

// hostView is what is computed about a host and kept until something changes.
type hostView struct {
	gen    int
	groups []*Group // in merge order
	layers []Layer
}

// Layers gives the variables of a host, the weakest first:
//
//	groups in inventory files: all, then by depth, priority and name
//	group_vars/all beside the inventory, then beside the playbook
//	group_vars/* beside the inventory, then beside the playbook
//	the host in inventory files
//	host_vars/* beside the inventory, then beside the playbook
//
// An unknown host has none; localhost, where no inventory names it, has those of
// all and its own, and ansible_connection: local.
func (inv *Inventory) Layers(host string) []Layer {
	v := inv.view(host)
	if v == nil {
		return nil
	}
	return v.layers
}

func (inv *Inventory) view(host string) *hostView {
	inv.mu.RLock()
	h := inv.find(host)
	if h != nil && h.view != nil && h.view.gen == inv.gen {
		defer inv.mu.RUnlock()
		return h.view
	}
	inv.mu.RUnlock()
	inv.mu.Lock()
	defer inv.mu.Unlock()
	if h = inv.findOrImply(host); h == nil {
		return nil
	}
	if h.view == nil || h.view.gen != inv.gen {
		h.view = inv.compute(h)
	}
	return h.view
}

func (inv *Inventory) find(name string) *Host {
	if h := inv.hosts[name]; h != nil {
		return h
	}
	return inv.implicit[name]
}

// findOrImply also makes the implicit localhost.
func (inv *Inventory) findOrImply(name string) *Host {
	if h := inv.find(name); h != nil || !isLocalName(name) {
		return h
	}
	h := &Host{Name: name}
	h.vars = set(nil, "", "ansible_connection", "local", fault.Place{})
	inv.implicit[name] = h
	for _, dir := range inv.varDirs() {
		// A broken host_vars/localhost shows when a playbook or inventory that
		// names localhost is loaded; here nobody could be told.
		_ = inv.loadVarsOf(dir, "host_vars", name)
	}
	return h
}

func isLocalName(name string) bool {
	return name == "localhost" || name == "127.0.0.1" || name == "::1"
}

// varDirs lists the directories with group_vars/, the playbook's last.
func (inv *Inventory) varDirs() []string {
	dirs := append([]string(nil), inv.dirs...)
	if d := inv.playVarDir(); d != "" {
		dirs = append(dirs, d)
	}
	return dirs
}

// playVarDir is the playbook's directory unless the strongest source lies in it
// too: then its layers are there already.
func (inv *Inventory) playVarDir() string {
	if n := len(inv.dirs); n > 0 && inv.dirs[n-1] == inv.playDir {
		return ""
	}
	return inv.playDir
}

// compute makes what is known about a host.
func (inv *Inventory) compute(h *Host) *hostView {
	groups := inv.groupsOf(h)
	return &hostView{gen: inv.gen, groups: groups, layers: inv.layersOf(h, groups, true)}
}

// layersOf lays the layers of a host, which is in groups, over one another;
// without files, those of inventory files alone.
func (inv *Inventory) layersOf(h *Host, groups []*Group, files bool) []Layer {
	var layers []Layer
	all := inv.groups[allName]
	add := func(name string, list []fileVars) {
		for _, f := range list {
			layers = append(layers, Layer{Name: name, Source: f.file, Vars: f.vars, from: f})
		}
	}
	fromDir := func(who, dir, kind, name string) {
		if files && dir != "" {
			add(who+" "+kind+"/"+name, inv.varFiles[document.Join(dir, kind, name)])
		}
	}
	add("inventory group all", all.vars)
	for _, g := range groups {
		add("inventory group "+g.Name, g.vars)
	}
	for _, dir := range inv.dirs {
		fromDir("inventory", dir, "group_vars", allName)
	}
	play := inv.playVarDir()
	fromDir("playbook", play, "group_vars", allName)
	for _, dir := range inv.dirs {
		for _, g := range groups {
			fromDir("inventory", dir, "group_vars", g.Name)
		}
	}
	for _, g := range groups {
		fromDir("playbook", play, "group_vars", g.Name)
	}
	add("inventory host "+h.Name, h.vars)
	for _, dir := range inv.dirs {
		fromDir("inventory", dir, "host_vars", h.Name)
	}
	fromDir("playbook", play, "host_vars", h.Name)
	return layers
}

// Merged gives the variables of a host as one dictionary, for showing. Values
// that are templates stay so.
func (inv *Inventory) Merged(host string) *jinja.Dict { return merge(inv.Layers(host)) }

func merge(layers []Layer) *jinja.Dict {
	d := jinja.NewDict()
	for _, l := range layers {
		for k, v := range l.Vars.All() {
			d.Set(k, v)
		}
		d.Templated = d.Templated || l.Vars.Templated
	}
	return d
}

// GroupNames lists the groups of a host but all, sorted: group_names.
func (inv *Inventory) GroupNames(host string) []string {
	v := inv.view(host)
	if v == nil {
		return nil
	}
	return sortedNames(v.groups)
}

func sortedNames(groups []*Group) []string {
	names := make([]string, len(groups))
	for i, g := range groups {
		names[i] = g.Name
	}
	sort.Strings(names)
	return names
}

// GroupsDict gives groups: the names of the hosts of every group. It is shared:
// do not change it.
func (inv *Inventory) GroupsDict() *jinja.Dict {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	if inv.groupsMap != nil && inv.groupsGen == inv.gen {
		return inv.groupsMap
	}
	d := jinja.NewDict()
	for _, g := range inv.order {
		l := jinja.NewList()
		for _, h := range inv.hostsOf(g) {
			l.Items = append(l.Items, h.Name)
		}
		d.Set(g.Name, l)
	}
	inv.groupsMap, inv.groupsGen = d, inv.gen
	return d
}

// HostNames lists all hosts in the order of the pattern all.
func (inv *Inventory) HostNames() []string {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	var names []string
	for _, h := range inv.hostsOf(inv.groups[allName]) {
		names = append(names, h.Name)
	}
	return names
}

// Explicit says whether an inventory, or add_host, names the host.
func (inv *Inventory) Explicit(host string) bool {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	return inv.hosts[host] != nil
}

// Has says whether the host has variables: it is in the inventory, or it is localhost.
func (inv *Inventory) Has(host string) bool { return isLocalName(host) || inv.Explicit(host) }

// File is inventory_file: the source that named the host first.
func (inv *Inventory) File(host string) string {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	if h := inv.hosts[host]; h != nil {
		return absoluteFile(h.file)
	}
	return ""
}

// Dir is inventory_dir: the directory of that source, "" for a list of hosts.
func (inv *Inventory) Dir(host string) string {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	if h := inv.hosts[host]; h != nil {
		return h.dir
	}
	return ""
}

func absoluteFile(f string) string {
	if f == "" || strings.Contains(f, ",") {
		return f
	}
	return absolute(f)
}

// ShortName is inventory_hostname_short: the name up to the first dot.
func ShortName(host string) string {
	short, _, _ := strings.Cut(host, ".")
	return short
}
