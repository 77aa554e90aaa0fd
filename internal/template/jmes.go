package template

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"mageprov/internal/jinja"
)

// JMESPath, the language of json_query, on the values of templates. The library
// there is for it keeps objects in Go's maps: `*` and keys() would give another
// order at each run, and files made of them another content.

// A jmes computes its part of an expression for the value at hand.
type jmes func(v any) (any, error)

// jmesReference is &expression, the argument of sort_by and its like.
type jmesReference jmes

func jmesSelf(v any) (any, error) { return v, nil }

type jmesToken struct {
	kind string // "name", "quoted", "number", "literal", "end", or the mark itself
	text string
	val  any
	at   int
}

// jmesPower says how strongly a mark binds what stands to its left.
var jmesPower = map[string]int{"|": 1, "||": 2, "&&": 3, "==": 5, "!=": 5, "<": 5, "<=": 5, ">": 5, ">=": 5,
	"[]": 9, "*": 20, "[?": 21, ".": 40, "!": 45, "{": 50, "[": 55, "(": 60}

// jmesProjection is the power at which what follows no longer belongs to a projection.
const jmesProjection = 10

// compileJMES reads an expression.
func compileJMES(src string) (e jmes, err error) {
	toks, err := jmesTokens(src)
	if err != nil {
		return nil, err
	}
	p := &jmesParser{toks: toks}
	e, err = p.expression(0)
	if err == nil && p.now().kind != "end" {
		err = p.unexpected()
	}
	return e, err
}

// jmesMarks are longest first.
var jmesMarks = []string{"[?", "[]", "||", "&&", "==", "!=", "<=", ">=", ".", "*", "[", "]", "{", "}", "(", ")", ",", ":", "@", "&", "|", "!", "<", ">"}

func jmesTokens(src string) ([]jmesToken, error) {
	var out []jmesToken
	for i := 0; i < len(src); {
		ch := src[i]
		start := i
		switch {
		case strings.IndexByte(" \t\r\n", ch) >= 0:
			i++
			continue
		case ch == '_' || ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z':
			for i < len(src) && isWordByte(src[i]) {
				i++
			}
			out = append(out, jmesToken{kind: "name", text: src[start:i], at: start})
			continue
		case ch == '-' || ch >= '0' && ch <= '9':
			for i++; i < len(src) && src[i] >= '0' && src[i] <= '9'; i++ {
			}
			n, err := strconv.ParseInt(src[start:i], 10, 32)
			if err != nil {
				return nil, fmt.Errorf("bad number %q at column %d", src[start:i], start+1)
			}
			out = append(out, jmesToken{kind: "number", val: n, text: src[start:i], at: start})
			continue
		case ch == '"' || ch == '\'' || ch == '`':
			end := i + 1
			for end < len(src) && src[end] != ch {
				if src[end] == '\\' {
					end++
				}
				end++
			}
			if end >= len(src) {
				return nil, fmt.Errorf("unclosed %c delimiter at column %d", ch, start+1)
			}
			t, err := jmesQuoted(ch, src[i+1:end])
			if err != nil {
				return nil, fmt.Errorf("%w at column %d", err, start+1)
			}
			t.at, i = start, end+1
			out = append(out, t)
			continue
		}
		found := false
		for _, m := range jmesMarks {
			if strings.HasPrefix(src[i:], m) {
				out = append(out, jmesToken{kind: m, text: m, at: i})
				i += len(m)
				found = true
				break
			}
		}
		if !found {
			r, _ := utf8.DecodeRuneInString(src[i:])
			return nil, fmt.Errorf("unknown token %q at column %d", r, i+1)
		}
	}
	return append(out, jmesToken{kind: "end", text: "the end", at: len(src)}), nil
}

// jmesQuoted reads "name", 'text' or `JSON`. What is no JSON in backticks counts
// as text: `web` for "web" is how most playbooks write it.
func jmesQuoted(quote byte, body string) (jmesToken, error) {
	switch quote {
	case '\'':
		return jmesToken{kind: "literal", text: body, val: strings.ReplaceAll(body, `\'`, "'")}, nil
	case '"':
		var s string
		if err := json.Unmarshal([]byte(`"`+body+`"`), &s); err != nil {
			return jmesToken{}, fmt.Errorf("bad quoted name %q", body)
		}
		return jmesToken{kind: "quoted", text: s}, nil
	}
	body = strings.ReplaceAll(body, "\\`", "`")
	v, err := jinja.FromJSON([]byte(strings.TrimSpace(body)))
	if err != nil {
		v = strings.TrimSpace(body)
	}
	return jmesToken{kind: "literal", text: body, val: v}, nil
}

