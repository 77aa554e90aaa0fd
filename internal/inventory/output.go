package inventory

import (
	"bufio"
	"io"
	"slices"
	"sort"
	"strings"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// PrintList writes the inventory as `ansible-inventory --list` does: the hosts
// that match limit, "" for all.
func (inv *Inventory) PrintList(w io.Writer, limit string) error {
	shown, err := inv.within(limit)
	if err != nil {
		return err
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

// within says which hosts match limit; "" is all of them.
func (inv *Inventory) within(limit string) (func(host string) bool, error) {
	if limit == "" {
		return func(string) bool { return true }, nil
	}
	hosts, _, err := inv.Limit(limit)
	if err != nil {
		return nil, err
	}
	in := map[string]bool{}
	for _, h := range hosts {
		in[h.Name] = true
	}
	return func(name string) bool { return in[name] }, nil
}

// Limit gives the hosts that a --limit leaves; none is an error.
func (inv *Inventory) Limit(limit string) (hosts []*Host, warnings []string, err error) {
	hosts, warnings, err = inv.Match(limit)
	if err != nil {
		return nil, nil, fault.Wrap(err, "reading --limit %q", limit)
	}
	if len(hosts) > 0 {
		return hosts, warnings, nil
	}
	return nil, nil, inv.hint(fault.New("--limit %q matches no host of the inventory", limit), limit)
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
	return inv.hint(fault.New("%s %s is not in the inventory", what, name), name)
}

// hint names the host or group that name may be a slip of the pen for.
func (inv *Inventory) hint(e *fault.Error, name string) error {
	m := matcher{inv: inv}
	inv.mu.RLock()
	defer inv.mu.RUnlock()
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
	case *document.Sealed:
		return v.Shown()
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

// GraphOptions say what PrintGraph draws.
type GraphOptions struct {
	Root  string // group to begin at; "" is all
	Vars  bool   // variables, too
	Limit string // only hosts that match; groups without any are left out
}

// PrintGraph draws groups and hosts as `ansible-inventory --graph` does.
func (inv *Inventory) PrintGraph(w io.Writer, o GraphOptions) error {
	if o.Root == "" {
		o.Root = allName
	}
	inv.mu.RLock()
	g := inv.groups[o.Root]
	inv.mu.RUnlock()
	if g == nil {
		return inv.unknown("group", o.Root)
	}
	shown, err := inv.within(o.Limit)
	if err != nil {
		return err
	}
	b := bufio.NewWriter(w)
	p := &grapher{inv: inv, w: b, vars: o.Vars, limited: o.Limit != "", shown: shown}
	b.WriteString("@" + o.Root + ":\n")
	p.group(g, 1)
	return b.Flush()
}

type grapher struct {
	inv     *Inventory
	w       *bufio.Writer
	vars    bool
	limited bool
	shown   func(host string) bool
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
		if p.limited && !p.any(c) {
			continue
		}
		p.line(depth, "@"+c.Name+":")
		p.group(c, depth+1)
	}
	if g.Name != allName {
		for _, h := range hosts {
			if !p.shown(h.Name) {
				continue
			}
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

// any says whether a shown host is in g or below it.
func (p *grapher) any(g *Group) bool {
	p.inv.mu.RLock()
	children, hosts := p.inv.childrenOf(g), append([]*Host(nil), g.hosts...)
	p.inv.mu.RUnlock()
	return slices.ContainsFunc(hosts, func(h *Host) bool { return p.shown(h.Name) }) || slices.ContainsFunc(children, p.any)
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
