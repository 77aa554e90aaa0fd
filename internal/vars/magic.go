package vars

import (
	"context"
	"sort"
)

// Magic is a Source of variables that are worked out of something when they
// are read. The table is shared by all that have it; ok is false where a name
// means nothing for this one.
type Magic[T any] struct {
	Table map[string]func(T) (v any, ok bool)
	Of    T
}

// Lookup computes the variable.
func (m Magic[T]) Lookup(_ context.Context, name string) (any, bool, error) {
	f, known := m.Table[name]
	if !known {
		return nil, false, nil
	}
	v, ok := f(m.Of)
	return v, ok, nil
}

// Names lists the names, sorted.
func (m Magic[T]) Names() []string {
	names := make([]string, 0, len(m.Table))
	for n, f := range m.Table {
		if _, ok := f(m.Of); ok {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	return names
}

// All is the variable `vars`: a mapping over everything a task sees.
type All struct {
	Stack  Stack
	Render func(ctx context.Context, v any) (any, error)
}

// Get gives a rendered variable.
func (a All) Get(ctx context.Context, key any) (any, bool, error) {
	name, ok := key.(string)
	if !ok {
		return nil, false, nil
	}
	v, ok, err := a.Stack.Lookup(ctx, name)
	if err != nil || !ok {
		return nil, ok, err
	}
	v, err = a.Render(ctx, v)
	return v, err == nil, err
}

// Keys lists all names but hostvars: whoever shows the whole would never end.
func (a All) Keys(context.Context) ([]any, error) {
	names := a.Stack.Names()
	keys := make([]any, 0, len(names))
	for _, n := range names {
		if n != "hostvars" {
			keys = append(keys, n)
		}
	}
	return keys, nil
}

// HostVars is the variable `hostvars`: host names to what View gives for them.
type HostVars struct {
	Hosts func() []string
	View  func(host string) (any, bool)
}

// Get gives a host's variables.
func (h HostVars) Get(_ context.Context, key any) (any, bool, error) {
	name, ok := key.(string)
	if !ok {
		return nil, false, nil
	}
	v, ok := h.View(name)
	return v, ok, nil
}

// Keys lists the hosts.
func (h HostVars) Keys(context.Context) ([]any, error) {
	hosts := h.Hosts()
	keys := make([]any, len(hosts))
	for i, n := range hosts {
		keys[i] = n
	}
	return keys, nil
}
