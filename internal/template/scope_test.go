package template

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/module"
)

func text(src string) *jinja.Text { return &jinja.Text{Source: src} }

func templated(d *jinja.Dict) *jinja.Dict { d.Templated = true; return d }

func templatedList(items ...any) *jinja.List { return &jinja.List{Items: items, Templated: true} }

// testVars are raw variables as a playbook has them.
func testVars() *jinja.Dict {
	return jinja.NewDict(
		"plain", "{{ not_rendered }}",
		"n", int64(5),
		"five", text("{{ n }}"),
		"chain", text("{{ five + 1 }}"),
		"sentence", text("n is {{ n }}"),
		"a", text("{{ b }}"),
		"b", text("{{ c }}"),
		"c", text("{{ a }}"),
		"half", templated(jinja.NewDict("good", text("{{ n }}"), "bad", text("{{ nowhere }}"), "deep", templatedList("x", text("{{ n + 1 }}")))),
		"own", templated(jinja.NewDict("x", int64(1), "y", text("{{ own.x + 1 }}"))),
		"circle", templated(jinja.NewDict("x", text("{{ circle }}"))),
		"loop", templated(jinja.NewDict("x", text("{{ loop.x }}"))),
		"shared", jinja.NewList(int64(1)),
		"greet", text("hello {{ item | default('nobody') }}"),
		"yes_text", "yes",
		"dangerous", text("{{ plain }}"),
		"groups", jinja.NewDict("all", jinja.NewList("h1", "h2", "h3"), "web", jinja.NewList("h1", "h2"), "db", jinja.NewList("h2", "h3")),
	)
}

func testScope(t *testing.T, files memory) *Scope {
	t.Helper()
	e := New(Options{Env: func(k string) (string, bool) { return "value of " + k, k == "HOME" || k == "X" }, Warn: func(string) {}})
	return e.Scope(dictVars{testVars()}, files)
}

func TestRender(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct{ src, want string }{
		{"{{ n }}", "5"},
		{"{{ five }}", "5"},
		{"{{ chain }}", "6"},
		{"{{ sentence }}", "'n is 5'"},
		{"{{ half.good }}", "5"},
		{"{{ half.deep }}", "['x', 6]"},
		{"{{ half['deep'][1] }}", "6"},
		{"{{ own.y }}", "2"},
		{"{{ own }}", "{'x': 1, 'y': 2}"},
		{"{{ vars['five'] }}", "5"},
		{"{{ vars.own.y }}", "2"},
		{"{{ plain }}", "'{{ not_rendered }}'"},
		{"{{ dangerous }}", "'{{ not_rendered }}'"},
		{"{{ lookup('vars', 'plain') }}", "'{{ not_rendered }}'"},
		{"{{ half.bad | default('d') }}", "'d'"},
		{"{{ nowhere.x | default(n) }}", "5"},
		{"{{ lookup('env', 'X') }}", "'value of X'"},
		{"{{ '$X and ${X} and $NONE' | expandvars }}", "'value of X and value of X and $NONE'"},
		{"{{ query('inventory_hostnames', 'web:&db') }}", "['h2']"},
		{"{{ query('inventory_hostnames', 'all:!web') }}", "['h3']"},
		{"{{ query('inventory_hostnames', 'h*') | length }}", "3"},
	} {
		got, err := testScope(t, nil).Render(ctx, text(c.src))
		if err != nil {
			t.Errorf("%s: %v", c.src, err)
		} else if exact(got) != c.want {
			t.Errorf("%s gives %s, want %s", c.src, exact(got), c.want)
		}
	}
}

