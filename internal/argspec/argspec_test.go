package argspec

import (
	"os"
	"slices"
	"testing"

	"mageprov/internal/jinja"
)

// TestAsAnsible holds Check against what ansible-core 2.14 answered. Its own
// class of strings is written as str, and the booleans, which it lists in any
// order, in ours.
func TestAsAnsible(t *testing.T) {
	data, err := os.ReadFile("testdata/ansible.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := jinja.FromJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range v.(*jinja.List).Items {
		c := it.(*jinja.Dict)
		field := func(name string) any { v, _ := c.Get(name); return v }
		want := texts(field("errors"))
		if got := Check(field("spec").(*jinja.Dict), field("args").(*jinja.Dict)); !slices.Equal(got, want) {
			t.Errorf("%s with %s\n got %q\nwant %q", jinja.Repr(field("spec")), jinja.Repr(field("args")), got, want)
		}
	}
}

// TestOwn is for what mageprov says otherwise: nothing of secrets, and no
// crash where Ansible has one.
func TestOwn(t *testing.T) {
	for _, c := range []struct{ spec, args, want string }{
		{`{"a": {"no_log": true, "choices": ["b"]}}`, `{"a": "secret"}`, "value of a must be one of: b, got: VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"},
		{`{"a": {"type": "nonsense"}}`, `{"a": 5}`, "argument 'a' is of type <class 'int'> and we were unable to convert to nonsense: there is no type nonsense"},
		{`{"a": {"type": "dict", "options": {"b": {}}}}`, `{"a": [1]}`, "argument 'a' is of type <class 'list'> and we were unable to convert to dict: <class 'list'> cannot be converted to a dict"},
		{`{"a": {"type": "list", "elements": "dict", "options": {"b": {}}}}`, `{"a": [1]}`, "Elements value for option 'a' is of type <class 'int'> and we were unable to convert to dict: <class 'int'> cannot be converted to a dict"},
	} {
		spec, _ := jinja.FromJSON([]byte(c.spec))
		args, _ := jinja.FromJSON([]byte(c.args))
		if got := Check(spec.(*jinja.Dict), args.(*jinja.Dict)); !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s: %q, want %q", c.spec, got, c.want)
		}
	}
}

// FuzzCheck: a specification is a foreign file; whatever it says, there is an answer.
func FuzzCheck(f *testing.F) {
	f.Add(`{"a": {"type": "dict", "options": {"b": {"choices": 1}}, "required_if": [["b"]]}}`, `{"a": {"b": [1]}}`)
	f.Add(`{"a": 5, "b": null}`, `{"b": "1K"}`)
	f.Add(`{"a": {"type": "bytes"}}`, `{"a": "1.5Mb"}`)
	f.Fuzz(func(_ *testing.T, spec, args string) {
		s, err := jinja.FromJSON([]byte(spec))
		a, err2 := jinja.FromJSON([]byte(args))
		sd, ok := s.(*jinja.Dict)
		ad, ok2 := a.(*jinja.Dict)
		if err == nil && err2 == nil && ok && ok2 {
			Check(sd, ad)
		}
	})
}
