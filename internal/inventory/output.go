package inventory

import (
	"bufio"
	"io"
	"sort"
	"strings"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// PrintList writes the inventory as `ansible-inventory --list` does: the hosts
// that match limit, "" for all.
func (inv *Inventory) PrintList(w io.Writer, limit string) error {
	shown := func(string) bool { return true }
	if limit != "" {
		hosts, _, err := inv.Match(limit)
		if err != nil {
			return err
		}
		in := map[string]bool{}
		for _, h := range hosts {
			in[h.Name] = true
		}
		shown = func(name string) bool { return in[name] }
	}
	hostvars, out := jinja.NewDict(), jinja.NewDict()
	out.Set("_meta", jinja.NewDict("hostvars", hostvars))
	for _, name := range inv.HostNames() {
		if d := inv.Merged(name); d.Len() > 0 && shown(name) {
			hostvars.Set(name, raw(d))
		}
	}
	inv.mu.RLock()
	for _, g := range inv.order {
		d := jinja.NewDict()
		if children := inv.childrenOf(g); len(children) > 0 {
			l := jinja.NewList()
			for _, c := range children {
				l.Items = append(l.Items, c.Name)
			}
			d.Set("children", l)
		}
		l := jinja.NewList()
		for _, h := range g.hosts {
			if shown(h.Name) {
				l.Items = append(l.Items, h.Name)
			}
		}
		if len(l.Items) > 0 && g.Name != allName {
			d.Set("hosts", l)
		}
		if d.Len() > 0 {
			out.Set(g.Name, d)
		}
	}
	inv.mu.RUnlock()
	return writeJSON(w, out)
}

// PrintHost writes the variables of one host as `ansible-inventory --host` does.
func (inv *Inventory) PrintHost(w io.Writer, host string) error {
	if !inv.Has(host) {
		return inv.unknown("host", host)
	}
	return writeJSON(w, raw(inv.Merged(host)))
}

// unknown is the error for a name that is neither host nor group.
func (inv *Inventory) unknown(what, name string) error {
	m := matcher{inv: inv}
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	e := fault.New("%s %s is not in the inventory", what, name)
	if near := strings.Trim(m.near(name), " ()"); near != "" {
		return e.WithHint("%s", near)
	}
	return e.WithHint("mageprov inventory --graph shows hosts and groups")
}

func writeJSON(w io.Writer, v any) error {
	s, err := jinja.ToJSON(v, jinja.JSONOptions{Indent: 4, SortKeys: true})
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, s+"\n")
	return err
}

// raw replaces templates by their source.
func raw(v any) any {
	switch v := v.(type) {
	case *jinja.Text:
		return v.Source
	case *jinja.List:
		if !v.Templated {
			return v
		}
		l := &jinja.List{Items: make([]any, len(v.Items))}
		for i, x := range v.Items {
			l.Items[i] = raw(x)
		}
		return l
	case jinja.Tuple:
		l := &jinja.List{Items: make([]any, len(v))}
		for i, x := range v {
			l.Items[i] = raw(x)
		}
		return l
	case *jinja.Dict:
		d := jinja.NewDict()
		for k, x := range v.All() {
			d.Set(k, raw(x))
		}
		return d
	}
	return v
}

// PrintGraph draws the groups below root ("" for all) and their hosts as
// `ansible-inventory --graph` does, on demand with variables.
func (inv *Inventory) PrintGraph(w io.Writer, root string, vars bool) error {
	if root == "" {
		root = allName
	}
	inv.mu.RLock()
	g := inv.groups[root]
	inv.mu.RUnlock()
	if g == nil {
		return inv.unknown("group", root)
	}
	b := bufio.NewWriter(w)
	p := &grapher{inv: inv, w: b, vars: vars}
	b.WriteString("@" + root + ":\n")
	p.group(g, 1)
	return b.Flush()
}

type grapher struct {
	inv  *Inventory
	w    *bufio.Writer
	vars bool
}

func (p *grapher) line(depth int, text string) {
	p.w.WriteString(strings.Repeat("  |", depth) + "--" + text + "\n")
}

// group draws what stands below g: groups, hosts, variables.
func (p *grapher) group(g *Group, depth int) {
	p.inv.mu.RLock()
	children, hosts := p.inv.childrenOf(g), append([]*Host(nil), g.hosts...)
	p.inv.mu.RUnlock()
	for _, c := range children {
		p.line(depth, "@"+c.Name+":")
		p.group(c, depth+1)
	}
	if g.Name != allName {
		for _, h := range hosts {
			p.line(depth, h.Name)
			if p.vars {
				p.dict(depth+1, p.inv.Merged(h.Name))
			}
		}
	}
	if p.vars {
		p.dict(depth, p.inv.groupVars(g))
	}
}

func (p *grapher) dict(depth int, d *jinja.Dict) {
	keys := make([]string, 0, d.Len())
	for _, k := range d.Keys() {
		keys = append(keys, jinja.Str(k))
	}
	sort.Strings(keys)
	for _, k := range keys {
		v, _ := d.Get(k)
		p.line(depth, "{"+k+" = "+jinja.Str(raw(v))+"}")
	}
}

// groupVars gives what inventory files and group_vars/ say about the group itself.
func (inv *Inventory) groupVars(g *Group) *jinja.Dict {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	d := jinja.NewDict()
	lists := [][]fileVars{g.vars}
	for _, dir := range inv.varDirs() {
		lists = append(lists, inv.varFiles[document.Join(dir, "group_vars", g.Name)])
	}
	for _, list := range lists {
		for _, f := range list {
			for k, v := range f.vars.All() {
				d.Set(k, v)
			}
		}
	}
	if g.ownPriority != nil {
		d.Set("ansible_group_priority", g.ownPriority)
	}
	return d
}
