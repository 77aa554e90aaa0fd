// Package play is the engine: it runs plays on hosts.
//
// play.go holds the order of things: Run, one play, one batch of hosts.
// nodes.go walks blocks and tasks, task.go runs one task on one host,
// result.go judges what came back, handlers.go and include.go do what their
// names say, scope.go builds the variables a task sees, action.go is what a
// module's part on the controller may use, connect.go reaches the hosts.
package play

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/playbook"
	"mageprov/internal/report"
	"mageprov/internal/secret"
)

// A Run is one call of mageprov apply, check or run: it keeps hosts and
// connections over several playbooks.
type Run struct {
	o     Options
	links *links
	slots chan struct{} // forks

	mu       sync.Mutex
	hosts    map[string]*host
	limit    map[string]bool
	started  atomic.Bool // --start-at-task has been found
	broken   atomic.Bool // a play was broken off
	aborted  atomic.Bool // any_errors_fatal: later plays do not run
	warned   map[string]bool
	prompted *jinja.Dict // answers to vars_prompt of the play at hand
	custom   customStats
	secrets  secret.Keeper // passwords of connections
}

// New prepares a run; Close ends its connections.
func New(o Options) *Run {
	if o.Forks <= 0 {
		o.Forks = DefaultForks
	}
	r := &Run{
		o:      o,
		links:  newLinks(o.Connection),
		slots:  make(chan struct{}, o.Forks),
		hosts:  map[string]*host{},
		warned: map[string]bool{},
	}
	r.started.Store(o.StartAt == "")
	return r
}

// Close ends all connections.
func (r *Run) Close() { r.links.close() }

// Playbooks runs playbooks in order and reports the recap. The error is nil
// when every host is well; otherwise it carries the exit code: a failed host
// is not an error that needs printing, since it has been reported.
func (r *Run) Playbooks(ctx context.Context, books []*playbook.Playbook) error {
	begin := time.Now()
	if err := r.setLimit(); err != nil {
		return err
	}
	var err error
	for _, b := range books {
		for _, p := range b.Plays {
			if err == nil && !r.aborted.Load() {
				err = r.play(ctx, p)
			}
		}
	}
	r.o.Reporter.Report(report.Event{Type: report.Recap, Time: time.Now(), Stats: r.stats(), Result: r.custom.result(), Elapsed: time.Since(begin), Check: r.o.Check})
	if err != nil {
		return err
	}
	if !r.started.Load() {
		return fault.New("no task is called %q, nothing has run", r.o.StartAt).WithHint("--list-tasks shows the names")
	}
	return r.verdict(ctx)
}

// play runs one play. These are its steps, in order.
func (r *Run) play(ctx context.Context, p *playbook.Play) error {
	v, err := r.prepare(ctx, p) // hosts, vars_prompt, vars_files, group_vars beside the playbook
	if err != nil || len(v.hosts) == 0 {
		return err
	}
	batches, err := v.batches(ctx)
	if err != nil {
		return err
	}
	for i, hosts := range batches {
		b, err := v.batch(ctx, hosts, i == 0)
		if err != nil {
			return err
		}
		if i > 0 {
			r.o.Reporter.Report(report.Event{Type: report.PlayStart, Time: time.Now(), Name: v.name, Hosts: names(hosts), Check: r.o.Check})
		}
		b.steps(ctx,
			b.gatherFacts,
			b.section(p.PreTasks), b.flushHandlers,
			b.roles, b.section(p.Tasks), b.flushHandlers,
			b.section(p.PostTasks), b.flushHandlers,
		)
		if ctx.Err() != nil {
			return interrupted(ctx)
		}
		if b.stopped.Load() || len(b.active()) == 0 && !b.ended.Load() {
			// Nobody is left: neither the other batches nor later plays run.
			if b.stopped.Load() {
				r.broken.Store(true)
			}
			r.aborted.Store(true)
			break
		}
		if b.last.Load() {
			break
		}
	}
	r.o.Reporter.Report(report.Event{Type: report.PlayEnd, Time: time.Now()})
	return nil
}

