package template

import (
	"strings"

	"mageprov/internal/jinja"
)

// Parse says what is wrong with a text of a playbook before anything runs: its
// syntax, or a filter or test that nobody knows.
func (e *Engine) Parse(t *jinja.Text) error {
	if t.Expr {
		return e.conds.Parse(e.condition(t))
	}
	return e.text.Parse(t)
}

// condition gives the expression that a condition means, whatever braces its
// author put around it or into it.
func (e *Engine) condition(t *jinja.Text) *jinja.Text {
	switch {
	case strings.Contains(t.Source, "{{"):
		e.warnOnce(t.Place.String() + ": a condition needs no {{ }}: " + t.Source)
		return e.expr(withoutBraces(t.Source), t.Place)
	case t.Expr:
		return t
	}
	return e.expr(t.Source, t.Place)
}

// withoutBraces makes one expression of a condition that holds {{ }}: outside of
// texts `{{ x }}` becomes `(x)`, and in them 'a{{ x }}' becomes ('a' ~ (x) ~ ”).
// The values never become part of the source.
func withoutBraces(src string) string {
	var b strings.Builder
	quote := byte(0)
	inner := false // the text has been cut at a {{
	literal := 0   // where the text began in b
	for i := 0; i < len(src); i++ {
		end := strings.Index(src[i:], "}}")
		switch ch := src[i]; {
		case strings.HasPrefix(src[i:], "{{") && end > 0:
			expr := "(" + strings.Trim(src[i+2:i+end], "- ") + ")"
			if quote != 0 {
				expr = string(quote) + " ~ " + expr + " ~ " + string(quote)
				inner = true
			}
			b.WriteString(expr)
			i += end + 1
			continue
		case ch == '\\' && quote != 0 && i+1 < len(src):
			b.WriteByte(ch)
			i++
		case quote == 0 && (ch == '\'' || ch == '"'):
			quote, inner, literal = ch, false, b.Len()
		case ch == quote:
			quote = 0
			if inner {
				text := b.String()[literal:] + string(ch)
				head := b.String()[:literal]
				b.Reset()
				b.WriteString(head + "(" + text + ")")
				continue
			}
		}
		b.WriteByte(src[i])
	}
	return b.String()
}
