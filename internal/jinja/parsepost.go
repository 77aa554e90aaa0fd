package jinja

import "strconv"

// postfix reads .name, [key] and (args) behind an expression.
func (p *parser) postfix(x expr) expr {
	for n := 0; ; n++ {
		if n > 10*maxDepth {
			p.fail(p.tok().pos, "nested too deeply", "")
		}
		at := p.here()
		switch {
		case p.skipOp("."):
			switch t := p.tok(); t.kind {
			case tName:
				p.i++
				x = &attrExpr{at, x, t.text}
			case tInt:
				p.i++
				i, err := strconv.ParseInt(t.text, 10, 64)
				if err != nil {
					p.fail(t.pos, "'"+t.text+"' is too large", "")
				}
				x = &itemExpr{at, x, &constExpr{at, i}}
			default:
				p.unexpected("a name or number after '.'")
			}
		case p.skipOp("["):
			x = &itemExpr{at, x, p.subscript()}
			p.needOp("]")
		case p.isOp("("):
			x = &callExpr{at, x, p.arguments()}
		default:
			return x
		}
	}
}

// subscript reads what stands between [ and ].
func (p *parser) subscript() expr {
	at := p.here()
	var items []expr
	for !p.isOp("]") {
		if len(items) > 0 {
			p.needOp(",")
		}
		items = append(items, p.subscriptItem())
	}
	if len(items) == 0 {
		p.unexpected("an expression")
	}
	if len(items) == 1 {
		return items[0]
	}
	return &tupleExpr{at, items}
}

func (p *parser) subscriptItem() expr {
	s := &sliceExpr{loc: p.here()}
	if !p.isOp(":") {
		s.lo = p.expression(true)
		if !p.isOp(":") {
			return s.lo
		}
	}
	p.i++
	ends := func() bool { return p.isOp("]") || p.isOp(",") || p.isOp(":") }
	if !ends() {
		s.hi = p.expression(true)
	}
	if p.skipOp(":") && !ends() {
		s.step = p.expression(true)
	}
	return s
}

// suffix reads filters, tests and further calls.
func (p *parser) suffix(x expr) expr {
	for n := 0; ; n++ {
		if n > 10*maxDepth {
			p.fail(p.tok().pos, "nested too deeply", "")
		}
		switch {
		case p.isOp("|"):
			x = p.filters(x, false)
		case p.isName("is"):
			x = p.test(x)
		case p.isOp("("):
			x = &callExpr{p.here(), x, p.arguments()}
		default:
			return x
		}
	}
}

// filters reads a chain of filters; bare means that the first has no | before it.
func (p *parser) filters(x expr, bare bool) expr {
	for bare || p.skipOp("|") {
		bare = false
		f := &filterExpr{loc: p.here(), x: x}
		f.name = p.dotted("a filter's name")
		if p.isOp("(") {
			f.args = p.arguments()
		}
		p.tree.filters = append(p.tree.filters, Name{Name: f.name, Place: f.place()})
		p.inner(f)
		x = f
	}
	return x
}

// inner notes the filter or test that map, select and their like name in their
// arguments, so that a misspelt one is found before anything runs.
func (p *parser) inner(f *filterExpr) {
	if f.args == nil {
		return
	}
	list, i := &p.tree.tests, 0
	switch f.name {
	case "map":
		list = &p.tree.filters
	case "select", "reject":
	case "selectattr", "rejectattr":
		i = 1
	default:
		return
	}
	if i >= len(f.args.pos) {
		return
	}
	if c, ok := f.args.pos[i].(*constExpr); ok {
		if name, ok := c.v.(string); ok {
			*list = append(*list, Name{Name: name, Place: c.place()})
		}
	}
}

func (p *parser) dotted(what string) string {
	name := p.needName(what)
	for p.isOp(".") && p.peek(1).kind == tName {
		p.i++
		name += "." + p.advance().text
	}
	return name
}

func (p *parser) test(x expr) expr {
	p.i++
	t := &testExpr{loc: p.here(), x: x}
	t.negate = p.skipName("not")
	t.loc = p.here()
	t.name = p.dotted("a test's name")
	p.tree.tests = append(p.tree.tests, Name{Name: t.name, Place: t.place()})
	if p.isOp("(") {
		t.args = p.arguments()
	} else if p.testArgumentFollows() {
		t.args = &argList{pos: []expr{p.postfix(p.primary())}}
	}
	return t
}

func (p *parser) testArgumentFollows() bool {
	switch t := p.tok(); t.kind {
	case tString, tInt, tFloat:
		return true
	case tOp:
		return t.text == "[" || t.text == "{"
	case tName:
		switch t.text {
		case "is":
			p.fail(t.pos, "tests cannot be chained with is", "write x is a and x is b")
		case "else", "or", "and", "if", "in", "not", "recursive":
			return false
		}
		return true
	}
	return false
}

// arguments reads (a, *b, c=1, **d).
func (p *parser) arguments() *argList {
	p.enter()
	defer p.leave()
	a := &argList{}
	p.needOp("(")
	for n := 0; !p.isOp(")"); n++ {
		if n > 0 {
			p.needOp(",")
			if p.isOp(")") {
				break
			}
		}
		t := p.tok()
		switch {
		case p.skipOp("**"):
			if a.dstar != nil {
				p.fail(t.pos, "only one **mapping is allowed", "")
			}
			a.dstar = p.expression(true)
		case p.skipOp("*"):
			if a.star != nil || a.dstar != nil {
				p.fail(t.pos, "only one *list is allowed, and before **mapping", "")
			}
			a.star = p.expression(true)
		case t.kind == tName && p.peek(1).kind == tOp && p.peek(1).text == "=":
			if a.dstar != nil {
				p.fail(t.pos, "a named argument must stand before **mapping", "")
			}
			p.i += 2
			a.kwNames = append(a.kwNames, t.text)
			a.kwVals = append(a.kwVals, p.expression(true))
		default:
			if a.star != nil || a.dstar != nil || len(a.kwNames) > 0 {
				p.fail(t.pos, "an argument without name follows one with a name", "")
			}
			a.pos = append(a.pos, p.expression(true))
		}
	}
	p.needOp(")")
	return a
}
