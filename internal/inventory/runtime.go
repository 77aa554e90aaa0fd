package inventory

import (
	"context"

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
	changed, err = inv.addHost(name, groups, vars)
	if changed && err == nil {
		inv.added = append(inv.added, func(to *Inventory) error {
			_, err := to.addHost(name, groups, vars)
			return err
		})
	}
	return changed, err
}

func (inv *Inventory) addHost(name string, groups []string, vars *jinja.Dict) (changed bool, err error) {
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
	changed, err = inv.addToGroup(host, group, parents)
	if changed && err == nil {
		inv.added = append(inv.added, func(to *Inventory) error {
			if to.findOrImply(host) == nil {
				return nil // the sources no longer have it
			}
			_, err := to.addToGroup(host, group, parents)
			return err
		})
	}
	return changed, err
}

func (inv *Inventory) addToGroup(host, group string, parents []string) (changed bool, err error) {
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

// Reload reads the sources again, as meta: refresh_inventory does. What the run
// has added stays. If the sources cannot be read, nothing changes.
func (inv *Inventory) Reload(ctx context.Context) error {
	fresh, err := LoadContext(ctx, inv.options)
	if err != nil {
		return err
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	if inv.playDir != "" {
		if err := fresh.LoadVars(inv.playDir); err != nil {
			return err
		}
	}
	for _, again := range inv.added {
		if err := again(fresh); err != nil {
			return err
		}
	}
	inv.hosts, inv.hostOrder, inv.groups, inv.order = fresh.hosts, fresh.hostOrder, fresh.groups, fresh.order
	inv.implicit, inv.dirs, inv.varFiles = fresh.implicit, fresh.dirs, fresh.varFiles
	inv.gen = max(inv.gen, fresh.gen) + 1 // no view of either is of this number
	inv.groupsMap = nil
	return nil
}
