package playbook

import (
	"sort"

	"mageprov/internal/document"
	"mageprov/internal/fault"
)

// The levels of findings beside Warning: Error is for what apply would refuse,
// Note for what works as it was meant and could be said better.
const (
	Error Level = "error"
	Note  Level = "note"
)

// Parsed is a task or a block with the YAML it was read from. Of imports it is
// the import itself.
type Parsed struct {
	Node  *document.Node
	Task  *Task  // nil for a block
	Block *Block // nil for a task
	// Include is import_tasks, include_role and so on, "" for a module.
	Include string
}

// Contents is everything that a Loader has read.
type Contents struct {
	Files  map[string]*document.Node // by the names that places have
	Parsed []Parsed
	Roles  []*Role
}

// Contents gives what was read so far, for lint and explain.
func (l *Loader) Contents() Contents {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := Contents{Files: map[string]*document.Node{}, Parsed: append([]Parsed(nil), l.parsed...)}
	for name, n := range l.docs {
		c.Files[name] = n
	}
	seen := map[*Role]bool{}
	for _, p := range l.parsed {
		if p.Task != nil && p.Task.Role != nil && !seen[p.Task.Role] {
			seen[p.Task.Role] = true
			c.Roles = append(c.Roles, p.Task.Role)
		}
	}
	for _, r := range l.roles {
		if !seen[r] {
			seen[r] = true
			c.Roles = append(c.Roles, r)
		}
	}
	sort.SliceStable(c.Roles, func(i, j int) bool { return c.Roles[i].Path < c.Roles[j].Path })
	return c
}

// NodeAt gives the node that stands at a place of a file that was read, the
// outermost where several begin there, or nil.
func (l *Loader) NodeAt(p fault.Place) *document.Node {
	l.mu.Lock()
	defer l.mu.Unlock()
	return nodeAt(l.docs[p.File], p)
}

func nodeAt(n *document.Node, p fault.Place) *document.Node {
	if n == nil || n.Place == p && n.Kind == document.Map {
		return n
	}
	for _, it := range n.Items {
		if got := nodeAt(it, p); got != nil {
			return got
		}
	}
	for i := range n.Pairs {
		if got := nodeAt(n.Pairs[i].Val, p); got != nil {
			return got
		}
	}
	return nil
}

// KeyPlace gives the place of a top-level key of a file that was read.
func (l *Loader) KeyPlace(file, key string) fault.Place {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := l.docs[l.shown(file)]; n != nil {
		for i := range n.Pairs {
			if n.Pairs[i].Key == key {
				return n.Pairs[i].KeyPlace
			}
		}
	}
	return fault.Place{File: file}
}
