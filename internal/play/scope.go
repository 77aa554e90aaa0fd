package play

import (
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/playbook"
	"mageprov/internal/template"
	"mageprov/internal/vars"
)

// scopeFor builds what a task sees on a host, strongest layer first: Ansible's
// order of precedence.
func (b *batch) scopeFor(h *host, in inherited, t *playbook.Task) *template.Scope {
	return b.run.o.Templates.Scope(b.stack(h, in, t), b.filesFor(in, t))
}

func (b *batch) stack(h *host, in inherited, t *playbook.Task) vars.Stack {
	roleVars, defaults := b.roleLayers(in)
	st := make(vars.Stack, 0, 16+len(in.params)+len(in.blocks)+2*len(roleVars)+len(h.layers()))
	st = append(st,
		vars.Layer{Name: "magic variables of the task", Source: vars.Magic[taskView]{Table: taskMagic, Of: taskView{b, in, t}}},
		b.run.magicOf(h), b.run.magic(),
		vars.Layer{Name: "extra vars", Source: vars.Dict(b.run.extra())})
	st = append(st, in.params...)
	st = append(st,
		vars.Layer{Name: "set_fact and register", Source: &h.set},
		vars.Layer{Name: "include_vars", Source: &h.incl})
	if t != nil && t.Vars.Len() > 0 {
		st = append(st, vars.Layer{Name: "task vars", Source: vars.Dict(t.Vars)})
	}
	st = append(st, in.blocks...)
	st = append(st, roleVars...)
	st = append(st, b.view.layersOf(h)...)
	st = append(st, vars.Layer{Name: "facts", Source: &h.facts})
	st = append(st, h.layers()...)
	st = append(st, defaults...)
	return append(st, connectionDefaults(h))
}

// scopeOfNames is what the names of handlers see: they are the same on every
// host, so nothing that belongs to one.
func (b *batch) scopeOfNames(in inherited) *template.Scope {
	roleVars, defaults := b.roleLayers(in)
	st := vars.Stack{b.run.magic(), {Name: "extra vars", Source: vars.Dict(b.run.extra())}}
	for _, ls := range [][]vars.Layer{in.params, in.blocks, roleVars, b.view.layers, defaults} {
		st = append(st, ls...)
	}
	return b.run.o.Templates.Scope(st, b.filesFor(in, nil))
}

// hostView is hostvars[name]: a host's own variables, without those of the
// play, rendered when they are read.
func (r *Run) hostView(name string) (any, bool) {
	if !r.o.Inventory.Has(name) {
		return nil, false
	}
	return r.viewOf(r.host(name)), true
}

// delegated is ansible_delegated_vars: the variables of a delegate by its name.
func (r *Run) delegated(h *host) *jinja.Dict { return jinja.NewDict(h.name, r.viewOf(h)) }

func (r *Run) viewOf(h *host) vars.All {
	st := vars.Stack{
		r.magicOf(h), r.magic(),
		{Name: "extra vars", Source: vars.Dict(r.extra())},
		{Name: "set_fact and register", Source: &h.set},
		{Name: "include_vars", Source: &h.incl},
		{Name: "facts", Source: &h.facts},
	}
	st = append(st, h.layers()...)
	st = append(st, connectionDefaults(h))
	s := r.o.Templates.Scope(st, taskFiles{run: r})
	return vars.All{Stack: st, Render: s.Render}
}

// taskFiles finds the files that a task names: Ansible's search path.
type taskFiles struct {
	run   *Run
	roles []string // directories of the role and of the roles around it, innermost first
	task  string   // directory of the task's file
	play  string   // directory of the playbook
}

func (b *batch) filesFor(in inherited, t *playbook.Task) taskFiles {
	f := taskFiles{run: b.run, task: in.dir, play: b.view.dir()}
	if t != nil && t.Dir != "" {
		f.task = t.Dir
	}
	if in.role != nil {
		f.roles = append(f.roles, in.role.Path)
		for i := len(in.chain) - 1; i >= 0; i-- {
			f.roles = append(f.roles, in.chain[i].Path)
		}
	}
	return f
}

func (f taskFiles) dirs() []string {
	var out []string
	for _, d := range append(append([]string(nil), f.roles...), f.task, f.play) {
		if d != "" && !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	return out
}

// absolute is what playbooks see of a path: modules on another machine, or in
// another directory, must be able to use it. Content of the binary keeps its name.
func absolute(p string) string {
	if _, err := os.Stat(p); err != nil || strings.HasPrefix(p, document.Builtin) {
		return p
	}
	if abs, err := filepath.Abs(p); err == nil {
		return filepath.ToSlash(abs)
	}
	return p
}

func absolutes(ps []string) []string {
	out := make([]string, len(ps))
	for i, p := range ps {
		out[i] = absolute(p)
	}
	return out
}

// ReadFile reads a file of the controller or of the content in the binary.
func (f taskFiles) ReadFile(p string) ([]byte, error) { return f.run.o.Files.ReadFile(p) }

// Glob lists the files that match.
func (f taskFiles) Glob(pattern string) ([]string, error) { return f.run.o.Files.Glob(pattern) }

// Find gives the first existing file among DIR/kind/name and DIR/name for each
// directory of the search path.
func (f taskFiles) Find(_ context.Context, kind, name string) (string, error) {
	if strings.HasPrefix(name, "~/") || path.IsAbs(name) || strings.HasPrefix(name, document.Builtin) {
		if _, err := f.run.o.Files.Stat(name); err != nil {
			return "", fault.New("%s does not exist on the controller", name)
		}
		return name, nil
	}
	var tried []string
	for _, d := range f.dirs() {
		for _, p := range []string{document.Join(d, kind, name), document.Join(d, name)} {
			if _, err := f.run.o.Files.Stat(p); err == nil {
				return absolute(p), nil
			} else if !document.Missing(err) && !errors.Is(err, context.Canceled) {
				tried = append(tried, p+" ("+err.Error()+")")
				continue
			}
			tried = append(tried, p)
		}
	}
	return "", fault.New("could not find %s %q on the controller", strings.TrimSuffix(kind, "s"), name).
		WithHint("looked for %s", strings.Join(tried, ", "))
}
