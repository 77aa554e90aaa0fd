package jinja

import "maps"

// Uses lists the free variables, filters and tests of t with their places, for
// lint. A variable is guarded where the source itself asks whether it is there.
func (e *Env) Uses(t *Text) (names, filters, tests []Name, err error) {
	tr, err := parseCached(t, e.syntaxOf(t.Expr))
	if err != nil {
		return nil, nil, nil, err
	}
	u := &uses{env: e, bound: map[string]bool{}, guards: map[string]int{}}
	if tr.expr != nil {
		u.expr(tr.expr, false)
	}
	u.body(tr.body)
	return u.names, tr.filters, tr.tests, nil
}

// uses walks a tree and keeps track of the names that the template itself sets.
type uses struct {
	env    *Env
	names  []Name
	bound  map[string]bool
	guards map[string]int
}

// scoped runs f in an inner scope with further names.
func (u *uses) scoped(f func(), names ...string) {
	outer := u.bound
	u.bound = maps.Clone(outer)
	for _, n := range names {
		u.bound[n] = true
	}
	f()
	u.bound = outer
}

// guarded runs f where the given names are known to be there.
func (u *uses) guarded(names []string, f func()) {
	for _, n := range names {
		u.guards[n]++
	}
	f()
	for _, n := range names {
		u.guards[n]--
	}
}

func (u *uses) bind(target expr) {
	switch t := target.(type) {
	case *nameExpr:
		u.bound[t.name] = true
	case *tupleExpr:
		for _, x := range t.items {
			u.bind(x)
		}
	}
}

func (u *uses) exprs(xs []expr) {
	for _, x := range xs {
		u.expr(x, false)
	}
}

func (u *uses) args(a *argList) {
	if a != nil {
		u.exprs(a.pos)
		u.exprs(a.kwVals)
		u.expr(a.star, false)
		u.expr(a.dstar, false)
	}
}

// expr walks x; maybe says that its value may be undefined.
func (u *uses) expr(x expr, maybe bool) {
	switch x := x.(type) {
	case *nameExpr:
		if _, global := u.env.Globals[x.name]; !u.bound[x.name] && !global {
			u.names = append(u.names, Name{x.name, x.place(), maybe || u.guards[x.name] > 0})
		}
	case *attrExpr:
		u.expr(x.x, maybe)
	case *itemExpr:
		u.expr(x.x, maybe)
		u.expr(x.key, false)
	case *sliceExpr:
		u.exprs([]expr{x.lo, x.hi, x.step})
	case *listExpr:
		u.exprs(x.items)
	case *tupleExpr:
		u.exprs(x.items)
	case *dictExpr:
		u.exprs(x.keys)
		u.exprs(x.vals)
	case *unaryExpr:
		u.expr(x.x, false)
	case *binExpr:
		u.exprs([]expr{x.x, x.y})
	case *concatExpr:
		u.exprs(x.parts)
	case *compareExpr:
		u.expr(x.first, false)
		u.exprs(x.rest)
	case *logicExpr:
		u.expr(x.x, false)
		u.guarded(known(x.x, !x.or), func() { u.expr(x.y, maybe) })
	case *condExpr:
		u.expr(x.test, false)
		u.guarded(known(x.test, true), func() { u.expr(x.a, maybe) })
		u.guarded(known(x.test, false), func() { u.expr(x.b, maybe) })
	case *callExpr:
		u.expr(x.fn, false)
		u.args(x.args)
	case *filterExpr:
		_, name := u.env.filter(x.name)
		u.expr(x.x, u.env.TakesUndefined[name])
		u.args(x.args)
	case *testExpr:
		_, name := u.env.test(x.name)
		u.expr(x.x, u.env.TakesUndefined[name])
		u.args(x.args)
	}
}

// known lists the variables that are there if x is true, or if it is false.
func known(x expr, truth bool) []string {
	switch x := x.(type) {
	case *testExpr:
		if x.name == "defined" && x.negate != truth || x.name == "undefined" && x.negate == truth {
			return rootName(x.x)
		}
	case *unaryExpr:
		if x.op == "not" {
			return known(x.x, !truth)
		}
	case *logicExpr:
		if x.or != truth {
			return append(known(x.x, truth), known(x.y, truth)...)
		}
	}
	return nil
}

func rootName(x expr) []string {
	for {
		switch y := x.(type) {
		case *nameExpr:
			return []string{y.name}
		case *attrExpr:
			x = y.x
		case *itemExpr:
			x = y.x
		default:
			return nil
		}
	}
}

func (u *uses) body(body []stmt) {
	for _, s := range body {
		u.stmt(s)
	}
}

func (u *uses) stmt(s stmt) {
	switch s := s.(type) {
	case *outputStmt:
		u.expr(s.x, false)
	case *doStmt:
		u.expr(s.x, false)
	case *ifStmt:
		u.ifStmt(s, 0)
	case *forStmt:
		u.expr(s.iter, false)
		u.scoped(func() {
			u.bind(s.target)
			u.expr(s.filter, false)
			u.guarded(known(s.filter, true), func() { u.body(s.body) })
		}, "loop")
		u.scoped(func() { u.body(s.els) })
	case *setStmt:
		u.expr(s.x, false)
		u.bind(s.target)
	case *setBlockStmt:
		u.scoped(func() { u.body(s.body) })
		u.expr(s.filter, false)
		u.bind(s.target)
	case *withStmt:
		u.exprs(s.vals)
		u.scoped(func() {
			for _, t := range s.targets {
				u.bind(t)
			}
			u.body(s.body)
		})
	case *macroStmt:
		u.bound[s.name] = true
		u.macro(s)
	case *callStmt:
		u.expr(s.call, false)
		u.macro(s.macro)
	case *filterStmt:
		u.expr(s.filter, false)
		u.scoped(func() { u.body(s.body) })
	case *blockStmt:
		u.scoped(func() { u.body(s.body) }, "super", "self")
	case *groupStmt:
		u.scoped(func() { u.body(s.body) })
	case *extendsStmt:
		u.expr(s.name, false)
	case *includeStmt:
		u.expr(s.name, false)
	case *importStmt:
		u.expr(s.name, false)
		u.bound[s.target] = true
		for _, n := range s.names {
			u.bound[n[1]] = true
		}
	}
}

// ifStmt walks branch i and those after it, which run where its test is false.
func (u *uses) ifStmt(s *ifStmt, i int) {
	if i == len(s.tests) {
		u.body(s.els)
		return
	}
	u.expr(s.tests[i], false)
	u.guarded(known(s.tests[i], true), func() { u.body(s.bodies[i]) })
	u.guarded(known(s.tests[i], false), func() { u.ifStmt(s, i+1) })
}

func (u *uses) macro(m *macroStmt) {
	u.exprs(m.defaults)
	u.scoped(func() { u.body(m.body) }, append([]string{"caller", "varargs", "kwargs"}, m.params...)...)
}
