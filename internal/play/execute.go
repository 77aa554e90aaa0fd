package play

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/module"
	"mageprov/internal/playbook"
	"mageprov/internal/report"
	"mageprov/internal/template"
	"mageprov/internal/wire"
)

// execution is one task on one host.
type execution struct {
	b     *batch
	in    inherited
	t     *playbook.Task
	h     *host
	scope *template.Scope
	noLog bool
	// name and module stand in results where hosts go at their own pace
	name, module string
	// of the item at hand
	check, diff bool
	delegate    *host // nil: the host itself
	// delegateFacts: what the task learns belongs to the delegate
	delegateFacts bool
	async         async
	tries         int // of until: the number of the attempt
	inLoop        bool
	label         string      // of the item, may be empty
	raw           *jinja.Dict // arguments as written
	rendered      *jinja.Dict // arguments of a module that stays on the controller
	learned       []assignment
	taught        []assignment  // to delegates
	stats         []*jinja.Dict // of set_stats
}

// outcome is what became of it. result is what register: receives.
type outcome struct {
	host     *host
	x        *execution
	status   report.Status
	result   *jinja.Dict
	changes  []wire.Change
	msg      string
	hint     string
	ignored  bool
	items    bool // a loop: each item has been reported already
	show     bool
	noLog    bool
	settled  bool
	deleg    string
	loopItem any // of an include: what the item was
	label    string
	// parts are the items of a dynamic include's loop.
	parts []*outcome
	// undefined is what the task failed of, if it was that
	undefined *jinja.UndefinedError
}

// lost says that the host can take no further part.
func (o *outcome) lost() bool {
	return !o.ignored && (o.status == report.Failed || o.status == report.Unreachable)
}

// failure is what becomes of a task whose module has not run: its result says
// nothing of changes.
func failure(err error) *outcome {
	msg := err.Error()
	undefined, _ := jinja.AsUndefined(err)
	return &outcome{status: report.Failed, msg: msg, hint: fault.HintOf(err), undefined: undefined,
		result: jinja.NewDict("failed", true, "msg", msg)}
}

// run runs the task with its loop.
func (x *execution) run(ctx context.Context) *outcome {
	var err error
	if x.noLog, err = x.in.flag(ctx, x.scope, x.in.base.NoLog, false); err != nil {
		return failure(err)
	}
	if x.t.Loop == nil {
		out := x.item(ctx, x.scope)
		out.noLog = x.noLog
		return x.ignore(ctx, out)
	}
	items, err := x.loopItems(ctx)
	if err != nil {
		// The loop of a task that is skipped need not be known.
		if ok, _, cerr := x.conditions(ctx, x.scope); cerr == nil && !ok {
			return skipped("Conditional result was False")
		}
		return x.ignore(ctx, failure(err))
	}
	return x.ignore(ctx, x.loop(ctx, items))
}

// ignore applies ignore_errors and ignore_unreachable.
func (x *execution) ignore(ctx context.Context, out *outcome) *outcome {
	kw := x.in.base.IgnoreErrors
	if out.status == report.Unreachable {
		kw = x.in.base.IgnoreUnreachable
	} else if out.status != report.Failed {
		return out
	}
	yes, err := x.in.flag(ctx, x.scope, kw, false)
	if err != nil {
		x.b.run.warn("%s: ignore_errors: %v", x.t.Place, err)
	}
	out.ignored = yes
	return out
}

// item runs one pass of the task: when, arguments, the module with its
// retries, changed_when and failed_when.
func (x *execution) item(ctx context.Context, s *template.Scope) *outcome {
	ok, cond, err := x.conditions(ctx, s)
	if err != nil {
		return failure(err)
	}
	if !ok {
		out := skipped("Conditional result was False")
		out.result.Set("false_condition", cond)
		return out
	}
	if x.t.Include != nil {
		return &outcome{status: report.OK, result: jinja.NewDict("changed", false)}
	}
	if err := x.settings(ctx, s); err != nil {
		return failure(err)
	}
	if x.delegate != nil {
		s = s.With(map[string]any{"ansible_delegated_vars": x.b.run.delegated(x.delegate)})
	}
	if x.t.Until == nil && x.t.Retries == nil {
		return x.attempt(ctx, s)
	}
	return x.retry(ctx, s)
}

func skipped(why string) *outcome {
	return &outcome{status: report.Skipped, msg: why, result: jinja.NewDict("changed", false, "skipped", true, "skip_reason", why)}
}

// conditions evaluates when:, the outermost block's first. cond is the one that was false.
func (x *execution) conditions(ctx context.Context, s *template.Scope) (ok bool, cond any, err error) {
	for _, w := range x.in.base.When {
		ok, err := s.Condition(ctx, w)
		if err != nil {
			return false, nil, err
		}
		if !ok {
			if t, isText := w.(*jinja.Text); isText {
				return false, t.Source, nil
			}
			return false, w, nil
		}
	}
	return true, nil, nil
}

