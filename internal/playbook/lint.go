package playbook

import (
	"sort"
	"strings"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// Level is how bad a finding is.
type Level string

// Warning is for what works, but hardly as it was meant.
const Warning Level = "warning"

// Finding is something suspicious that is no error.
type Finding struct {
	Place fault.Place
	Rule  string
	Level Level
	Msg   string
	Hint  string
}

func placeOf(file string) fault.Place { return fault.Place{File: file} }

// Lint gives what is suspicious in the playbooks that l has loaded, and in pb.
// It says only what is sure.
func Lint(l *Loader, pb *Playbook) []Finding {
	l.mu.Lock()
	out := append([]Finding(nil), l.findings...)
	for _, n := range l.docs {
		out = append(out, octals(n)...)
	}
	l.mu.Unlock()
	for _, p := range pb.Plays {
		out = append(out, lintHandlers(p)...)
	}
	sort.SliceStable(out, func(i, j int) bool {
		a, b := out[i].Place, out[j].Place
		if a.File != b.File {
			return a.File < b.File
		}
		return a.Line < b.Line || a.Line == b.Line && a.Col < b.Col
	})
	seen := map[Finding]bool{}
	var unique []Finding
	for _, f := range out {
		if !seen[f] {
			seen[f] = true
			unique = append(unique, f)
		}
	}
	return unique
}

// octals finds modes that are numbers without a leading zero: mode: 644 is 01204.
func octals(n *document.Node) (out []Finding) {
	for _, p := range n.Pairs {
		v := p.Val
		if (p.Key == "mode" || p.Key == "directory_mode") && v.Kind == document.Scalar && v.Plain && v.Tag == "" {
			if _, isNumber := v.Value.(int64); isNumber {
				f := Finding{Place: v.Place, Rule: "octal-mode", Level: Warning, Msg: p.Key + ": " + v.Raw + " is a number", Hint: `quote it: "` + v.Raw + `"`}
				if !strings.HasPrefix(v.Raw, "0") {
					f.Msg = p.Key + ": " + v.Raw + " is a decimal number, not the mode it looks like"
					f.Hint = `write "0` + v.Raw + `"`
				}
				out = append(out, f)
			}
		}
		out = append(out, octals(v)...)
	}
	for _, it := range n.Items {
		out = append(out, octals(it)...)
	}
	return out
}

// handlerSet is what a play's tasks may notify.
type handlerSet struct {
	names    map[string]bool
	dynamic  bool // a name that is a template, or a file or role that is included at run time
	notified map[string]bool
	anyText  bool // a notify that is a template may name any handler
	out      []Finding
}

// lintHandlers holds what is notified against the handlers there are.
func lintHandlers(p *Play) []Finding {
	h := &handlerSet{names: map[string]bool{}, notified: map[string]bool{}}
	var handlers []*Task
	collect := func(nodes []Node) { walkTasks(nodes, nil, func(t *Task) { handlers = append(handlers, t) }) }
	notifiers := func(t *Task) { h.notes(t) }
	var roles func(u *RoleUse)
	done := map[*Role]bool{}
	roles = func(u *RoleUse) {
		if done[u.Role] {
			return
		}
		done[u.Role] = true
		for _, d := range u.Role.Dependencies {
			roles(d)
		}
		collect(u.Role.Handlers)
		walkTasks(u.Role.Tasks, roles, notifiers)
	}
	for _, u := range p.Roles {
		roles(u)
	}
	for _, nodes := range [][]Node{p.PreTasks, p.Tasks, p.PostTasks} {
		walkTasks(nodes, roles, notifiers)
	}
	collect(p.Handlers)
	for _, t := range handlers {
		h.handler(t)
	}
	h.check(handlers, func(visit func(*Task)) {
		for r := range done {
			walkTasks(r.Tasks, nil, visit)
		}
		for _, nodes := range [][]Node{p.PreTasks, p.Tasks, p.PostTasks} {
			walkTasks(nodes, nil, visit)
		}
	})
	return h.out
}

func (h *handlerSet) notes(t *Task) {
	for _, n := range t.Notify {
		if name, ok := n.(string); ok {
			h.notified[name] = true
		} else {
			h.anyText = true
		}
	}
	h.dynamic = h.dynamic || t.Include != nil
}

func (h *handlerSet) handler(t *Task) {
	h.notes(t)
	for _, n := range append([]any{t.Name}, t.Listen...) {
		switch n := n.(type) {
		case string:
			h.names[n] = true
			if t.Role != nil {
				h.names[t.Role.Name+" : "+n] = true
			}
		case *jinja.Text:
			h.dynamic = true
		}
	}
}

// check is silent where names are known only at run time.
func (h *handlerSet) check(handlers []*Task, tasks func(func(*Task))) {
	var known []string
	for n := range h.names {
		known = append(known, n)
	}
	sort.Strings(known)
	unknown := func(t *Task) {
		for _, n := range t.Notify {
			if name, ok := n.(string); ok && !h.names[name] && !h.dynamic {
				h.out = append(h.out, Finding{Place: t.Place, Rule: "unknown-handler", Level: Warning, Msg: "no handler is called " + name,
					Hint: fault.DidYouMean(name, known)})
			}
		}
	}
	tasks(unknown)
	for _, t := range handlers {
		unknown(t)
		if t.Name == nil && len(t.Listen) == 0 && t.Include == nil {
			h.out = append(h.out, Finding{Place: t.Place, Rule: "unnamed-handler", Level: Warning, Msg: "a handler without name and listen can never be notified"})
		}
		name, ok := t.Name.(string)
		if ok && len(t.Listen) == 0 && t.Role == nil && !h.notified[name] && !h.anyText && !h.dynamic {
			h.out = append(h.out, Finding{Place: t.Place, Rule: "unused-handler", Level: Warning, Msg: "nothing notifies the handler " + name})
		}
	}
}

// walkTasks visits every task below nodes, and the roles that were imported.
func walkTasks(nodes []Node, role func(*RoleUse), visit func(*Task)) {
	for _, n := range nodes {
		switch n := n.(type) {
		case *Task:
			visit(n)
		case *Block:
			if n.Role != nil {
				if role != nil {
					role(n.Role)
				}
				continue
			}
			for _, part := range [][]Node{n.Body, n.Rescue, n.Always} {
				walkTasks(part, role, visit)
			}
		}
	}
}
