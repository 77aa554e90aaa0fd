package playbook

import (
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// describe names what was found, for "expected ..., found ...".
func describe(n *document.Node) string {
	switch {
	case n.IsNull():
		return "nothing"
	case n.Kind != document.Scalar:
		return n.Kind.String()
	}
	return strconv.Quote(n.Raw)
}

// scalarText gives a literal scalar as text: a name may be 5 or yes.
func scalarText(n *document.Node) (string, bool) {
	if n == nil || n.Kind != document.Scalar || n.Value == nil {
		return "", false
	}
	if t, ok := n.Value.(*jinja.Text); ok {
		return t.Source, true
	}
	return n.Raw, true
}

func template(n *document.Node) bool {
	_, ok := n.Value.(*jinja.Text)
	return ok
}

// boolean reads yes and no, also as text and as 1 and 0.
func (s site) boolean(key string, n *document.Node) any {
	if n.IsNull() || template(n) {
		return n.Value
	}
	if v, ok := n.Value.(bool); ok {
		return v
	}
	switch strings.ToLower(strings.TrimSpace(n.Raw)) {
	case "yes", "true", "on", "1", "y", "t":
		return true
	case "no", "false", "off", "0", "n", "f":
		return false
	}
	s.fail(n.Place, "%s: expected a boolean (yes or no), found %s", key, describe(n))
	return nil
}

// text reads a string; numbers and booleans are taken as they are written.
func (s site) text(key string, n *document.Node) any {
	if n.IsNull() || template(n) {
		return n.Value
	}
	if n.Kind != document.Scalar {
		s.fail(n.Place, "%s: expected text, found %s", key, describe(n))
		return nil
	}
	return n.Raw
}

// literal reads text that must not hold a template.
func (s site) literal(key string, n *document.Node) string {
	if n != nil && template(n) {
		s.fail(n.Place, "%s cannot be a template", key)
		return ""
	}
	v, _ := s.text(key, n).(string)
	return v
}

// number reads an integer, and also a fraction where frac is set.
func (s site) number(key string, n *document.Node, frac bool) any {
	switch v := n.Value.(type) {
	case nil:
		if n.Kind == document.Scalar {
			return nil
		}
	case *jinja.Text, int64:
		return v
	case float64:
		if frac {
			return v
		}
	case string:
		if i, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil {
			return i
		}
		if f, err := strconv.ParseFloat(strings.TrimSpace(v), 64); err == nil && frac {
			return f
		}
	}
	s.fail(n.Place, "%s: expected a number, found %s", key, describe(n))
	return nil
}

// list reads a list of texts, or one text. With commas a text is several.
func (s site) list(key string, n *document.Node, commas bool) []any {
	if n.IsNull() {
		return nil
	}
	if n.Kind == document.Seq {
		out := make([]any, 0, len(n.Items))
		for _, it := range n.Items {
			if it.Kind == document.Seq {
				out = append(out, s.list(key, it, commas)...)
				continue
			}
			out = append(out, s.words(key, it, commas)...)
		}
		return out
	}
	return s.words(key, n, commas)
}

func (s site) words(key string, n *document.Node, commas bool) []any {
	v := s.text(key, n)
	text, ok := v.(string)
	switch {
	case v == nil:
		return nil
	case !ok || !commas || !strings.Contains(text, ","):
		return []any{v}
	}
	var out []any
	for _, w := range strings.Split(text, ",") {
		if w = strings.TrimSpace(w); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// dict reads a dictionary.
func (s site) dict(key string, n *document.Node) *jinja.Dict {
	if n.IsNull() {
		return nil
	}
	if n.Kind != document.Map {
		s.fail(n.Place, "%s: expected a dictionary, found %s", key, describe(n))
		return nil
	}
	return n.ToValue().(*jinja.Dict)
}

// dicts reads what may be one dictionary or template, or a list of them.
func (s site) dicts(key string, n *document.Node) []any {
	items := []*document.Node{n}
	if n.Kind == document.Seq {
		items = n.Items
	}
	var out []any
	for _, it := range items {
		switch {
		case it.IsNull():
		case template(it):
			out = append(out, it.Value)
		default:
			if d := s.dict(key, it); d != nil {
				out = append(out, d)
			}
		}
	}
	return out
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// variables reads vars: a dictionary of valid names, or a list of dictionaries.
func (s site) variables(key string, n *document.Node) *jinja.Dict {
	if n.IsNull() {
		return nil
	}
	if n.Kind == document.Seq {
		all := jinja.NewDict()
		for _, it := range n.Items {
			for k, v := range s.variables(key, it).All() {
				all.Set(k, v)
				all.Templated = all.Templated || jinja.IsTemplated(v)
			}
		}
		s.note(Finding{Place: n.Place, Rule: "deprecated", Level: Warning, Msg: key + " is a list of dictionaries", Hint: "write one dictionary"})
		return all
	}
	d := s.dict(key, n)
	for i := range n.Pairs {
		if p := n.Pairs[i]; !identifier.MatchString(p.Key) {
			s.fail(p.KeyPlace, "%s: %q is no name for a variable", key, p.Key).
				WithHint("letters, digits and _ only, not starting with a digit")
		}
	}
	return d
}

// conditions reads when and its like: expressions, booleans, or a list of them.
func (s site) conditions(key string, n *document.Node) []any {
	items := []*document.Node{n}
	if n.Kind == document.Seq {
		items = n.Items
	}
	var out []any
	for _, it := range items {
		switch v := it.Value.(type) {
		case nil:
			if it.Kind != document.Scalar {
				s.fail(it.Place, "%s: expected a condition, found %s", key, describe(it))
			}
		case bool:
			out = append(out, v)
		case *jinja.Text:
			s.note(Finding{Place: it.Place, Rule: "template-in-condition", Level: Warning,
				Msg: key + " is an expression already: {{ }} makes it a template of one", Hint: "write the expression without {{ }}"})
			out = append(out, v)
		case string:
			if strings.TrimSpace(v) != "" {
				t := &jinja.Text{Source: v, Place: it.Place, Expr: true}
				s.syntax(t)
				out = append(out, t)
			}
		default:
			out = append(out, &jinja.Text{Source: it.Raw, Place: it.Place, Expr: true})
		}
	}
	return out
}

// choice reads text that must be one of a few.
func (s site) choice(key string, n *document.Node, known ...string) any {
	v := s.text(key, n)
	if text, ok := v.(string); ok && !contains(known, text) {
		s.fail(n.Place, "%s: %q is not known", key, text).WithHint("%s", orList(fault.Nearest(text, known), known))
	}
	return v
}

func orList(nearest string, known []string) string {
	if nearest != "" {
		return "did you mean " + nearest + "?"
	}
	return "known: " + strings.Join(known, ", ")
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func sortByPlace(errs []error) {
	place := func(e error) fault.Place {
		if f, ok := e.(*fault.Error); ok {
			return f.Place
		}
		return fault.Place{}
	}
	order := map[string]int{} // files keep the order in which they were met
	for _, e := range errs {
		if f := place(e).File; order[f] == 0 {
			order[f] = len(order) + 1
		}
	}
	sort.SliceStable(errs, func(i, j int) bool {
		a, b := place(errs[i]), place(errs[j])
		if a.File != b.File {
			return order[a.File] < order[b.File]
		}
		return a.Line < b.Line || a.Line == b.Line && a.Col < b.Col
	})
}

// lintText formats a value for a message.
func lintText(v any) string {
	if t, ok := v.(*jinja.Text); ok {
		return t.Source
	}
	return fmt.Sprint(v)
}
