package jinja

import (
	"strings"
	"unicode/utf8"

	"mageprov/internal/fault"
)

// source is the text a tree was made from, with what places need.
type source struct {
	text  string
	place fault.Place
}

// loc is a position in a source.
type loc struct {
	src *source
	off int
}

// place turns an offset into line and column. The first line continues the
// column the source begins at.
func (l loc) place() fault.Place {
	if l.src == nil {
		return fault.Place{}
	}
	p := l.src.place
	before := l.src.text[:min(l.off, len(l.src.text))]
	if p.Line == 0 {
		if p.File != "" {
			return p
		}
		p.Line, p.Col = 1, 1
	}
	if n := strings.Count(before, "\n"); n > 0 {
		p.Line += n
		p.Col = utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	} else if p.Col > 0 {
		p.Col += utf8.RuneCountInString(before)
	}
	return p
}

// An expr is a node of an expression.
type expr interface {
	eval(s *state) (any, error)
	where() loc
}

func (l loc) where() loc { return l }

// A stmt is a node of a template.
type stmt interface {
	exec(s *state, w *output) error
}

type (
	constExpr struct {
		loc
		v any
	}
	nameExpr struct {
		loc
		name string
	}
	listExpr struct {
		loc
		items []expr
	}
	tupleExpr struct {
		loc
		items []expr
	}
	dictExpr struct {
		loc
		keys, vals []expr
	}
	unaryExpr struct { // + - not
		loc
		op string
		x  expr
	}
	binExpr struct { // + - * / // % **
		loc
		op   string
		x, y expr
	}
	logicExpr struct { // and or
		loc
		or   bool
		x, y expr
	}
	concatExpr struct { // ~
		loc
		parts []expr
	}
	compareExpr struct { // a < b <= c
		loc
		first expr
		ops   []string
		rest  []expr
	}
	condExpr struct { // a if test else b; b may be nil
		loc
		test, a, b expr
	}
	attrExpr struct {
		loc
		x    expr
		name string
	}
	itemExpr struct {
		loc
		x, key expr
	}
	sliceExpr struct { // only as the key of an itemExpr
		loc
		lo, hi, step expr
	}
	callExpr struct {
		loc
		fn   expr
		args *argList
	}
	filterExpr struct {
		loc
		x    expr // nil for what a filter block holds
		name string
		args *argList
	}
	testExpr struct {
		loc
		x      expr
		name   string
		args   *argList
		negate bool
	}
)

// argList is what stands in the parentheses of a call.
type argList struct {
	pos         []expr
	kwNames     []string
	kwVals      []expr
	star, dstar expr // *args, **kwargs
}

type (
	dataStmt   struct{ text string }
	outputStmt struct{ x expr }
	ifStmt     struct {
		tests  []expr
		bodies [][]stmt
		els    []stmt
	}
	forStmt struct {
		loc
		target    expr
		iter      expr
		filter    expr
		body, els []stmt
		recursive bool
		mutates   bool // the body calls a method that changes something
	}
	setStmt struct {
		loc
		target expr
		x      expr
	}
	setBlockStmt struct {
		loc
		target expr
		filter expr // chain ending in a filterExpr without input; may be nil
		body   []stmt
	}
	withStmt struct {
		targets, vals []expr
		body          []stmt
	}
	macroStmt struct {
		loc
		name                    string
		params                  []string
		defaults                []expr // of the last params
		body                    []stmt
		caller, varargs, kwargs bool // names the body uses
	}
	callStmt struct {
		loc
		call  *callExpr
		macro *macroStmt
	}
	filterStmt struct {
		filter expr
		body   []stmt
	}
	blockStmt struct {
		loc
		name             string
		scoped, required bool
		body             []stmt
	}
	extendsStmt struct {
		loc
		name expr
	}
	includeStmt struct {
		loc
		name                       expr
		ignoreMissing, withContext bool
	}
	importStmt struct {
		loc
		name        expr
		target      string // "" for from import
		names       [][2]string
		withContext bool
	}
	doStmt    struct{ x expr }
	groupStmt struct{ body []stmt } // autoescape
	jumpStmt  struct{ err error }   // break, continue
	// nsTarget assigns to an attribute of a namespace.
	nsTarget struct {
		loc
		name, attr string
	}
)

func (*nsTarget) eval(*state) (any, error)  { return nil, nil }
func (*sliceExpr) eval(*state) (any, error) { return nil, nil }

// tree is a parsed source.
type tree struct {
	src     *source
	body    []stmt
	expr    expr // set for a bare expression
	only    expr // set where the source is one {{ }} and nothing else
	blocks  map[string]*blockStmt
	filters []Name
	tests   []Name
}