// settings renders the keywords that may depend on the item.
func (x *execution) settings(ctx context.Context, s *template.Scope) (err error) {
	o := x.b.run.o
	// check_mode: false is for tasks that only read: it is the author's word that
	// they do, as with Ansible.
	if x.check, err = x.in.flag(ctx, s, x.in.base.CheckMode, o.Check); err != nil {
		return err
	}
	if x.diff, err = x.in.flag(ctx, s, x.in.base.Diff, o.Diff); err != nil {
		return err
	}
	if x.delegateFacts, err = x.in.flag(ctx, s, x.in.base.DelegateFacts, false); err != nil {
		return fault.Wrap(err, "delegate_facts")
	}
	x.delegate = nil
	if x.in.base.DelegateTo != nil {
		v, err := keyword(ctx, s, x.in.base.DelegateTo)
		if err != nil {
			return fault.Wrap(err, "delegate_to")
		}
		if name := jinja.Str(v); v != nil && name != "" {
			x.delegate = x.b.run.host(name)
		}
	}
	return nil
}

// retry repeats the task until its condition holds.
func (x *execution) retry(ctx context.Context, s *template.Scope) *outcome {
	retries, delay, err := x.retrySettings(ctx, s)
	if err != nil {
		return failure(err)
	}
	for n := 1; ; n++ {
		x.tries = min(n, max(retries, 1)) // as Ansible counts: the first one is free
		out := x.attempt(ctx, s)
		out.result.Set("attempts", int64(x.tries))
		if out.status == report.Unreachable || ctx.Err() != nil {
			return out
		}
		done, err := x.until(ctx, s, out)
		if err != nil {
			return failure(err)
		}
		if done {
			return out
		}
		if n > retries {
			if out.status != report.Failed {
				out.status = report.Failed
				out.result.Set("failed", true)
			}
			return out
		}
		x.b.emit(report.Event{Type: report.HostResult, Host: x.h.name, Name: x.b.taskName(ctx, s, x.in, x.t), Status: report.Failed,
			Attempt: n, Retries: retries - n + 1, Label: x.label, Item: x.inLoop, NoLog: x.noLog, Msg: x.secretive(out.msg)})
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return out
		}
	}
}

func (x *execution) retrySettings(ctx context.Context, s *template.Scope) (retries int, delay time.Duration, err error) {
	retries, delay = 3, 5*time.Second
	if x.t.Retries != nil {
		v, err := s.Render(ctx, x.t.Retries)
		if err != nil {
			return 0, 0, err
		}
		if retries, err = portion(v, 100); err != nil {
			return 0, 0, fault.At(x.t.Place, "retries").Because(err)
		}
	}
	if x.t.Delay != nil {
		v, err := s.Render(ctx, x.t.Delay)
		if err != nil {
			return 0, 0, err
		}
		if delay, err = seconds(v); err != nil {
			return 0, 0, fault.At(x.t.Place, "delay").Because(err)
		}
	}
	return retries, delay, nil
}

// until evaluates until:; without one a retry waits for success.
func (x *execution) until(ctx context.Context, s *template.Scope, out *outcome) (bool, error) {
	if x.t.Until == nil {
		return out.status != report.Failed, nil
	}
	for _, u := range x.t.Until {
		ok, err := x.withResult(s, out).Condition(ctx, u)
		if err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// attempt runs the module once and judges its result.
func (x *execution) attempt(ctx context.Context, s *template.Scope) *outcome {
	args, err := x.arguments(ctx, s)
	if err != nil {
		return failure(err)
	}
	if d, err := x.timeout(ctx, s); err != nil {
		return failure(err)
	} else if d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, d, fault.New("The %s action failed to execute in the expected time frame (%d) and was terminated", x.t.Spec.Short(), d/time.Second))
		defer cancel()
	}
	if x.async, err = x.asyncSettings(ctx, s); err != nil {
		return failure(err)
	}
	c := &controller{x: x, s: s}
	res, err := c.dispatch(ctx, x.t.Spec, args)
	if err != nil {
		return x.broke(ctx, err)
	}
	if err := x.enlist(res); err != nil {
		return failure(err)
	}
	out := x.read(res)
	if x.tries > 0 { // changed_when and failed_when see it
		out.result.Set("attempts", int64(x.tries))
	}
	out.deleg = x.delegateName()
	return x.override(ctx, s, out)
}

func (x *execution) delegateName() string {
	if x.delegate == nil {
		return ""
	}
	return x.delegate.name
}

// broke turns an error of the transport or of an action into an outcome.
func (x *execution) broke(ctx context.Context, err error) *outcome {
	if cause := context.Cause(ctx); cause != nil && ctx.Err() != nil {
		err = cause
	}
	out := failure(err)
	out.result.Set("changed", false)
	out.deleg = x.delegateName()
	if fault.CodeOf(err) == fault.ExitUnreachable {
		out.status = report.Unreachable
		out.result = jinja.NewDict("changed", false, "unreachable", true, "msg", out.msg)
	}
	return out
}

