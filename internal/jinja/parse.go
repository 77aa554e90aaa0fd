package jinja

import (
	"slices"
	"strings"

	"mageprov/internal/fault"
)

type parser struct {
	src    *source
	toks   []token
	i      int
	depth  int
	loops  int
	links  int // operators so far
	tree   *tree
	ending []string // tags that would end the open blocks, for messages
}

// parseText makes the tree of a source.
func parseText(t *Text, syn syntax) (*tree, error) {
	src := &source{text: t.Source, place: t.Place}
	if syn.expr {
		src.text = normalise(t.Source, true)
	} else {
		src.text = normalise(t.Source, syn.keepNewline)
	}
	p := &parser{src: src, tree: &tree{src: src, blocks: map[string]*blockStmt{}}}
	err := p.run(syn)
	if err == nil {
		return p.tree, nil
	}
	se := err.(*errSyntax)
	return nil, &fault.Error{Place: loc{src, se.pos}.place(), Msg: "template syntax: " + se.msg, Hint: se.hint}
}

func (p *parser) run(syn syntax) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *errSyntax:
			err = r
		default:
			panic(r)
		}
	}()
	if p.toks, err = lex(p.src.text, syn); err != nil {
		return err
	}
	if syn.expr {
		p.tree.expr = p.expression(true)
		if p.tok().kind != tEOF {
			p.unexpected("")
		}
		return nil
	}
	p.tree.body = p.statements()
	if len(p.tree.body) == 1 {
		if o, ok := p.tree.body[0].(*outputStmt); ok {
			p.tree.only = o.x
		}
	}
	return nil
}

// fail ends parsing; run catches it. A recursive descent reads far better
// without an error return on every line.
func (p *parser) fail(pos int, msg, hint string) { panic(&errSyntax{pos, msg, hint}) }

func (p *parser) tok() token { return p.toks[p.i] }

func (p *parser) advance() token {
	t := p.toks[p.i]
	if t.kind != tEOF {
		p.i++
	}
	return t
}

func (p *parser) peek(n int) token { return p.toks[min(p.i+n, len(p.toks)-1)] }

func (p *parser) isOp(op string) bool { t := p.tok(); return t.kind == tOp && t.text == op }

func (p *parser) isName(name string) bool { t := p.tok(); return t.kind == tName && t.text == name }

func (p *parser) skipOp(op string) bool {
	if p.isOp(op) {
		p.i++
		return true
	}
	return false
}

func (p *parser) skipName(name string) bool {
	if p.isName(name) {
		p.i++
		return true
	}
	return false
}

func (p *parser) needOp(op string) {
	if !p.skipOp(op) {
		p.unexpected("'" + op + "'")
	}
}

func (p *parser) needName(what string) string {
	if p.tok().kind != tName {
		p.unexpected(what)
	}
	return p.advance().text
}

func (p *parser) here() loc { return loc{p.src, p.tok().pos} }

func (p *parser) unexpected(want string) {
	t := p.tok()
	got := "'" + t.text + "'"
	switch t.kind {
	case tEOF:
		got = "end of the template"
		if p.tree.expr != nil {
			got = "end of the expression"
		}
	case tBlockEnd, tVarEnd:
		got = "end of the tag"
	case tString:
		got = "string " + reprString(t.text)
	case tVarStart, tBlockStart:
		got = "a new tag"
	}
	msg := "unexpected " + got
	if want != "" {
		msg += ", expected " + want
	}
	p.fail(t.pos, msg, "")
}

// enter guards against source that nests so deeply that the stack would go.
func (p *parser) enter() {
	if p.depth++; p.depth > maxDepth {
		p.fail(p.tok().pos, "nested too deeply", "")
	}
}

func (p *parser) leave() { p.depth-- }

// link guards against chains of operators, which nest to the left.
func (p *parser) link() {
	if p.links++; p.links > maxLinks {
		p.fail(p.tok().pos, "too many operators", "")
	}
}

// statements reads up to one of the given tags, whose name is left to be read,
// or up to the end of the source if there are none.
func (p *parser) statements(ends ...string) []stmt {
	p.enter()
	defer p.leave()
	if len(ends) > 0 {
		p.ending = append(p.ending, ends[len(ends)-1])
		defer func() { p.ending = p.ending[:len(p.ending)-1] }()
	}
	var out []stmt
	for {
		t := p.tok()
		switch t.kind {
		case tEOF:
			if len(ends) > 0 {
				p.fail(t.pos, "unexpected end of the template, expected "+strings.Join(ends, " or "), "")
			}
			return out
		case tData:
			p.i++
			out = append(out, &dataStmt{t.text})
		case tVarStart:
			p.i++
			x := p.tuple(tupleRule{cond: true})
			if p.tok().kind != tVarEnd {
				p.unexpected("end of print statement")
			}
			p.i++
			out = append(out, &outputStmt{x})
		case tBlockStart:
			p.i++
			if p.tok().kind == tName && slices.Contains(ends, p.tok().text) {
				return out
			}
			if s := p.statement(); s != nil {
				out = append(out, s)
			}
			p.blockEnd()
		default:
			p.unexpected("")
		}
	}
}

func (p *parser) blockEnd() {
	p.skipOp(";")
	if p.tok().kind != tBlockEnd {
		p.unexpected("end of the statement")
	}
	p.i++
}

// body reads the rest of a tag and what stands up to the tag named end, and
// that tag's name.
func (p *parser) body(end string) []stmt {
	p.skipOp(":")
	p.blockEnd()
	out := p.statements(end)
	p.i++
	return out
}

func (p *parser) statement() stmt {
	at := p.here()
	name := p.needName("a statement's name")
	switch name {
	case "if":
		return p.ifStmt()
	case "for":
		return p.forStmt(at)
	case "set":
		return p.setStmt(at)
	case "with":
		return p.withStmt()
	case "macro":
		return p.macroStmt(at)
	case "call":
		return p.callBlock(at)
	case "filter":
		f := p.filters(nil, true)
		return &filterStmt{f, p.body("endfilter")}
	case "block":
		return p.blockStmt(at)
	case "extends":
		return &extendsStmt{at, p.expression(true)}
	case "include":
		return p.includeStmt(at)
	case "import":
		return p.importStmt(at)
	case "from":
		return p.fromStmt(at)
	case "do":
		return &doStmt{p.tuple(tupleRule{cond: true})}
	case "print":
		return &outputStmt{p.tuple(tupleRule{cond: true})}
	case "autoescape":
		p.expression(true)
		return &groupStmt{p.body("endautoescape")}
	case "break", "continue":
		if p.loops == 0 {
			p.fail(at.off, "'"+name+"' outside of a loop", "")
		}
		if name == "break" {
			return &jumpStmt{errBreak}
		}
		return &jumpStmt{errContinue}
	}
	p.unknownTag(at.off, name)
	return nil
}

func (p *parser) unknownTag(pos int, name string) {
	msg := "unknown tag '" + name + "'"
	hint := fault.DidYouMean(name, []string{"if", "elif", "else", "endif", "for", "endfor", "set", "endset", "with", "endwith",
		"macro", "endmacro", "call", "endcall", "filter", "endfilter", "block", "endblock", "extends", "include", "import",
		"from", "do", "raw", "endraw", "autoescape", "break", "continue"})
	if n := len(p.ending); n > 0 {
		hint = "the innermost open block wants '" + p.ending[n-1] + "'"
	}
	p.fail(pos, msg, hint)
}
