package play

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/playbook"
	"mageprov/internal/report"
)

// inclusion is one file or role that some hosts include with the same
// variables.
type inclusion struct {
	key    string
	hosts  []*host
	locals *jinja.Dict
	name   string
	label  string // of the loop item, for the report
	file   string
	from   playbook.RoleFrom
}

// include runs what include_tasks or include_role named, once for each
// different file and loop item, on the hosts that named it.
func (b *batch) include(ctx context.Context, up, in inherited, t *playbook.Task, results []*outcome) (failed []*host) {
	groups := inclusions{at: map[string]*inclusion{}}
	for _, r := range results {
		if r.lost() {
			failed = append(failed, r.host)
			continue
		}
		parts := []*outcome{r}
		if r.items {
			parts = r.parts
		}
		for i, p := range parts {
			if p.status != report.OK {
				continue
			}
			p.host, p.x = r.host, r.x
			inc, err := b.resolve(ctx, in, t, r, i)
			if err != nil {
				out := failure(err)
				out.host, out.x = r.host, r.x
				b.settle(r.x.ignore(ctx, out))
				if out.lost() {
					failed = append(failed, r.host)
				}
				break
			}
			groups.add(inc)
		}
	}
	for _, g := range groups.list {
		b.included(g)
	}
	for _, g := range groups.list {
		g.hosts = without(g.hosts, failed)
		if len(g.hosts) == 0 {
			continue
		}
		f, err := b.runInclusion(ctx, up, in, t, g)
		if err != nil {
			f = b.failTask(in, t, g.hosts, err)
		}
		failed = append(failed, f...)
	}
	return failed
}

// included says what was included where; roles speak for themselves.
func (b *batch) included(g *inclusion) {
	if g.file == "" {
		return
	}
	b.emit(report.Event{Type: report.Included, Name: absolute(g.name), Hosts: names(g.hosts), Label: g.label})
	for _, h := range g.hosts {
		h.count(func(s *report.Stats) { s.OK++ })
	}
}

// inclusions are the different files and roles that a task includes, in the
// order in which the hosts came to them.
type inclusions struct {
	list []*inclusion
	at   map[string]*inclusion
}

// add puts a host's inclusion to the equal one of another host. A host that
// includes the same thing for two equal items runs it twice.
func (g *inclusions) add(inc *inclusion) {
	h := inc.hosts[0]
	for n := 0; ; n++ {
		key := inc.key + "\x00" + strconv.Itoa(n)
		same := g.at[key]
		if same == nil {
			g.at[key] = inc
			g.list = append(g.list, inc)
			return
		}
		if same.hosts[len(same.hosts)-1] != h {
			same.hosts = append(same.hosts, h)
			return
		}
	}
}

// resolve renders the names of an include for one host and the i-th item of its loop, if it has one.
func (b *batch) resolve(ctx context.Context, in inherited, t *playbook.Task, all *outcome, i int) (*inclusion, error) {
	p := all
	if all.items {
		p = all.parts[i]
	}
	s := p.x.scope
	inc := &inclusion{hosts: []*host{p.host}, locals: jinja.NewDict()}
	if all.items {
		itemVar, indexVar, err := p.x.loopNames(ctx)
		if err != nil {
			return nil, err
		}
		inc.label = p.label
		inc.locals.Set(itemVar, p.loopItem)
		inc.locals.Set("ansible_loop_var", itemVar)
		if indexVar != "" {
			inc.locals.Set(indexVar, int64(i))
		}
		if loop, ok := p.result.Get("ansible_loop"); ok {
			inc.locals.Set("ansible_loop", loop)
			inc.key = strconv.Itoa(i) // its neighbours are the item's own
		}
		locals := map[string]any{}
		for k, v := range inc.locals.All() {
			locals[jinja.Str(k)] = v
		}
		s = s.With(locals)
	}
	text := func(v any) (out string, err error) {
		if v == nil {
			return "", nil
		}
		return s.RenderString(ctx, v)
	}
	var err error
	set := func(dst *string, v any) {
		if err == nil {
			*dst, err = text(v)
		}
	}
	if t.Include.File != nil {
		set(&inc.file, t.Include.File)
		if err == nil {
			inc.file, err = b.findTasks(in, t, inc.file)
		}
		inc.name = inc.file
	} else {
		set(&inc.name, t.Include.Role)
		set(&inc.from.Tasks, t.Include.TasksFrom)
		set(&inc.from.Vars, t.Include.VarsFrom)
		set(&inc.from.Defaults, t.Include.DefaultsFrom)
		set(&inc.from.Handlers, t.Include.HandlersFrom)
	}
	if all.items {
		inc.key += "\x00" + jinja.Repr(p.loopItem)
		if t.LoopControl.IndexVar != nil {
			inc.key += "\x00" + strconv.Itoa(i)
		}
	}
	inc.key = strings.Join([]string{inc.name, inc.from.Tasks, inc.from.Vars, inc.key}, "\x00")
	return inc, err
}

