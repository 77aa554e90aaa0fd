package explain

import (
	"fmt"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/playbook"
)

// eachBlock visits the blocks of a play, those of its roles included.
func eachBlock(p *playbook.Play, visit func(*playbook.Block)) {
	var walk func(nodes []playbook.Node)
	walk = func(nodes []playbook.Node) {
		for _, n := range nodes {
			b, ok := n.(*playbook.Block)
			if !ok {
				continue
			}
			visit(b)
			for _, part := range [][]playbook.Node{b.Body, b.Rescue, b.Always} {
				walk(part)
			}
			if b.Role != nil {
				walk(b.Role.Role.Tasks)
			}
		}
	}
	for _, nodes := range [][]playbook.Node{p.PreTasks, p.Tasks, p.PostTasks, p.Handlers} {
		walk(nodes)
	}
	for _, u := range p.Roles {
		walk(u.Role.Tasks)
	}
}

// tasks takes what blocks and tasks set, each with where it holds.
func (v *view) tasks() {
	others := map[*document.Node]bool{} // nodes of other plays
	for _, b := range v.in.Books {
		for _, p := range b.Plays {
			if p != v.play {
				mark(v.in.Loader.NodeAt(p.Place), others)
			}
		}
	}
	for _, p := range v.in.Loader.Contents().Parsed {
		switch {
		case others[p.Node]:
		case p.Block != nil:
			v.add(layer{level: 16, name: "vars of a block", when: "in the block at " + p.Node.Place.String(), vars: p.Block.Vars,
				place: v.under(p.Node.Place, "vars")})
		default:
			v.task(p)
		}
	}
}

func mark(n *document.Node, seen map[*document.Node]bool) {
	if n == nil || seen[n] {
		return
	}
	seen[n] = true
	for i := range n.Pairs {
		mark(n.Pairs[i].Val, seen)
	}
	for _, it := range n.Items {
		mark(it, seen)
	}
}

func (v *view) task(p playbook.Parsed) {
	t := p.Task
	name := "the task " + t.Title()
	if p.Include != "" {
		v.add(layer{level: 21, name: "vars of " + p.Include, when: "in what it brings", vars: t.Vars, place: v.under(p.Node.Place, "vars")})
	} else {
		v.add(layer{level: 17, name: "vars of a task", when: "in " + name, vars: t.Vars, place: v.under(p.Node.Place, "vars")})
	}
	done := "once " + name + " has run"
	if reg, ok := t.Register.(string); ok {
		v.add(layer{level: 19, name: "register", when: done, vars: jinja.NewDict(reg, "result of "+t.Action),
			place: func(string) fault.Place { return pairPlace(p.Node, "register") }})
	}
	if t.Spec == nil || t.Args == nil {
		return
	}
	switch t.Spec.Short() {
	case "set_fact":
		v.add(layer{level: 19, name: "set_fact", when: done, vars: t.Args, place: v.args(p)})
	case "include_vars":
		for _, key := range []string{"file", "_raw_params"} {
			if f, ok := t.Args.Get(key); ok {
				v.includeVars(p, f, done)
			}
		}
	}
}

// args finds an argument of a task.
func (v *view) args(p playbook.Parsed) func(string) fault.Place {
	return func(key string) fault.Place {
		for i := range p.Node.Pairs {
			if args := p.Node.Pairs[i].Val; args.Get(key) != nil {
				return pairPlace(args, key)
			}
		}
		return p.Node.Place
	}
}

func pairPlace(n *document.Node, key string) fault.Place {
	for i := range n.Pairs {
		if n.Pairs[i].Key == key {
			return n.Pairs[i].KeyPlace
		}
	}
	return n.Place
}

// includeVars reads the file of an include_vars that names one outright.
func (v *view) includeVars(p playbook.Parsed, file any, done string) {
	name, ok := file.(string)
	if !ok {
		return
	}
	dirs := []string{document.Join(p.Task.Dir, "vars"), p.Task.Dir}
	if r := p.Task.Role; r != nil {
		dirs = append([]string{document.Join(r.Path, "vars"), r.Path}, dirs...)
	}
	for _, d := range dirs {
		path := document.Join(d, name)
		if isDir, err := v.in.Files.Stat(path); err != nil || isDir {
			continue
		}
		if vars, err := v.in.Loader.VarsFile(path); err == nil {
			v.add(layer{level: 18, name: fmt.Sprintf("include_vars %s", name), when: done, vars: vars, seal: sealed(path),
				place: func(key string) fault.Place { return v.in.Loader.KeyPlace(path, key) }})
		}
		return
	}
}
