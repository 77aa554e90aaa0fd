package play

import (
	"context"
	"fmt"

	"mageprov/internal/jinja"
	"mageprov/internal/module"
	"mageprov/internal/report"
	"mageprov/internal/template"
	"mageprov/internal/wire"
)

// censored is what stands in for a result that no_log hides.
const censored = "the output has been hidden due to the fact that 'no_log: true' was specified for this result"

// read turns a module's result into an outcome.
func (x *execution) read(res *module.Result) *outcome {
	d := jinja.NewDict()
	for k, v := range jinja.FromGo(res.Return).(*jinja.Dict).All() {
		d.Set(k, v)
	}
	d.Set("changed", res.Changed)
	out := &outcome{result: d, changes: res.Changes, msg: res.Msg, hint: res.Hint}
	switch {
	case res.Failed:
		out.status = report.Failed
		d.Set("msg", res.Msg)
	case res.Skipped:
		out.status = report.Skipped
		d.Set("skipped", true)
		_, said := d.Get("skipped_reason")
		if _, ok := d.Get("msg"); !ok && !said && res.Msg != "" {
			d.Set("msg", res.Msg)
		}
	case res.Changed:
		out.status = report.Changed
	default:
		out.status = report.OK
	}
	d.Set("failed", res.Failed)
	for _, k := range []string{"stdout", "stderr"} {
		if s, ok := d.Get(k); ok {
			if text, isText := s.(string); isText {
				if _, have := d.Get(k + "_lines"); !have {
					d.Set(k+"_lines", lines(text))
				}
			}
		}
	}
	if f, ok := d.Get("ansible_facts"); ok {
		if facts, isDict := f.(*jinja.Dict); isDict && !setsVars[x.t.Spec.Short()] {
			x.learn(assignment{kind: module.VarGathered, vars: facts})
		}
	}
	out.show = x.shows(res)
	return out
}

// shows says whether the result is the point of the task.
func (x *execution) shows(res *module.Result) bool {
	switch x.t.Spec.Short() {
	case "debug":
		return !res.Skipped
	case "assert":
		quiet, _ := x.raw.Get("quiet")
		return !jinja.Truth(quiet)
	}
	return false
}

// setsVars are modules whose ansible_facts are not facts: they have written
// their variables themselves.
var setsVars = map[string]bool{"set_fact": true, "include_vars": true}

// lines is Python's splitlines as a list.
func lines(text string) *jinja.List {
	l := jinja.NewList()
	start := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\n':
			l.Items = append(l.Items, text[start:i])
			start = i + 1
		case '\r':
			l.Items = append(l.Items, text[start:i])
			if i+1 < len(text) && text[i+1] == '\n' {
				i++
			}
			start = i + 1
		}
	}
	if start < len(text) {
		l.Items = append(l.Items, text[start:])
	}
	return l
}

// override applies failed_when and changed_when.
func (x *execution) override(ctx context.Context, s *template.Scope, out *outcome) *outcome {
	if out.status == report.Unreachable || out.status == report.Skipped {
		return out
	}
	if len(x.t.ChangedWhen) > 0 {
		changed, err := x.all(ctx, x.withResult(s, out), x.t.ChangedWhen)
		if err != nil {
			if out.status == report.Failed { // the first failure says more
				out.result.Set("changed_when_result", err.Error())
				return out
			}
			return x.blame(out, "changed_when", err)
		}
		out.result.Set("changed", changed)
		if out.status != report.Failed {
			out.status = report.OK
			if changed {
				out.status = report.Changed
			}
		}
		if !changed {
			out.changes = nil
		}
	}
	if len(x.t.FailedWhen) > 0 {
		failed, err := x.all(ctx, x.withResult(s, out), x.t.FailedWhen)
		if err != nil {
			return x.blame(out, "failed_when", err)
		}
		out.result.Set("failed_when_result", failed)
		out.result.Set("failed", failed)
		changed, _ := out.result.Get("changed")
		switch {
		case failed:
			out.status = report.Failed
			if out.msg == "" {
				out.msg = "failed_when was true"
			}
		case jinja.Truth(changed):
			out.status = report.Changed
		default:
			out.status = report.OK
		}
	}
	return out
}

func (x *execution) blame(out *outcome, keyword string, err error) *outcome {
	f := failure(fmt.Errorf("%s: %w", keyword, err))
	f.result.Set(keyword+"_result", err.Error())
	for k, v := range out.result.All() {
		if k != "msg" && k != "failed" {
			f.result.Set(k, v)
		}
	}
	return f
}

