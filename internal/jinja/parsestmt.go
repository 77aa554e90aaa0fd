package jinja

func (p *parser) ifStmt() stmt {
	s := &ifStmt{}
	for {
		s.tests = append(s.tests, p.tuple(tupleRule{}))
		p.skipOp(":")
		p.blockEnd()
		s.bodies = append(s.bodies, p.statements("elif", "else", "endif"))
		switch p.advance().text {
		case "elif":
			continue
		case "else":
			s.els = p.body("endif")
		}
		return s
	}
}

func (p *parser) forStmt(at loc) stmt {
	f := &forStmt{loc: at}
	f.target = p.target(tupleRule{end: "in"})
	if !p.skipName("in") {
		p.unexpected("'in'")
	}
	f.iter = p.tuple(tupleRule{end: "recursive"})
	if p.skipName("if") {
		f.filter = p.expression(true)
	}
	f.recursive = p.skipName("recursive")
	p.skipOp(":")
	p.blockEnd()
	p.loops++
	start := p.i
	f.body = p.statements("else", "endfor")
	for _, t := range p.toks[start:p.i] {
		f.mutates = f.mutates || t.kind == tName && mutating[t.text]
	}
	p.loops--
	if p.advance().text == "else" {
		f.els = p.body("endfor")
	}
	return f
}

// target reads what can stand left of an assignment.
func (p *parser) target(rule tupleRule) expr {
	rule.names = true
	t := p.tuple(rule)
	p.checkTarget(t)
	return t
}

func (p *parser) checkTarget(t expr) {
	switch t := t.(type) {
	case *nameExpr, *nsTarget:
		return
	case *tupleExpr:
		for _, x := range t.items {
			p.checkTarget(x)
		}
		return
	}
	p.fail(t.where().off, "cannot assign to this", "")
}

func (p *parser) setStmt(at loc) stmt {
	var target expr
	if p.tok().kind == tName && p.peek(1).text == "." && p.peek(1).kind == tOp {
		name := p.advance().text
		p.i++
		target = &nsTarget{at, name, p.needName("an attribute's name")}
	} else {
		target = p.target(tupleRule{})
	}
	if p.skipOp("=") {
		return &setStmt{at, target, p.tuple(tupleRule{cond: true})}
	}
	s := &setBlockStmt{loc: at, target: target}
	if p.isOp("|") {
		s.filter = p.filters(nil, false)
	}
	s.body = p.body("endset")
	return s
}

func (p *parser) withStmt() stmt {
	s := &withStmt{}
	for p.tok().kind != tBlockEnd {
		if len(s.targets) > 0 {
			p.needOp(",")
		}
		s.targets = append(s.targets, p.target(tupleRule{single: true}))
		p.needOp("=")
		s.vals = append(s.vals, p.expression(true))
	}
	s.body = p.body("endwith")
	return s
}

// signature reads (a, b=1).
func (p *parser) signature(m *macroStmt) {
	p.needOp("(")
	for n := 0; !p.isOp(")"); n++ {
		if n > 0 {
			p.needOp(",")
			if p.isOp(")") {
				break
			}
		}
		at := p.tok().pos
		m.params = append(m.params, p.needName("a parameter's name"))
		if p.skipOp("=") {
			m.defaults = append(m.defaults, p.expression(true))
		} else if len(m.defaults) > 0 {
			p.fail(at, "a parameter without default follows one with default", "")
		}
	}
	p.needOp(")")
}

// macroBody reads the body and notes which of the magic names it uses.
func (p *parser) macroBody(m *macroStmt, end string) {
	start, loops := p.i, p.loops
	p.loops = 0
	m.body = p.body(end)
	p.loops = loops
	for _, t := range p.toks[start:p.i] {
		if t.kind == tName {
			m.caller = m.caller || t.text == "caller"
			m.varargs = m.varargs || t.text == "varargs"
			m.kwargs = m.kwargs || t.text == "kwargs"
		}
	}
}

func (p *parser) macroStmt(at loc) stmt {
	m := &macroStmt{loc: at, name: p.needName("the macro's name")}
	p.signature(m)
	p.macroBody(m, "endmacro")
	return m
}

func (p *parser) callBlock(at loc) stmt {
	s := &callStmt{loc: at, macro: &macroStmt{loc: at, name: "caller"}}
	if p.isOp("(") {
		p.signature(s.macro)
	}
	x := p.expression(true)
	call, ok := x.(*callExpr)
	if !ok {
		p.fail(x.where().off, "expected a call", "")
	}
	s.call = call
	p.macroBody(s.macro, "endcall")
	return s
}

func (p *parser) blockStmt(at loc) stmt {
	b := &blockStmt{loc: at, name: p.needName("the block's name")}
	if _, twice := p.tree.blocks[b.name]; twice {
		p.fail(at.off, "block '"+b.name+"' is defined twice", "")
	}
	p.tree.blocks[b.name] = b
	b.scoped = p.skipName("scoped")
	b.required = p.skipName("required")
	loops := p.loops
	p.loops = 0
	b.body = p.body("endblock")
	p.loops = loops
	if p.tok().kind == tName {
		if name := p.advance(); name.text != b.name {
			p.fail(name.pos, "endblock names '"+name.text+"', the block is '"+b.name+"'", "")
		}
	}
	return b
}

func (p *parser) context(usual bool) bool {
	if (p.isName("with") || p.isName("without")) && p.peek(1).kind == tName && p.peek(1).text == "context" {
		usual = p.advance().text == "with"
		p.i++
	}
	return usual
}

func (p *parser) includeStmt(at loc) stmt {
	s := &includeStmt{loc: at, name: p.expression(true)}
	if p.isName("ignore") && p.peek(1).text == "missing" {
		p.i += 2
		s.ignoreMissing = true
	}
	s.withContext = p.context(true)
	return s
}

func (p *parser) importStmt(at loc) stmt {
	s := &importStmt{loc: at, name: p.expression(true)}
	if !p.skipName("as") {
		p.unexpected("'as'")
	}
	s.target = p.needName("a name")
	s.withContext = p.context(false)
	return s
}

func (p *parser) fromStmt(at loc) stmt {
	s := &importStmt{loc: at, name: p.expression(true)}
	if !p.skipName("import") {
		p.unexpected("'import'")
	}
	for {
		if p.tok().kind == tBlockEnd || len(s.names) > 0 && p.contextFollows() {
			break
		}
		name := p.needName("a name")
		as := name
		if p.skipName("as") {
			as = p.needName("a name")
		}
		s.names = append(s.names, [2]string{name, as})
		if !p.skipOp(",") {
			break
		}
	}
	if len(s.names) == 0 {
		p.unexpected("a name")
	}
	s.withContext = p.context(false)
	return s
}

func (p *parser) contextFollows() bool {
	return (p.isName("with") || p.isName("without")) && p.peek(1).text == "context"
}
