package play

import (
	"context"
	"slices"

	"mageprov/internal/jinja"
	"mageprov/internal/playbook"
)

// handler is a handler of the play or of one of its roles, with what it
// inherits and the hosts that have notified it.
type handler struct {
	task     *playbook.Task
	in       inherited
	name     string
	role     string
	listen   []string
	notified map[*host]bool
}

// collectHandlers lists the play's handlers: those of its roles, dependencies
// first, then its own.
func (b *batch) collectHandlers() {
	seen := map[string]bool{}
	b.listed, b.dependent = []string{}, []string{}
	note := func(names *[]string, name string) {
		if !slices.Contains(*names, name) {
			*names = append(*names, name)
		}
	}
	var walk, top func(in inherited, use *playbook.RoleUse)
	walk = func(in inherited, use *playbook.RoleUse) {
		in = in.enter(use)
		for _, d := range use.Role.Dependencies {
			note(&b.dependent, d.Role.Name)
			walk(in, d)
		}
		b.publish(use)
		if !seen[use.Role.Path] {
			seen[use.Role.Path] = true
			b.addHandlers(in, use.Role.Handlers)
			b.walkImported(in, use.Role.Tasks, top) // roles that this one imports
		}
	}
	top = func(in inherited, u *playbook.RoleUse) {
		note(&b.listed, u.Role.Name)
		walk(in, u)
	}
	for _, u := range b.play.Roles {
		top(b.root(), u)
	}
	b.walkImported(b.root(), b.play.PreTasks, top)
	b.walkImported(b.root(), b.play.Tasks, top)
	b.walkImported(b.root(), b.play.PostTasks, top)
	b.addHandlers(b.root(), b.play.Handlers)
}

// walkImported finds roles that import_role has put among the tasks.
func (b *batch) walkImported(in inherited, nodes []playbook.Node, walk func(inherited, *playbook.RoleUse)) {
	for _, n := range nodes {
		blk, ok := n.(*playbook.Block)
		if !ok {
			continue
		}
		if blk.Role != nil {
			use := *blk.Role
			use.Vars = blk.Vars // what an import gives its role, the play sees too
			walk(in.with(&blk.Base), &use)
			continue
		}
		for _, part := range [][]playbook.Node{blk.Body, blk.Rescue, blk.Always} {
			b.walkImported(in.blockOf(blk), part, walk)
		}
	}
}

// publish makes a role's defaults and vars visible to the rest of the play.
func (b *batch) publish(use *playbook.RoleUse) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.public = append(append([]*playbook.RoleUse(nil), b.public...), use)
}

func (b *batch) addHandlers(in inherited, nodes []playbook.Node) {
	in.handler = true
	for _, n := range nodes {
		switch n := n.(type) {
		case *playbook.Block:
			b.addHandlers(in.blockOf(n), n.Body)
		case *playbook.Task:
			h := &handler{task: n, in: in, role: roleName(in), notified: map[*host]bool{}}
			s := b.scopeOfNames(in)
			ctx := context.Background()
			if name, err := s.RenderString(ctx, n.Name); err == nil && n.Name != nil {
				h.name = name
			} else if t, ok := n.Name.(*jinja.Text); ok {
				h.name = t.Source
			}
			for _, l := range n.Listen {
				if v, err := s.Render(ctx, l); err == nil {
					if list, ok := v.(*jinja.List); ok {
						for _, it := range list.Items {
							h.listen = append(h.listen, jinja.Str(it))
						}
						continue
					}
					h.listen = append(h.listen, jinja.Str(v))
				}
			}
			b.mu.Lock()
			b.handlers = append(b.handlers, h)
			b.mu.Unlock()
		}
	}
}

// notify marks handlers for a host: the last handler of that name, and every
// one that listens to it.
func (b *batch) notify(h *host, t *playbook.Task, topics []string) {
	if len(topics) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, topic := range topics {
		found := false
		for i := len(b.handlers) - 1; i >= 0; i-- {
			hd := b.handlers[i]
			if hd.name != "" && (hd.name == topic || hd.role+" : "+hd.name == topic) {
				hd.notified[h] = true
				found = true
				break
			}
		}
		for _, hd := range b.handlers {
			for _, l := range hd.listen {
				if l == topic {
					hd.notified[h] = true
					found = true
				}
			}
		}
		if !found {
			// Not fatal half way through a run, but never silent.
			defer b.run.warn("%s: no handler is called or listens to %q", t.Place, topic)
		}
	}
}

// flushHandlers runs what has been notified, in the order handlers are
// written; handlers may notify others. With force_handlers the hosts that
// failed take part once more.
func (b *batch) flushHandlers(ctx context.Context) {
	if !b.forceHandlers {
		b.flush(ctx, b.active())
		return
	}
	var back []*host
	for _, h := range b.hosts {
		b.mu.Lock()
		lost := b.lost[h]
		b.mu.Unlock()
		if lost && h.gone.Load() && h.stats.Unreachable == 0 {
			h.gone.Store(false)
			back = append(back, h)
		}
	}
	b.flush(ctx, b.active())
	for _, h := range back {
		h.gone.Store(true)
	}
}

func (b *batch) flush(ctx context.Context, hosts []*host) {
	for _, h := range b.flushOn(ctx, hosts) {
		b.lose(h)
	}
}

func (b *batch) flushOn(ctx context.Context, hosts []*host) (failed []*host) {
	for {
		ran := false
		for i := 0; i < b.handlerCount(); i++ {
			hd, on := b.take(i, without(b.alive(hosts), failed))
			if len(on) == 0 || ctx.Err() != nil || b.stopped.Load() {
				continue
			}
			ran = true
			failed = append(failed, b.runTaskOn(ctx, hd.in, hd.task, on)...)
		}
		if !ran {
			return failed
		}
	}
}

func (b *batch) handlerCount() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.handlers)
}

// take gives a handler's notified hosts and clears the marks.
func (b *batch) take(i int, hosts []*host) (*handler, []*host) {
	b.mu.Lock()
	defer b.mu.Unlock()
	hd := b.handlers[i]
	var on []*host
	for _, h := range hosts {
		if hd.notified[h] {
			on = append(on, h)
			delete(hd.notified, h)
		}
	}
	return hd, on
}
