package playbook

import (
	"fmt"
	"reflect"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// dumper writes what was read, field by field, leaving out what is empty.
type dumper struct {
	b      strings.Builder
	indent int
}

func (d *dumper) line(format string, args ...any) {
	fmt.Fprintf(&d.b, "%s%s\n", strings.Repeat("  ", d.indent), strings.TrimRight(fmt.Sprintf(format, args...), " "))
}

func (d *dumper) playbook(pb *Playbook) {
	for _, p := range pb.Plays {
		d.line("play %s", fields(p, "Roles", "PreTasks", "Tasks", "PostTasks", "Handlers"))
		d.indent++
		for _, r := range p.Roles {
			d.role(r)
		}
		d.nodes("pre_tasks", p.PreTasks)
		d.nodes("tasks", p.Tasks)
		d.nodes("post_tasks", p.PostTasks)
		d.nodes("handlers", p.Handlers)
		d.indent--
	}
}

func (d *dumper) role(u *RoleUse) {
	d.line("role %s %s %s", u.Role.Name, fields(u, "Role"), fields(u.Role, "Validation", "Name", "Tasks", "Handlers", "Dependencies"))
	d.indent++
	for _, dep := range u.Role.Dependencies {
		d.role(dep)
	}
	if u.Role.Validation != nil {
		d.nodes("validation", []Node{u.Role.Validation})
	}
	d.nodes("tasks", u.Role.Tasks)
	d.nodes("handlers", u.Role.Handlers)
	d.indent--
}

func (d *dumper) nodes(what string, nodes []Node) {
	if len(nodes) == 0 {
		return
	}
	d.line("%s:", what)
	d.indent++
	for _, n := range nodes {
		switch n := n.(type) {
		case *Task:
			role := ""
			if n.Role != nil {
				role = " (role " + n.Role.Name + ")"
			}
			d.line("task%s %s", role, fields(n, "Spec", "Role", "Dir"))
		case *Block:
			d.line("block %s", fields(n, "Body", "Rescue", "Always", "Role"))
			d.indent++
			if n.Role != nil {
				d.role(n.Role)
			}
			d.nodes("body", n.Body)
			d.nodes("rescue", n.Rescue)
			d.nodes("always", n.Always)
			d.indent--
		}
	}
	d.indent--
}

// fields writes the fields of a struct that are set.
func fields(v any, skip ...string) string {
	var out []string
	rv := reflect.Indirect(reflect.ValueOf(v))
	for i := 0; i < rv.NumField(); i++ {
		f, fv := rv.Type().Field(i), rv.Field(i)
		if fv.IsZero() || contains(skip, f.Name) || !f.IsExported() {
			continue
		}
		switch x := fv.Interface().(type) {
		case Base:
			if s := fields(x); s != "" {
				out = append(out, s)
			}
		case LoopControl, *Include, *Base, VarsPrompt:
			out = append(out, f.Name+"=("+fields(x)+")")
		case []VarsPrompt:
			for _, p := range x {
				out = append(out, "Prompt=("+fields(p)+")")
			}
		case fault.Place:
			out = append(out, fmt.Sprintf("@%s", x))
		case []any:
			out = append(out, f.Name+"="+show(jinja.NewList(x...)))
		default:
			if s := show(x); s != "{}" {
				out = append(out, f.Name+"="+s)
			}
		}
	}
	return strings.Join(out, " ")
}

func show(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("%q", v)
	case *jinja.Text:
		kind := "text"
		if v.Expr {
			kind = "expr"
		}
		return fmt.Sprintf("%s(%q @%d:%d)", kind, v.Source, v.Place.Line, v.Place.Col)
	case *jinja.List:
		var s []string
		for _, it := range v.Items {
			s = append(s, show(it))
		}
		return "[" + strings.Join(s, " ") + "]"
	case *jinja.Dict:
		var s []string
		for k, e := range v.All() {
			s = append(s, fmt.Sprint(k)+": "+show(e))
		}
		return "{" + strings.Join(s, ", ") + "}"
	}
	return fmt.Sprint(v)
}
