package playbook

import (
	"strings"

	"mageprov/internal/fault"
)

// UnknownTags gives a sentence for each of the asked tags, of --tags or
// --skip-tags, that no task of the playbooks has: a slip there runs nothing and
// looks as if all were well. Where files are included while the run goes on,
// their tags are not known, and only what looks like a slip is named.
func UnknownTags(books []*Playbook, asked []string) []string {
	t := &tagNames{seen: map[string]bool{}}
	for _, b := range books {
		for _, p := range b.Plays {
			t.add(p.Tags)
			for _, r := range p.Roles {
				t.role(r)
			}
			for _, nodes := range [][]Node{p.PreTasks, p.Tasks, p.PostTasks, p.Handlers} {
				t.nodes(nodes)
			}
		}
	}
	var out []string
	for _, tag := range asked {
		if t.seen[tag] || contains([]string{"all", "always", "never", "tagged", "untagged"}, tag) {
			continue
		}
		near := fault.Nearest(tag, t.names)
		switch {
		case near != "":
			out = append(out, "no task has the tag "+tag+"; did you mean "+near+"?")
		case !t.open:
			out = append(out, "no task has the tag "+tag+"; --list-tags shows them")
		}
	}
	return out
}

type tagNames struct {
	seen  map[string]bool
	names []string
	open  bool // there may be more
}

func (t *tagNames) add(tags []any) {
	for _, name := range textsOf(tags) {
		if strings.Contains(name, "{{") {
			t.open = true
		}
		for _, n := range strings.Split(name, ",") {
			if n = strings.TrimSpace(n); !t.seen[n] {
				t.seen[n] = true
				t.names = append(t.names, n)
			}
		}
	}
}

func (t *tagNames) role(u *RoleUse) {
	t.add(u.Tags)
	for _, d := range u.Role.Dependencies {
		t.role(d)
	}
	t.nodes(u.Role.Tasks)
	t.nodes(u.Role.Handlers)
}

func (t *tagNames) nodes(nodes []Node) {
	for _, n := range nodes {
		t.add(n.base().Tags)
		switch n := n.(type) {
		case *Block:
			if n.Role != nil {
				t.role(n.Role)
			}
			t.nodes(n.Body)
			t.nodes(n.Rescue)
			t.nodes(n.Always)
		case *Task:
			if n.Include != nil {
				t.open = true
			}
		}
	}
}
