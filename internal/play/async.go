package play

import (
	"context"
	"fmt"
	"math"
	"time"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/module"
	"mageprov/internal/report"
	"mageprov/internal/template"
	"mageprov/internal/wire"
)

// async is what async: and poll: ask for. The zero value is an ordinary task.
type async struct {
	limit int           // seconds that the job may take
	poll  time.Duration // 0: do not wait for it
}

// firstPoll is when a job is first asked for its state: one that is done at
// once need not wait for a whole interval of poll:.
const firstPoll = 100 * time.Millisecond

const asyncStatus = "ansible.builtin.async_status"

// defaultPoll is Ansible's.
const defaultPoll = 15 * time.Second

func (x *execution) asyncSettings(ctx context.Context, s *template.Scope) (a async, err error) {
	if x.t.Async == nil {
		return a, nil
	}
	whole := func(v any, name string) (time.Duration, bool, error) {
		v, err := s.Render(ctx, v)
		if err != nil || v == nil || v == template.Omit {
			return 0, false, err
		}
		d, err := seconds(v)
		if err == nil && d < 0 {
			err = fmt.Errorf("it cannot be negative")
		}
		if err != nil {
			return 0, false, fault.At(x.t.Place, "%s", name).Because(err)
		}
		return d, true, nil
	}
	limit, _, err := whole(x.t.Async, "async")
	if err != nil || limit == 0 {
		return a, err
	}
	poll, given, err := whole(x.t.Poll, "poll")
	if !given {
		poll = defaultPoll
	}
	return async{limit: int(math.Ceil(limit.Seconds())), poll: poll}, err
}

// noAsync refuses a job of what does not run on the node alone.
func (c *controller) noAsync() error {
	if c.x.async.limit == 0 {
		return nil
	}
	return fault.At(c.x.t.Place, "async is not supported for this task").
		WithHint("a job runs on the node alone: it cannot use files of the controller or a module that works there")
}

// job starts the task as a job and, with poll:, waits for it.
func (c *controller) job(ctx context.Context, started *module.Result) (*module.Result, error) {
	jid, _ := started.Return["ansible_job_id"].(string)
	if started.Failed || c.x.async.poll == 0 || jid == "" {
		return started, nil
	}
	res, err := c.await(ctx, jid)
	if err != nil {
		return nil, err
	}
	state := "OK"
	if res.Failed {
		state = "FAILED"
	}
	c.announce(state, jid, "")
	if res.Return["finished"] != nil {
		if _, err := c.askJob(ctx, jid, "cleanup"); err != nil {
			c.x.b.run.warn("%s: the state of job %s on %s is not removed: %v", c.x.t.Place, jid, c.x.target().name, err)
		}
	}
	return res, nil
}

// await asks for the job's state until it has finished or its time is over. A
// connection that is lost in between is made again: the job goes on without it.
func (c *controller) await(ctx context.Context, jid string) (*module.Result, error) {
	a := c.x.async
	begin := time.Now()
	limit := time.Duration(a.limit) * time.Second
	shown := begin
	for wait := min(firstPoll, a.poll); ; wait = min(2*wait, a.poll) {
		select {
		case <-time.After(min(wait, max(limit-time.Since(begin), firstPoll))):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		res, err := c.askJob(ctx, jid, "status")
		over := time.Since(begin) >= limit
		switch {
		case err != nil && (over || fault.CodeOf(err) != fault.ExitUnreachable):
			return nil, err
		case err == nil && (res.Failed || jinja.Truth(res.Return["finished"])):
			return res, nil
		case over:
			return &module.Result{Failed: true, Msg: fmt.Sprintf("async task did not complete within the requested time - %ds", a.limit),
				Return: map[string]any{"async_result": jinja.FromGo(res.Return)}}, nil
		}
		if time.Since(shown) >= a.poll {
			shown = time.Now()
			c.announce("POLL", jid, " started=1 finished=0")
		}
	}
}

// askJob runs async_status on the task's node.
func (c *controller) askJob(ctx context.Context, jid, mode string) (*module.Result, error) {
	spec, ok := module.Lookup(asyncStatus)
	if !ok {
		return nil, module.Unknown(c.x.t.Place, asyncStatus)
	}
	return c.dispatch(ctx, spec, module.Args{"jid": jid, "mode": mode})
}

// announce prints a line as Ansible does.
func (c *controller) announce(what, jid, rest string) {
	c.x.b.emit(report.Event{Type: report.NoteEvent, Level: "info", Host: c.x.h.name,
		Text: fmt.Sprintf("ASYNC %s on %s: jid=%s%s", what, c.x.h.name, jid, rest)})
}

// asJob says whether the module at hand is to run as a job: the task's own
// does, what async_status asks does not.
func (c *controller) asJob(spec *module.Spec) *wire.Async {
	if c.x.async.limit == 0 || spec != c.x.t.Spec {
		return nil
	}
	return &wire.Async{Limit: c.x.async.limit}
}

// jobDir puts the directory of job states that a variable names where the node
// looks for it.
func (c *controller) jobDir(ctx context.Context, spec *module.Spec, env map[string]string) (map[string]string, error) {
	if c.x.async.limit == 0 && spec.Name != asyncStatus {
		return env, nil
	}
	dir, err := textVar(ctx, c.x.settingsScope(c.s), "", "ansible_async_dir")
	if err != nil || dir == "" {
		return env, err
	}
	if env == nil {
		env = map[string]string{}
	}
	env["ANSIBLE_ASYNC_DIR"] = dir
	return env, nil
}
