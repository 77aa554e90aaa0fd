package inventory

import (
	"sort"
	"strings"

	"mageprov/internal/fault"
)

// addChild makes child a part of g, unless that closes a circle.
func (g *Group) addChild(child *Group, at fault.Place) error {
	if g.Name == allName {
		child.inAll = true
		return nil
	}
	for _, c := range g.children {
		if c == child {
			return nil
		}
	}
	if way := child.wayTo(g); way != nil {
		return fault.At(at, "group %s cannot be below %s: %s", child.Name, g.Name, strings.Join(append([]string{g.Name}, way...), " > ")).
			WithHint("a group must not contain itself; take one of these out of children")
	}
	g.children = append(g.children, child)
	child.parents = append(child.parents, g)
	return nil
}

// wayTo gives the names from g down to target, or nil.
func (g *Group) wayTo(target *Group) []string {
	if g == target {
		return []string{g.Name}
	}
	for _, c := range g.children {
		if way := c.wayTo(target); way != nil {
			return append([]string{g.Name}, way...)
		}
	}
	return nil
}

// checkCycles refuses all below another group: everything is below all.
func (inv *Inventory) checkCycles() error {
	if all := inv.groups[allName]; len(all.parents) > 0 {
		return fault.New("group all cannot be below %s: everything is below all", all.parents[0].Name)
	}
	return nil
}

// settle puts every host without a group into ungrouped and takes out those
// that have one. It runs after each source, so that the order of ungrouped is
// the one Ansible shows.
func (inv *Inventory) settle() {
	ungrouped := inv.groups[ungroupedName]
	for _, h := range inv.hostOrder {
		inv.settleHost(ungrouped, h)
	}
}

func (inv *Inventory) settleHost(ungrouped *Group, h *Host) {
	grouped := false
	for _, g := range h.groups {
		grouped = grouped || g.Name != allName && g != ungrouped
	}
	if grouped {
		ungrouped.leave(h)
		return
	}
	ungrouped.join(h)
}

// rank computes the depth of every group: its longest way from all.
func (inv *Inventory) rank() {
	seen := map[*Group]bool{}
	var depth func(g *Group) int
	depth = func(g *Group) int {
		if g.Name == allName {
			return 0
		}
		if seen[g] {
			return g.depth
		}
		seen[g] = true
		g.depth = 1
		for _, p := range g.parents {
			g.depth = max(g.depth, depth(p)+1)
		}
		return g.depth
	}
	for _, g := range inv.order {
		depth(g)
	}
}

// childrenOf gives the groups right below g; below all are those with no other
// parent and those the inventory puts there.
func (inv *Inventory) childrenOf(g *Group) []*Group {
	if g.Name != allName {
		return g.children
	}
	var out []*Group
	for _, c := range inv.order {
		if c != g && (c.inAll || len(c.parents) == 0) {
			out = append(out, c)
		}
	}
	return out
}

// hostsOf gives the hosts of g and everything below: its own first, then level by level.
func (inv *Inventory) hostsOf(g *Group) []*Host {
	var hosts []*Host
	seenHost, seen := map[*Host]bool{}, map[*Group]bool{g: true}
	for level := []*Group{g}; len(level) > 0; {
		var next []*Group
		for _, g := range level {
			for _, h := range g.hosts {
				if !seenHost[h] {
					seenHost[h] = true
					hosts = append(hosts, h)
				}
			}
			for _, c := range inv.childrenOf(g) {
				if !seen[c] {
					seen[c] = true
					next = append(next, c)
				}
			}
		}
		level = next
	}
	return hosts
}

// groupsOf gives all groups a host is in but all, in the order in which their
// variables are laid over one another: by depth, priority, name.
func (inv *Inventory) groupsOf(h *Host) []*Group {
	seen := map[*Group]bool{}
	var out []*Group
	var add func(g *Group)
	add = func(g *Group) {
		if seen[g] || g.Name == allName {
			return
		}
		seen[g] = true
		out = append(out, g)
		for _, p := range g.parents {
			add(p)
		}
	}
	for _, g := range h.groups {
		add(g)
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := out[i], out[j]
		if a.depth != b.depth {
			return a.depth < b.depth
		}
		if a.priority != b.priority {
			return a.priority < b.priority
		}
		return a.Name < b.Name
	})
	return out
}