func (x *execution) timeout(ctx context.Context, s *template.Scope) (time.Duration, error) {
	if x.in.base.Timeout == nil {
		return 0, nil
	}
	v, err := keyword(ctx, s, x.in.base.Timeout)
	if err != nil || v == nil {
		return 0, err
	}
	d, err := seconds(v)
	if err != nil {
		return 0, fault.At(x.t.Place, "timeout").Because(err)
	}
	return d, nil
}

// defaultsOf gives the task's module's own part of module_defaults, nil if it
// has none. Those of other modules are not looked at: they may not be known here.
func (x *execution) defaultsOf(ctx context.Context, s *template.Scope, d any) (*jinja.Dict, error) {
	defaults, ok := d.(*jinja.Dict)
	if !ok {
		v, err := s.Render(ctx, d)
		if err != nil {
			return nil, err
		}
		if defaults, ok = v.(*jinja.Dict); !ok {
			return nil, nil
		}
	}
	var own *jinja.Dict
	for name, args := range defaults.All() {
		if spec, known := module.Lookup(jinja.Str(name)); !(known && spec == x.t.Spec) && name != x.t.Spec.Name {
			continue
		}
		if !jinja.IsTemplated(args) || args == nil {
			own, _ = args.(*jinja.Dict)
			continue
		}
		v, err := s.Render(ctx, args)
		if err != nil {
			return nil, err
		}
		own, _ = v.(*jinja.Dict)
	}
	if own == nil {
		return nil, nil
	}
	return own.Clone(), nil
}

// arguments renders the module's arguments and adds module_defaults.
func (x *execution) arguments(ctx context.Context, s *template.Scope) (module.Args, error) {
	written := jinja.NewDict()
	for _, d := range x.in.base.ModuleDefaults {
		own, err := x.defaultsOf(ctx, s, d)
		if err != nil {
			return nil, err
		}
		if own != nil { // the nearest entry stands alone, as in Ansible
			written = own
		}
	}
	if x.t.ArgsText != nil {
		v, err := s.Render(ctx, x.t.ArgsText)
		if err != nil {
			return nil, err
		}
		d, ok := v.(*jinja.Dict)
		if !ok {
			return nil, fault.At(x.t.ArgsText.Place, "args: must give a dictionary, found %s", jinja.TypeName(v))
		}
		copyInto(written, d)
	}
	copyInto(written, x.t.Args)
	x.raw = written
	render := written
	if len(x.t.Spec.Raw) > 0 {
		render = jinja.NewDict()
		for k, v := range written.All() {
			if !isRaw(x.t.Spec, k) {
				render.Set(k, v)
				render.Templated = render.Templated || jinja.IsTemplated(v)
			}
		}
	}
	if !x.t.Spec.Local {
		render, err := asJSON(ctx, s, x.t.Spec, render)
		if err != nil {
			return nil, err
		}
		return s.RenderArgs(ctx, render)
	}
	return x.ordered(ctx, s, render)
}

// ordered renders the arguments of a module that stays on the controller:
// what it sets keeps the order of its dictionaries.
func (x *execution) ordered(ctx context.Context, s *template.Scope, d *jinja.Dict) (module.Args, error) {
	d, err := x.namedBy(ctx, s, d)
	if err != nil {
		return nil, err
	}
	v, err := s.Render(ctx, d)
	if err != nil {
		return nil, err
	}
	x.rendered = template.WithoutOmitted(v).(*jinja.Dict)
	args := module.Args{}
	for k, v := range x.rendered.All() {
		args[jinja.Str(k)] = jinja.ToGo(v)
	}
	return args, nil
}

// namedBy renders argument names: set_fact may compute the names it sets.
func (x *execution) namedBy(ctx context.Context, s *template.Scope, d *jinja.Dict) (*jinja.Dict, error) {
	templated := false
	for _, k := range d.Keys() {
		name, _ := k.(string)
		templated = templated || strings.Contains(name, "{{")
	}
	if !templated {
		return d, nil
	}
	out := jinja.NewDict()
	out.Templated = d.Templated
	for k, v := range d.All() {
		if name, ok := k.(string); ok && strings.Contains(name, "{{") {
			text, err := s.RenderString(ctx, &jinja.Text{Source: name, Place: x.t.Place})
			if err != nil {
				return nil, err
			}
			k = text
		}
		out.Set(k, v)
	}
	return out, nil
}

func copyInto(dst, src *jinja.Dict) {
	for k, v := range src.All() {
		dst.Set(k, v)
	}
	if src != nil && src.Templated {
		dst.Templated = true
	}
}

func isRaw(spec *module.Spec, key any) bool {
	for _, r := range spec.Raw {
		if r == key {
			return true
		}
	}
	return false
}

// seconds reads a number of seconds.
func seconds(v any) (time.Duration, error) {
	switch n := v.(type) {
	case int64:
		return time.Duration(n) * time.Second, nil
	case float64:
		return time.Duration(n * float64(time.Second)), nil
	case string:
		if f, err := strconv.ParseFloat(strings.TrimSpace(n), 64); err == nil {
			return time.Duration(f * float64(time.Second)), nil
		}
	}
	return 0, fmt.Errorf("expected a number of seconds, found %s", jinja.Repr(v))
}