// step is a part of a play: it is run on all hosts of the batch together, or by
// each host for itself.
type step func(ctx context.Context, hosts []*host)

// steps takes the batch through the steps. Hosts drop out as they fail; with
// force_handlers the failed ones still flush.
func (b *batch) steps(ctx context.Context, steps ...step) {
	b.pace(func(hosts []*host) {
		for _, step := range steps {
			if ctx.Err() != nil || b.ended.Load() || b.stopped.Load() {
				break
			}
			step(ctx, hosts)
		}
	})
	if b.forceHandlers && b.stopped.Load() && ctx.Err() == nil {
		b.stopped.Store(false)
		b.flushHandlers(ctx, b.hosts)
		b.stopped.Store(true)
	}
}

// section gives a step that runs a list of tasks.
func (b *batch) section(nodes []playbook.Node) step {
	return func(ctx context.Context, hosts []*host) { b.runList(ctx, b.root(), nodes, hosts) }
}

// roles is the step that runs the roles: of the play.
func (b *batch) roles(ctx context.Context, hosts []*host) {
	for _, use := range b.play.Roles {
		b.runRole(ctx, b.root(), use, hosts)
	}
}

// gatherFacts connects to every host, so that one which cannot be reached is
// known at once, and turns lazy facts on: the facts themselves are asked for
// when a template reads them.
func (b *batch) gatherFacts(ctx context.Context, hosts []*host) {
	in := b.root()
	gather, err := in.flag(ctx, b.scopeFor(hosts[0], in, nil), b.play.GatherFacts, !b.run.o.GatherExplicit)
	if err != nil {
		b.failAll(hosts, err)
	} else if gather {
		in.base.When = nil // facts are needed to evaluate a play's own when
		b.runTask(ctx, in, gatherTask(b.play), hosts)
	}
}

// verdict is the exit code of a run: Ansible's, and 3 for a check that found changes.
func (r *Run) verdict(ctx context.Context) error {
	if ctx.Err() != nil {
		return interrupted(ctx)
	}
	var failed, unreachable, changed bool
	for name, s := range r.stats() {
		if s.Failed+s.Unreachable > r.hosts[name].cleared {
			failed = failed || s.Failed > 0
			unreachable = unreachable || s.Unreachable > 0
		}
		changed = changed || s.Changed > 0
	}
	switch {
	case unreachable:
		return (&fault.Error{}).WithCode(fault.ExitUnreachable)
	case failed:
		return (&fault.Error{}).WithCode(fault.ExitFailed)
	case r.broken.Load():
		return (&fault.Error{}).WithCode(fault.ExitBroken)
	case changed && r.o.Check:
		return (&fault.Error{}).WithCode(fault.ExitPending)
	}
	return nil
}

func interrupted(ctx context.Context) error {
	return fault.New("interrupted").WithCode(fault.ExitInterrupted).Because(context.Cause(ctx)).
		WithHint("tasks that were running have been ended; run the same command again to go on")
}

// stats gives every host's counts.
func (r *Run) stats() map[string]*report.Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[string]*report.Stats, len(r.hosts))
	for _, h := range r.hosts {
		h.mu.Lock()
		if h.seen {
			s := h.stats
			all[h.name] = &s
		}
		h.mu.Unlock()
	}
	return all
}

// warn reports a warning once per run.
func (r *Run) warn(format string, args ...any) {
	text := fault.New(format, args...).Msg
	r.mu.Lock()
	seen := r.warned[text]
	r.warned[text] = true
	r.mu.Unlock()
	if !seen {
		r.o.Reporter.Report(report.Event{Type: report.NoteEvent, Time: time.Now(), Level: "warning", Text: text}.Masked(&r.secrets))
	}
}

func (r *Run) extra() *jinja.Dict {
	if r.o.Extra == nil {
		return jinja.NewDict()
	}
	return r.o.Extra
}
