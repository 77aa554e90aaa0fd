package connection

import (
	"bytes"
	"testing"
)

// TestAfter: whatever comes before the mark, and however it is cut, only what
// follows the first mark is passed on.
func TestAfter(t *testing.T) {
	const text = "welcome\x00fi\n\x00file \x00file content"
	for n := 1; n <= len(text); n++ {
		var got bytes.Buffer
		a := &after{w: &got, mark: []byte(fileMark)}
		for rest := []byte(text); len(rest) > 0; {
			piece := rest[:min(n, len(rest))]
			rest = rest[len(piece):]
			if k, err := a.Write(piece); err != nil || k != len(piece) {
				t.Fatal(k, err)
			}
		}
		if got.String() != "\x00file content" {
			t.Errorf("in pieces of %d: %q", n, got.String())
		}
	}
}