type jmesParser struct {
	toks  []jmesToken
	at    int
	depth int
}

func (p *jmesParser) now() jmesToken { return p.toks[p.at] }

func (p *jmesParser) next() jmesToken {
	t := p.toks[p.at]
	if t.kind != "end" {
		p.at++
	}
	return t
}

func (p *jmesParser) peek() string {
	if p.at+1 < len(p.toks) {
		return p.toks[p.at+1].kind
	}
	return "end"
}

func (p *jmesParser) unexpected() error {
	t := p.now()
	return fmt.Errorf("invalid JMESPath: unexpected %s at column %d", t.text, t.at+1)
}

func (p *jmesParser) expect(kind string) error {
	if p.now().kind != kind {
		return p.unexpected()
	}
	p.next()
	return nil
}

func (p *jmesParser) expression(power int) (jmes, error) {
	if p.depth++; p.depth > 200 {
		return nil, fmt.Errorf("invalid JMESPath: nested too deeply")
	}
	defer func() { p.depth-- }()
	name := ""
	if p.now().kind == "name" {
		name = p.now().text
	}
	left, err := p.prefix(p.next())
	for err == nil && power < jmesPower[p.now().kind] {
		t := p.next()
		if t.kind == "(" && name != "" {
			left, err = p.call(name)
		} else {
			left, err = p.infix(t, left)
		}
		name = ""
	}
	return left, err
}

// prefix reads what an expression may begin with.
func (p *jmesParser) prefix(t jmesToken) (jmes, error) {
	switch t.kind {
	case "literal":
		return func(any) (any, error) { return t.val, nil }, nil
	case "name", "quoted":
		return jmesField(t.text), nil
	case "@":
		return jmesSelf, nil
	case "*":
		right, err := p.rest("*")
		return jmesProject(jmesValues, right), err
	case "[]":
		right, err := p.rest("[]")
		return jmesProject(jmesFlatten, right), err
	case "[?":
		return p.filter(jmesSelf)
	case "{":
		return p.hash()
	case "[":
		return p.bracket(jmesSelf, true)
	case "(":
		e, err := p.expression(0)
		return e, firstError(err, p.closing(err, ")"))
	case "&":
		e, err := p.expression(0)
		return func(any) (any, error) { return jmesReference(e), nil }, err
	case "!":
		e, err := p.expression(jmesPower["!"])
		return func(v any) (any, error) {
			r, err := e(v)
			return !jmesTruth(r), err
		}, err
	}
	if t.kind != "end" {
		p.at--
	}
	return nil, p.unexpected()
}

func (p *jmesParser) closing(err error, kind string) error {
	if err != nil {
		return err
	}
	return p.expect(kind)
}

// infix reads what may stand behind left.
func (p *jmesParser) infix(t jmesToken, left jmes) (jmes, error) {
	switch t.kind {
	case ".":
		if p.now().kind == "*" {
			p.next()
			right, err := p.rest("*")
			return jmesPipe(left, jmesProject(jmesValues, right)), err
		}
		right, err := p.member(jmesPower["."])
		return jmesPipe(left, right), err
	case "|":
		right, err := p.expression(jmesPower["|"])
		return jmesPipe(left, right), err
	case "||", "&&":
		right, err := p.expression(jmesPower[t.kind])
		return jmesEither(left, right, t.kind == "||"), err
	case "==", "!=", "<", "<=", ">", ">=":
		right, err := p.expression(jmesPower[t.kind])
		return jmesCompare(left, right, t.kind), err
	case "[]":
		right, err := p.rest("[]")
		return jmesPipe(left, jmesProject(jmesFlatten, right)), err
	case "[?":
		return p.filter(left)
	case "[":
		return p.bracket(left, false)
	}
	p.at--
	return nil, p.unexpected()
}

// rest reads what a projection is followed by: it is done for each element.
func (p *jmesParser) rest(kind string) (jmes, error) {
	power := jmesPower[kind]
	switch t := p.now(); {
	case jmesPower[t.kind] < jmesProjection:
		return jmesSelf, nil
	case t.kind == "[" || t.kind == "[?":
		return p.continued(power)
	case t.kind == ".":
		p.next()
		return p.member(power)
	}
	return nil, p.unexpected()
}

// continued reads [..] behind a projection, as if it stood behind @.
func (p *jmesParser) continued(power int) (jmes, error) {
	left := jmes(jmesSelf)
	var err error
	for err == nil && power < jmesPower[p.now().kind] {
		left, err = p.infix(p.next(), left)
	}
	return left, err
}

