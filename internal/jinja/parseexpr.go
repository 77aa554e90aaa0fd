package jinja

import (
	"math/big"
	"strconv"
)

// tupleRule says where a list of expressions without brackets may end and what
// may stand in it.
type tupleRule struct {
	cond   bool   // `a if b else c` is allowed at the top
	names  bool   // assignment targets only
	single bool   // no tuple unless in parentheses
	parens bool   // () is an empty tuple
	end    string // a name that ends the tuple
}

func (p *parser) tuple(rule tupleRule) expr {
	p.enter()
	defer p.leave()
	at := p.here()
	var items []expr
	isTuple := false
	for {
		if len(items) > 0 {
			if rule.single || !p.skipOp(",") {
				break
			}
			isTuple = true
		}
		if p.tupleEnds(rule) {
			break
		}
		items = append(items, p.tupleItem(rule))
	}
	if !isTuple {
		if len(items) == 1 {
			return items[0]
		}
		if !rule.parens {
			p.unexpected("an expression")
		}
	}
	return &tupleExpr{at, items}
}

func (p *parser) tupleItem(rule tupleRule) expr {
	if !rule.names {
		return p.expression(rule.cond)
	}
	at := p.here()
	if p.skipOp("(") {
		inner := p.tuple(tupleRule{names: true, parens: true})
		p.needOp(")")
		return inner
	}
	name := p.needName("a name")
	switch name {
	case "true", "false", "none", "True", "False", "None":
		p.fail(at.off, "cannot assign to '"+name+"'", "")
	}
	return &nameExpr{at, name}
}

func (p *parser) tupleEnds(rule tupleRule) bool {
	t := p.tok()
	switch t.kind {
	case tEOF, tBlockEnd, tVarEnd:
		return true
	case tOp:
		return t.text == ")" || t.text == "=" && rule.names
	case tName:
		return rule.end != "" && t.text == rule.end
	}
	return false
}

// expression reads one expression; cond allows an inline if at its top.
func (p *parser) expression(cond bool) expr {
	p.enter()
	defer p.leave()
	x := p.or()
	if !cond {
		return x
	}
	for p.isName("if") {
		p.link()
		at := p.here()
		p.i++
		c := &condExpr{loc: at, test: p.or(), a: x}
		if p.skipName("else") {
			c.b = p.expression(true)
		}
		x = c
	}
	return x
}

func (p *parser) or() expr {
	x := p.and()
	for p.isName("or") {
		p.link()
		at := p.here()
		p.i++
		x = &logicExpr{at, true, x, p.and()}
	}
	return x
}

func (p *parser) and() expr {
	x := p.not()
	for p.isName("and") {
		p.link()
		at := p.here()
		p.i++
		x = &logicExpr{at, false, x, p.not()}
	}
	return x
}

func (p *parser) not() expr {
	if p.isName("not") {
		at := p.here()
		p.i++
		p.enter()
		defer p.leave()
		return &unaryExpr{at, "not", p.not()}
	}
	return p.compare()
}

func (p *parser) compare() expr {
	x := p.sum()
	var c *compareExpr
	for {
		t := p.tok()
		op := ""
		switch {
		case t.kind == tOp && (t.text == "==" || t.text == "!=" || t.text == "<" || t.text == "<=" || t.text == ">" || t.text == ">="):
			op = t.text
			p.i++
		case p.isName("in"):
			op = "in"
			p.i++
		case p.isName("not") && p.peek(1).kind == tName && p.peek(1).text == "in":
			op = "not in"
			p.i += 2
		}
		if op == "" {
			if c != nil {
				return c
			}
			return x
		}
		if c == nil {
			c = &compareExpr{loc: loc{p.src, t.pos}, first: x}
		}
		c.ops = append(c.ops, op)
		c.rest = append(c.rest, p.sum())
	}
}

func (p *parser) sum() expr {
	x := p.concat()
	for p.isOp("+") || p.isOp("-") {
		p.link()
		at := p.here()
		x = &binExpr{at, p.advance().text, x, p.concat()}
	}
	return x
}

func (p *parser) concat() expr {
	at := p.here()
	parts := []expr{p.product()}
	for p.skipOp("~") {
		parts = append(parts, p.product())
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return &concatExpr{at, parts}
}

func (p *parser) product() expr {
	x := p.power()
	for p.isOp("*") || p.isOp("/") || p.isOp("//") || p.isOp("%") {
		p.link()
		at := p.here()
		x = &binExpr{at, p.advance().text, x, p.power()}
	}
	return x
}

// power binds to the left, as in Jinja2 (and unlike Python).
func (p *parser) power() expr {
	x := p.unary(true)
	for p.isOp("**") {
		p.link()
		at := p.here()
		p.i++
		x = &binExpr{at, "**", x, p.unary(true)}
	}
	return x
}

func (p *parser) unary(withFilter bool) expr {
	p.enter()
	defer p.leave()
	at := p.here()
	var x expr
	if p.isOp("-") || p.isOp("+") {
		op := p.advance().text
		x = &unaryExpr{at, op, p.unary(false)}
	} else {
		x = p.primary()
	}
	x = p.postfix(x)
	if withFilter {
		x = p.suffix(x)
	}
	return x
}

func (p *parser) primary() expr {
	at, t := p.here(), p.tok()
	switch t.kind {
	case tName:
		p.i++
		switch t.text {
		case "true", "True":
			return &constExpr{at, true}
		case "false", "False":
			return &constExpr{at, false}
		case "none", "None":
			return &constExpr{at, nil}
		}
		return &nameExpr{at, t.text}
	case tString:
		s := ""
		for p.tok().kind == tString {
			s += p.advance().text
		}
		return &constExpr{at, s}
	case tInt:
		p.i++
		base := 10
		if len(t.text) > 1 && !isDigit(t.text[1]) {
			base = 0 // 0x, 0o, 0b
		}
		b, ok := new(big.Int).SetString(t.text, base)
		if !ok || len(t.text) > maxBits/4 {
			p.fail(t.pos, "'"+t.text+"' is not a number", "")
		}
		return &constExpr{at, normInt(b)}
	case tFloat:
		p.i++
		f, _ := strconv.ParseFloat(t.text, 64)
		return &constExpr{at, f}
	case tOp:
		switch t.text {
		case "(":
			p.i++
			x := p.tuple(tupleRule{cond: true, parens: true})
			p.needOp(")")
			return x
		case "[":
			return p.list()
		case "{":
			return p.dict()
		}
	}
	p.unexpected("an expression")
	return nil
}

func (p *parser) list() expr {
	l := &listExpr{loc: p.here()}
	p.i++
	for !p.isOp("]") {
		if len(l.items) > 0 {
			p.needOp(",")
			if p.isOp("]") {
				break
			}
		}
		l.items = append(l.items, p.expression(true))
	}
	p.i++
	return l
}

func (p *parser) dict() expr {
	d := &dictExpr{loc: p.here()}
	p.i++
	for !p.isOp("}") {
		if len(d.keys) > 0 {
			p.needOp(",")
			if p.isOp("}") {
				break
			}
		}
		d.keys = append(d.keys, p.expression(true))
		p.needOp(":")
		d.vals = append(d.vals, p.expression(true))
	}
	p.i++
	return d
}
