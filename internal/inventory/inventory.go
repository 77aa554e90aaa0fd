// Package inventory knows the hosts and groups, the variables they bring, and
// which hosts a pattern means. It reads what Ansible reads: INI and YAML files,
// directories of them, host lists, group_vars/ and host_vars/.
//
// Variables are kept as layers, one per file, shared by all hosts and never
// changed after they have been read: precedence is an order of layers, not a
// merged copy per host, so a thousand hosts cost little and `explain` can tell
// where a value comes from.
package inventory

import (
	"slices"
	"sync"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/vault"
)

// Options say what to load.
type Options struct {
	// Sources are the values of -i: a file, a directory, or a list of hosts that
	// holds a comma. Later ones win.
	Sources []string
	Files   document.Files
	// Vault decrypts !vault strings when they are read; nil refuses them.
	Vault *vault.Keyring
	// Evaluate evaluates what constructed groups are made of; nil refuses them.
	Evaluate Evaluator
	// Parse says what is wrong with an expression before it is evaluated; nil:
	// nobody looks.
	Parse func(text *jinja.Text) error
	// Extra are the variables of -e, for constructed groups that want them.
	Extra *jinja.Dict
}

// Inventory is all hosts and groups. It is safe for concurrent use: hosts and
// groups may be added while a run goes on (add_host, group_by).
type Inventory struct {
	files    document.Files
	vault    *vault.Keyring
	evaluate Evaluator
	parse    func(*jinja.Text) error
	extra    *jinja.Dict
	sources  []string // as given
	options  Options  // for Reload
	Warnings []string // what Load found odd but not wrong

	mu        sync.RWMutex
	gen       int // counts changes; what was computed for an older one is stale
	hosts     map[string]*Host
	hostOrder []*Host
	groups    map[string]*Group
	order     []*Group // in order of first mention, all and ungrouped first
	implicit  map[string]*Host
	dirs      []string // with group_vars/ and host_vars/, of the sources
	playDir   string   // of the playbook, "" before LoadVars
	varFiles  map[string][]fileVars
	groupsMap *jinja.Dict // GroupsDict of gen groupsGen
	groupsGen int
	// added is what the run itself has added, to be done again by Reload
	added []func(*Inventory) error
}

// Host is one managed node.
type Host struct {
	Name string

	file   string     // first source that named it
	dir    string     // inventory_dir, absolute
	vars   []fileVars // from inventory files, later wins
	groups []*Group   // that name it, not their ancestors
	view   *hostView  // guarded by Inventory.mu
}

// Group is a named set of hosts and groups.
type Group struct {
	Name string

	vars     []fileVars
	hosts    []*Host
	children []*Group
	parents  []*Group
	// inAll: the inventory names it directly under all.
	inAll    bool
	priority int64
	// ownPriority is ansible_group_priority as it was written: shown with the
	// group, never seen by hosts.
	ownPriority any
	depth       int
}

// fileVars is what one file says about one host or group.
type fileVars struct {
	file   string
	vars   *jinja.Dict
	places map[string]fault.Place // of keys, from INI
	node   *document.Node         // from YAML, for places
}

const (
	allName       = "all"
	ungroupedName = "ungrouped"
)

// Sources gives the -i values.
func (inv *Inventory) Sources() []string { return inv.sources }

func newInventory(o Options) *Inventory {
	inv := &Inventory{
		files: o.Files, vault: o.Vault, evaluate: o.Evaluate, parse: o.Parse, extra: o.Extra, sources: o.Sources, options: o,
		hosts: map[string]*Host{}, groups: map[string]*Group{}, implicit: map[string]*Host{},
		varFiles: map[string][]fileVars{},
	}
	inv.group(allName)
	inv.group(ungroupedName)
	return inv
}

// group finds or makes a group.
func (inv *Inventory) group(name string) *Group {
	g := inv.groups[name]
	if g == nil {
		g = &Group{Name: name, priority: 1}
		inv.groups[name] = g
		inv.order = append(inv.order, g)
	}
	return g
}

// host finds or makes a host.
func (inv *Inventory) host(name string, src source) *Host {
	h := inv.hosts[name]
	if h == nil {
		h = &Host{Name: name, file: src.file, dir: src.dir}
		inv.hosts[name] = h
		inv.hostOrder = append(inv.hostOrder, h)
	}
	return h
}

// join makes h a member of g and says whether it was not one.
func (g *Group) join(h *Host) bool {
	for _, x := range h.groups {
		if x == g {
			return false
		}
	}
	h.groups = append(h.groups, g)
	g.hosts = append(g.hosts, h)
	return true
}

// leave takes h out of g.
func (g *Group) leave(h *Host) {
	if !slices.Contains(h.groups, g) {
		return
	}
	g.hosts = remove(g.hosts, h)
	h.groups = remove(h.groups, g)
}

func remove[T comparable](list []T, x T) []T {
	var out []T
	for _, y := range list {
		if y != x {
			out = append(out, y)
		}
	}
	return out
}

// set adds a variable of a file to a list of layers; a file that says something
// twice about one host keeps one layer, with the later value.
func set(layers []fileVars, file string, key string, val any, at fault.Place) []fileVars {
	n := len(layers)
	if n == 0 || layers[n-1].file != file {
		layers = append(layers, fileVars{file: file, vars: jinja.NewDict(), places: map[string]fault.Place{}})
		n++
	}
	l := &layers[n-1]
	l.vars.Templated = l.vars.Templated || jinja.IsTemplated(val)
	l.vars.Set(key, val)
	l.places[key] = at
	return layers
}
