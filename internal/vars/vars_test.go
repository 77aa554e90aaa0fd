package vars_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"mageprov/internal/jinja"
	"mageprov/internal/vars"
)

func layer(name string, kv ...any) vars.Layer {
	return vars.Layer{Name: name, Source: vars.Dict(jinja.NewDict(kv...))}
}

func TestStackOrder(t *testing.T) {
	s := vars.Stack{layer("strong", "a", "1", "none", nil), {Name: "empty", Source: vars.Dict(nil)}, layer("weak", "a", "2", "b", "3", "none", "x")}
	for _, c := range []struct {
		name string
		want any
		ok   bool
	}{
		{"a", "1", true},
		{"b", "3", true},
		{"none", nil, true}, // None hides what is below it
		{"c", nil, false},
	} {
		v, ok, err := s.Lookup(t.Context(), c.name)
		if v != c.want || ok != c.ok || err != nil {
			t.Errorf("%s: %v, %v, %v; want %v, %v", c.name, v, ok, err, c.want, c.ok)
		}
	}
	if got := s.Names(); !slices.Equal(got, []string{"a", "none", "b"}) {
		t.Errorf("names: %v", got)
	}
}

// TestStackStops: a layer that fails is not passed over, or a weaker
// definition would win by accident.
func TestStackStops(t *testing.T) {
	var f vars.Facts
	f.SetGather(func(context.Context, []string) (*jinja.Dict, error) { return nil, errors.New("no answer") })
	s := vars.Stack{{Name: "facts", Source: &f}, layer("weak", "ansible_kernel", "6.8")}
	if v, ok, err := s.Lookup(t.Context(), "ansible_kernel"); err == nil {
		t.Errorf("got %v, %v", v, ok)
	}
}

// node answers for facts and keeps the questions.
type node struct {
	asked []string
	facts *jinja.Dict
}

func (n *node) gather(_ context.Context, names []string) (*jinja.Dict, error) {
	n.asked = append(n.asked, strings.Join(names, ","))
	if len(names) == 0 {
		return n.facts, nil
	}
	d := jinja.NewDict()
	for _, k := range names {
		if v, ok := n.facts.Get(k); ok {
			d.Set(k, v)
		}
	}
	return d, nil
}

func TestFacts(t *testing.T) {
	type read struct {
		name string
		want any
		ok   bool
	}
	for _, c := range []struct {
		name  string
		off   bool // gather_facts: false
		known *jinja.Dict
		reads []read
		asked []string
	}{
		{name: "asked once", reads: []read{{"ansible_kernel", "6.8", true}, {"ansible_kernel", "6.8", true}}, asked: []string{"kernel"}},
		{name: "a missing one is asked once", reads: []read{{"ansible_nope", nil, false}, {"ansible_nope", nil, false}}, asked: []string{"nope"}},
		{name: "known wins", known: jinja.NewDict("kernel", "set"), reads: []read{{"ansible_kernel", "set", true}}},
		{name: "known by its injected name", known: jinja.NewDict("ansible_kernel", "set"), reads: []read{{"ansible_kernel", "set", true}}},
		{name: "gathering is off", off: true, reads: []read{{"ansible_kernel", nil, false}}},
		{name: "names without the prefix are nobody's", reads: []read{{"kernel", nil, false}}},
		{name: "settings of the connection are not facts", reads: []read{{"ansible_host", nil, false}, {"ansible_user", nil, false},
			{"ansible_port", nil, false}, {"ansible_password", nil, false}, {"ansible_become", nil, false}, {"ansible_become_password", nil, false},
			{"ansible_ssh_private_key_file", nil, false}, {"ansible_ssh_common_args", nil, false}, {"ansible_python_interpreter", nil, false}}},
		{name: "host keys are facts", reads: []read{{"ansible_ssh_host_key_rsa_public", "AAAA", true}}, asked: []string{"ssh_host_key_rsa_public"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := &node{facts: jinja.NewDict("kernel", "6.8", "ssh_host_key_rsa_public", "AAAA")}
			var f vars.Facts
			if !c.off {
				f.SetGather(n.gather)
			}
			if c.known != nil {
				f.Merge(c.known)
			}
			for _, r := range c.reads {
				v, ok, err := f.Lookup(t.Context(), r.name)
				if v != r.want || ok != r.ok || err != nil {
					t.Errorf("%s: %v, %v, %v; want %v, %v", r.name, v, ok, err, r.want, r.ok)
				}
			}
			if !slices.Equal(n.asked, c.asked) {
				t.Errorf("asked %q, want %q", n.asked, c.asked)
			}
		})
	}
}

