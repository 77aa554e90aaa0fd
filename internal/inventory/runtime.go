package inventory

import (
	"github.com/hashicorp/go-multierror"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// AddHost adds a host while a run goes on, as add_host does: name may end in
// :port, the groups are made where they do not exist, vars rank with those of
// inventory files. It says whether anything changed.
func (inv *Inventory) AddHost(name string, groups []string, vars *jinja.Dict) (changed bool, err error) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	name, port := splitPort(name)
	if name == "" {
		return false, fault.New("a host needs a name")
	}
	changed = inv.hosts[name] == nil
	h := inv.host(name, source{})
	if port > 0 {
		changed = setRuntime(h, "ansible_port", port) || changed
	}
	for k, v := range vars.All() {
		if key, ok := k.(string); ok {
			changed = setRuntime(h, key, v) || changed
		}
	}
	for _, g := range groups {
		if g != "" {
			changed = inv.group(g).join(h) || changed
		}
	}
	inv.settleHost(inv.groups[ungroupedName], h)
	return changed, inv.changed([]string{name}, groups)
}

// runtimeFile is the source of variables that a run itself has added.
const runtimeFile = "add_host"

// setRuntime sets a variable without touching what readers may hold.
func setRuntime(h *Host, key string, v any) bool {
	n := len(h.vars)
	if n > 0 && h.vars[n-1].file == runtimeFile {
		l := h.vars[n-1]
		if old, ok := l.vars.Get(key); ok && jinja.Repr(old) == jinja.Repr(v) {
			return false
		}
		l.vars = l.vars.Clone()
		l.places = map[string]fault.Place{}
		h.vars = append(append([]fileVars(nil), h.vars[:n-1]...), l)
	}
	h.vars = set(h.vars, runtimeFile, key, v, fault.Place{})
	return true
}

// AddToGroup makes a host a member of a group while a run goes on, as group_by
// does. Parents get the group as a child. It says whether anything changed.
func (inv *Inventory) AddToGroup(host, group string, parents []string) (changed bool, err error) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	h := inv.findOrImply(host)
	if h == nil {
		return false, fault.New("host %s is not in the inventory", host)
	}
	changed = inv.groups[group] == nil
	g := inv.group(group)
	for _, p := range parents {
		if p == allName {
			continue
		}
		parent := inv.group(p)
		before := len(parent.children)
		if err := parent.addChild(g, fault.Place{}); err != nil {
			return changed, err
		}
		changed = changed || len(parent.children) > before
	}
	changed = g.join(h) || changed
	if inv.hosts[host] != nil {
		inv.settleHost(inv.groups[ungroupedName], h)
	}
	return changed, inv.changed(nil, append([]string{group}, parents...))
}

// changed makes computed views stale and reads the variables of new names.
func (inv *Inventory) changed(hosts, groups []string) error {
	inv.rank()
	inv.gen++
	var errs *multierror.Error
	for _, dir := range inv.varDirs() {
		for _, h := range hosts {
			errs = appendError(errs, inv.loadVarsOf(dir, "host_vars", h))
		}
		for _, g := range groups {
			errs = appendError(errs, inv.loadVarsOf(dir, "group_vars", g))
		}
	}
	return errs.ErrorOrNil()
}
