package play

import (
	"context"
	"path"
	"strings"
	"sync"
	"time"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/playbook"
	"mageprov/internal/report"
	"mageprov/internal/template"
)

// runTaskOn runs one task on hosts, all at once, and gives those that failed.
func (b *batch) runTaskOn(ctx context.Context, in inherited, t *playbook.Task, hosts []*host) []*host {
	up := in
	in = in.with(&t.Base)
	in.base.Vars = nil
	if t.Dir != "" {
		in.dir = t.Dir
	}
	first := b.scopeFor(hosts[0], in, t)
	name := b.taskName(ctx, first, in, t)
	wanted, err := b.wanted(ctx, first, in, name)
	if !wanted && err == nil {
		return nil
	}
	if t.Spec != nil && t.Spec.Short() == "meta" {
		return b.meta(ctx, in, t, hosts)
	}
	start := report.Event{Type: report.TaskStart, Name: name, Module: t.Action, Place: t.Place.String(), Handler: in.handler, Role: roleName(in)}
	if b.free {
		start.Host = hosts[0].name
	}
	b.emit(start)
	var m manner
	if err == nil {
		m, err = b.manner(ctx, first, in)
	}
	if err != nil {
		return b.failTask(in, t, hosts, err)
	}
	if m.once && b.free {
		b.run.warn("%s: run_once means nothing where hosts go at their own pace (strategy free): the task runs on each of them", t.Place)
		m.once = false
	}
	on := hosts
	if m.once || !b.free && t.Spec != nil && forAll[t.Spec.Short()] {
		on = hosts[:1]
	}
	results := b.perHost(ctx, in, t, on, m.throttle)
	if t.Include != nil {
		return b.include(ctx, up, in, t, results)
	}
	return b.judge(in, hosts, results, m)
}

// forAll are modules that run once, for the first host: they are about the
// inventory or the people in front of it. Unlike with run_once the other hosts
// learn nothing of the result.
var forAll = map[string]bool{"add_host": true, "pause": true}

// manner is how a task runs on its hosts: keywords that are the same for all.
type manner struct {
	once     bool // run_once
	fatal    bool // any_errors_fatal
	throttle int  // hosts at a time; 0: forks alone decide
}

func (b *batch) manner(ctx context.Context, s *template.Scope, in inherited) (m manner, err error) {
	if m.once, err = in.flag(ctx, s, in.base.RunOnce, false); err != nil {
		return m, fault.Wrap(err, "run_once")
	}
	if m.fatal, err = in.flag(ctx, s, in.base.AnyErrorsFatal, false); err != nil {
		return m, fault.Wrap(err, "any_errors_fatal")
	}
	if in.base.Throttle == nil {
		return m, nil
	}
	v, err := keyword(ctx, s, in.base.Throttle)
	if err == nil && v != nil {
		m.throttle, err = portion(v, len(b.hosts))
	}
	if err != nil {
		return m, fault.Wrap(err, "throttle")
	}
	return m, nil
}

// judge sorts hosts into those that go on and those that failed.
func (b *batch) judge(in inherited, hosts []*host, results []*outcome, m manner) []*host {
	var failed []*host
	for _, r := range results {
		if r.lost() {
			failed = append(failed, r.host)
		}
		if m.once {
			b.share(r, hosts)
		}
	}
	if m.once && len(failed) > 0 && results[0].status == report.Failed {
		failed = hosts
	}
	if len(failed) == 0 {
		return nil
	}
	if m.fatal {
		if !in.rescuable {
			b.stopped.Store(true)
			b.run.aborted.Store(true)
		}
		return hosts
	}
	if !in.rescuable {
		b.mu.Lock()
		for _, h := range failed {
			b.lost[h] = true
		}
		b.mu.Unlock()
	}
	if !in.rescuable && !b.tolerable(failed) {
		b.stopped.Store(true)
		b.run.aborted.Store(true)
		return hosts
	}
	return failed
}

// perHost runs the task on each host, at most forks (and throttle) at a time,
// and reports the results in the order of hosts.
func (b *batch) perHost(ctx context.Context, in inherited, t *playbook.Task, hosts []*host, throttle int) []*outcome {
	results := make([]*outcome, len(hosts))
	slots := b.throttled(t, throttle)
	if len(hosts) == 1 {
		if slots != nil {
			slots <- struct{}{}
			defer func() { <-slots }()
		}
		results[0] = b.runOne(ctx, in, t, hosts[0])
		b.settle(results[0])
		return results
	}
	line := newLine(len(hosts), b.settle)
	var wg sync.WaitGroup
	var c crash
	for i, h := range hosts {
		wg.Go(func() {
			if slots != nil {
				slots <- struct{}{}
				defer func() { <-slots }()
			}
			c.guard(func() {
				results[i] = b.runOne(ctx, in, t, h)
				line.done(i, results[i])
			})
		})
	}
	wg.Wait()
	c.raise()
	line.flush()
	return results
}