func TestFactsKeysGathersAllOnce(t *testing.T) {
	n := &node{facts: jinja.NewDict("kernel", "6.8", "fqdn", "a.example")}
	var f vars.Facts
	f.SetGather(n.gather)
	for range 2 {
		if keys, err := f.Keys(t.Context()); err != nil || len(keys) != 2 {
			t.Errorf("keys: %v, %v", keys, err)
		}
	}
	if _, ok, err := f.Get(t.Context(), "nope"); ok || err != nil {
		t.Errorf("nope: %v, %v", ok, err)
	}
	if !slices.Equal(n.asked, []string{""}) {
		t.Errorf("asked %q, want once for all", n.asked)
	}
	f.Clear()
	if v, ok, _ := f.Get(t.Context(), "fqdn"); !ok || v != "a.example" || len(n.asked) != 2 {
		t.Errorf("after Clear: %v, %v, asked %q", v, ok, n.asked)
	}
}

// TestFactsTryAgain: a node that did not answer is asked again.
func TestFactsTryAgain(t *testing.T) {
	n, fail := &node{facts: jinja.NewDict("kernel", "6.8")}, true
	var f vars.Facts
	f.SetGather(func(ctx context.Context, names []string) (*jinja.Dict, error) {
		if fail {
			return nil, errors.New("no answer")
		}
		return n.gather(ctx, names)
	})
	if _, _, err := f.Get(t.Context(), "kernel"); err == nil {
		t.Error("the error is lost")
	}
	fail = false
	if v, ok, err := f.Get(t.Context(), "kernel"); v != "6.8" || !ok || err != nil {
		t.Errorf("%v, %v, %v", v, ok, err)
	}
}

func TestMagic(t *testing.T) {
	table := map[string]func(int) (any, bool){
		"double":   func(n int) (any, bool) { return 2 * n, true },
		"positive": func(n int) (any, bool) { return true, n > 0 },
	}
	for _, c := range []struct {
		of    int
		name  string
		want  any
		ok    bool
		names []string
	}{
		{3, "double", 6, true, []string{"double", "positive"}},
		{3, "positive", true, true, []string{"double", "positive"}},
		{3, "half", nil, false, []string{"double", "positive"}},
		{-1, "double", -2, true, []string{"double"}},
	} {
		m := vars.Magic[int]{Table: table, Of: c.of}
		v, ok, err := m.Lookup(t.Context(), c.name)
		if v != c.want || ok != c.ok || err != nil {
			t.Errorf("%s of %d: %v, %v, %v; want %v, %v", c.name, c.of, v, ok, err, c.want, c.ok)
		}
		if got := m.Names(); !slices.Equal(got, c.names) {
			t.Errorf("names of %d: %v, want %v", c.of, got, c.names)
		}
	}
	// A name that means nothing here lets a weaker layer speak.
	s := vars.Stack{{Name: "magic", Source: vars.Magic[int]{Table: table, Of: -1}}, layer("weak", "positive", "no")}
	if v, _, err := s.Lookup(t.Context(), "positive"); v != "no" || err != nil {
		t.Errorf("positive: %v, %v", v, err)
	}
}

func TestHostVars(t *testing.T) {
	h := vars.HostVars{Hosts: func() []string { return []string{"a"} }, View: func(name string) (any, bool) { return "view of " + name, name == "a" }}
	for _, c := range []struct {
		key any
		ok  bool
	}{{"a", true}, {"b", false}, {int64(1), false}} {
		if _, ok, err := h.Get(t.Context(), c.key); ok != c.ok || err != nil {
			t.Errorf("%v: %v, %v", c.key, ok, err)
		}
	}
	if keys, err := h.Keys(t.Context()); err != nil || len(keys) != 1 {
		t.Errorf("keys: %v, %v", keys, err)
	}
}

// TestHostVarsEnd: hostvars holds the variables of hosts, of which hostvars is
// one; the whole can be shown all the same.
func TestHostVarsEnd(t *testing.T) {
	var all vars.HostVars
	table := map[string]func(int) (any, bool){"hostvars": func(int) (any, bool) { return all, true }}
	st := vars.Stack{{Source: vars.Magic[int]{Table: table}}, {Source: vars.Dict(jinja.NewDict("a", int64(1)))}}
	all = vars.HostVars{
		Hosts: func() []string { return []string{"h1"} },
		View: func(string) (any, bool) {
			return vars.All{Stack: st, Render: func(_ context.Context, v any) (any, error) { return v, nil }}, true
		},
	}
	v, err := jinja.Materialize(context.Background(), all)
	if want := "{'h1': {'a': 1}}"; err != nil || jinja.Repr(v) != want {
		t.Errorf("%s %v, want %s", jinja.Repr(v), err, want)
	}
}
