package vars

import (
	"context"
	"strings"
	"sync"

	"mageprov/internal/jinja"
)

// Gather asks the node for facts by name, without the ansible_ prefix; no
// names means all of them.
type Gather func(ctx context.Context, names []string) (*jinja.Dict, error)

// Facts is one host's ansible_facts. A fact is gathered when it is first read,
// if gathering is on; what a module returned as ansible_facts is simply there.
// It is a jinja.Mapping, and a Source of the ansible_X names.
type Facts struct {
	mu     sync.Mutex
	known  jinja.Dict
	plain  map[string]bool // given without the prefix, so injected without it: getent_passwd
	asked  map[string]bool
	all    bool
	gather Gather
}

// SetGather turns lazy gathering on, or off with nil.
func (f *Facts) SetGather(g Gather) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gather = g
}

// Gathering says whether facts come from the node when they are read.
func (f *Facts) Gathering() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.gather != nil
}

// Merge adds facts, by names with or without the ansible_ prefix.
func (f *Facts) Merge(d *jinja.Dict) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for k := range d.All() {
		if s, ok := k.(string); ok && !strings.HasPrefix(s, "ansible_") {
			if f.plain == nil {
				f.plain = map[string]bool{}
			}
			f.plain[s] = true
		}
	}
	f.merge(d)
}

func (f *Facts) merge(d *jinja.Dict) {
	for k, v := range d.All() {
		if s, ok := k.(string); ok {
			k = factName(s)
		}
		f.known.Set(k, v)
	}
}

// Clear forgets all facts (meta: clear_facts).
func (f *Facts) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known, f.plain, f.asked, f.all = jinja.Dict{}, nil, nil, false
}

// factName strips the prefix; ansible_local is the fact "local".
func factName(name string) string { return strings.TrimPrefix(name, "ansible_") }

// notFacts are ansible_ names that are settings of the connection or of the
// run: reading them must not send anybody to the node.
var notFacts = map[string]bool{
	"host": true, "port": true, "user": true, "connection": true, "password": true, "remote_tmp": true,
	"python_interpreter": true, "shell_type": true, "shell_executable": true, "become": true, "timeout": true,
	"private_key_file": true, "facts_path": true, "network_os": true, "managed": true, "group_priority": true,
	"host_key_checking": true, "pipelining": true, "async_dir": true, "index_var": true, "loop_var": true,
	"loop": true, "failed_task": true, "failed_result": true, "delegated_vars": true, "collections_path": true,
}

func isFact(name string) bool {
	return !notFacts[name] && !strings.HasPrefix(name, "ssh_a") && !strings.HasPrefix(name, "ssh_p") &&
		!strings.HasPrefix(name, "ssh_e") && !strings.HasPrefix(name, "ssh_c") && !strings.HasPrefix(name, "ssh_user") &&
		!strings.HasPrefix(name, "become_") && !strings.HasPrefix(name, "sudo_") && !strings.HasPrefix(name, "scp_") && !strings.HasPrefix(name, "sftp_")
}

// Get gives one fact by its name without prefix.
func (f *Facts) Get(ctx context.Context, key any) (any, bool, error) {
	name, ok := key.(string)
	if !ok {
		return nil, false, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	v, ok := f.known.Get(name)
	if ok || f.gather == nil || f.all || f.asked[name] || !isFact(name) {
		return v, ok, nil
	}
	got, err := f.gather(ctx, []string{name})
	if err != nil {
		return nil, false, err
	}
	if f.asked == nil {
		f.asked = map[string]bool{}
	}
	f.asked[name] = true
	// A fact that is there already was put there on purpose (set_fact
	// cacheable, a module's ansible_facts): the node does not take it back.
	for k, v := range got.All() {
		if s, ok := k.(string); ok {
			k = factName(s)
		}
		if _, have := f.known.Get(k); !have {
			f.known.Set(k, v)
		}
	}
	v, ok = f.known.Get(name)
	return v, ok, nil
}

// Keys gathers everything and lists the names.
func (f *Facts) Keys(ctx context.Context) ([]any, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gather != nil && !f.all {
		got, err := f.gather(ctx, nil)
		if err != nil {
			return nil, err
		}
		f.all = true
		f.merge(got)
	}
	return append([]any(nil), f.known.Keys()...), nil
}

// Lookup is the Source of injected facts: ansible_X, and the plain names that
// modules gave.
func (f *Facts) Lookup(ctx context.Context, name string) (any, bool, error) {
	if !strings.HasPrefix(name, "ansible_") {
		f.mu.Lock()
		defer f.mu.Unlock()
		if !f.plain[name] {
			return nil, false, nil
		}
		v, ok := f.known.Get(name)
		return v, ok, nil
	}
	return f.Get(ctx, factName(name))
}

// Names lists the injected names of the facts known so far.
func (f *Facts) Names() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	names := keyNames(f.known.Keys())
	for i, n := range names {
		if !f.plain[n] {
			names[i] = "ansible_" + n
		}
	}
	return names
}
