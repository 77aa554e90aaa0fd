package modules

import (
	"testing"

	"mageprov/internal/jinja"
)

// TestReturned reads what a stat returned, in this process and behind the wire.
func TestReturned(t *testing.T) {
	wired, err := jinja.FromJSON([]byte(`{"exists": true, "checksum": "abc"}`))
	if err != nil {
		t.Fatal(err)
	}
	for label, st := range map[string]any{"here": map[string]any{"exists": true, "checksum": "abc"}, "behind the wire": wired} {
		if returned(st, "exists") != true || returned(st, "checksum") != "abc" || returned(st, "isdir") != nil {
			t.Errorf("%s: %v %v", label, returned(st, "exists"), returned(st, "checksum"))
		}
	}
	if returned(nil, "exists") != nil {
		t.Error("nothing has a field")
	}
}
