package inventory

import (
	"regexp"
	"strings"

	"github.com/hashicorp/go-multierror"

	"mageprov/internal/fault"
)

var sectionPattern = regexp.MustCompile(`^\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?$`)

// iniReader reads one INI inventory line by line.
type iniReader struct {
	inv  *Inventory
	src  source
	line int
	errs *multierror.Error

	group *Group // of the section; nil for a section that was refused
	state string // "hosts", "children", "vars" or "" to skip
	// Sections may speak of groups that stand further down.
	vars     []pendingVar
	children []pendingChild
}

type pendingVar struct {
	group string
	key   string
	val   any
	at    fault.Place // of the value
	head  fault.Place // of the section
}

type pendingChild struct {
	parent *Group
	name   string
	at     fault.Place
}

func (inv *Inventory) readINI(src source, data string) error {
	r := &iniReader{inv: inv, src: src, group: inv.groups[ungroupedName], state: "hosts"}
	var varsOf string
	var head fault.Place
	for line := range strings.Lines(strings.TrimPrefix(data, "\ufeff")) {
		r.line++
		text := strings.TrimSpace(line)
		col := strings.Index(line, text) + 1
		switch {
		case text == "" || text[0] == '#' || text[0] == ';':
		case text[0] == '[' && !isAddress(text):
			head = r.at(col)
			varsOf = r.section(text, col)
		case r.state == "hosts":
			r.hostLine(text, col)
		case r.state == "children":
			name := strings.TrimSpace(strings.SplitN(text, "#", 2)[0])
			r.children = append(r.children, pendingChild{r.group, name, r.at(col)})
		case r.state == "vars":
			r.varLine(varsOf, text, col, head)
		}
	}
	r.finish()
	return r.errs.ErrorOrNil()
}

func (r *iniReader) at(col int) fault.Place {
	return fault.Place{File: r.src.file, Line: r.line, Col: col}
}

func (r *iniReader) fail(col int, format string, args ...any) *fault.Error {
	e := fault.At(r.at(col), format, args...)
	r.errs = multierror.Append(r.errs, e)
	return e
}

// section starts a section; for [x:vars] it gives x.
func (r *iniReader) section(text string, col int) (varsOf string) {
	r.state = ""
	m := sectionPattern.FindStringSubmatch(text)
	if m == nil {
		r.fail(col, "not a section: %s", text).
			WithHint("[group], [group:children] or [group:vars], without blanks; a comment after it starts with #")
		return ""
	}
	switch m[2] {
	case "", "hosts":
		r.state, r.group = "hosts", r.inv.group(m[1])
	case "children":
		r.state, r.group = "children", r.inv.group(m[1])
	case "vars":
		r.state = "vars"
		return m[1]
	default:
		r.fail(col, "unknown kind of section %q in %s", m[2], text).
			WithHint("%s", fault.DidYouMean(m[2], []string{"children", "vars", "hosts"}))
	}
	return ""
}

// hostLine reads `name[1:3]:port key=value ...`.
func (r *iniReader) hostLine(text string, col int) {
	words, err := splitWords(text)
	if err != nil {
		r.fail(col, "reading host line: %s", err)
		return
	}
	if len(words) == 0 {
		return
	}
	hosts, err := r.inv.addHosts(r.src, r.group, words[0].text, r.at(col))
	if err != nil {
		r.errs = multierror.Append(r.errs, err)
		return
	}
	for _, w := range words[1:] {
		key, val, ok := strings.Cut(w.text, "=")
		at := col + w.offset
		if !ok || key == "" {
			r.fail(at, "expected key=value after the host's name, found %q", w.text).
				WithHint("a value with blanks needs quotes: key=\"a b\"; one host per line")
			continue
		}
		place := r.at(at + len(key) + 1)
		v := literal(val, place)
		for _, h := range hosts {
			h.vars = set(h.vars, r.src.file, key, v, place)
		}
	}
}

// varLine reads `key = value`: the rest of the line is the value, # and all.
func (r *iniReader) varLine(group, text string, col int, head fault.Place) {
	key, val, ok := strings.Cut(text, "=")
	name := strings.TrimSpace(key)
	if !ok || name == "" {
		r.fail(col, "expected key=value, found %q", text).WithHint("hosts stand in a section of their own: [%s]", group)
		return
	}
	trimmed := strings.TrimSpace(val)
	place := r.at(col + len(key) + 1 + strings.Index(val, trimmed))
	r.vars = append(r.vars, pendingVar{group, name, literal(trimmed, place), place, head})
}

// finish does what had to wait until all groups were known.
func (r *iniReader) finish() {
	for _, c := range r.children {
		child := r.inv.groups[c.name]
		if child == nil {
			r.errs = multierror.Append(r.errs, fault.At(c.at, "group %s includes %s, which is not a group", c.parent.Name, c.name).
				WithHint("%s", r.inv.nearGroup(c.name)))
			continue
		}
		if err := c.parent.addChild(child, c.at); err != nil {
			r.errs = multierror.Append(r.errs, err)
		}
	}
	refused := map[fault.Place]bool{}
	for _, v := range r.vars {
		g := r.inv.groups[v.group]
		if g == nil {
			if !refused[v.head] {
				r.errs = multierror.Append(r.errs, fault.At(v.head, "variables for %s, which is not a group", v.group).
					WithHint("%s", r.inv.nearGroup(v.group)))
			}
			refused[v.head] = true
			continue
		}
		if err := g.setVar(r.src.file, v.key, v.val, v.at); err != nil {
			r.errs = multierror.Append(r.errs, err)
		}
	}
}

// nearGroup hints at the group that was meant, or at how to declare one.
func (inv *Inventory) nearGroup(name string) string {
	var names []string
	for _, g := range inv.order {
		names = append(names, g.Name)
	}
	if n := fault.Nearest(name, names); n != "" {
		return "did you mean " + n + "?"
	}
	return "declare it with a section of its own: [" + name + "]"
}

// setVar sets a variable of the group; ansible_group_priority is not one, it
// ranks the group among others of its depth.
func (g *Group) setVar(file, key string, val any, at fault.Place) error {
	if key == "ansible_group_priority" {
		n, ok := val.(int64)
		if !ok {
			return fault.At(at, "ansible_group_priority must be a whole number, not %v", val)
		}
		g.priority, g.ownPriority = n, val
		return nil
	}
	g.vars = set(g.vars, file, key, val, at)
	return nil
}
