package play

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/playbook"
	"mageprov/internal/report"
	"mageprov/internal/template"
	"mageprov/internal/vars"
)

// batch is the part of a play's hosts that serial lets run at a time.
type batch struct {
	run   *Run
	view  *playRun
	play  *playbook.Play
	hosts []*host

	mu       sync.Mutex
	handlers []*handler
	adopted  map[string]bool     // roles whose handlers are listed, by path
	ran      map[roleRun]bool    // roles that ran
	public   []*playbook.RoleUse // whose defaults and vars the whole play sees
	lost     map[*host]bool      // failed in this batch

	listed    []string // roles of the play by name, imported ones included
	dependent []string // roles that come along as dependencies

	free          bool // strategy: free or host_pinned
	first         bool
	ended         atomic.Bool // meta: end_play, end_batch
	last          atomic.Bool // meta: end_play: later batches do not start
	stopped       atomic.Bool // broken off: any_errors_fatal, max_fail_percentage
	forceHandlers bool
	maxFail       float64 // percent; negative: none
}

func (v *playRun) batch(ctx context.Context, hosts []*host, first bool) (*batch, error) {
	b := &batch{run: v.run, view: v, play: v.play, hosts: hosts, first: first,
		adopted: map[string]bool{}, ran: map[roleRun]bool{}, lost: map[*host]bool{}}
	if err := b.settings(ctx); err != nil {
		return nil, err
	}
	b.collectHandlers(ctx)
	return b, nil
}

// settings renders the keywords that steer the play as a whole.
func (b *batch) settings(ctx context.Context) error {
	keyword := func(name string, v any, read func(v any) error) error {
		v, err := b.run.renderPlay(ctx, v)
		if err == nil && v != nil {
			err = read(v)
		}
		if err != nil {
			return fault.At(b.play.Place, "%s", name).Because(err)
		}
		return nil
	}
	b.forceHandlers, b.maxFail = b.run.o.ForceHandlers, -1
	if err := keyword("strategy", b.play.Strategy, b.setStrategy); err != nil {
		return err
	}
	if err := keyword("force_handlers", b.play.ForceHandlers, func(v any) (err error) {
		b.forceHandlers, err = truth(v)
		return err
	}); err != nil {
		return err
	}
	return keyword("max_fail_percentage", b.play.MaxFailPercentage, func(v any) (err error) {
		b.maxFail, err = percentage(jinja.Str(v))
		return err
	})
}

// strategies are those of Ansible; debug is linear with a debugger, which only
// a terminal would have.
var strategies = []string{"linear", "free", "host_pinned", "debug"}

func (b *batch) setStrategy(v any) error {
	name := strings.TrimPrefix(jinja.Str(v), "ansible.builtin.")
	if !slices.Contains(strategies, name) {
		return fault.New("%q is not known", name).WithHint("%s", fault.DidYouMean(name, strategies))
	}
	b.free = name == "free" || name == "host_pinned"
	return nil
}

// root is what every task of the play inherits.
func (b *batch) root() inherited {
	in := inherited{dir: b.view.dir()}
	if b.run.o.Connection.Become {
		in.base.Become = true
	}
	if b.run.o.AnyErrorsFatal {
		in.base.AnyErrorsFatal = true
	}
	if b.run.o.NoLog {
		in.base.NoLog = true
	}
	in = in.with(&b.play.Base)
	in.base.Name, in.base.Vars = nil, nil
	return in
}

// active lists the hosts that are still in the play.
func (b *batch) active() []*host { return b.alive(b.hosts) }

func (b *batch) alive(hosts []*host) []*host {
	out := make([]*host, 0, len(hosts))
	for _, h := range hosts {
		if !h.gone.Load() && !h.ended.Load() {
			out = append(out, h)
		}
	}
	return out
}

// runList runs nodes on all active hosts and takes those that failed out of
// the run.
func (b *batch) runList(ctx context.Context, in inherited, nodes []playbook.Node) {
	if len(nodes) == 0 {
		return
	}
	b.spread(b.active(), func(hosts []*host) []*host { return b.runNodes(ctx, in, nodes, hosts) })
}

// spread calls run for all hosts in lockstep (linear), or for each at its own
// pace (free), and takes those that run gives back out of the run.
func (b *batch) spread(hosts []*host, run func(hosts []*host) (failed []*host)) {
	if !b.free {
		for _, h := range run(hosts) {
			b.lose(h)
		}
		return
	}
	b.each(hosts, func(h *host) {
		for _, f := range run([]*host{h}) {
			b.lose(f)
		}
	})
}

// each calls f for every host, all at once; forks are counted where work is done.
func (b *batch) each(hosts []*host, f func(h *host)) {
	if len(hosts) == 1 {
		f(hosts[0])
		return
	}
	var wg sync.WaitGroup
	var c crash
	for _, h := range hosts {
		wg.Go(func() { c.guard(func() { f(h) }) })
	}
	wg.Wait()
	c.raise()
}

// lose takes a failed host out of the run.
func (b *batch) lose(h *host) {
	b.mu.Lock()
	b.lost[h] = true
	b.mu.Unlock()
	h.gone.Store(true)
}

func (b *batch) failAll(err error) {
	for _, h := range b.active() {
		b.emit(report.Event{Type: report.HostResult, Host: h.name, Status: report.Failed, Msg: err.Error(), Result: map[string]any{"msg": err.Error()}})
		h.count(func(s *report.Stats) { s.Failed++ })
		b.lose(h)
	}
}

func (b *batch) emit(e report.Event) {
	e.Time = time.Now()
	e.Check = b.run.o.Check
	b.run.o.Reporter.Report(e)
}

// tolerable says whether the play may go on after these failures.
func (b *batch) tolerable(failed []*host) bool {
	if b.maxFail < 0 || len(failed) == 0 {
		return true
	}
	b.mu.Lock()
	n := len(b.lost)
	for _, h := range failed {
		if !b.lost[h] {
			n++
		}
	}
	b.mu.Unlock()
	return float64(n)/float64(len(b.hosts))*100 <= b.maxFail
}

// dir is the directory of the playbook: playbook_dir.
func (v *playRun) dir() string { return playDir(v.play) }

// readVars sets up the variables of the play itself.
func (v *playRun) readVars(ctx context.Context) error {
	prompted, err := v.prompt(ctx)
	if err != nil {
		return err
	}
	v.layers = []vars.Layer{
		{Name: "play vars_prompt", Source: vars.Dict(prompted)},
		{Name: "play vars", Source: vars.Dict(v.play.Vars)},
	}
	return v.varsFiles(ctx)
}

// renderPlay renders a keyword of the play itself, which no host is known for:
// it sees extra vars and the play's vars.
func (r *Run) renderPlay(ctx context.Context, v any) (any, error) {
	if !jinja.IsTemplated(v) {
		return v, nil
	}
	return r.bareScope().Render(ctx, v)
}

func (r *Run) bareScope() *template.Scope {
	st := vars.Stack{r.magic(), {Name: "extra vars", Source: vars.Dict(r.extra())}}
	return r.o.Templates.Scope(st, taskFiles{run: r})
}
