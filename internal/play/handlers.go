package play

import (
	"context"
	"fmt"
	"slices"

	"mageprov/internal/fault"
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
	// list tells runs of handlers that are written one after the other, rank such
	// runs of the whole play by the time they were loaded: of one name the latest
	// run counts, and in it the first handler.
	list, rank int
}

// collectHandlers lists the play's handlers: those of its roles, dependencies
// first, then its own, then those of roles that its tasks import.
func (b *batch) collectHandlers(ctx context.Context) {
	b.listed, b.dependent = []string{}, []string{}
	note := func(names *[]string, name string) {
		if !slices.Contains(*names, name) {
			*names = append(*names, name)
		}
	}
	var walk, top func(in inherited, use *playbook.RoleUse)
	var imported []func() // their handlers stand behind the play's own
	walk = func(in inherited, use *playbook.RoleUse) {
		in = in.enter(use)
		for _, d := range use.Role.Dependencies {
			note(&b.dependent, d.Role.Name)
			walk(in, d)
		}
		b.publish(use)
		if b.adopt(ctx, in, use.Role) {
			imported = append(imported, func() { b.walkImported(in, use.Role.Tasks, top) }) // roles that this one imports
		}
	}
	top = func(in inherited, u *playbook.RoleUse) {
		note(&b.listed, u.Role.Name)
		walk(in, u)
	}
	for _, u := range b.play.Roles {
		top(b.root(), u)
	}
	own := b.readHandlers(ctx, b.root(), b.play.Handlers)
	b.handlers = append(b.handlers, own...)
	b.load(own)
	for _, tasks := range [][]playbook.Node{b.play.PreTasks, b.play.Tasks, b.play.PostTasks} {
		imported = append(imported, func() { b.walkImported(b.root(), tasks, top) })
	}
	for i := 0; i < len(imported); i++ { // an imported role may import more
		imported[i]()
	}
}

// load gives handlers their rank: they are the latest now.
func (b *batch) load(hs []*handler) {
	b.mu.Lock()
	defer b.mu.Unlock()
	lists := 0
	for _, h := range hs {
		h.rank = b.loaded + h.list
		lists = max(lists, h.list+1)
	}
	b.loaded += lists
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

// publish makes a role's defaults and vars visible to the rest of the play. One
// that is used again, as by an include in a loop, moves to the top.
func (b *batch) publish(use *playbook.RoleUse) {
	same := func(u *playbook.RoleUse) bool {
		return u.Vars == use.Vars && u.Role.Path == use.Role.Path && u.Role.VarsFile == use.Role.VarsFile && u.Role.DefaultsFile == use.Role.DefaultsFile
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.public = append(slices.DeleteFunc(slices.Clone(b.public), same), use)
}

// adopt lists the handlers of a role, once, and says whether it did; those of a
// role that is used again become the latest. Hosts that go at their own pace may
// come to one role at the same time.
func (b *batch) adopt(ctx context.Context, in inherited, role *playbook.Role) bool {
	key := handlersOf(role)
	b.mu.Lock()
	known, again := b.adopted[key]
	b.mu.Unlock()
	if !again {
		fresh := b.readHandlers(ctx, in, role.Handlers) // reads variables: not under the lock
		b.mu.Lock()
		if known, again = b.adopted[key]; !again {
			known = fresh
			b.adopted[key] = fresh
			b.handlers = append(b.handlers, fresh...)
		}
		b.mu.Unlock()
	}
	b.load(known)
	return !again
}

// handlersOf names the handlers of a role; handlers_from gives one role several.
func handlersOf(role *playbook.Role) string {
	key := role.Path
	if len(role.Handlers) > 0 {
		switch n := role.Handlers[0].(type) {
		case *playbook.Task:
			key += " " + n.Place.File
		case *playbook.Block:
			key += " " + n.Place.File
		}
	}
	return key
}

// readHandlers makes handlers of tasks. A name whose variables are unknown is
// taken as it is written.
func (b *batch) readHandlers(ctx context.Context, in inherited, nodes []playbook.Node) (all []*handler) {
	in.handler = true
	list := 0
	for _, n := range nodes {
		switch n := n.(type) {
		case *playbook.Block:
			body := b.readHandlers(ctx, in.blockOf(n), n.Body)
			for _, h := range body {
				h.list += list + 1
			}
			all = append(all, body...)
			list += len(body) + 2
		case *playbook.Task:
			h := &handler{task: n, in: in, role: roleName(in), list: list, notified: map[*host]bool{}}
			s := b.scopeOfNames(in)
			if name, err := s.RenderString(ctx, n.Name); err == nil && n.Name != nil {
				h.name = name
			} else if t, ok := n.Name.(*jinja.Text); ok {
				h.name = t.Source
			}
			for _, l := range n.Listen {
				v, err := s.Render(ctx, l)
				if err != nil {
					b.run.warn("%s: listen: %v", n.Place, err)
					continue
				}
				h.listen = append(h.listen, words(v)...)
			}
			all = append(all, h)
		}
	}
	return all
}

// words gives a list as strings, and one value as a list of one; None is none.
func words(v any) []string {
	if v == nil {
		return nil
	}
	l, ok := v.(*jinja.List)
	if !ok {
		return []string{jinja.Str(v)}
	}
	out := make([]string, len(l.Items))
	for i, it := range l.Items {
		out[i] = jinja.Str(it)
	}
	return out
}

// notify marks handlers for a host: the latest handler of that name, and every
// one that listens to it.
func (b *batch) notify(h *host, t *playbook.Task, topics []string) {
	for _, topic := range topics {
		if !b.mark(h, topic) {
			// Not fatal half way through a run, but never silent.
			b.run.warn("%s: no handler is called or listens to %q%s", t.Place, topic, b.nearHandler(topic))
		}
	}
}

// nearHandler names the handler that topic may be meant for.
func (b *batch) nearHandler(topic string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var known []string
	for _, hd := range b.handlers {
		known = append(append(known, hd.name), hd.listen...)
	}
	if near := fault.Nearest(topic, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

func (b *batch) mark(h *host, topic string) (found bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var latest *handler
	for _, hd := range b.handlers {
		if hd.name != "" && (hd.name == topic || hd.role+" : "+hd.name == topic) && (latest == nil || hd.rank > latest.rank) {
			latest = hd
		}
	}
	if latest != nil {
		latest.notified[h] = true
		found = true
	}
	for _, hd := range b.handlers {
		if slices.Contains(hd.listen, topic) {
			hd.notified[h] = true
			found = true
		}
	}
	return found
}

// flushHandlers runs what has been notified, in the order handlers are
// written; handlers may notify others. With force_handlers the hosts that
// failed take part once more.
func (b *batch) flushHandlers(ctx context.Context, hosts []*host) {
	if !b.forceHandlers {
		b.flush(ctx, b.alive(hosts))
		return
	}
	var back []*host
	for _, h := range hosts {
		b.mu.Lock()
		lost := b.lost[h]
		b.mu.Unlock()
		if lost && h.gone.Load() && !h.unreachable() {
			h.gone.Store(false)
			back = append(back, h)
		}
	}
	b.flush(ctx, b.alive(hosts))
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
