package inventory

import (
	"strings"
	"testing"

	"mageprov/internal/jinja"
)

// TestStrict: what cannot be evaluated is an error with strict and skipped
// without; a key that can be no name is one always.
func TestStrict(t *testing.T) {
	files := memory{
		"hosts": "h1 vlan=5 empty=''\n",
		"c.yml": "plugin: constructed\nstrict: true\ncompose: {a: nope}\ngroups: {g: nope.x}\nkeyed_groups:\n  - {key: nope}\n  - {key: empty}\n  - {key: vlan}\n",
	}
	load := func() string {
		_, err := Load(evaluating(Options{Sources: []string{"hosts", "c.yml"}, Files: files}))
		return spell(err)
	}
	want := `c.yml:3:11: could not set a for host h1: c.yml:3:14: 'nope' is undefined
  hint: 
c.yml:4:10: could not add host h1 to group g: c.yml:4:13: 'nope' is undefined
  hint: 
c.yml:6:5: could not generate group for host h1: c.yml:6:11: 'nope' is undefined
  hint: 
c.yml:7:5: no key or key resulted empty for empty in host h1, invalid entry
  hint: 
c.yml:8:5: invalid group name format for host h1, expected a string or a list of them or dictionary, got: int
  hint: key: vlan | string makes text of it
`
	if got := load(); got != want {
		t.Errorf("strict:\n%s", got)
	}
	files["c.yml"] = strings.Replace(files["c.yml"], "strict: true\n", "", 1)
	if got := load(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "invalid group name format") {
		t.Errorf("not strict:\n%s", got)
	}
}

func TestExtraVars(t *testing.T) {
	for _, c := range []struct{ line, want string }{{"", "h1=[]"}, {"use_extra_vars: true\n", "h1=[from_extra]"}} {
		files := memory{"hosts": "h1\n", "c.yml": "plugin: constructed\n" + c.line + "groups: {from_extra: e == 1}\n"}
		inv, err := Load(evaluating(Options{Sources: []string{"hosts", "c.yml"}, Files: files, Extra: jinja.NewDict("e", int64(1))}))
		if err != nil {
			t.Fatal(err)
		}
		names := strings.Join(inv.GroupNames("h1"), " ")
		if got := "h1=[" + strings.TrimPrefix(names, "ungrouped") + "]"; got != c.want {
			t.Errorf("%q: %s, want %s", c.line, got, c.want)
		}
	}
}
