package play

import (
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
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
	return b.run_.o.Templates.Scope(b.stack(h, in, t), b.filesFor(in, t))
}

func (b *batch) stack(h *host, in inherited, t *playbook.Task) vars.Stack {
	roleVars, defaults := b.roleLayers(in)
	st := make(vars.Stack, 0, 16+len(in.params)+len(in.blocks)+2*len(roleVars)+len(h.layers()))
	st = append(st,
		vars.Layer{Name: "magic variables", Source: b.magic(h, in, t)},
		vars.Layer{Name: "extra vars", Source: vars.Dict(b.run_.extra())})
	st = append(st, in.params...)
	st = append(st,
		vars.Layer{Name: "set_fact and register", Source: &h.set},
		vars.Layer{Name: "include_vars", Source: &h.incl})
	if t != nil && t.Vars.Len() > 0 {
		st = append(st, vars.Layer{Name: "task vars", Source: vars.Dict(t.Vars)})
	}
	st = append(st, in.blocks...)
	st = append(st, roleVars...)
	st = append(st, b.view.layers...)
	st = append(st, vars.Layer{Name: "facts", Source: &h.facts})
	st = append(st, h.layers()...)
	st = append(st, defaults...)
	return append(st, vars.Layer{Name: "connection defaults", Source: b.run_.connectionDefaults(h)})
}

// scopeOfNames is what the names of handlers see: they are the same on every
// host, so nothing that belongs to one.
func (b *batch) scopeOfNames(in inherited) *template.Scope {
	roleVars, defaults := b.roleLayers(in)
	st := vars.Stack{{Name: "magic variables", Source: b.run_.commonMagic()}, {Name: "extra vars", Source: vars.Dict(b.run_.extra())}}
	for _, ls := range [][]vars.Layer{in.params, in.blocks, roleVars, b.view.layers, defaults} {
		st = append(st, ls...)
	}
	return b.run_.o.Templates.Scope(st, b.filesFor(in, nil))
}

// hostView is hostvars[name]: a host's own variables, without those of the
// play, rendered when they are read.
func (r *Run) hostView(name string) (any, bool) {
	if !r.o.Inventory.Has(name) {
		return nil, false
	}
	h := r.host(name)
	m := r.commonMagic()
	r.hostMagic(m, h)
	st := vars.Stack{
		{Name: "magic variables", Source: m},
		{Name: "extra vars", Source: vars.Dict(r.extra())},
		{Name: "set_fact and register", Source: &h.set},
		{Name: "include_vars", Source: &h.incl},
		{Name: "facts", Source: &h.facts},
	}
	st = append(st, h.layers()...)
	st = append(st, vars.Layer{Name: "connection defaults", Source: r.connectionDefaults(h)})
	s := r.o.Templates.Scope(st, taskFiles{run_: r})
	return vars.All{Stack: st, Render: s.Render}, true
}

// connectionDefaults are what ansible_host and its like are when nobody sets them.
func (r *Run) connectionDefaults(h *host) vars.Source {
	return vars.Magic{
		"ansible_host": func(context.Context) (any, error) { return h.name, nil },
	}
}

// commonMagic are the magic variables that no host, role or task decides.
func (r *Run) commonMagic() vars.Magic {
	inv := r.o.Inventory
	text := func(s string) func(context.Context) (any, error) {
		return func(context.Context) (any, error) { return s, nil }
	}
	list := func(l []string) func(context.Context) (any, error) {
		return func(context.Context) (any, error) { return jinja.FromGo(l), nil }
	}
	flag := func(v bool) func(context.Context) (any, error) {
		return func(context.Context) (any, error) { return v, nil }
	}
	tags := r.o.Tags
	if len(tags) == 0 {
		tags = []string{"all"}
	}
	m := vars.Magic{
		"omit":                      func(context.Context) (any, error) { return template.Omit, nil },
		"groups":                    func(context.Context) (any, error) { return inv.GroupsDict(), nil },
		"hostvars":                  func(context.Context) (any, error) { return vars.HostVars{Hosts: inv.HostNames, View: r.hostView}, nil },
		"ansible_check_mode":        flag(r.o.Check),
		"ansible_diff_mode":         flag(r.o.Diff),
		"ansible_forks":             func(context.Context) (any, error) { return int64(r.o.Forks), nil },
		"ansible_verbosity":         func(context.Context) (any, error) { return int64(r.o.Verbosity), nil },
		"ansible_run_tags":          list(tags),
		"ansible_skip_tags":         list(r.o.SkipTags),
		"ansible_inventory_sources": list(inv.Sources()),
		"ansible_version":           func(context.Context) (any, error) { return dialectVersion(), nil },
	}
	if r.o.Limit != "" {
		m["ansible_limit"] = text(r.o.Limit)
	}
	return m
}

