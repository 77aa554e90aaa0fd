package play

import (
	"context"

	"mageprov/internal/playbook"
)

// runNodes runs a list of blocks and tasks on hosts in lockstep and gives the
// hosts that failed in it. A host that fails takes no further part in the list.
func (b *batch) runNodes(ctx context.Context, in inherited, nodes []playbook.Node, hosts []*host) (failed []*host) {
	for _, n := range nodes {
		left := in.left.staying(without(b.alive(hosts), failed))
		if len(left) == 0 || ctx.Err() != nil || b.ended.Load() || b.stopped.Load() {
			break
		}
		var f []*host
		switch n := n.(type) {
		case *playbook.Block:
			f = b.runBlock(ctx, in, n, left)
		case *playbook.Task:
			f = b.runTaskOn(ctx, in, n, left)
		}
		failed = append(failed, f...)
	}
	return failed
}

// runBlock runs a block: hosts that fail in its body go through rescue, all
// go through always.
func (b *batch) runBlock(ctx context.Context, in inherited, n *playbook.Block, hosts []*host) []*host {
	if n.Role != nil {
		return b.runRoleOn(ctx, in, n.Role, &n.Base, hosts)
	}
	in = in.blockOf(n)
	body := in
	if len(n.Rescue) > 0 {
		body.rescuable = true
	}
	failed := b.runNodes(ctx, body, n.Body, hosts)
	if len(n.Rescue) > 0 && len(failed) > 0 {
		rescued := b.alive(failed)
		failed = append(without(failed, rescued), b.runNodes(ctx, in, n.Rescue, rescued)...)
		for _, h := range without(rescued, failed) {
			b.forgive(h)
		}
	}
	if len(n.Always) > 0 {
		// A broken-off play still cleans up after itself.
		stopped := b.stopped.Swap(false)
		more := b.runNodes(ctx, in, n.Always, b.alive(hosts))
		if stopped {
			b.stopped.Store(true)
		}
		failed = append(failed, without(more, failed)...)
	}
	return failed
}

// blockOf descends into a block; a file that was imported brings its directory.
// The vars of an import are a block's, no stronger.
func (in inherited) blockOf(n *playbook.Block) inherited {
	out := in.block(&n.Base, "block vars")
	if n.Dir != "" {
		out.dir = n.Dir
	}
	return out
}

// forgive undoes what a failure left on a host that a rescue has saved.
func (b *batch) forgive(h *host) {
	b.mu.Lock()
	delete(b.lost, h)
	b.mu.Unlock()
}

func without(hosts, drop []*host) []*host {
	if len(drop) == 0 {
		return hosts
	}
	gone := make(map[*host]bool, len(drop))
	for _, h := range drop {
		gone[h] = true
	}
	out := make([]*host, 0, len(hosts))
	for _, h := range hosts {
		if !gone[h] {
			out = append(out, h)
		}
	}
	return out
}
