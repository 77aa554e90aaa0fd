package inventory

import (
	"context"
	"strings"

	"github.com/hashicorp/go-multierror"

	"mageprov/internal/document"
	"mageprov/internal/fault"
)

// yamlReader reads one YAML inventory.
type yamlReader struct {
	inv  *Inventory
	src  source
	errs *multierror.Error
}

func (inv *Inventory) readYAML(ctx context.Context, src source, data []byte) error {
	root, err := document.LoadSealed(src.file, data, inv.vault)
	if err != nil {
		return err
	}
	r := &yamlReader{inv: inv, src: src}
	if root.Kind != document.Map {
		return fault.At(root.Place, "a YAML inventory must be a dictionary of groups, not %s", root.Kind).
			WithHint("start with all: and its hosts: and children:")
	}
	if plugin := root.Get("plugin"); plugin != nil {
		if isConstructed(plugin.Raw) {
			return inv.readConstructed(ctx, src, root)
		}
		return fault.At(plugin.Place, "the inventory plugin %s is not supported", plugin.Raw).
			WithHint("constructed is; of others keep what ansible-inventory --list prints, or run them from an inventory script")
	}
	for i := range root.Pairs {
		p := &root.Pairs[i]
		if p.Key == "_meta" && strings.HasPrefix(strings.TrimSpace(string(data)), "{") {
			r.meta(p.Val)
			continue
		}
		r.group(p.Key, p.KeyPlace, p.Val)
	}
	return r.errs.ErrorOrNil()
}

func (r *yamlReader) fail(at fault.Place, format string, args ...any) *fault.Error {
	e := fault.At(at, format, args...)
	r.errs = multierror.Append(r.errs, e)
	return e
}

// group reads one group and everything below.
func (r *yamlReader) group(name string, at fault.Place, body *document.Node) *Group {
	if name == "" || strings.ContainsAny(name, " \t,:&!") {
		r.fail(at, "%q cannot be a group's name", name)
		return nil
	}
	g := r.inv.group(name)
	if body.IsNull() {
		return g
	}
	if body.Kind != document.Map {
		r.fail(body.Place, "group %s must be a dictionary, not %s", name, body.Kind).
			WithHint("known: hosts, vars, children")
		return g
	}
	for i := range body.Pairs {
		p := &body.Pairs[i]
		switch p.Key {
		case "vars":
			r.each(p, "variables of "+name, func(k *document.Pair) { r.groupVar(g, k) })
		case "children":
			r.children(g, p)
		case "hosts":
			r.each(p, "hosts of "+name, func(k *document.Pair) { r.host(g, k) })
		default:
			r.unknownKey(g, p)
		}
	}
	return g
}

func (r *yamlReader) unknownKey(g *Group, p *document.Pair) {
	known := []string{"hosts", "vars", "children"}
	e := r.fail(p.KeyPlace, "unknown key %q in group %s", p.Key, g.Name)
	switch near := fault.Nearest(p.Key, known); {
	case near != "":
		e.WithHint("did you mean %s?", near)
	case p.Val.Kind == document.Map && (p.Val.Get("hosts") != nil || p.Val.Get("children") != nil):
		e.WithHint("a group below %s stands under its children:", g.Name)
	default:
		e.WithHint("known: hosts, vars, children; variables stand under vars:, hosts under hosts:")
	}
}

// each walks a dictionary; a single name stands for a dictionary of that name,
// and a list, which Ansible refuses, for a clear message.
func (r *yamlReader) each(p *document.Pair, what string, f func(k *document.Pair)) {
	switch {
	case p.Val.IsNull():
	case p.Val.Kind == document.Map:
		for i := range p.Val.Pairs {
			f(&p.Val.Pairs[i])
		}
	case p.Val.Kind == document.Scalar && p.Key != "vars":
		f(&document.Pair{Key: p.Val.Raw, KeyValue: p.Val.Raw, KeyPlace: p.Val.Place, Val: &document.Node{Place: p.Val.Place}})
	default:
		e := r.fail(p.Val.Place, "%s must be a dictionary, not %s", what, p.Val.Kind)
		if p.Val.Kind == document.Seq {
			e.WithHint("write names with a colon, one to a line, without a dash")
		}
	}
}

func (r *yamlReader) children(g *Group, p *document.Pair) {
	r.each(p, "children of "+g.Name, func(k *document.Pair) {
		child := r.group(k.Key, k.KeyPlace, k.Val)
		if child == nil {
			return
		}
		if err := g.addChild(child, k.KeyPlace); err != nil {
			r.errs = multierror.Append(r.errs, err)
		}
	})
}

func (r *yamlReader) groupVar(g *Group, k *document.Pair) {
	if err := g.setVar(r.src.file, k.Key, k.Val.ToValue(), k.KeyPlace); err != nil {
		r.errs = multierror.Append(r.errs, err)
	}
}

func (r *yamlReader) host(g *Group, k *document.Pair) {
	hosts, err := r.inv.addHosts(r.src, g, k.Key, k.KeyPlace)
	if err != nil {
		r.errs = multierror.Append(r.errs, err)
		return
	}
	if k.Val.IsNull() {
		return
	}
	if k.Val.Kind != document.Map {
		r.fail(k.Val.Place, "variables of host %s must be a dictionary, not %s", k.Key, k.Val.Kind)
		return
	}
	for _, h := range hosts {
		for i := range k.Val.Pairs {
			v := &k.Val.Pairs[i]
			h.vars = set(h.vars, r.src.file, v.Key, v.Val.ToValue(), v.KeyPlace)
		}
	}
}

// meta reads hostvars of what `--list` prints, so that its output can be used
// as an inventory again.
func (r *yamlReader) meta(n *document.Node) {
	hostvars := n.Get("hostvars")
	if hostvars == nil {
		return
	}
	for i := range hostvars.Pairs {
		r.host(r.inv.groups[allName], &hostvars.Pairs[i])
	}
}
