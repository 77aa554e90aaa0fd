package diff

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"time"
)

func TestUnified(t *testing.T) {
	cases := []struct{ name, before, after, want string }{
		{"equal", "a\n", "a\n", ""},
		{"new file", "", "x\n", "@@ -0,0 +1 @@\n+x\n"},
		{"emptied", "x\ny\n", "", "@@ -1,2 +0,0 @@\n-x\n-y\n"},
		{"no newline at the end", "x\ny", "x\nz\n", "@@ -1,2 +1,2 @@\n x\n-y\n\\ No newline at end of file\n+z\n"},
		{"two hunks and a lost newline", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\n", "a\nb\nc2\nd\ne\nf\ng\nh\ni\nj\nk",
			"@@ -1,6 +1,6 @@\n a\n b\n-c\n+c2\n d\n e\n f\n@@ -8,4 +8,4 @@\n h\n i\n j\n-k\n+k\n\\ No newline at end of file\n"},
		{"near edits share a hunk", "1\n2\n3\n4\n5\n6\n7\n8\n", "x\n2\n3\n4\n5\n6\n7\ny\n",
			"@@ -1,8 +1,8 @@\n-1\n+x\n 2\n 3\n 4\n 5\n 6\n 7\n-8\n+y\n"},
		{"binary", "a\x00b", "c", "binary contents differ (3 bytes before, 1 after)\n"},
		{"not utf-8", "a\xffb", "c", "binary contents differ (3 bytes before, 1 after)\n"},
		{"huge", strings.Repeat("a\n", maxBytes), "c", fmt.Sprintf("contents differ, too large to show (%d bytes before, 1 after)\n", 2*maxBytes)},
	}
	for _, c := range cases {
		want := c.want
		if want != "" {
			want = "--- before: f\n+++ after: f\n" + want
		}
		if got := Unified("before: f", "after: f", c.before, c.after); got != want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, want)
		}
	}
}

// TestUnifiedApplies holds that the edits of random texts turn one into the other.
func TestUnifiedApplies(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	text := func() string {
		var b strings.Builder
		for range r.Intn(30) {
			fmt.Fprintln(&b, r.Intn(6))
		}
		return b.String()
	}
	for range 3000 {
		checkApplies(t, text(), text())
	}
}

func checkApplies(t *testing.T, before, after string) {
	t.Helper()
	a, b := lines(before), lines(after)
	var out []string
	at := 0
	for _, e := range compare(a, b) {
		out = append(append(out, a[at:e.A0]...), b[e.B0:e.B1]...)
		at = e.A1
	}
	if got := strings.Join(append(out, a[at:]...), ""); got != after {
		t.Fatalf("the edits of %q give %q, want %q", before, got, after)
	}
}

// TestBoundedWork holds that texts with nothing in common do not take for ever.
func TestBoundedWork(t *testing.T) {
	var a, b strings.Builder
	for i := range 200000 {
		fmt.Fprintln(&a, i*7%100003)
		fmt.Fprintln(&b, i*11%100003)
	}
	start := time.Now()
	if got := Unified("a", "b", a.String(), b.String()); got == "" {
		t.Error("no diff")
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("took %v", d)
	}
}

func FuzzUnified(f *testing.F) {
	f.Add("a\nb", "b\nc\n")
	f.Fuzz(func(t *testing.T, before, after string) {
		Unified("a", "b", before, after)
		checkApplies(t, before, after)
	})
}
