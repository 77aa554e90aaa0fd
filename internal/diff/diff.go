// Package diff makes unified diffs of two texts, in the shape that diff -u and
// Ansible's --diff print: three lines of context, a mark where the last line
// has no newline. Work is bounded: texts that have little in common are shown
// as one replacement, huge ones as a note.
package diff

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	context  = 3       // lines shown around a change
	maxBytes = 8 << 20 // of both texts together; more is only noted
)

// Unified gives the diff of before and after under the two names, every line
// ended by a newline. Equal texts give "". Binary and very large texts give a
// note of one line instead of hunks.
func Unified(beforeName, afterName, before, after string) string {
	if before == after {
		return ""
	}
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", beforeName, afterName)
	switch {
	case isBinary(before) || isBinary(after):
		fmt.Fprintf(&out, "binary contents differ (%d bytes before, %d after)\n", len(before), len(after))
		return out.String()
	case len(before)+len(after) > maxBytes:
		fmt.Fprintf(&out, "contents differ, too large to show (%d bytes before, %d after)\n", len(before), len(after))
		return out.String()
	}
	a, b := lines(before), lines(after)
	for _, h := range hunks(compare(a, b), len(a), len(b)) {
		h.write(&out, a, b)
	}
	return out.String()
}

// isBinary looks at the first 8000 bytes, as git does, and at the validity of
// all of them: a terminal must not be handed control bytes by a diff.
func isBinary(s string) bool {
	head := s
	if len(head) > 8000 {
		head = head[:8000]
	}
	return strings.IndexByte(head, 0) >= 0 || !utf8.ValidString(s)
}

// lines cuts s after each newline; only the last line may lack one.
func lines(s string) []string {
	if s == "" {
		return nil
	}
	l := strings.SplitAfter(s, "\n")
	if l[len(l)-1] == "" {
		l = l[:len(l)-1]
	}
	return l
}

// An edit replaces the lines a[A0:A1] by b[B0:B1].
type edit struct{ A0, A1, B0, B1 int }

// A hunk is a run of edits near enough to share their context.
type hunk struct {
	edits          []edit
	A0, A1, B0, B1 int // with context
}

func hunks(edits []edit, lenA, lenB int) []hunk {
	var out []hunk
	for _, e := range edits {
		if n := len(out); n > 0 && e.A0-out[n-1].A1 <= context {
			h := &out[n-1]
			h.edits = append(h.edits, e)
			h.A1, h.B1 = min(e.A1+context, lenA), min(e.B1+context, lenB)
			continue
		}
		lead := min(context, e.A0, e.B0)
		trail := min(context, lenA-e.A1, lenB-e.B1)
		out = append(out, hunk{edits: []edit{e}, A0: e.A0 - lead, A1: e.A1 + trail, B0: e.B0 - lead, B1: e.B1 + trail})
	}
	return out
}

func (h *hunk) write(out *strings.Builder, a, b []string) {
	fmt.Fprintf(out, "@@ -%s +%s @@\n", span(h.A0, h.A1), span(h.B0, h.B1))
	at := h.A0
	for _, e := range h.edits {
		writeLines(out, ' ', a[at:e.A0])
		writeLines(out, '-', a[e.A0:e.A1])
		writeLines(out, '+', b[e.B0:e.B1])
		at = e.A1
	}
	writeLines(out, ' ', a[at:h.A1])
}

func writeLines(out *strings.Builder, mark byte, lines []string) {
	for _, l := range lines {
		out.WriteByte(mark)
		out.WriteString(l)
		if !strings.HasSuffix(l, "\n") {
			out.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

// span is a range of lines as unified diffs count them: from 1, the length left
// out when it is 1, and an empty range named by the line before it.
func span(from, to int) string {
	switch to - from {
	case 0:
		return fmt.Sprintf("%d,0", from)
	case 1:
		return fmt.Sprintf("%d", from+1)
	}
	return fmt.Sprintf("%d,%d", from+1, to-from)
}
