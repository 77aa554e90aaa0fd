package play

import (
	"context"
	"time"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/report"
	"mageprov/internal/template"
)

// loopItems computes what loop: or with_X: goes over.
func (x *execution) loopItems(ctx context.Context) ([]any, error) {
	if x.t.LoopWith != "" {
		terms, err := x.scope.Render(ctx, x.t.Loop)
		if err != nil {
			return nil, err
		}
		items, err := x.scope.LookupPlugin(ctx, x.t.LoopWith, terms, nil)
		return withoutTuples(items), err
	}
	v, err := x.scope.Render(ctx, x.t.Loop)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case *jinja.List:
		return withoutTuples(v.Items), nil
	case jinja.Tuple:
		return withoutTuples(v), nil
	}
	hint := "loop: wants a list"
	if _, ok := v.(*jinja.Dict); ok {
		hint = "use `loop: \"{{ x | dict2items }}\"` to go over a dictionary"
	}
	return nil, fault.At(x.t.Place, "invalid data passed to 'loop', it requires a list, got this instead: %s", jinja.Str(v)).WithHint("%s", hint)
}

// withoutTuples makes lists of items that are tuples, such as those of product
// and zip: playbooks know no tuples.
func withoutTuples(items []any) []any {
	out := items
	for i, it := range items {
		if t, ok := it.(jinja.Tuple); ok {
			if &out[0] == &items[0] {
				out = append([]any(nil), items...)
			}
			out[i] = jinja.NewList(t...)
		}
	}
	return out
}

// loopNames are the variables a loop sets.
func (x *execution) loopNames(ctx context.Context) (item, index string, err error) {
	item = "item"
	lc := x.t.LoopControl
	if lc.LoopVar != nil {
		if item, err = x.scope.RenderString(ctx, lc.LoopVar); err != nil {
			return "", "", err
		}
	}
	if lc.IndexVar != nil {
		if index, err = x.scope.RenderString(ctx, lc.IndexVar); err != nil {
			return "", "", err
		}
	}
	return item, index, nil
}

// loop runs the task for each item and gathers the results.
func (x *execution) loop(ctx context.Context, items []any) *outcome {
	itemVar, indexVar, err := x.loopNames(ctx)
	if err != nil {
		return failure(err)
	}
	pause, err := x.pause(ctx)
	if err != nil {
		return failure(err)
	}
	extend, all, err := x.extension(ctx, items)
	if err != nil {
		return failure(err)
	}
	total := &outcome{status: report.Skipped, items: true, noLog: x.noLog}
	results := jinja.NewList()
	for i, it := range items {
		if i > 0 && pause > 0 {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
		locals := map[string]any{itemVar: it, "ansible_loop_var": itemVar}
		if indexVar != "" {
			locals[indexVar] = int64(i)
			locals["ansible_index_var"] = indexVar
		}
		if extend {
			locals["ansible_loop"] = extended(items, all, i)
		}
		s := x.scope.With(locals)
		x.inLoop, x.label = true, x.itemLabel(ctx, s, it)
		out := x.item(ctx, s)
		out.host, out.x, out.noLog, out.loopItem, out.label = x.h, x, x.noLog, it, x.label
		out.result.Set(itemVar, it)
		out.result.Set("ansible_loop_var", itemVar)
		if indexVar != "" {
			out.result.Set(indexVar, int64(i))
			out.result.Set("ansible_index_var", indexVar)
		}
		x.gather(total, out)
		results.Items = append(results.Items, out.result)
		if x.t.Include == nil || out.status != report.OK {
			x.b.showItem(x, out)
		}
		if extend {
			out.result.Set("ansible_loop", locals["ansible_loop"])
		}
		if out.status == report.Unreachable || ctx.Err() != nil {
			break
		}
		if stop, err := x.breakWhen(ctx, s, out); err != nil {
			return failure(err)
		} else if stop {
			break
		}
	}
	x.inLoop, x.label = false, ""
	return x.finishLoop(total, results)
}

// gather folds one item's outcome into that of the task.
func (x *execution) gather(all, out *outcome) {
	all.parts = append(all.parts, out)
	all.changes = append(all.changes, out.changes...)
	all.deleg = out.deleg
	switch {
	case out.status == report.Unreachable:
		all.status = report.Unreachable
	case out.status == report.Failed:
		all.status = report.Failed
	case all.status == report.Failed || all.status == report.Unreachable:
	case out.status == report.Changed:
		all.status = report.Changed
	case out.status == report.OK && all.status == report.Skipped:
		all.status = report.OK
	}
}

func (x *execution) finishLoop(all *outcome, results *jinja.List) *outcome {
	d := jinja.NewDict("results", results)
	changed := false
	for _, p := range all.parts {
		changed = changed || p.status == report.Changed
		if c, ok := p.result.Get("changed"); ok && jinja.Truth(c) {
			changed = true
		}
	}
	d.Set("changed", changed)
	d.Set("skipped", all.status == report.Skipped)
	switch all.status {
	case report.Failed:
		all.msg = "One or more items failed"
		d.Set("failed", true)
	case report.Unreachable:
		all.msg = "One or more items could not be reached"
		d.Set("unreachable", true)
	case report.Skipped:
		all.msg = "All items skipped"
		if len(results.Items) == 0 {
			all.msg = "No items in the list"
			d.Set("skipped_reason", all.msg)
		}
	default:
		all.msg = "All items completed"
	}
	if len(results.Items) > 0 {
		d.Set("msg", all.msg)
	}
	all.result = d
	return all
}

func (x *execution) itemLabel(ctx context.Context, s *template.Scope, item any) string {
	v := item
	if x.t.LoopControl.Label != nil {
		if r, err := s.Render(ctx, x.t.LoopControl.Label); err == nil && r != "" {
			v = r
		}
	}
	return jinja.Str(v)
}

func (x *execution) pause(ctx context.Context) (time.Duration, error) {
	if x.t.LoopControl.Pause == nil {
		return 0, nil
	}
	v, err := x.scope.Render(ctx, x.t.LoopControl.Pause)
	if err != nil {
		return 0, err
	}
	return seconds(v)
}

func (x *execution) breakWhen(ctx context.Context, s *template.Scope, out *outcome) (bool, error) {
	for _, c := range x.t.LoopControl.BreakWhen {
		ok, err := x.withResult(s, out).Condition(ctx, c)
		if err != nil || !ok {
			return false, err
		}
	}
	return len(x.t.LoopControl.BreakWhen) > 0, nil
}

// extension reads loop_control.extended and extended_allitems: whether there is
// an ansible_loop, and its list of all items, one for all of them.
func (x *execution) extension(ctx context.Context, items []any) (extend bool, all *jinja.List, err error) {
	if extend, err = x.in.flag(ctx, x.scope, x.t.LoopControl.Extended, false); err != nil || !extend {
		return false, nil, err
	}
	listed, err := x.in.flag(ctx, x.scope, x.t.LoopControl.ExtendedAllitems, true)
	if listed {
		all = jinja.NewList(items...)
	}
	return true, all, err
}

// extended is ansible_loop; all is nil where it is not wanted.
func extended(items []any, all *jinja.List, i int) *jinja.Dict {
	n := len(items)
	d := jinja.NewDict("index", int64(i+1), "index0", int64(i), "first", i == 0, "last", i == n-1,
		"length", int64(n), "revindex", int64(n-i), "revindex0", int64(n-i-1))
	if all != nil {
		d.Set("allitems", all)
	}
	if i > 0 {
		d.Set("previtem", items[i-1])
	}
	if i < n-1 {
		d.Set("nextitem", items[i+1])
	}
	return d
}
