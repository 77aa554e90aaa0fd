package dataedit

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"gopkg.in/yaml.v3"

	"mageprov/internal/module"
	"mageprov/internal/modules/moduletest"
	"mageprov/internal/node/nodetest"
)

// TestEdits runs the cases of testdata: edits, the text before, the text after.
// A second run leaves it alone.
func TestEdits(t *testing.T) {
	for _, format := range []string{"yaml", "json", "toml"} {
		a, err := txtar.ParseFile(filepath.Join("testdata", format+".txtar"))
		if err != nil {
			t.Fatal(err)
		}
		parts := map[string]string{}
		var names []string
		for _, f := range a.Files {
			parts[f.Name] = string(f.Data)
			if name, ok := strings.CutSuffix(f.Name, "/edit"); ok {
				names = append(names, name)
			}
		}
		for _, name := range names {
			t.Run(format+"/"+name, func(t *testing.T) {
				m := &editData{Path: "x." + format, State: "present", Separator: "."}
				if err := yaml.Unmarshal([]byte(parts[name+"/edit"]), &m.Edits); err != nil {
					t.Fatal(err)
				}
				edits, err := m.edits()
				if err != nil {
					t.Fatal(err)
				}
				got, err := apply(format, parts[name+"/before"], edits)
				if want := strings.TrimSpace(parts[name+"/error"]); want != "" {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Fatalf("error %v, want %q", err, want)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if want := parts[name+"/after"]; got != want {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
				if edits, err = m.edits(); err != nil {
					t.Fatal(err)
				}
				again, err := apply(format, got, edits)
				if err != nil || again != got && name != "remove" {
					t.Errorf("again: %v\n%s", err, again)
				}
			})
		}
	}
}

// TestAction runs the module on the double: check, run, run again.
func TestAction(t *testing.T) {
	spec, ok := module.Lookup("edit_data")
	if !ok {
		t.Fatal("edit_data is not registered")
	}
	n := nodetest.New(t)
	n.Put("/etc/app.yml", "a: 1 # one\n")
	h := moduletest.NewHost(n)
	run := func(check bool, args module.Args) *module.Result {
		t.Helper()
		res, err := spec.Action(t.Context(), moduletest.NewController(t, h, nil, check), args)
		if err != nil {
			return &module.Result{Failed: true, Msg: err.Error()}
		}
		return res
	}
	args := module.Args{"path": "/etc/app.yml", "key": "a", "value": int64(2), "mode": "0640", "backup": true}
	for _, want := range []struct{ check, changed bool }{{true, true}, {false, true}, {false, false}} {
		if res := run(want.check, args); res.Failed || res.Changed != want.changed {
			t.Errorf("check=%v: failed=%v changed=%v %s", want.check, res.Failed, res.Changed, res.Msg)
		}
		if b, _ := n.ReadFile("/etc/app.yml"); want.check && string(b) != "a: 1 # one\n" {
			t.Errorf("check wrote %q", b)
		}
	}
	if b, _ := n.ReadFile("/etc/app.yml"); string(b) != "a: 2 # one\n" {
		t.Errorf("the file holds %q", b)
	}
	for want, args := range map[string]module.Args{
		"file not found":               {"path": "/etc/none.yml", "key": "a", "value": "x"},
		"the format of /etc/app.conf":  {"path": "/etc/app.conf", "key": "a"},
		"exactly one of key and edits": {"path": "/etc/app.yml"},
		`unknown key "val"`:            {"path": "/etc/app.yml", "edits": []any{map[string]any{"key": "a", "val": "x"}}},
	} {
		if res := run(false, args); !res.Failed || !strings.Contains(res.Msg, want) {
			t.Errorf("failed=%v %q, want %q", res.Failed, res.Msg, want)
		}
	}
	if res := run(false, module.Args{"path": "/etc/new.json", "key": "a", "value": "x", "create": true}); res.Failed || !res.Changed {
		t.Errorf("create: %+v", res)
	}
	n.Put("/etc/app.toml", "[s]\na = 1.0 # one\n")
	args = module.Args{"path": "/etc/app.toml", "key": "s.a", "value": 2.0}
	for _, want := range []struct {
		check, changed bool
		text           string
	}{{true, true, "[s]\na = 1.0 # one\n"}, {false, true, "[s]\na = 2.0 # one\n"}, {false, false, "[s]\na = 2.0 # one\n"}} {
		res := run(want.check, args)
		if b, _ := n.ReadFile("/etc/app.toml"); res.Failed || res.Changed != want.changed || string(b) != want.text {
			t.Errorf("check=%v: failed=%v changed=%v %s\n%s", want.check, res.Failed, res.Changed, res.Msg, b)
		}
	}
	bad := module.Args{"path": "/etc/app.toml", "edits": []any{map[string]any{"key": "s.b", "value": int64(1)}, map[string]any{"key": "s.a.b", "value": "x"}}}
	if res := run(false, bad); !res.Failed {
		t.Error("a key below a number was set")
	}
	if b, _ := n.ReadFile("/etc/app.toml"); string(b) != "[s]\na = 2.0 # one\n" {
		t.Errorf("an edit that failed left %q", b)
	}
}

// TestTOMLLineEnds keeps the ends of lines, which txtar cannot show.
func TestTOMLLineEnds(t *testing.T) {
	str := func(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }
	for _, c := range []struct{ key, before, after string }{
		{"a", "x = 1", "x = 1\na = \"v\"\n"},
		{"t.a", "x = 1", "x = 1\n\n[t]\na = \"v\"\n"},
		{"a", "# c", "# c\na = \"v\"\n"},
		{"a", "x = 1\r\n[t]\r\n", "x = 1\r\na = \"v\"\r\n[t]\r\n"},
		{"t.a", "x = 1\r\n", "x = 1\r\n\r\n[t]\r\na = \"v\"\r\n"},
		{"l.-", "l = [\r\n  'x',\r\n]\r\n", "l = [\r\n  'x',\r\n  \"v\",\r\n]\r\n"},
	} {
		got, err := apply("toml", c.before, []edit{{key: strings.Split(c.key, "."), value: str("v")}})
		if err != nil || got != c.after {
			t.Errorf("%s in %q: %v\n%q, want\n%q", c.key, c.before, err, got, c.after)
		}
	}
}

func FuzzYAML(f *testing.F) {
	f.Add("a: {b: [1, 'x']} # c\nl:\n- &x y\n- *x\n", "a.b", "new: value")
	f.Fuzz(func(t *testing.T, text, key, value string) {
		for _, absent := range []bool{false, true} {
			e := edit{key: strings.Split(key, "."), value: &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}, absent: absent}
			apply("yaml", text, []edit{e})
			apply("json", text, []edit{e})
		}
	})
}

func FuzzTOML(f *testing.F) {
	f.Add("# c\na = 1 # one\nl = [\n 1, # x\n 2\n]\n[t]\nx.y = {z = [{b = 'q'}]}\n[[u]]\nk = 1\n[[u]]\nk = 2\n", "l.-", "v")
	f.Add("[[u]]\nk = 1\n[u.s]\nd = 2024-01-01", "u.0.s.n", "v")
	f.Add("a.b = 1\r\n[c.d]\r\n", "c.x.y", "v")
	f.Add("", "\xd9", "v")
	f.Fuzz(func(t *testing.T, text, key, value string) {
		table := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		name := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
		table.Content = []*yaml.Node{name, name}
		for _, e := range []edit{{value: name}, {value: table}, {value: name, absent: true}} {
			e.key = strings.Split(key, ".")
			got, err := apply("toml", text, []edit{e})
			if err != nil {
				continue
			}
			if _, err := parseTOML(got); err != nil {
				t.Fatalf("%q: %v", got, err)
			}
			if again, err := apply("toml", got, []edit{e}); !e.absent && (err != nil || again != got) {
				t.Fatalf("again: %v\n%q\n%q", err, got, again)
			}
		}
	})
}
