package template

import (
	"regexp"
	"testing"

	"mageprov/internal/document"
	"mageprov/internal/jinja"
)

var signed = regexp.MustCompile(`^[-+]\.`)

// FuzzYAML holds that what is dumped reads back as it was.
func FuzzYAML(f *testing.F) {
	for _, s := range []string{"", "a", "yes", "a: b", "- x", "x\ny", " lead", "tab\there", "é☃😀", "# no", "'q'", "\"", "a\n\n", "1:30", "0x1f", "---", "\x00\x07"} {
		f.Add(s, s, uint8(2), uint8(40))
	}
	f.Fuzz(func(t *testing.T, key, val string, indent, width uint8) {
		for _, s := range []string{key, val} {
			for _, r := range s {
				if r == 0xfffd || r == 0xfeff {
					return // what is not text has no form in YAML
				}
			}
		}
		if key == "<<" {
			return // the parser takes it for a merge even in quotes
		}
		for _, s := range []string{key, val} {
			if signed.MatchString(s) {
				return // PyYAML reads +.5 as text; our reader is more generous
			}
		}
		v := jinja.NewDict(key, jinja.NewList(val, jinja.NewDict(val, key), int64(1), nil, true, 1.5), "list", jinja.NewList())
		for _, o := range []yamlOptions{
			{Indent: int(indent), Width: int(width)},
			{Indent: int(indent), Width: int(width), FlowLeaves: true},
			{Flow: true, Width: int(width), ASCII: true},
		} {
			out, err := dumpYAML(v, o)
			if err != nil {
				t.Fatal(err)
			}
			back, err := document.Values("", []byte(out), false)
			if err != nil {
				t.Fatalf("%q does not read back: %v", out, err)
			}
			if !jinja.Equal(back, v) {
				t.Fatalf("%q reads back as %s, was %s", out, jinja.Repr(back), jinja.Repr(v))
			}
		}
	})
}

func TestSplitDocuments(t *testing.T) {
	for in, want := range map[string]int{
		"": 0, "a: 1": 1, "---\na\n---\nb\n": 2, "--- a\n...\n--- b\n...\n": 2, "---\n---\n": 2, "# only a comment\n": 0,
		"a: |\n  ---\n  x\n": 1,
	} {
		if got := len(splitDocuments(in)); got != want {
			t.Errorf("%q has %d documents, want %d", in, got, want)
		}
	}
}
