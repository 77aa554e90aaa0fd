package play

import (
	"slices"
	"strings"

	"mageprov/internal/inventory"
	"mageprov/internal/jinja"
	"mageprov/internal/playbook"
	"mageprov/internal/template"
	"mageprov/internal/vars"
)

// The magic variables, in three tables: what the run, the host and the task
// decide. They are computed when they are read.

// magic is the layer of what no host, role or task decides.
func (r *Run) magic() vars.Layer {
	return vars.Layer{Name: "magic variables of the run", Source: vars.Magic[*Run]{Table: runMagic, Of: r}}
}

var runMagic map[string]func(*Run) (any, bool)

// The table names functions that lead back to it by way of hostvars.
func init() {
	runMagic = map[string]func(*Run) (any, bool){
		"omit":                      func(*Run) (any, bool) { return template.Omit, true },
		"groups":                    func(r *Run) (any, bool) { return r.o.Inventory.GroupsDict(), true },
		"hostvars":                  func(r *Run) (any, bool) { return vars.HostVars{Hosts: r.o.Inventory.HostNames, View: r.hostView}, true },
		"ansible_check_mode":        func(r *Run) (any, bool) { return r.o.Check, true },
		"ansible_diff_mode":         func(r *Run) (any, bool) { return r.o.Diff, true },
		"ansible_forks":             func(r *Run) (any, bool) { return int64(r.o.Forks), true },
		"ansible_verbosity":         func(r *Run) (any, bool) { return int64(r.o.Verbosity), true },
		"ansible_run_tags":          func(r *Run) (any, bool) { return jinja.FromGo(r.runTags()), true },
		"ansible_skip_tags":         func(r *Run) (any, bool) { return jinja.FromGo(r.o.SkipTags), true },
		"ansible_inventory_sources": func(r *Run) (any, bool) { return jinja.FromGo(r.o.Inventory.Sources()), true },
		"ansible_limit":             func(r *Run) (any, bool) { return r.o.Limit, r.o.Limit != "" },
		"ansible_version":           func(*Run) (any, bool) { return dialectVersion(), true },
	}
}

func (r *Run) runTags() []string {
	if len(r.o.Tags) == 0 {
		return []string{"all"}
	}
	return r.o.Tags
}

// dialectVersion is the ansible_version that playbooks see: the dialect that
// mageprov speaks, so that their own version checks hold.
func dialectVersion() *jinja.Dict {
	return jinja.NewDict("full", "2.19.0", "major", int64(2), "minor", int64(19), "revision", int64(0), "string", "2.19.0")
}

// hostOf is a host with the run it belongs to.
type hostOf struct {
	r *Run
	h *host
}

func (r *Run) magicOf(h *host) vars.Layer {
	return vars.Layer{Name: "magic variables of the host", Source: vars.Magic[hostOf]{Table: hostMagic, Of: hostOf{r, h}}}
}

var hostMagic = map[string]func(hostOf) (any, bool){
	"inventory_hostname":       func(x hostOf) (any, bool) { return x.h.name, true },
	"inventory_hostname_short": func(x hostOf) (any, bool) { return inventory.ShortName(x.h.name), true },
	"group_names":              func(x hostOf) (any, bool) { return jinja.FromGo(x.r.o.Inventory.GroupNames(x.h.name)), true },
	"inventory_file":           func(x hostOf) (any, bool) { return x.r.o.Inventory.File(x.h.name), true },
	"inventory_dir":            func(x hostOf) (any, bool) { return x.r.o.Inventory.Dir(x.h.name), true },
	"ansible_facts":            func(x hostOf) (any, bool) { return &x.h.facts, true },
}

// connectionDefaults are what ansible_host and its like are when nobody sets them.
func connectionDefaults(h *host) vars.Layer {
	return vars.Layer{Name: "connection defaults", Source: vars.Magic[*host]{Table: defaultMagic, Of: h}}
}

var defaultMagic = map[string]func(*host) (any, bool){
	"ansible_host": func(h *host) (any, bool) { return h.name, true },
}

// taskView is one task with what surrounds it.
type taskView struct {
	b  *batch
	in inherited
	t  *playbook.Task
}

var taskMagic map[string]func(taskView) (any, bool)

// The table names functions that lead back to it by way of scopes.
func init() {
	playRoles := func(x taskView) (any, bool) { return jinja.FromGo(x.b.listed), true }
	active := func(x taskView) (any, bool) { return jinja.FromGo(names(x.b.active())), true }
	roleOf := func(x taskView) (any, bool) { return roleName(x.in), x.in.role != nil }
	shortRole := func(x taskView) (any, bool) {
		name := roleName(x.in)
		if x.in.role != nil && x.in.role.Collection != "" {
			name = strings.TrimPrefix(name, x.in.role.Collection+".")
		}
		return name, x.in.role != nil
	}
	taskMagic = map[string]func(taskView) (any, bool){
		"ansible_play_hosts_all": func(x taskView) (any, bool) { return jinja.FromGo(names(x.b.view.listed)), true },
		"ansible_play_hosts":     func(x taskView) (any, bool) { return jinja.FromGo(names(x.b.alive(x.b.view.listed))), true },
		"ansible_play_batch":     active,
		"play_hosts":             active,
		"ansible_play_name":      func(x taskView) (any, bool) { return x.b.view.name, true },
		"playbook_dir":           func(x taskView) (any, bool) { return absolute(x.b.view.dir()), true },
		"ansible_search_path":    func(x taskView) (any, bool) { return jinja.FromGo(absolutes(x.b.filesFor(x.in, x.t).dirs())), true },

		"ansible_play_role_names":      playRoles,
		"role_names":                   playRoles,
		"ansible_dependent_role_names": func(x taskView) (any, bool) { return jinja.FromGo(x.b.dependent), true },
		"ansible_role_names": func(x taskView) (any, bool) {
			all := slices.Clone(x.b.listed)
			for _, name := range x.b.dependent {
				if !slices.Contains(all, name) {
					all = append(all, name)
				}
			}
			return jinja.FromGo(all), true
		},

		"role_name":         shortRole,
		"ansible_role_name": roleOf,
		"role_path": func(x taskView) (any, bool) {
			if x.in.role == nil {
				return nil, false
			}
			return absolute(x.in.role.Path), true
		},
		"ansible_collection_name": func(x taskView) (any, bool) {
			if x.in.role == nil || x.in.role.Collection == "" {
				return nil, false
			}
			return x.in.role.Collection, true
		},
		"ansible_parent_role_names": func(x taskView) (any, bool) { return jinja.FromGo(x.in.parents), len(x.in.parents) > 0 },
	}
}
