package inventory

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// memory is Files over a map.
type memory map[string]string

func (m memory) ReadFile(p string) ([]byte, error) {
	if s, ok := m[p]; ok {
		return []byte(s), nil
	}
	return nil, os.ErrNotExist
}

func (m memory) Stat(p string) (bool, error) {
	if _, ok := m[p]; ok {
		return false, nil
	}
	for name := range m {
		if strings.HasPrefix(name, p+"/") {
			return true, nil
		}
	}
	return false, os.ErrNotExist
}

func (m memory) ReadDir(p string) ([]string, error) {
	seen := map[string]bool{}
	for name := range m {
		if rest, ok := strings.CutPrefix(name, p+"/"); ok {
			first, _, _ := strings.Cut(rest, "/")
			seen[first] = true
		}
	}
	var names []string
	for n := range seen {
		names = append(names, n)
	}
	return names, nil
}

func (m memory) Glob(string) ([]string, error) { return nil, nil }

var _ document.Files = memory{}

// TestValues compares the values of host lines with those that Ansible read.
func TestValues(t *testing.T) {
	data, err := os.ReadFile("testdata/values.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var c [2]any
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatal(err)
		}
		inv, err := Load(Options{Sources: []string{"h.ini"}, Files: memory{"h.ini": "h " + c[0].(string) + "\n"}})
		if err != nil {
			t.Errorf("%s: %v", c[0], err)
			continue
		}
		key, _, _ := strings.Cut(c[0].(string), "=")
		v, _ := inv.Merged("h").Get(key)
		got, err := jinja.ToJSON(raw(v), jinja.JSONOptions{SortKeys: true})
		if err != nil {
			t.Fatal(err)
		}
		var back any
		if err := json.Unmarshal([]byte(got), &back); err != nil {
			t.Fatal(err)
		}
		if g, w := jinja.Repr(jinja.FromGo(back)), jinja.Repr(jinja.FromGo(c[1])); g != w {
			t.Errorf("%s gives %s, want %s", c[0], g, w)
		}
	}
}

func TestExpand(t *testing.T) {
	for in, want := range map[string]string{
		"a":               "a",
		"a[1:3]":          "a1 a2 a3",
		"a[01:10:4]":      "a01 a05 a09",
		"a[08:11].b":      "a08.b a09.b a10.b a11.b",
		"[a:c]x":          "ax bx cx",
		"[y:B]":           "y z A B",
		"a[:2]":           "a0 a1 a2",
		"[1:2][a:b]":      "1a 1b 2a 2b",
		"a[3:1]":          "range [3:1]: begin stands after end",
		"a[a:3]":          "range [a:3]: begin and end must both be numbers or both letters",
		"a[01:3]":         "range [01:3]: with leading zeros begin and end must be of one length",
		"a[1:3:x]":        "range [1:3:x]: the step must be a whole number above 0",
		"a[1:3:0]":        "range [1:3:0]: the step must be a whole number above 0",
		"a[1:]":           "range [1:]: has no end",
		"a[1:2":           "not a range: [1:2",
		"a[1]":            "not a range: [1]",
		"a[1:2147483647]": "range [1:2147483647]: gives too many hosts",
		"a[1:999][1:999]": "range [1:999] gives more than 100000 hosts",
	} {
		got := ""
		if list, err := expand(in); err != nil {
			got = err.Error()
		} else {
			got = strings.Join(list, " ")
		}
		if got != want {
			t.Errorf("%s gives %s, want %s", in, got, want)
		}
	}
}

func TestSplitPort(t *testing.T) {
	for in, want := range map[string]struct {
		name string
		port int64
	}{
		"h": {"h", 0}, "h:22": {"h", 22}, "h:x": {"h:x", 0}, "h:70000": {"h:70000", 0},
		"[::1]:99": {"::1", 99}, "[::1]": {"::1", 0}, "fe80::1": {"fe80::1", 0}, "a[1:3]:22": {"a[1:3]", 22}, "a[1:3]": {"a[1:3]", 0},
		":22": {":22", 0}, "10.0.0.1:2": {"10.0.0.1", 2},
	} {
		if name, port := splitPort(in); name != want.name || port != want.port {
			t.Errorf("%s gives %s and %d", in, name, port)
		}
	}
}

func FuzzINI(f *testing.F) {
	f.Add("[a:children]\nb\n[b]\nh[1:3]:22 x='[1, {\"a\": 2}]' # c\n[a:vars]\ny=(1,)\n")
	f.Add("h a=\"\\\\\" b='''x''' c=0x1_f d={{x}}\n[::1]:22\n")
	f.Fuzz(func(t *testing.T, text string) {
		inv, err := Load(Options{Sources: []string{"f.ini"}, Files: memory{"f.ini": text}})
		if err == nil {
			inv.GroupsDict()
		}
	})
}

func FuzzPattern(f *testing.F) {
	f.Add("a[1:2]:!~b.*:&c*")
	f.Add("x[!a-")
	inv, err := Load(Options{Sources: []string{"f.ini"}, Files: memory{"f.ini": "[a]\nb\nc[1:3]\n"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		hosts, _, err := inv.Match(pattern)
		for _, h := range hosts {
			if err == nil && !inv.Has(h.Name) {
				t.Errorf("%q gives unknown host %q", pattern, h.Name)
			}
		}
	})
}

func FuzzLiteral(f *testing.F) {
	for _, s := range []string{"[1, 'a', {2: None}]", "-0x1f", "1e5", "u'\\x41' \"b\"", "(1,)", "{1, 2}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { literal(s, fault.Place{}) })
}
