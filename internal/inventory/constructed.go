package inventory

import (
	"context"
	"regexp"

	"github.com/hashicorp/go-multierror"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// constructed is a file that makes groups and variables of what the inventory
// holds so far: `plugin: constructed`.
type constructed struct {
	inv *Inventory
	src source

	strict    bool // what cannot be evaluated is an error, not skipped
	leading   bool // a group without prefix begins with the separator
	varFiles  bool // use_vars_plugins: group_vars/ and host_vars/ count
	extraVars bool // use_extra_vars
	compose   []expression
	groups    []expression
	keyed     []keyedGroup
	errs      *multierror.Error
}

// expression is a name and what to evaluate for it.
type expression struct {
	name string
	at   fault.Place
	text *jinja.Text
}

// keyedGroup makes groups of the values of an expression.
type keyedGroup struct {
	at                fault.Place
	key               *jinja.Text
	prefix, separator string
	parent            any     // string or *jinja.Text, nil for none
	fallback          *string // default_value
	trailing          bool
}

// isConstructed says whether a file of `plugin: name` is one.
func isConstructed(name string) bool {
	return name == "constructed" || name == "ansible.builtin.constructed"
}

var constructedKeys = []string{"plugin", "strict", "compose", "groups", "keyed_groups", "leading_separator", "use_vars_plugins", "use_extra_vars"}

func (inv *Inventory) readConstructed(ctx context.Context, src source, root *document.Node) error {
	c := &constructed{inv: inv, src: src, leading: true}
	for i := range root.Pairs {
		p := &root.Pairs[i]
		switch p.Key {
		case "plugin":
		case "strict":
			c.strict = c.flag(p)
		case "leading_separator":
			c.leading = c.flag(p)
		case "use_vars_plugins":
			c.varFiles = c.flag(p)
		case "use_extra_vars":
			c.extraVars = c.flag(p)
		case "compose":
			c.compose = c.expressions(p)
		case "groups":
			c.groups = c.expressions(p)
		case "keyed_groups":
			c.keyedGroups(p)
		default:
			c.fail(p.KeyPlace, "unknown key %q", p.Key).WithHint("%s", fault.DidYouMean(p.Key, constructedKeys))
		}
	}
	if c.errs == nil {
		c.run(ctx)
	}
	return c.errs.ErrorOrNil()
}

func (c *constructed) fail(at fault.Place, format string, args ...any) *fault.Error {
	e := fault.At(at, format, args...)
	c.errs = multierror.Append(c.errs, e)
	return e
}

func (c *constructed) flag(p *document.Pair) bool {
	b, ok := p.Val.Value.(bool)
	if !ok {
		c.fail(p.Val.Place, "%s: expected true or false", p.Key)
	}
	return b
}

// expression reads a value that is an expression without braces.
func (c *constructed) expression(n *document.Node) *jinja.Text {
	if n.Kind != document.Scalar || n.Value == nil {
		c.fail(n.Place, "expected an expression, found %s", n.Kind)
		return nil
	}
	t := &jinja.Text{Source: n.Raw, Place: n.Place, Expr: true}
	if b, ok := n.Value.(bool); ok { // yes is true
		t.Source = jinja.Str(b)
	}
	if _, braces := n.Value.(*jinja.Text); braces {
		c.fail(n.Place, "an expression stands here without {{ }}: %s", n.Raw)
		return nil
	}
	if c.inv.parse != nil {
		if err := c.inv.parse(t); err != nil {
			c.errs = multierror.Append(c.errs, err)
		}
	}
	return t
}

func (c *constructed) expressions(p *document.Pair) []expression {
	if p.Val.IsNull() {
		return nil
	}
	if p.Val.Kind != document.Map {
		c.fail(p.Val.Place, "%s must be a dictionary of names and expressions, not %s", p.Key, p.Val.Kind)
		return nil
	}
	var out []expression
	for _, e := range p.Val.Pairs {
		out = append(out, expression{name: e.Key, at: e.KeyPlace, text: c.expression(e.Val)})
	}
	return out
}

var keyedKeys = []string{"key", "prefix", "separator", "parent_group", "default_value", "trailing_separator"}

func (c *constructed) keyedGroups(p *document.Pair) {
	if !p.Val.IsNull() && p.Val.Kind != document.Seq {
		c.fail(p.Val.Place, "keyed_groups must be a list, not %s", p.Val.Kind)
	}
	for _, it := range p.Val.Items {
		if it.Kind != document.Map {
			c.fail(it.Place, "an entry of keyed_groups must be a dictionary, not %s", it.Kind)
			continue
		}
		k := keyedGroup{at: it.Place, separator: "_", trailing: true}
		for i := range it.Pairs {
			f := &it.Pairs[i]
			switch f.Key {
			case "key":
				k.key = c.expression(f.Val)
			case "prefix":
				k.prefix = f.Val.Raw
			case "separator":
				k.separator = f.Val.Raw
			case "parent_group":
				if !f.Val.IsNull() {
					k.parent = f.Val.Value
				}
			case "default_value":
				if !f.Val.IsNull() {
					k.fallback = &f.Val.Raw
				}
			case "trailing_separator":
				k.trailing = c.flag(f)
			default:
				c.fail(f.KeyPlace, "unknown key %q in keyed_groups", f.Key).WithHint("%s", fault.DidYouMean(f.Key, keyedKeys))
			}
		}
		if it.Get("key") == nil {
			c.fail(it.Place, "an entry of keyed_groups needs a key")
		}
		if t := it.Get("trailing_separator"); t != nil && k.fallback != nil {
			c.fail(t.Place, "parameters are mutually exclusive for keyed groups: default_value|trailing_separator")
		}
		c.keyed = append(c.keyed, k)
	}
}

// run looks at one host after the other, in order.
func (c *constructed) run(ctx context.Context) {
	inv := c.inv
	if inv.evaluate == nil {
		c.fail(fault.Place{File: c.src.file}, "constructed groups cannot be evaluated here")
		return
	}
	inv.settle()
	inv.rank()
	if c.varFiles {
		if err := inv.loadVarFiles(inv.dirs); err != nil {
			c.errs = multierror.Append(c.errs, err)
			return
		}
	}
	for _, h := range append([]*Host(nil), inv.hostOrder...) {
		vars := c.varsOf(h)
		for _, e := range c.compose {
			v, err := inv.evaluate(ctx, e.text, vars)
			if err != nil {
				c.skip(e.at, err, "could not set %s for host %s", e.name, h.Name)
				continue
			}
			h.vars = set(h.vars, c.src.file, e.name, v, e.at)
		}
		vars = c.varsOf(h)
		for _, e := range c.groups {
			v, err := inv.evaluate(ctx, e.text, vars)
			if err != nil {
				c.skip(e.at, err, "could not add host %s to group %s", h.Name, e.name)
				continue
			}
			if jinja.Truth(v) {
				inv.group(safeGroup(e.name)).join(h)
			}
		}
		for _, k := range c.keyed {
			c.join(ctx, h, k, vars)
		}
	}
}

// skip notes an error where strict wants to know of it.
func (c *constructed) skip(at fault.Place, err error, format string, args ...any) {
	if c.strict {
		c.fail(at, format, args...).Because(err)
	}
}

// varsOf gives the variables of a host as they are now.
func (c *constructed) varsOf(h *Host) *jinja.Dict {
	inv := c.inv
	groups := inv.groupsOf(h)
	d := merge(inv.layersOf(h, groups, c.varFiles))
	d.Set("inventory_hostname", h.Name)
	d.Set("inventory_hostname_short", ShortName(h.Name))
	d.Set("inventory_file", absoluteFile(h.file))
	d.Set("inventory_dir", h.dir)
	names := jinja.NewList()
	for _, name := range sortedNames(groups) {
		names.Items = append(names.Items, name)
	}
	d.Set("group_names", names)
	if c.extraVars && inv.extra != nil {
		for k, v := range inv.extra.All() {
			d.Set(k, v)
		}
	}
	return d
}

// join makes a host a member of the groups that a key gives.
func (c *constructed) join(ctx context.Context, h *Host, k keyedGroup, vars *jinja.Dict) {
	key, err := c.inv.evaluate(ctx, k.key, vars)
	if err != nil {
		c.skip(k.at, err, "could not generate group for host %s", h.Name)
		return
	}
	if !jinja.Truth(key) && (key != "" || k.fallback == nil) {
		if c.strict {
			c.fail(k.at, "no key or key resulted empty for %s in host %s, invalid entry", k.key.Source, h.Name)
		}
		return
	}
	names, ok := k.names(key)
	if !ok {
		c.fail(k.at, "invalid group name format for host %s, expected a string or a list of them or dictionary, got: %s", h.Name, jinja.TypeName(key)).
			WithHint("key: %s | string makes text of it", k.key.Source)
		return
	}
	parent := ""
	if k.parent != nil {
		text := k.parent
		if t, ok := text.(*jinja.Text); ok {
			if text, err = c.inv.evaluate(ctx, t, vars); err != nil {
				c.skip(k.at, err, "could not generate parent group %s for host %s", t.Source, h.Name)
				return
			}
		}
		parent = safeGroup(jinja.Str(text))
	}
	separator := k.separator
	if k.prefix == "" && !c.leading {
		separator = ""
	}
	for _, name := range names {
		g := c.inv.group(safeGroup(k.prefix + separator + name))
		g.join(h)
		if parent != "" {
			if err := c.inv.group(parent).addChild(g, k.at); err != nil {
				c.errs = multierror.Append(c.errs, err)
			}
		}
	}
}

// names gives the names that a key stands for, without their prefix; ok is
// false for a key that is none.
func (k keyedGroup) names(key any) (names []string, ok bool) {
	one := func(s string) string {
		if s == "" && k.fallback != nil {
			return *k.fallback
		}
		return s
	}
	switch key := key.(type) {
	case string:
		return []string{one(key)}, true
	case *jinja.List:
		for _, x := range key.Items {
			names = append(names, one(jinja.Str(x)))
		}
		return names, true
	case *jinja.Dict:
		for name, x := range key.All() {
			value, separator := one(jinja.Str(x)), k.separator
			if value == "" && !k.trailing {
				separator = ""
			}
			names = append(names, jinja.Str(name)+separator+value)
		}
		return names, true
	}
	return nil, false
}

// unsafe is what no name of a variable, and so no constructed group, may hold.
var unsafe = regexp.MustCompile(`^[\d\W]|[^\w]`)

// safeGroup is the name of a group as Ansible's inventory plugins write it.
func safeGroup(name string) string { return unsafe.ReplaceAllString(name, "_") }

// Evaluator gives the value of a template, or of an expression, with the
// variables of a host, which may be templates themselves.
type Evaluator func(ctx context.Context, text *jinja.Text, vars *jinja.Dict) (any, error)