func TestRenderMistakes(t *testing.T) {
	for src, want := range map[string]string{
		"{{ a }}":                           "recursive loop detected in template: a -> b -> c -> a",
		"{{ loop.x }}":                      "recursive loop detected in template: loop.x -> loop.x",
		"{{ circle }}":                      "recursive loop",
		"{{ half }}":                        "'nowhere' is undefined",
		"{{ half.bad }}":                    "'nowhere' is undefined",
		"{{ half.nope }}":                   "no attribute 'nope'",
		"{{ 'x' | b64encode(encode='a') }}": "has no argument \"encode\"",
		"{{ undef('set me') }}":             "set me",
		"{{ lookup('fil', 'x') }}":          "unknown lookup \"fil\"",
		"{{ 5 | dict2items }}":              "dict2items: needs a dictionary, not int",
		"{{ 'a' | regex_replace('(') }}":    "regular expression",
	} {
		_, err := testScope(t, nil).Render(context.Background(), &jinja.Text{Source: src, Place: fault.Place{File: "p.yml", Line: 3, Col: 7}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", src, err, want)
		}
	}
	_, err := testScope(t, nil).Render(context.Background(), text("{{ lookup('fil', 'x') }}"))
	if h := fault.HintOf(err); h != "did you mean file?" {
		t.Errorf("hint %q", h)
	}
}

// TestCircleShowsPlaces holds that the hint says where each link of a circle stands.
func TestCircleShowsPlaces(t *testing.T) {
	at := func(line int, src string) *jinja.Text {
		return &jinja.Text{Source: src, Place: fault.Place{File: "v.yml", Line: line, Col: 4}}
	}
	vars := dictVars{jinja.NewDict("a", at(1, "{{ b }}"), "b", at(2, "{{ a }}"))}
	_, err := New(Options{}).Scope(vars, nil).Render(context.Background(), at(9, "{{ a }}"))
	if h := fault.HintOf(err); !strings.HasSuffix(h, ": a at v.yml:1:4, b at v.yml:2:4") {
		t.Errorf("hint %q of %v", h, err)
	}
}

func TestUndefinedIsTold(t *testing.T) {
	_, err := testScope(t, nil).Render(context.Background(), text("{{ half.bad }}"))
	if u, ok := jinja.AsUndefined(err); !ok || u.Name != "nowhere" {
		t.Errorf("error %v is not told to come from an undefined variable", err)
	}
}

func TestWith(t *testing.T) {
	ctx := context.Background()
	s := testScope(t, nil)
	for _, c := range []struct {
		s    *Scope
		want string
	}{
		{s, "hello nobody"},
		{s.With(map[string]any{"item": "A"}), "hello A"},
		{s.With(map[string]any{"item": "A"}).With(map[string]any{"item": "B"}), "hello B"},
		{s.With(map[string]any{"item": text("{{ n }}")}), "hello 5"},
		{s, "hello nobody"},
	} {
		got, err := c.s.RenderString(ctx, text("{{ greet }}"))
		if err != nil || got != c.want {
			t.Errorf("got %q, %v; want %q", got, err, c.want)
		}
	}
}

// TestSharedValuesStay holds that a template cannot change the variables all hosts share.
func TestSharedValuesStay(t *testing.T) {
	ctx := context.Background()
	s := testScope(t, memory{"t.j2": "{% set _ = shared.append(3) %}{{ shared }}"})
	got, err := s.RenderString(ctx, text("{% set _ = shared.append(2) %}{{ shared }}"))
	if err != nil || got != "[1, 2]" {
		t.Errorf("the template sees %q, %v", got, err)
	}
	if got, err = s.RenderFile(ctx, "t.j2", module.TemplateOptions{}); err != nil || got != "[1, 3]" {
		t.Errorf("the template file sees %q, %v", got, err)
	}
	v, err := s.Render(ctx, text("{{ shared }}"))
	if err != nil || exact(v) != "[1]" {
		t.Errorf("afterwards: %s, %v", exact(v), err)
	}
}

func TestRenderArgs(t *testing.T) {
	got, err := testScope(t, nil).RenderArgs(context.Background(), jinja.NewDict(
		"path", "/x",
		"mode", text("{{ mode | default(omit) }}"),
		"count", text("{{ n }}"),
		"environment", templated(jinja.NewDict("A", text("{{ omit }}"), "B", "b")),
		"list", templatedList("x", text("{{ omit }}"), templated(jinja.NewDict("k", text("{{ omit }}"), "l", text("{{ n }}")))),
		"none", nil,
	))
	want := map[string]any{
		"path": "/x", "count": int64(5), "environment": map[string]any{"B": "b"},
		"list": []any{"x", map[string]any{"l": int64(5)}}, "none": nil,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestCondition(t *testing.T) {
	var warnings []string
	e := New(Options{Warn: func(w string) { warnings = append(warnings, w) }})
	s := e.Scope(dictVars{testVars()}, nil)
	for _, c := range []struct {
		v    any
		want bool
		warn bool
	}{
		{true, true, false},
		{nil, true, false},
		{"", true, false},
		{"n == 5", true, false},
		{&jinja.Text{Source: "n > 5", Expr: true}, false, false},
		{&jinja.Text{Source: "n is defined and yes_text | bool", Expr: true}, true, false},
		{&jinja.Text{Source: "yes_text", Expr: true}, true, true},
		{&jinja.Text{Source: "'no'", Expr: true}, false, true},
		{&jinja.Text{Source: "shared", Expr: true}, true, true},
		{&jinja.Text{Source: "[]", Expr: true}, false, true},
		{&jinja.Text{Source: "{{ n == 5 }}", Expr: true}, true, true},
		{&jinja.Text{Source: "n == {{ five }}", Expr: true}, true, true},
		{&jinja.Text{Source: "'{{ yes_text }}' == 'yes' and \"a-{{ n }}\" == 'a-5' and '\\'x' != \"'\"", Expr: true}, true, true},
		{&jinja.Text{Source: "none", Expr: true}, false, true},
		{text("{{ n == 4 }}"), false, true},
		{text("'{{ n }}' == '6'"), false, true},
		{text("{% if n == 5 %}yes{% endif %}"), true, true},
		{jinja.NewList("n == 5", "n == 6"), false, false},
	} {
		warnings = nil
		got, err := s.Condition(context.Background(), c.v)
		if err != nil || got != c.want || (len(warnings) > 0) != c.warn {
			t.Errorf("%v gives %v, %v with warnings %q", c.v, got, err, warnings)
		}
	}
	if _, err := s.Condition(context.Background(), "nowhere"); err == nil {
		t.Error("an undefined variable passes as a condition")
	}
}

// slow is a Deferred that counts how often it is asked.
type slow struct {
	n   int
	err error
}

func (d *slow) Force(context.Context) (any, error) { d.n++; return "facts", d.err }

func TestDeferredVariables(t *testing.T) {
	d := &slow{}
	vars := jinja.NewDict("fact", d, "use", text("{{ fact }}!"), "broken", &slow{err: errors.New("no route")})
	s := New(Options{}).Scope(dictVars{vars}, nil)
	for range 2 {
		if got, err := s.RenderString(context.Background(), text("{{ use }}{{ fact }}")); err != nil || got != "facts!facts" {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if d.n != 1 {
		t.Errorf("asked %d times", d.n)
	}
	if _, err := s.Render(context.Background(), text("{{ broken | default(1) }}")); err == nil || !strings.Contains(err.Error(), "no route") {
		t.Errorf("error %v", err)
	}
}

func TestRenderFile(t *testing.T) {
	no := false
	for _, c := range []struct {
		name, src string
		o         module.TemplateOptions
		want      string
	}{
		{"trim blocks", "{% if true %}\nx\n{% endif %}\n", module.TemplateOptions{}, "x\n"},
		{"no trimming", "{% if true %}\nx\n{% endif %}\n", module.TemplateOptions{TrimBlocks: &no}, "\nx\n"},
		{"header", "#jinja2: trim_blocks: False, lstrip_blocks: true\n  {% if true %}\nx\n{% endif %}\n", module.TemplateOptions{}, "\nx\n"},
		{"quoted", "#jinja2: trim_blocks: \"True\"\n{% if true %}\nx\n{% endif %}\n", module.TemplateOptions{}, "x\n"},
		{"dest", "{{ template_destpath }}\n", module.TemplateOptions{Dest: "/etc/x"}, "/etc/x\n"},
		{"marks", "#jinja2:variable_start_string:'[%', variable_end_string:'%]'\n[% n %] {{ n }}\n", module.TemplateOptions{}, "5 {{ n }}\n"},
		{"marks by option", "<< n >>", module.TemplateOptions{VariableStart: "<<", VariableEnd: ">>"}, "5"},
		{"managed", "# {{ ansible_managed }}\n", module.TemplateOptions{}, "# Ansible managed\n"},
		{"backslash", `{{ 'a1' | regex_replace('([a-z])', '\\1-') }}`, module.TemplateOptions{}, "a-1"},
		{"path", "{{ template_path }}", module.TemplateOptions{}, "dir/t.j2"},
		{"include beside", "{% include 'other.j2' %}", module.TemplateOptions{}, "beside 5"},
		{"include on the path", "{% include 'far.j2' %}", module.TemplateOptions{}, "far 5"},
		{"crlf", "a\nb\n", module.TemplateOptions{NewlineSequence: `\r\n`}, "a\r\nb\r\n"},
		{"included end", "{% include 'end.j2' %}\nx", module.TemplateOptions{}, "endx"},
		{"newline of a value", "{{ 'x\n' }}\n", module.TemplateOptions{}, "x\n"},
		{"more newlines", "{{ 'x\n' }}\n\n", module.TemplateOptions{}, "x\n\n"},
		{"trimmed end", "{% if true %}x{% endif %}\n", module.TemplateOptions{}, "x\n"},
		{"lookup is data", "{{ lookup('template', 'raw.j2') }}", module.TemplateOptions{}, "{{ n }}"},
		{"loop variable in lookup", "{% for q in [1] %}{{ lookup('vars', 'q') }}{% endfor %}", module.TemplateOptions{}, "1"},
	} {
		files := memory{
			"dir/t.j2": c.src, "dir/other.j2": "beside {{ n }}", "role/templates/end.j2": "end\n", "role/templates/far.j2": "far {{ n }}",
			"role/templates/raw.j2": "{% raw %}{{ n }}{% endraw %}",
		}
		got, err := testScope(t, files).RenderFile(context.Background(), "dir/t.j2", c.o)
		if err != nil || got != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.name, got, err, c.want)
		}
	}
}

// TestEndOfText: a text ends in as many newlines as it is written with, at
// least, and what is a value but for them stays a value.
func TestEndOfText(t *testing.T) {
	for _, c := range []struct {
		src  string
		want any
	}{
		{"{{ 'x\n' }}\n", "x\n"}, {"{{ 'x' }}\n", "x\n"}, {"{{ 'x\n\n' }}\n", "x\n\n"}, {"{{ '' }}\n", "\n"},
		{"{% if true %}x{% endif %}\n", "x\n"}, {"q {{ n }}\n\n", "q 5\n\n"}, {"{{ n }}\n", int64(5)},
	} {
		got, err := testScope(t, nil).Render(context.Background(), &jinja.Text{Source: c.src})
		if err != nil || got != c.want {
			t.Errorf("%q gives %#v, %v; want %#v", c.src, got, err, c.want)
		}
	}
}

func TestShippedTemplate(t *testing.T) {
	shipped := memory{"builtin:roles/r/templates/t.j2": "{% include 'o.j2' %} {{ template_fullpath }}", "builtin:roles/r/templates/o.j2": "x"}
	got, err := testScope(t, shipped).RenderFile(context.Background(), "builtin:roles/r/templates/t.j2", module.TemplateOptions{})
	if err != nil || got != "x builtin:roles/r/templates/t.j2" {
		t.Errorf("a template in the binary gives %q, %v", got, err)
	}
}

func TestRenderFileMistakes(t *testing.T) {
	for src, want := range map[string]string{
		"a\n{{ nowhere }}":                          "t.j2:2:4: 'nowhere' is undefined",
		"#jinja2: trimblocks: x\na":                 "t.j2:1:1: unknown setting \"trimblocks\" in the #jinja2: line",
		"#jinja2: trim_blocks: maybe\n":             "must be True or False",
		"#jinja2: trim_blocks: 'False'\n":           "must be True or False",
		"#jinja2: trim_blocks: true\n{{ nowhere }}": "t.j2:2:4: 'nowhere' is undefined",
		"{{ lookup('template', 'self.j2') }}":       "recursive loop",
		"{% include 'none.j2' %}":                   "template \"none.j2\" was not found",
	} {
		_, err := testScope(t, memory{"t.j2": src, "role/templates/self.j2": "{{ lookup('template', 'self.j2') }}"}).RenderFile(context.Background(), "t.j2", module.TemplateOptions{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", src, err, want)
		}
	}
}

// mirror is hostvars of one host: a new Scope on each reading.
type mirror struct {
	e    *Engine
	vars dictVars
}

func (m mirror) Get(ctx context.Context, key any) (any, bool, error) {
	raw, ok := m.vars.Get(key)
	v, err := m.e.Scope(m.vars, nil).Render(ctx, raw)
	return v, ok, err
}

func (m mirror) Keys(context.Context) ([]any, error) { return m.vars.Keys(), nil }

func TestCircleThroughHostvars(t *testing.T) {
	m := mirror{New(Options{}), dictVars{jinja.NewDict("x", text("{{ me.x }}"))}}
	m.vars.Set("me", m)
	_, err := m.e.Scope(m.vars, nil).Render(context.Background(), text("{{ x }}"))
	if err == nil || !strings.Contains(err.Error(), "recursive loop") {
		t.Errorf("error %v", err)
	}
}

func TestParse(t *testing.T) {
	e := New(Options{})
	for _, ok := range []*jinja.Text{
		{Source: "{{ x | b64encode }}"}, {Source: "x is version('1')", Expr: true}, {Source: "{{ x }} == 1", Expr: true},
	} {
		if err := e.Parse(ok); err != nil {
			t.Errorf("%s: %v", ok.Source, err)
		}
	}
	err := e.Parse(&jinja.Text{Source: "x | b64encod", Expr: true, Place: fault.Place{File: "p.yml", Line: 2, Col: 3}})
	if err == nil || fault.HintOf(err) != "did you mean b64encode?" {
		t.Errorf("error %v, hint %q", err, fault.HintOf(err))
	}
}

// TestSharedEngine holds that scopes of many hosts can work at the same time.
func TestSharedEngine(t *testing.T) {
	e := New(Options{})
	vars := dictVars{testVars()}
	src := text("{{ half.good }} {{ 'a1' | regex_replace('[0-9]', five | string) }} {{ own.y }}")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				got, err := e.Scope(vars, memory{"t.j2": "{{ n }}{% set _ = shared.append(1) %}"}).RenderString(context.Background(), src)
				if err != nil || got != "5 a5 2" {
					t.Errorf("got %q, %v", got, err)
				}
				if _, err := e.Scope(vars, memory{"t.j2": "{{ n }}{% set _ = shared.append(1) %}"}).RenderFile(context.Background(), "t.j2", module.TemplateOptions{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
