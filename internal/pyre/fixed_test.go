package pyre

import (
	"slices"
	"testing"
)

func TestFixed(t *testing.T) {
	f := MustCompile(`(?m)^E: (\w+)(!)?`)
	if !f.MatchString("x\nE: one") || f.MatchString("x E: one") {
		t.Error("MatchString does not heed the beginning of a line")
	}
	if got := f.Groups("E: one\nE: two!"); !slices.Equal(got, []string{"E: one", "one", ""}) {
		t.Errorf("Groups: %q", got)
	}
	if got := f.AllGroups("E: one\nE: two!"); len(got) != 2 || !slices.Equal(got[1], []string{"E: two!", "two", "!"}) {
		t.Errorf("AllGroups: %q", got)
	}
	if f.Groups("") != nil || f.AllGroups("none") != nil {
		t.Error("a match where there is none")
	}
	if got := MustCompile(`[_\s]+`).Replace("a_ b  c", "-"); got != "a-b-c" {
		t.Errorf("Replace: %q", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("a wrong pattern does not panic")
		}
	}()
	MustCompile(`(`).MatchString("")
}
