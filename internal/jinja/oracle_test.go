package jinja

import (
	"testing"
)

// TestOracle compares with what the real Jinja2 answered.
func TestOracle(t *testing.T) {
	file := readJSONFile(t, "testdata/cases.json")
	get := func(key string) any { v, _ := file.Get(key); return v }
	fresh := func() vars {
		d := decodeOrdered(get("vars")).(*Dict)
		v, _ := d.Get("tup")
		l := v.(*List)
		for i, x := range l.Items {
			l.Items[i] = Tuple(x.(*List).Items)
		}
		return vars{d}
	}
	env := NewEnv()
	for _, c := range get("exprs").(*List).Items {
		c := c.(*List).Items
		src := c[0].(string)
		got, err := env.Render(t.Context(), &Text{Source: src, Expr: true}, fresh())
		switch {
		case len(c) == 1 && err == nil:
			t.Errorf("%s gives %s, want an error", src, Repr(got))
		case len(c) == 2 && err != nil:
			t.Errorf("%s: %v, want %s", src, err, Repr(decodeOrdered(c[1])))
		case len(c) == 2 && !sameOrdered(got, decodeOrdered(c[1])):
			t.Errorf("%s\n got %s\nwant %s", src, Repr(got), Repr(decodeOrdered(c[1])))
		}
	}
	templates := map[string]string{}
	for k, v := range get("templates").(*Dict).All() {
		templates[k.(string)] = v.(string)
	}
	for _, c := range get("texts").(*List).Items {
		c := c.(*List).Items
		src := c[0].(string)
		env := NewEnv()
		env.Load = loadFrom(templates)
		setOptions(env, c[1].(*Dict))
		got, err := env.RenderText(t.Context(), &Text{Source: src}, fresh())
		switch {
		case len(c) == 2 && err == nil:
			t.Errorf("%q %s gives %q, want an error", src, Repr(c[1]), got)
		case len(c) == 3 && err != nil:
			t.Errorf("%q %s: %v, want %q", src, Repr(c[1]), err, c[2])
		case len(c) == 3 && got != c[2].(string):
			t.Errorf("%q %s\n got %q\nwant %q", src, Repr(c[1]), got, c[2])
		}
	}
}

// setOptions names the settings as Jinja2 does.
func setOptions(e *Env, o *Dict) {
	text := map[string]*string{
		"block_start_string": &e.BlockStart, "block_end_string": &e.BlockEnd, "variable_start_string": &e.VariableStart,
		"variable_end_string": &e.VariableEnd, "comment_start_string": &e.CommentStart, "comment_end_string": &e.CommentEnd,
		"line_statement_prefix": &e.LineStatementPrefix, "line_comment_prefix": &e.LineCommentPrefix,
	}
	flags := map[string]*bool{
		"trim_blocks": &e.TrimBlocks, "lstrip_blocks": &e.LstripBlocks, "keep_trailing_newline": &e.KeepTrailingNewline,
	}
	for k, v := range o.All() {
		if p, ok := text[k.(string)]; ok {
			*p = v.(string)
		} else {
			*flags[k.(string)] = v.(bool)
		}
	}
}
