package report

import (
	"fmt"
	"strings"

	"mageprov/internal/jinja"
)

// result prints what became of a task on a host.
func (h *human) result(e Event) {
	switch {
	case e.Retries > 0 && e.Status == Failed:
		name := e.Name
		if name == "" {
			name = h.task.Name
		}
		h.flushBanner()
		h.line(styleRetry, fmt.Sprintf("FAILED - RETRYING: [%s]: %s (%d retries left).", who(e), name, e.Retries))
		return
	case e.Loop && !e.Item && !h.wantsSummary(e):
		if e.Ignored && e.Status == Failed && !h.ignored[e.Host] {
			h.line(styleSkipped, "...ignoring")
		}
		return
	case e.Status == OK && h.o.HideOK && !e.Show, e.Status == Skipped && h.o.HideSkipped:
		return
	}
	h.warnings(e)
	h.flushBanner()
	if h.o.Diff && !(e.Loop && !e.Item) {
		h.diffs(e)
	}
	switch e.Status {
	case Failed, Unreachable:
		h.failure(e)
	case Skipped:
		text := "skipping: [" + who(e) + "]"
		if e.Item {
			text += " => (item=" + e.Label + ") "
		}
		h.line(styleSkipped, text+h.shown(e))
	case Changed:
		h.line(styleChanged, "changed: ["+who(e)+"]"+item(e)+h.shown(e))
		h.announce(e)
	default:
		h.line(styleOK, "ok: ["+who(e)+"]"+item(e)+h.shown(e))
	}
}

// wantsSummary says whether the end of a loop is news after its items.
func (h *human) wantsSummary(e Event) bool {
	switch e.Status {
	case Skipped, Unreachable:
		return true
	case Failed:
		return !h.failedIn[e.Host] || shortName(h.task.Module) == "debug"
	}
	return false
}

// who is the host, and where the task ran if not there.
func who(e Event) string {
	if e.Delegate != "" && e.Delegate != e.Host {
		return e.Host + " -> " + e.Delegate
	}
	return e.Host
}

func item(e Event) string {
	if !e.Item {
		return ""
	}
	return " => (item=" + e.Label + ")"
}

// shown is " => {...}" where the result is to be seen.
func (h *human) shown(e Event) string {
	if !e.Show && h.o.Verbosity < 1 {
		return ""
	}
	return " => " + h.json(e)
}

// json is the result as Ansible prints it: sorted keys, on many lines where the
// result is the point of the task, without what only the engine needs.
func (h *human) json(e Event) string {
	d := jinja.NewDict()
	// Of debug its message alone, or all but whether it changed something.
	debug := shortName(h.task.Module) == "debug" && (e.Show || e.Loop && !e.Item)
	_, says := e.Result["msg"]
	for k, v := range e.Result {
		switch {
		case debug && (says && k != "msg" || k == "changed"):
			continue
		case strings.HasPrefix(k, "_ansible_"), k == "failed", k == "skipped", k == "diff", k == "warnings", k == "deprecations",
			k == "invocation" && h.o.Verbosity < 3:
			continue
		}
		d.Set(k, jinja.FromGo(v))
	}
	if _, ok := d.Get("msg"); !ok && e.Msg != "" && (e.Status == Failed || e.Status == Unreachable) && !e.NoLog && !(debug && e.Show) {
		d.Set("msg", e.Msg)
	}
	if e.Status == Unreachable {
		d.Set("unreachable", true)
	}
	o := jinja.JSONOptions{SortKeys: true}
	if e.Show {
		o.Indent = 4
	}
	text, err := jinja.ToJSON(d, o)
	if err != nil {
		return fmt.Sprintf("{%q: %q}", "msg", "the result cannot be shown: "+err.Error())
	}
	return text
}

// shortName cuts the collection off a module's name.
func shortName(module string) string { return module[strings.LastIndexByte(module, '.')+1:] }

// failure prints a failed or unreachable result: Ansible's line first, then
// what a person wants to read next.
func (h *human) failure(e Event) {
	var text string
	s := styleFailed
	switch {
	case e.Status == Unreachable && e.Item:
		text, s = "fatal: ["+who(e)+"]: UNREACHABLE! (item="+e.Label+") => ", styleLost
	case e.Status == Unreachable:
		text, s = "fatal: ["+who(e)+"]: UNREACHABLE! => ", styleLost
	case e.Item:
		h.failedIn[e.Host] = true
		text = "failed: [" + who(e) + "] (item=" + e.Label + ") => "
	default:
		text = "fatal: [" + who(e) + "]: FAILED! => "
	}
	h.line(s, text+h.json(e))
	if h.o.Live && !e.NoLog {
		h.readable(e)
	}
	h.locate(e)
	if e.Hint != "" {
		h.line(styleWarning, "  hint: "+strings.ReplaceAll(e.Hint, "\n", "\n        "))
	}
	if e.Ignored {
		h.ignored[e.Host] = true
		h.line(styleSkipped, "...ignoring")
	}
}

// locate says where a failed task stands, once: a hundred hosts may fail of it.
func (h *human) locate(e Event) {
	if e.Place == "" || e.Status != Failed || e.Ignored || e.Rescued || h.located == e.Place || h.o.Verbosity >= 2 {
		return
	}
	h.located = e.Place
	if !strings.HasPrefix(e.Msg, e.Place) {
		h.line(plain, "  at: "+e.Place)
	}
}

// readable prints texts of several lines as such: in the line above, their
// newlines are \n. In a pipe the line stands alone, as Ansible's does.
func (h *human) readable(e Event) {
	for _, key := range []string{"msg", "stdout", "stderr", "module_stdout", "module_stderr"} {
		text, _ := e.Result[key].(string)
		if text = strings.TrimRight(text, "\n"); strings.Contains(text, "\n") {
			h.line(plain, "  "+key+":\n    "+strings.ReplaceAll(text, "\n", "\n    "))
		}
	}
}

// announce lists what check mode found to do, where no diff says it.
func (h *human) announce(e Event) {
	if !h.o.Check || h.o.Diff || e.Loop && !e.Item {
		return
	}
	for _, c := range e.Changes {
		if c.What != "" {
			h.line(plain, "  - "+strings.ReplaceAll(c.What, "\n", "\n    "))
		}
	}
}

// warnings prints what a module warned of.
func (h *human) warnings(e Event) {
	if e.Item && e.NoLog {
		return
	}
	list, _ := e.Result["warnings"].([]any)
	for _, w := range list {
		h.note(Event{Level: "warning", Text: jinja.Str(jinja.FromGo(w))})
	}
}