// dialectVersion is the ansible_version that playbooks see: the dialect that
// mageprov speaks, so that their own version checks hold.
func dialectVersion() *jinja.Dict {
	return jinja.NewDict("full", "2.19.0", "major", int64(2), "minor", int64(19), "revision", int64(0), "string", "2.19.0")
}

func (r *Run) hostMagic(m vars.Magic, h *host) {
	inv := r.o.Inventory
	m["inventory_hostname"] = func(context.Context) (any, error) { return h.name, nil }
	m["inventory_hostname_short"] = func(context.Context) (any, error) {
		short, _, _ := strings.Cut(h.name, ".")
		return short, nil
	}
	m["group_names"] = func(context.Context) (any, error) { return jinja.FromGo(inv.GroupNames(h.name)), nil }
	m["inventory_file"] = func(context.Context) (any, error) { return inv.File(h.name), nil }
	m["inventory_dir"] = func(context.Context) (any, error) { return inv.Dir(h.name), nil }
	m["ansible_facts"] = func(context.Context) (any, error) { return &h.facts, nil }
}

// magic are the magic variables of one task on one host.
func (b *batch) magic(h *host, in inherited, t *playbook.Task) vars.Magic {
	m := b.run_.commonMagic()
	b.run_.hostMagic(m, h)
	hostList := func(hs []*host) func(context.Context) (any, error) {
		return func(context.Context) (any, error) { return jinja.FromGo(names(hs)), nil }
	}
	active := func(context.Context) (any, error) { return jinja.FromGo(names(b.active())), nil }
	m["ansible_play_hosts_all"] = hostList(b.view.hosts)
	m["ansible_play_batch"] = active
	m["ansible_play_hosts"] = func(context.Context) (any, error) { return jinja.FromGo(names(b.alive(b.view.hosts))), nil }
	m["play_hosts"] = active
	m["ansible_play_name"] = func(context.Context) (any, error) { return b.view.name, nil }
	m["playbook_dir"] = func(context.Context) (any, error) { return absolute(b.view.dir()), nil }
	b.roleMagic(m)
	m["ansible_search_path"] = func(context.Context) (any, error) { return jinja.FromGo(absolutes(b.filesFor(in, t).dirs())), nil }
	if in.role != nil {
		m["role_name"] = func(context.Context) (any, error) { return in.role.Name, nil }
		m["ansible_role_name"] = m["role_name"]
		m["role_path"] = func(context.Context) (any, error) { return absolute(in.role.Path), nil }
		if len(in.parents) > 0 {
			m["ansible_parent_role_names"] = func(context.Context) (any, error) { return jinja.FromGo(in.parents), nil }
		}
	}
	return m
}

// roleMagic names the roles of the play: those it lists or imports, and those
// that come along as dependencies.
func (b *batch) roleMagic(m vars.Magic) {
	play := func(context.Context) (any, error) { return jinja.FromGo(b.listed), nil }
	m["ansible_play_role_names"], m["role_names"] = play, play
	m["ansible_dependent_role_names"] = func(context.Context) (any, error) { return jinja.FromGo(b.dependent), nil }
	m["ansible_role_names"] = func(context.Context) (any, error) {
		return jinja.FromGo(append(append([]string{}, b.listed...), b.dependent...)), nil
	}
}

// taskFiles finds the files that a task names: Ansible's search path.
type taskFiles struct {
	run_  *Run
	roles []string // directories of the role and of the roles around it, innermost first
	task  string   // directory of the task's file
	play  string   // directory of the playbook
}

func (b *batch) filesFor(in inherited, t *playbook.Task) taskFiles {
	f := taskFiles{run_: b.run_, task: in.dir, play: b.view.dir()}
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
		if d != "" {
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
func (f taskFiles) ReadFile(p string) ([]byte, error) { return f.run_.o.Files.ReadFile(p) }

// Glob lists the files that match.
func (f taskFiles) Glob(pattern string) ([]string, error) { return f.run_.o.Files.Glob(pattern) }

// Find gives the first existing file among DIR/kind/name and DIR/name for each
// directory of the search path.
func (f taskFiles) Find(_ context.Context, kind, name string) (string, error) {
	if strings.HasPrefix(name, "~/") || path.IsAbs(name) || strings.HasPrefix(name, document.Builtin) {
		if _, err := f.run_.o.Files.Stat(name); err != nil {
			return "", fault.New("%s does not exist on the controller", name)
		}
		return name, nil
	}
	var tried []string
	for _, d := range f.dirs() {
		for _, p := range []string{document.Join(d, kind, name), document.Join(d, name)} {
			if _, err := f.run_.o.Files.Stat(p); err == nil {
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