// all says whether every condition holds.
func (x *execution) all(ctx context.Context, s *template.Scope, conds []any) (bool, error) {
	for _, c := range conds {
		ok, err := s.Condition(ctx, c)
		if err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// withResult lets until, changed_when and failed_when see the registered name.
func (x *execution) withResult(s *template.Scope, out *outcome) *template.Scope {
	if name, ok := x.t.Register.(string); ok && name != "" {
		return s.With(map[string]any{name: out.result})
	}
	return s
}

// assignment is a write to a host's variables, kept so that run_once can give
// it to all hosts.
type assignment struct {
	kind module.VarKind
	vars *jinja.Dict
	of   *host // the delegate that it belongs to; nil: the host itself
}

// learn writes variables where they belong.
func (x *execution) learn(a assignment) {
	h := x.h
	if x.delegate != nil && a.kind != module.VarInclude && x.delegateFacts {
		a.of = x.delegate
		x.taught = append(x.taught, a)
		return
	}
	h.learn(a)
	x.learned = append(x.learned, a)
}

func (h *host) learn(a assignment) {
	switch a.kind {
	case module.VarGathered:
		h.facts.Merge(a.vars)
	case module.VarInclude:
		h.incl.Merge(a.vars)
	case module.VarCached:
		h.set.Merge(a.vars)
		h.facts.Merge(a.vars)
	default:
		h.set.Merge(a.vars)
	}
}

// remember registers the result and renders notify.
func (x *execution) remember(ctx context.Context, out *outcome) {
	if name, ok := x.t.Register.(string); ok && name != "" {
		x.h.set.Set(name, out.result)
	} else if x.t.Register != nil {
		if n, err := x.scope.RenderString(ctx, x.t.Register); err == nil {
			x.h.set.Set(n, out.result)
		}
	}
	if out.lost() && x.in.rescuable {
		x.h.set.Set("ansible_failed_result", out.result)
		x.h.set.Set("ansible_failed_task", jinja.NewDict("name", x.ownName(ctx), "action", x.t.Action))
	}
	changed, _ := out.result.Get("changed")
	if !jinja.Truth(changed) || out.lost() {
		return
	}
	var topics []string
	for _, n := range x.t.Notify {
		v, err := x.scope.Render(ctx, n)
		if err != nil {
			x.b.run.warn("%s: notify: %v", x.t.Place, err)
			continue
		}
		if v != nil && v != template.Omit {
			topics = append(topics, words(v)...)
		}
	}
	x.b.notify(x.h, x.t, topics)
}

// share gives the result of a run_once task to all hosts.
func (b *batch) share(r *outcome, hosts []*host) {
	name, _ := r.x.t.Register.(string)
	for _, h := range hosts {
		if h == r.host {
			continue
		}
		if name != "" {
			h.set.Set(name, r.result)
		}
		for _, a := range r.x.learned {
			h.learn(a)
		}
	}
}

// settle counts and reports a finished task.
func (b *batch) settle(out *outcome) {
	h := out.host
	out.settled = true
	for _, a := range out.x.taught { // here, for results come in the order of hosts
		a.of.learn(a)
	}
	for _, s := range out.x.stats {
		for _, name := range b.run.custom.add(h.name, s) {
			b.run.warn("%s: set_stats: %s has had another type; aggregate: false replaces it", out.x.t.Place, name)
		}
	}
	b.tookPart(out)
	rescued := out.lost() && out.status == report.Failed && out.x.in.rescuable
	if out.x.t.Include != nil && out.status == report.OK {
		return // each file or role that it names is counted when it is included
	}
	h.count(func(s *report.Stats) {
		switch {
		case out.ignored:
			s.OK++
			s.Ignored++
			if changed, _ := out.result.Get("changed"); jinja.Truth(changed) {
				s.Changed++
			}
		case out.status == report.Unreachable:
			s.Unreachable++
		case rescued:
			s.Rescued++
		case out.status == report.Failed:
			s.Failed++
		case out.status == report.Skipped:
			s.Skipped++
		case out.status == report.Changed:
			s.OK++
			s.Changed++
		default:
			s.OK++
		}
	})
	if out.status == report.Unreachable && !out.ignored {
		h.gone.Store(true)
	}
	e := out.event()
	e.Loop = out.items
	e.Rescued = rescued
	b.emit(e)
}

// showItem reports one item of a loop.
func (b *batch) showItem(x *execution, out *outcome) {
	e := out.event()
	e.Item, e.Label = true, x.secretive(x.label)
	if x.noLog {
		e.Label = "(censored due to no_log)"
	}
	b.emit(e)
}

// event says what happened, with everything hidden that no_log hides.
func (out *outcome) event() report.Event {
	e := report.Event{Type: report.HostResult, Host: out.host.name, Name: out.x.name, Module: out.x.module, Status: out.status, Delegate: out.deleg,
		Ignored: out.ignored, NoLog: out.noLog || out.x.noLog, Msg: out.msg, Hint: out.hint, Changes: out.changes, Show: out.show}
	if e.Status == report.Failed {
		e.Place = out.x.t.Place.String()
	}
	if e.NoLog {
		e.Msg, e.Hint, e.Changes, e.Show = "", "", hidden(out.changes), false
		changed, _ := out.result.Get("changed")
		e.Result = map[string]any{"censored": censored, "changed": changed}
		if out.status == report.Failed || out.status == report.Unreachable {
			e.Msg = censored
			e.Result[string(out.status)] = true
		}
		return e
	}
	if e.Hint == "" && out.undefined != nil && out.undefined.Name != "" {
		e.Hint = out.x.scope.Suggest(out.undefined.Name)
	}
	e.Result, _ = jinja.ToGo(out.result).(map[string]any)
	return e
}

// hidden keeps the number of changes and nothing of their content.
func hidden(changes []wire.Change) []wire.Change {
	if len(changes) == 0 {
		return nil
	}
	return []wire.Change{{What: "hidden by no_log"}}
}

// secretive hides text of a no_log task.
func (x *execution) secretive(text string) string {
	if x.noLog {
		return censored
	}
	return text
}