// member reads what may stand behind a point.
func (p *jmesParser) member(power int) (jmes, error) {
	switch p.now().kind {
	case "name", "quoted", "*":
		return p.expression(power)
	case "[":
		p.next()
		return p.list()
	case "{":
		p.next()
		return p.hash()
	}
	return nil, p.unexpected()
}

// bracket reads [0], [1:2], [*], and, where first is set, [a, b].
func (p *jmesParser) bracket(left jmes, first bool) (jmes, error) {
	switch kind := p.now().kind; {
	case kind == "number" || kind == ":":
		index, slice, err := p.index()
		if err != nil || !slice {
			return jmesPipe(left, index), err
		}
		right, err := p.rest("*")
		return jmesPipe(left, jmesProject(index, right)), err
	case kind == "*" && p.peek() == "]":
		p.next()
		p.next()
		right, err := p.rest("*")
		return jmesPipe(left, jmesProject(jmesElements, right)), err
	case first:
		return p.list()
	}
	return nil, p.unexpected()
}

func (p *jmesParser) filter(left jmes) (jmes, error) {
	test, err := p.expression(0)
	if err = p.closing(err, "]"); err != nil {
		return nil, err
	}
	right := jmes(jmesSelf)
	if p.now().kind != "[]" {
		right, err = p.rest("[?")
	}
	return jmesPipe(left, jmesProject(jmesElements, func(v any) (any, error) {
		ok, err := test(v)
		if err != nil || !jmesTruth(ok) {
			return nil, err
		}
		return right(v)
	})), err
}

// index reads the inside of [1] or [1:2:3].
func (p *jmesParser) index() (e jmes, slice bool, err error) {
	parts := []any{nil, nil, nil}
	n := 0
	for p.now().kind != "]" {
		switch t := p.next(); {
		case t.kind == "number" && parts[n] == nil:
			parts[n] = t.val
		case t.kind == ":" && n < 2:
			n++
		default:
			p.at--
			return nil, false, p.unexpected()
		}
	}
	p.next()
	if n == 0 {
		i := int(parts[0].(int64))
		return func(v any) (any, error) { return jmesAt(v, i), nil }, false, nil
	}
	if parts[2] == int64(0) {
		return nil, false, fmt.Errorf("invalid JMESPath: a slice cannot have the step 0")
	}
	return func(v any) (any, error) { return jmesSlice(v, parts), nil }, true, nil
}

// list reads [a, b] behind its first bracket.
func (p *jmesParser) list() (jmes, error) {
	var parts []jmes
	for {
		e, err := p.expression(0)
		if err != nil {
			return nil, err
		}
		parts = append(parts, e)
		if p.now().kind != "," {
			break
		}
		p.next()
	}
	return func(v any) (any, error) {
		if v == nil {
			return nil, nil
		}
		return jmesEach(parts, v)
	}, p.expect("]")
}

// hash reads {a: x, b: y} behind its first brace.
func (p *jmesParser) hash() (jmes, error) {
	var keys []any
	var parts []jmes
	for {
		t := p.next()
		if t.kind != "name" && t.kind != "quoted" {
			p.at--
			return nil, p.unexpected()
		}
		if err := p.expect(":"); err != nil {
			return nil, err
		}
		e, err := p.expression(0)
		if err != nil {
			return nil, err
		}
		keys, parts = append(keys, t.text), append(parts, e)
		if p.now().kind != "," {
			break
		}
		p.next()
	}
	return func(v any) (any, error) {
		if v == nil {
			return nil, nil
		}
		vals, err := jmesEach(parts, v)
		if err != nil {
			return nil, err
		}
		d := jinja.NewDict()
		for i, k := range keys {
			d.Set(k, vals.Items[i])
		}
		return d, nil
	}, p.expect("}")
}

// call reads the arguments of a function behind its first parenthesis.
func (p *jmesParser) call(name string) (jmes, error) {
	f, ok := jmesFunctions[name]
	if !ok {
		return nil, fmt.Errorf("unknown function: %s()", name)
	}
	var args []jmes
	for p.now().kind != ")" {
		e, err := p.expression(0)
		if err != nil {
			return nil, err
		}
		args = append(args, e)
		if p.now().kind == "," {
			p.next()
		} else if p.now().kind != ")" {
			return nil, p.unexpected()
		}
	}
	p.next()
	if len(args) < f.least || f.least == f.most && len(args) > f.most {
		return nil, fmt.Errorf("%s() takes %d arguments, not %d", name, f.least, len(args))
	}
	return func(v any) (any, error) {
		vals, err := jmesEach(args, v)
		if err != nil {
			return nil, err
		}
		r, err := f.call(vals.Items)
		if err != nil {
			return nil, fmt.Errorf("in function %s(): %w", name, err)
		}
		return r, nil
	}, nil
}