// throttled gives the slots that throttle: leaves for a task, nil without it.
// They are the task's, for hosts may come to it at their own pace.
func (b *batch) throttled(t *playbook.Task, n int) chan struct{} {
	if n <= 0 {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.slots == nil {
		b.slots = map[*playbook.Task]chan struct{}{}
	}
	if b.slots[t] == nil {
		b.slots[t] = make(chan struct{}, n)
	}
	return b.slots[t]
}

// runOne runs the task on one host: it waits for a free fork and never panics
// past this point.
func (b *batch) runOne(ctx context.Context, in inherited, t *playbook.Task, h *host) *outcome {
	b.run.slots <- struct{}{}
	defer func() { <-b.run.slots }()
	x := &execution{b: b, in: in, t: t, h: h, scope: b.scopeFor(h, in, t)}
	if b.free {
		x.name, x.module = b.taskName(ctx, x.scope, in, t), t.Action
	}
	b.emit(report.Event{Type: report.HostStart, Host: h.name, Name: x.name})
	out := x.run(ctx)
	out.host, out.x = h, x
	x.remember(ctx, out)
	return out
}

// wanted applies tags and --start-at-task.
func (b *batch) wanted(ctx context.Context, s *template.Scope, in inherited, name string) (bool, error) {
	if !in.handler {
		o := b.run.o
		if len(o.Tags) > 0 || len(o.SkipTags) > 0 || len(in.base.Tags) > 0 {
			tags, err := renderTags(ctx, s, in.base.Tags)
			if err != nil {
				return false, fault.Wrap(err, "tags")
			}
			if !playbook.Tagged(tags, o.Tags, o.SkipTags) {
				return false, nil
			}
		}
	}
	if !b.run.started.Load() {
		short := name
		if in.base.Name != nil {
			short = jinja.Str(in.base.Name)
		}
		m1, _ := path.Match(b.run.o.StartAt, name)
		m2, _ := path.Match(b.run.o.StartAt, short)
		if !m1 && !m2 && b.run.o.StartAt != name && b.run.o.StartAt != short {
			return false, nil
		}
		b.run.started.Store(true)
	}
	return true, nil
}

func renderTags(ctx context.Context, s *template.Scope, tags []any) (out []string, err error) {
	for _, t := range tags {
		v, err := s.Render(ctx, t)
		if err != nil {
			return nil, err
		}
		if _, isList := v.(*jinja.List); isList {
			out = append(out, words(v)...)
		} else {
			out = append(out, splitTags(jinja.Str(v))...)
		}
	}
	return out, nil
}

// taskName is what the banner shows: "role : name". A name whose variables are
// unknown is shown as written.
func (b *batch) taskName(ctx context.Context, s *template.Scope, in inherited, t *playbook.Task) string {
	name := t.Action
	if t.Include != nil && t.Include.Role != nil && t.Name == nil {
		name += " : "
		if v, err := s.RenderString(ctx, t.Include.Role); err == nil {
			name += v
		} else if tx, ok := t.Include.Role.(*jinja.Text); ok {
			name += tx.Source
		}
	}
	if t.Name != nil {
		if v, err := s.RenderString(ctx, t.Name); err == nil {
			name = v
		} else if tx, ok := t.Name.(*jinja.Text); ok {
			name = tx.Source
		}
	}
	include := t.Include != nil && t.Include.Role != nil // speaks for the role it names
	if r := roleName(in); r != "" && !include {
		return r + " : " + name
	}
	return name
}

func roleName(in inherited) string {
	if in.role == nil {
		return ""
	}
	return in.role.Name
}

func (b *batch) failTask(in inherited, t *playbook.Task, hosts []*host, err error) []*host {
	for _, h := range hosts {
		out := failure(err)
		out.host, out.x = h, &execution{b: b, in: in, t: t, h: h, scope: b.scopeFor(h, in, t)}
		b.settle(out)
	}
	return hosts
}

// runTask runs a task that the engine made itself on the hosts that are still in
// the play.
func (b *batch) runTask(ctx context.Context, in inherited, t *playbook.Task, hosts []*host) {
	if hosts = b.alive(hosts); len(hosts) == 0 {
		return
	}
	for _, h := range b.runTaskOn(ctx, in, t, hosts) {
		b.lose(h)
	}
}

// line hands results on in the order of hosts, so that two runs read alike; one
// slow host holds the others' lines back for a second at most.
type line struct {
	mu     sync.Mutex
	queue  []*outcome
	next   int
	settle func(*outcome)
	timer  *time.Timer
}

func newLine(n int, settle func(*outcome)) *line {
	return &line{queue: make([]*outcome, n), settle: settle}
}

func (l *line) done(i int, o *outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue[i] = o
	for l.next < len(l.queue) && l.queue[l.next] != nil {
		l.emit(l.next)
		l.next++
	}
	if l.next < i && l.timer == nil {
		l.timer = time.AfterFunc(time.Second, l.flush)
	}
}

func (l *line) emit(i int) {
	if !l.queue[i].settled {
		l.queue[i].settled = true
		l.settle(l.queue[i])
	}
}

func (l *line) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	for i, o := range l.queue {
		if o != nil {
			l.emit(i)
		}
	}
}

// splitTags reads "a,b" as two tags, as Ansible does.
func splitTags(s string) []string {
	var out []string
	for _, t := range strings.Split(s, ",") {
		if t = strings.TrimSpace(t); t != "" {
			out = append(out, t)
		}
	}
	return out
}
