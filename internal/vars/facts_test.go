package vars

import (
	"slices"
	"testing"

	"mageprov/internal/jinja"
)

// TestInjectedNames: facts are variables under the names that modules gave them.
func TestInjectedNames(t *testing.T) {
	var f Facts
	d := jinja.NewDict()
	d.Set("ansible_hostname", "web1")
	d.Set("getent_passwd", "entries")
	f.Merge(d)
	for name, want := range map[string]any{"ansible_hostname": "web1", "hostname": nil, "getent_passwd": "entries"} {
		if got, ok, err := f.Lookup(t.Context(), name); err != nil || ok != (want != nil) || got != want {
			t.Errorf("%s: %v %v %v, want %v", name, got, ok, err, want)
		}
	}
	if got := f.Names(); !slices.Equal(got, []string{"ansible_hostname", "getent_passwd"}) {
		t.Errorf("names %q", got)
	}
	if v, ok, _ := f.Get(t.Context(), "getent_passwd"); !ok || v != "entries" {
		t.Errorf("ansible_facts.getent_passwd: %v", v)
	}
	f.Clear()
	if _, ok, _ := f.Lookup(t.Context(), "getent_passwd"); ok {
		t.Error("a cleared fact is still there")
	}
}
