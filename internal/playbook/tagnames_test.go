package playbook

import (
	"slices"
	"testing"
)

func TestUnknownTags(t *testing.T) {
	task := func(tags ...any) *Task { return &Task{Base: Base{Tags: tags}} }
	book := &Playbook{Plays: []*Play{{
		Roles: []*RoleUse{{Role: &Role{Tasks: []Node{task("deep")}, Dependencies: []*RoleUse{{Role: &Role{}, Base: Base{Tags: []any{"below"}}}}}}},
		Tasks: []Node{task("ssh", "a, b"), &Block{Rescue: []Node{task("saved")}}},
	}}}
	including := &Playbook{Plays: []*Play{{Tasks: []Node{&Task{Include: &Include{}}}}}}
	for _, c := range []struct {
		books []*Playbook
		asked []string
		want  []string
	}{
		{[]*Playbook{book}, []string{"ssh", "b", "deep", "below", "saved", "all", "never"}, nil},
		{[]*Playbook{book}, []string{"shh", "elsewhere"}, []string{"no task has the tag shh; did you mean ssh?", "no task has the tag elsewhere; --list-tags shows them"}},
		{[]*Playbook{book, including}, []string{"shh", "elsewhere"}, []string{"no task has the tag shh; did you mean ssh?"}},
	} {
		if got := UnknownTags(c.books, c.asked); !slices.Equal(got, c.want) {
			t.Errorf("%v: got %q, want %q", c.asked, got, c.want)
		}
	}
}
