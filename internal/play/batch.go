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
	adopted  map[string][]*handler // handlers of roles that are listed, by handlersOf
	loaded   int                   // rank of the handlers that are loaded next
	ran      map[roleRun]bool      // roles that ran
	public   []*playbook.RoleUse   // whose defaults and vars the whole play sees
	lost     map[*host]bool        // failed in this batch

	listed    []string // roles of the play by name, imported ones included
	dependent []string // roles that come along as dependencies

	free          bool                             // strategy: free or host_pinned
	pins          chan struct{}                    // host_pinned: the hosts at work
	slots         map[*playbook.Task]chan struct{} // throttle
	first         bool
	ended         atomic.Bool // meta: end_play, end_batch
	last          atomic.Bool // meta: end_play: later batches do not start
	stopped       atomic.Bool // broken off: any_errors_fatal, max_fail_percentage
	forceHandlers bool
	maxFail       float64 // percent; negative: none
}

func (v *playRun) batch(ctx context.Context, hosts []*host, first bool) (*batch, error) {
	b := &batch{run: v.run, view: v, play: v.play, hosts: hosts, first: first,
		adopted: map[string][]*handler{}, ran: map[roleRun]bool{}, lost: map[*host]bool{}}
	if err := b.settings(ctx); err != nil {
		return nil, err
	}
	b.collectHandlers(ctx)
	b.hidePasswords(ctx)
	return b, nil
}

// settings renders the keywords that steer the play as a whole.
func (b *batch) settings(ctx context.Context) error {
	keyword := func(name string, v any, read func(v any) error) error {
		v, err := b.run.renderPlay(ctx, b.play, v)
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

// strategies are those of Ansible but debug, which is linear with a debugger.
var strategies = []string{"linear", "free", "host_pinned"}

func (b *batch) setStrategy(v any) error {
	name := strings.TrimPrefix(jinja.Str(v), "ansible.builtin.")
	if name == "debug" {
		return fault.New("there is no debugger").WithHint("%s", playbook.NoDebugger)
	}
	if !slices.Contains(strategies, name) {
		return fault.New("%q is not known", name).WithHint("%s", fault.DidYouMean(name, strategies))
	}
	b.free = name == "free" || name == "host_pinned"
	if name == "host_pinned" {
		b.pins = make(chan struct{}, b.run.o.Forks)
	}
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

// runList runs nodes on the hosts that are still in the play and takes those
// that failed out of the run.
func (b *batch) runList(ctx context.Context, in inherited, nodes []playbook.Node, hosts []*host) {
	if len(nodes) == 0 {
		return
	}
	for _, h := range b.runNodes(ctx, in, nodes, b.alive(hosts)) {
		b.lose(h)
	}
}

// pace calls run for all hosts in lockstep (linear), or for each of them, so
// that a slow one holds nobody back (free); host_pinned begins with a host only
// when another one of as many as there are forks has come to its end.
func (b *batch) pace(run func(hosts []*host)) {
	if !b.free {
		run(b.hosts)
		return
	}
	var wg sync.WaitGroup
	var c crash
	for _, h := range b.hosts {
		if b.pins != nil {
			b.pins <- struct{}{}
		}
		wg.Go(func() {
			c.guard(func() { run([]*host{h}) })
			if b.pins != nil {
				<-b.pins
			}
		})
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

func (b *batch) failAll(hosts []*host, err error) {
	for _, h := range b.alive(hosts) {
		b.emit(report.Event{Type: report.HostResult, Host: h.name, Status: report.Failed, Msg: err.Error(), Result: map[string]any{"msg": err.Error()}})
		h.count(func(s *report.Stats) { s.Failed++ })
		b.lose(h)
	}
}

func (b *batch) emit(e report.Event) {
	e.Time = time.Now()
	e.Check = b.run.o.Check
	b.run.o.Reporter.Report(e.Masked(&b.run.secrets))
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
	v.layers = []vars.Layer{
		{Name: "play vars_prompt", Source: vars.Dict(v.run.prompted)},
		{Name: "play vars", Source: vars.Dict(v.play.Vars)},
	}
	return v.varsFiles(ctx)
}

// renderPlay renders a keyword of the play itself, which no host is known for:
// it sees extra vars and the play's vars.
func (r *Run) renderPlay(ctx context.Context, p *playbook.Play, v any) (any, error) {
	if !jinja.IsTemplated(v) {
		return v, nil
	}
	st := vars.Stack{r.magic(), {Name: "extra vars", Source: vars.Dict(r.extra())},
		{Name: "play vars_prompt", Source: vars.Dict(r.prompted)}, {Name: "play vars", Source: vars.Dict(p.Vars)}}
	return r.o.Templates.Scope(st, taskFiles{run: r}).Render(ctx, v)
}

func (r *Run) bareScope() *template.Scope {
	st := vars.Stack{r.magic(), {Name: "extra vars", Source: vars.Dict(r.extra())}}
	return r.o.Templates.Scope(st, taskFiles{run: r})
}
