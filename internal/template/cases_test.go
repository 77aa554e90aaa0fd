package template

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/module"
)

// memory is Files in memory.
type memory map[string]string

func (m memory) ReadFile(p string) ([]byte, error) {
	if s, ok := m[p]; ok {
		return []byte(s), nil
	}
	return nil, &fs.PathError{Op: "open", Path: p, Err: fs.ErrNotExist}
}

func (m memory) Glob(pattern string) ([]string, error) {
	var out []string
	for p := range m {
		if ok, err := path.Match(pattern, p); err != nil {
			return nil, err
		} else if ok {
			out = append(out, p)
		}
	}
	sort.Strings(out)
	return out, nil
}

// Find looks in role/KIND, and for directories too.
func (m memory) Find(_ context.Context, kind, name string) (string, error) {
	p := path.Join("role", kind, name)
	for have := range m {
		if have == p || strings.HasPrefix(have, p+"/") {
			return p, nil
		}
	}
	return "", fault.New("%s was not found", p)
}

// dictVars is Vars from a dictionary.
type dictVars struct{ *jinja.Dict }

func (d dictVars) Lookup(_ context.Context, name string) (any, bool, error) {
	v, ok := d.Get(name)
	return v, ok, nil
}

func (d dictVars) Names() []string {
	var out []string
	for _, k := range d.Keys() {
		out = append(out, k.(string))
	}
	return out
}

// decode reads the form of recorded values: {"__d": [[key, value], ...]} is a
// dictionary with its order, {"__t": source} a template.
func decode(v any) any {
	switch v := v.(type) {
	case *jinja.List:
		out := jinja.NewList()
		for _, x := range v.Items {
			x = decode(x)
			out.Templated = out.Templated || jinja.IsTemplated(x)
			out.Items = append(out.Items, x)
		}
		return out
	case *jinja.Dict:
		if src, ok := v.Get("__t"); ok {
			return &jinja.Text{Source: src.(string)}
		}
		pairs, ok := v.Get("__d")
		out := jinja.NewDict()
		if !ok {
			for k, x := range v.All() {
				x = decode(x)
				out.Templated = out.Templated || jinja.IsTemplated(x)
				out.Set(k, x)
			}
			return out
		}
		for _, p := range pairs.(*jinja.List).Items {
			kv := p.(*jinja.List).Items
			x := decode(kv[1])
			out.Templated = out.Templated || jinja.IsTemplated(x)
			out.Set(kv[0], x)
		}
		return out
	}
	return v
}

// exact is a text of a value that tells order and types apart, but not lists from tuples.
func exact(v any) string {
	switch v := v.(type) {
	case jinja.Tuple:
		return exact(&jinja.List{Items: v})
	case *jinja.List:
		parts := make([]string, len(v.Items))
		for i, x := range v.Items {
			parts[i] = exact(x)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case *jinja.Dict:
		var parts []string
		for k, x := range v.All() {
			parts = append(parts, exact(k)+": "+exact(x))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return jinja.Repr(v)
}

type recorded struct {
	Vars  json.RawMessage
	Cases []struct {
		ID     int
		Cat    string
		Kind   string
		Src    string
		Out    json.RawMessage
		Err    string
		Reason string
	}
}

func loadCases(t *testing.T, file string) (recorded, *jinja.Dict) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r recorded
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	vars, err := jinja.FromJSON(r.Vars)
	if err != nil {
		t.Fatal(err)
	}
	d, ok := decode(vars).(*jinja.Dict)
	if !ok {
		t.Fatalf("vars of %s are no dictionary", file)
	}
	d.Delete("omit")
	return r, d
}

// included are the templates that the recorded cases include.
var included = memory{
	"inc.j2":  "inc {{ inventory_hostname }}",
	"mac.j2":  "{% macro hello(n) %}hello {{ n }}{% endmacro %}",
	"base.j2": "[{% block body %}base{% endblock %}]",
}

// runCases compares each case with the recorded answer; different holds, by
// id, the answers that differ on purpose.
func runCases(t *testing.T, file string, different map[int]json.RawMessage) {
	r, vars := loadCases(t, file)
	e := New(Options{Env: func(string) (string, bool) { return "", false }})
	for _, c := range r.Cases {
		t.Run(fmt.Sprintf("%d %s", c.ID, c.Cat), func(t *testing.T) {
			files := memory{"t.j2": c.Src}
			for k, v := range included {
				files[k] = v
			}
			s := e.Scope(dictVars{vars}, files)
			got, err := evaluate(s, c.Kind, c.Src)
			if o, ok := different[c.ID]; ok {
				c.Out, c.Err, c.Kind = o, "", "e"
			}
			if c.Err != "" || c.Kind == "x" {
				if err == nil {
					t.Fatalf("%s\ngives %s\nwant an error like %s", c.Src, exact(got), c.Err)
				}
				return
			}
			if err != nil {
				t.Fatalf("%s\nfails: %v", c.Src, err)
			}
			want, err := jinja.FromJSON(bytes.TrimSpace(c.Out))
			if err != nil {
				t.Fatal(err)
			}
			if g, w := exact(got), exact(decode(want)); g != w {
				t.Errorf("%s\ngives %s\nwant  %s", c.Src, g, w)
			}
		})
	}
}

func evaluate(s *Scope, kind, src string) (any, error) {
	ctx := context.Background()
	switch kind {
	case "t":
		return s.RenderFile(ctx, "t.j2", module.TemplateOptions{})
	case "s":
		return s.Render(ctx, &jinja.Text{Source: src})
	}
	return s.Eval(ctx, src, fault.Place{File: "case.yml", Line: 1, Col: 1})
}

// TestRecorded runs expressions with the answers that Jinja2 and Ansible gave.
// testdata/different.json lists those that differ on purpose, with reasons.
func TestRecorded(t *testing.T) {
	data, err := os.ReadFile("testdata/different.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []struct {
		ID     int
		Out    json.RawMessage
		Reason string
	}
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	different := map[int]json.RawMessage{}
	for _, d := range list {
		if d.Reason == "" {
			t.Errorf("case %d differs without a reason", d.ID)
		}
		different[d.ID] = d.Out
	}
	runCases(t, filepath.Join("..", "..", "testdata", "jinja-cases.json"), different)
}

// TestAnsible runs the filters, tests and lookups of ansible-core against its answers.
func TestAnsible(t *testing.T) {
	runCases(t, "testdata/ansible-cases.json", nil)
}
