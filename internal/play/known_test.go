package play

import (
	"testing"

	"mageprov/internal/vars"
)

// TestMagicIsKnown: lint and explain know every magic variable there is.
func TestMagicIsKnown(t *testing.T) {
	var names []string
	for n := range runMagic {
		names = append(names, n)
	}
	for n := range hostMagic {
		names = append(names, n)
	}
	for n := range taskMagic {
		names = append(names, n)
	}
	for _, n := range names {
		if !vars.IsMagic(n) {
			t.Errorf("%s is not known to be magic", n)
		}
	}
}
