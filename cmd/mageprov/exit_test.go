package main

import (
	"strings"
	"testing"
)

// TestBug: a panic ends with 250 and a text to report, without a stack.
func TestBug(t *testing.T) {
	var b strings.Builder
	if code := bug(&b, "index out of range"); code != 250 {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"a bug in mageprov: index out of range", "please report"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in %q", want, b.String())
		}
	}
	if strings.Contains(b.String(), "goroutine") {
		t.Error("shows a stack")
	}
}
