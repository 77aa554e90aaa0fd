package template

import (
	"errors"
	"strings"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

var dataFilters = map[string]jinja.Filter{
	"to_json": func(c *jinja.Call, in any) (any, error) { return toJSON(c, in, jinja.JSONOptions{EnsureASCII: true}) },
	"to_nice_json": func(c *jinja.Call, in any) (any, error) {
		return toJSON(c, in, jinja.JSONOptions{EnsureASCII: true, Indent: 4, SortKeys: true})
	},
	"from_json": fromJSON,
	"to_yaml": func(c *jinja.Call, in any) (any, error) {
		return toYAML(c, in, yamlOptions{Indent: 2, FlowLeaves: true})
	},
	"to_nice_yaml":  func(c *jinja.Call, in any) (any, error) { return toYAML(c, in, yamlOptions{Indent: 4}) },
	"from_yaml":     fromYAML,
	"from_yaml_all": fromYAMLAll,
}

// toJSON takes the options of Python's json.dumps.
func toJSON(c *jinja.Call, in any, o jinja.JSONOptions) (any, error) {
	a := take(c, "*", "indent", "sort_keys", "ensure_ascii", "separators", "vault_to_text", "preprocess_unsafe", "default", "skipkeys", "allow_nan")
	o.Indent = a.num("indent", o.Indent)
	o.Lines = o.Indent > 0 || a.value("indent", nil) != nil
	o.SortKeys = a.flag("sort_keys", o.SortKeys)
	o.EnsureASCII = a.flag("ensure_ascii", o.EnsureASCII)
	if seps := a.list("separators"); len(seps) == 2 {
		o.ItemSep, o.KeySep = jinja.Str(seps[0]), jinja.Str(seps[1])
	}
	if a.err != nil {
		return nil, a.err
	}
	s, err := jinja.ToJSON(in, o)
	if err != nil {
		return nil, refuse(c, "%v", err)
	}
	return s, nil
}

func fromJSON(c *jinja.Call, in any) (any, error) {
	if a := take(c, "profile"); a.err != nil {
		return nil, a.err
	}
	s, ok := in.(string)
	if !ok {
		return nil, refuse(c, "needs text, not %s", jinja.TypeName(in))
	}
	v, err := jinja.FromJSON([]byte(s))
	if err != nil {
		return nil, refuse(c, "%v: %s", err, short(s))
	}
	return v, nil
}

// toYAML takes the options of PyYAML's dump.
func toYAML(c *jinja.Call, in any, o yamlOptions) (any, error) {
	a := take(c, "*", "indent", "width", "sort_keys", "default_flow_style", "explicit_start", "explicit_end", "allow_unicode",
		"default_style", "line_break", "encoding", "version", "tags", "canonical")
	o.Indent = a.num("indent", o.Indent)
	o.Width = a.num("width", 0)
	o.Unsorted = !a.flag("sort_keys", true)
	o.Start, o.End = a.flag("explicit_start", false), a.flag("explicit_end", false)
	if flow, ok := a.vals["default_flow_style"]; ok {
		o.FlowLeaves, o.Flow = flow == nil, jinja.Truth(flow)
	}
	o.ASCII = !a.flag("allow_unicode", true)
	for _, name := range []string{"default_style", "canonical", "version", "tags"} {
		if jinja.Truth(a.value(name, nil)) {
			a.fail("cannot write YAML with %s", name)
		}
	}
	if a.err != nil {
		return nil, a.err
	}
	s, err := dumpYAML(in, o)
	if err != nil {
		return nil, refuse(c, "%v", err)
	}
	return s, nil
}

// fromYAML gives what is no text back as it is, as Ansible does.
func fromYAML(c *jinja.Call, in any) (any, error) {
	s, ok := in.(string)
	if !ok {
		return in, nil
	}
	return loadYAML(c, s)
}

func fromYAMLAll(c *jinja.Call, in any) (any, error) {
	s, ok := in.(string)
	if !ok {
		return in, nil
	}
	out := jinja.NewList()
	for _, doc := range splitDocuments(s) {
		v, err := loadYAML(c, doc)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, v)
	}
	return out, nil
}

// loadYAML reads one document of foreign text: nothing in it is a template.
func loadYAML(c *jinja.Call, s string) (any, error) {
	v, err := document.Values("", []byte(s), false)
	var first *fault.Error
	if errors.As(err, &first) {
		return nil, refuse(c, "not valid YAML at line %d: %s", max(1, first.Place.Line), first.Msg)
	}
	if err != nil {
		return nil, refuse(c, "not valid YAML: %v", err)
	}
	return v, nil
}

// splitDocuments cuts a stream at its --- and ... lines, which cannot be part of a value.
func splitDocuments(s string) []string {
	var docs []string
	var cur strings.Builder
	started := false
	end := func() {
		if started || strings.TrimSpace(cur.String()) != "" {
			docs = append(docs, cur.String())
		}
		cur.Reset()
		started = false
	}
	for line := range strings.Lines(s) {
		mark := strings.TrimRight(line, "\r\n")
		switch {
		case mark == "...":
			end()
			continue
		case mark == "---" || strings.HasPrefix(mark, "--- "):
			end()
			started = true
		case strings.HasPrefix(line, "%") && cur.Len() == 0, strings.HasPrefix(line, "#"):
			continue
		}
		cur.WriteString(line)
	}
	end()
	return docs
}
