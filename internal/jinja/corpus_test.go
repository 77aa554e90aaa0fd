package jinja

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
)

// vars is a Scope over a dictionary.
type vars struct{ d *Dict }

func (v vars) Lookup(_ context.Context, name string) (any, bool, error) {
	x, ok := v.d.Get(name)
	return x, ok, nil
}

func (v vars) Names() []string {
	var names []string
	for _, k := range v.d.Keys() {
		names = append(names, Str(k))
	}
	return names
}

// decodeOrdered reads the data of the case files: {"__d": [[key, value]...]} is
// a dictionary.
func decodeOrdered(v any) any {
	switch v := v.(type) {
	case *Dict:
		pairs, ok := v.Get("__d")
		if !ok {
			d := &Dict{}
			for k, x := range v.All() {
				d.Set(k, decodeOrdered(x))
			}
			return d
		}
		d := &Dict{}
		for _, kv := range pairs.(*List).Items {
			kv := kv.(*List).Items
			d.Set(kv[0], decodeOrdered(kv[1]))
		}
		return d
	case *List:
		l := &List{Items: make([]any, len(v.Items))}
		for i, x := range v.Items {
			l.Items[i] = decodeOrdered(x)
		}
		return l
	}
	return v
}

// sameOrdered compares with key order and types; a tuple counts as a list.
func sameOrdered(a, b any) bool {
	show := func(v any) string {
		s, err := ToJSON(v, JSONOptions{})
		if err != nil {
			return err.Error()
		}
		return s
	}
	return show(a) == show(b)
}

func readJSONFile(t testing.TB, path string) *Dict {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	v, err := FromJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	return v.(*Dict)
}

// ownNames says whether the source uses only filters, tests and functions that
// this package registers; the rest are Ansible's, and tested where they live.
func ownNames(e *Env, src string, asExpr bool) bool {
	tr, err := parseText(&Text{Source: src}, e.syntaxOf(asExpr))
	if err != nil || e.check(tr) != nil {
		return err != nil
	}
	for _, foreign := range []string{"lookup(", "query(", "'regex_", "'extract'", "'match'", "'contains'", "'version'", "'dict2items'", "random(seed"} {
		if strings.Contains(src, foreign) {
			return false
		}
	}
	return true
}

var corpusTemplates = map[string]string{
	"inc.j2":  "inc {{ inventory_hostname }}",
	"mac.j2":  "{% macro hello(n) %}hello {{ n }}{% endmacro %}",
	"base.j2": "[{% block body %}base{% endblock %}]",
}

func loadFrom(m map[string]string) func(context.Context, string) (*Text, error) {
	return func(_ context.Context, name string) (*Text, error) {
		src, ok := m[name]
		if !ok {
			return nil, fmt.Errorf("template %s: %w", name, fs.ErrNotExist)
		}
		return &Text{Source: src}, nil
	}
}

func TestCorpus(t *testing.T) {
	file := readJSONFile(t, "../../testdata/jinja-cases.json")
	all, _ := file.Get("vars")
	scope := vars{decodeOrdered(all).(*Dict)}
	cases, _ := file.Get("cases")
	exprs, texts := NewEnv(), NewEnv()
	exprs.DoubleBackslash = true
	texts.TrimBlocks, texts.KeepTrailingNewline = true, true
	texts.Load = loadFrom(corpusTemplates)
	ran := 0
	for _, c := range cases.(*List).Items {
		c := c.(*Dict)
		id, _ := c.Get("id")
		kind, _ := c.Get("kind")
		src, _ := c.Get("src")
		want, _ := c.Get("out")
		_, fails := c.Get("err")
		env, asExpr := exprs, kind != "t"
		if !asExpr {
			env = texts
		}
		if !ownNames(env, src.(string), asExpr) && !strings.Contains(src.(string), "nosuchfilter") {
			continue
		}
		ran++
		got, err := env.Render(t.Context(), &Text{Source: src.(string), Expr: asExpr}, scope)
		if kind == "t" {
			var s string
			s, err = env.RenderText(t.Context(), &Text{Source: src.(string)}, scope)
			got = s
		}
		switch {
		case fails && err == nil:
			t.Errorf("case %v: %s gives %s, want an error", id, src, Repr(got))
		case !fails && err != nil:
			t.Errorf("case %v: %s: %v", id, src, err)
		case !fails && !sameOrdered(got, decodeOrdered(want)):
			t.Errorf("case %v: %s\n got %s\nwant %s", id, src, Repr(got), Repr(decodeOrdered(want)))
		}
	}
	if ran < 120 {
		t.Errorf("only %d cases ran", ran)
	}
	t.Logf("%d cases ran", ran)
}