// findTasks resolves the file of include_tasks: in the role's tasks, then
// beside the including file, then beside the playbook.
func (b *batch) findTasks(in inherited, t *playbook.Task, name string) (string, error) {
	if strings.HasPrefix(name, "/") {
		return name, nil
	}
	var dirs []string
	if in.role != nil {
		dirs = append(dirs, document.Join(in.role.Path, "tasks"), in.role.Path)
	}
	dirs = append(dirs, t.Dir, in.dir)
	dirs = append(dirs, b.view.dir())
	var tried []string
	for _, d := range dirs {
		p := document.Join(d, name)
		if d == "" || slices.Contains(tried, p) {
			continue
		}
		tried = append(tried, p)
		if dir, err := b.run.o.Files.Stat(p); err == nil && !dir {
			return p, nil
		}
	}
	return "", fault.At(t.Place, "the file %q to include does not exist", name).WithHint("looked for %s", strings.Join(tried, ", "))
}

func (b *batch) runInclusion(ctx context.Context, up, in inherited, t *playbook.Task, g *inclusion) ([]*host, error) {
	loader := b.run.o.Loader
	// Keywords of the include itself (when, until, tags) are its own; what its
	// children inherit is what surrounds it, and apply:.
	child := up
	if t.Include.ApplyBase != nil {
		child = child.block(t.Include.ApplyBase, "apply vars")
	}
	child = child.param("include vars", t.Vars).param("loop of the include", g.locals)
	child.handler = in.handler
	if g.file != "" {
		nodes, err := loader.Tasks(g.file, playbook.TasksContext{Role: in.role, Handlers: in.handler, Dir: document.Dir(g.file)})
		if err != nil {
			return nil, err
		}
		child.dir = document.Dir(g.file)
		return b.runNodes(ctx, child, nodes, g.hosts), nil
	}
	role, err := loader.Role(g.name, g.from, b.view.dir(), in.role)
	if err != nil {
		return nil, err
	}
	public, err := in.flag(ctx, b.scopeFor(g.hosts[0], in, t), t.Include.Public, false)
	if err != nil {
		return nil, err
	}
	checked, err := in.flag(ctx, b.scopeFor(g.hosts[0], in, t), t.Include.RolespecValidate, true)
	if err != nil {
		return nil, err
	}
	again, err := in.flag(ctx, b.scopeFor(g.hosts[0], in, t), t.Include.AllowDuplicates, true)
	if err != nil {
		return nil, err
	}
	use := &playbook.RoleUse{Base: playbook.Base{Place: t.Place}, Role: role, Included: true, Once: !again, Unchecked: !checked}
	child = child.calls()
	rin := child.enter(use)
	b.adopt(ctx, rin, role)
	if public {
		b.publish(use)
	}
	return b.runRoleOn(ctx, child, use, nil, g.hosts), nil
}
