package play

import (
	"context"
	"sync"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/playbook"
)

// leavers are the hosts that have left a role by end_role. A nil one is that of
// tasks outside of roles.
type leavers struct {
	mu    sync.Mutex
	hosts []*host
}

func (l *leavers) leave(hosts []*host) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hosts = append(l.hosts, hosts...)
}

// staying gives those of hosts that have not left.
func (l *leavers) staying(hosts []*host) []*host {
	if l == nil {
		return hosts
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return without(hosts, l.hosts)
}

// metas are the words of meta:.
var metas = []string{"flush_handlers", "end_play", "end_batch", "end_host", "end_role", "noop", "clear_facts",
	"clear_host_errors", "refresh_inventory", "reset_connection"}

// meta runs a meta task: it steers the engine and prints no result.
func (b *batch) meta(ctx context.Context, in inherited, t *playbook.Task, hosts []*host) (failed []*host) {
	word := ""
	for _, v := range t.Args.All() {
		word = jinja.Str(v)
	}
	var on []*host
	asked := hosts
	switch word {
	case "end_play", "end_batch", "clear_facts", "clear_host_errors", "refresh_inventory", "noop":
		asked = hosts[:1] // they are about all hosts: the first one decides
	}
	for _, h := range asked {
		x := &execution{b: b, in: in, t: t, h: h, scope: b.scopeFor(h, in, t)}
		ok, _, err := x.conditions(ctx, x.scope)
		if err != nil {
			failed = append(failed, b.failTask(in, t, []*host{h}, err)...)
		} else if ok {
			on = append(on, h)
		}
	}
	if len(on) == 0 {
		return failed
	}
	switch word {
	case "flush_handlers":
		return append(failed, b.flushOn(ctx, on)...)
	case "end_play":
		b.ended.Store(true)
		b.last.Store(true)
	case "end_batch":
		b.ended.Store(true)
	case "end_host":
		for _, h := range on {
			h.ended.Store(true)
		}
	case "clear_facts":
		for _, h := range b.view.hosts {
			h.facts.Clear()
		}
	case "end_role":
		if in.left == nil || in.handler {
			err := fault.At(t.Place, "meta: end_role stands outside of a role").WithHint("it ends the role whose task it is, for the host at hand")
			return append(failed, b.failTask(in, t, on, err)...)
		}
		in.left.leave(on)
	case "clear_host_errors":
		for _, h := range b.view.hosts {
			h.gone.Store(false)
			h.mu.Lock()
			h.cleared = h.stats.Failed + h.stats.Unreachable
			h.mu.Unlock()
		}
	case "reset_connection":
		for _, h := range on {
			b.run.links.drop(h.name)
		}
	case "noop":
	case "refresh_inventory":
		if err := b.run.o.Inventory.Reload(ctx); err != nil {
			return append(failed, b.failTask(in, t, on, err)...)
		}
		b.run.refreshInventory()
	default:
		err := fault.At(t.Place, "meta: %q is not known", word).WithHint("%s", fault.DidYouMean(word, metas))
		return append(failed, b.failTask(in, t, on, err)...)
	}
	return failed
}
