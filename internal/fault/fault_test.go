package fault

import (
	"errors"
	"fmt"
	"testing"
)

func TestErrorChain(t *testing.T) {
	cause := New("no such key").WithHint("make one").WithCode(ExitUnreachable)
	err := fmt.Errorf("outer: %w", Wrap(cause, "connecting to %s", "a"))
	if got, want := err.Error(), "outer: connecting to a: no such key"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	if HintOf(err) != "make one" || CodeOf(err) != ExitUnreachable {
		t.Errorf("hint %q code %d", HintOf(err), CodeOf(err))
	}
	if CodeOf(errors.New("x")) != ExitError || CodeOf(nil) != ExitOK {
		t.Error("code of a plain error or nil")
	}
}

func TestPlace(t *testing.T) {
	for want, p := range map[string]Place{
		"a.yml:3:7": {"a.yml", 3, 7},
		"a.yml:3":   {"a.yml", 3, 0},
		"a.yml":     {File: "a.yml"},
		"":          {},
	} {
		if p.String() != want {
			t.Errorf("%v gives %q, want %q", p, p.String(), want)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"state", "owner", "group", "mode", "recurse", "path", "pip", "ping"}
	for name, want := range map[string]string{
		"sate": "state", "stat": "state", "onwer": "owner", "recursive": "recurse", "pth": "path", "banana": "", "Mode": "mode", "pin": "ping",
	} {
		if got := Nearest(name, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
}
