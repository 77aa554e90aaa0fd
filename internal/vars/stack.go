// Package vars decides which of many definitions of a variable a task sees:
// Ansible's order of precedence, facts that are gathered when they are read,
// magic variables, and hostvars.
package vars

import (
	"context"
	"sync"

	"mageprov/internal/jinja"
)

// Source gives raw variables by name. Values may hold *jinja.Text that has not
// been rendered.
type Source interface {
	Lookup(ctx context.Context, name string) (v any, ok bool, err error)
	Names() []string
}

// Layer is one place that variables come from. Name is what explain shows.
type Layer struct {
	Name   string
	Source Source
}

// Stack is the layers that a task sees, the strongest first.
type Stack []Layer

// Lookup gives the strongest definition.
func (s Stack) Lookup(ctx context.Context, name string) (any, bool, error) {
	for i := range s {
		v, ok, err := s[i].Source.Lookup(ctx, name)
		if ok || err != nil {
			return v, ok, err
		}
	}
	return nil, false, nil
}

// Names lists every name once, the strongest layer's first.
func (s Stack) Names() []string {
	seen := map[string]bool{}
	var names []string
	for _, l := range s {
		for _, n := range l.Source.Names() {
			if !seen[n] {
				seen[n] = true
				names = append(names, n)
			}
		}
	}
	return names
}

// Dict is a Source over a dictionary that does not change. A nil dictionary is empty.
func Dict(d *jinja.Dict) Source { return dictSource{d} }

type dictSource struct{ d *jinja.Dict }

func (s dictSource) Lookup(_ context.Context, name string) (any, bool, error) {
	if s.d == nil {
		return nil, false, nil
	}
	v, ok := s.d.Get(name)
	return v, ok, nil
}

func (s dictSource) Names() []string { return keyNames(s.d.Keys()) }

func keyNames(keys []any) []string {
	names := make([]string, 0, len(keys))
	for _, k := range keys {
		if n, ok := k.(string); ok {
			names = append(names, n)
		}
	}
	return names
}

// Cell is a Source that grows during a run: registered results, set_fact,
// include_vars of one host. Safe for concurrent use.
type Cell struct {
	mu sync.RWMutex
	d  jinja.Dict
}

// Lookup gives the value of name.
func (c *Cell) Lookup(_ context.Context, name string) (any, bool, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	v, ok := c.d.Get(name)
	return v, ok, nil
}

// Names lists what has been set.
func (c *Cell) Names() []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return keyNames(c.d.Keys())
}

// Set adds or replaces name.
func (c *Cell) Set(name string, v any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.d.Set(name, v)
}

// Merge sets every entry of d.
func (c *Cell) Merge(d *jinja.Dict) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, v := range d.All() {
		c.d.Set(k, v)
	}
}

// Delete removes every entry.
func (c *Cell) Delete() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.d = jinja.Dict{}
}
