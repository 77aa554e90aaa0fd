package jinja

import "mageprov/internal/fault"

func (x *forStmt) exec(s *state, w *output) error {
	if x.mutates {
		if err := s.localise(x.iter); err != nil {
			return err
		}
	}
	v, err := x.iter.eval(s)
	if err != nil {
		return err
	}
	return x.over(s, w, v, 0)
}

// over walks v. It is called again by loop(...) in a recursive loop.
func (x *forStmt) over(s *state, w *output, v any, depth int) error {
	items, err := x.items(s, v)
	if err != nil {
		return err
	}
	outer := s.frame
	defer func() { s.frame = outer }()
	if len(items) == 0 {
		s.push()
		return s.run(x.els, w)
	}
	l := &loop{items: items, depth: depth, at: x.loc}
	if x.recursive {
		l.again = func(c *Call) (any, error) { return x.recurse(s, outer, c, depth+1) }
	}
	for l.i = range items {
		if err := s.tick(); err != nil {
			return locate(err, x.loc)
		}
		s.frame = &frame{up: outer, names: []string{"loop"}, vals: []any{l}}
		v, err := s.force(items[l.i], x.loc)
		if err != nil {
			return err
		}
		if err := s.assign(x.target, v, x.loc); err != nil {
			return err
		}
		if err := s.run(x.body, w); err == errBreak {
			break
		} else if err != nil && err != errContinue {
			return err
		}
	}
	return nil
}

// items lists what to walk, the filter applied.
func (x *forStmt) items(s *state, v any) ([]any, error) {
	v, err := s.force(v, x.iter.where())
	if err != nil {
		return nil, err
	}
	if u, ok := v.(*Undefined); ok {
		return nil, s.undefined(u, x.iter.where())
	}
	items, err := Iterate(s.ctx, v)
	if err != nil {
		return nil, locate(err, x.iter.where())
	}
	if x.filter == nil {
		// the body may append to the list it walks
		return append([]any(nil), items...), nil
	}
	var kept []any
	s.push()
	defer s.pop()
	for _, item := range items {
		if err := s.tick(); err != nil {
			return nil, locate(err, x.loc)
		}
		if item, err = s.force(item, x.loc); err != nil {
			return nil, err
		}
		if err := s.assign(x.target, item, x.loc); err != nil {
			return nil, err
		}
		yes, err := s.truth(x.filter)
		if err != nil {
			return nil, err
		}
		if yes {
			kept = append(kept, item)
		}
	}
	return kept, nil
}

// recurse is loop(items) in the body of a recursive loop.
func (x *forStmt) recurse(s *state, outer *frame, c *Call, depth int) (any, error) {
	p := c.bind("iterable")
	p.need(1)
	if p.err != nil {
		return nil, p.err
	}
	here := s.frame
	defer func() { s.frame = here }()
	s.frame = outer
	w := &output{}
	if err := x.over(s, w, p.any(0, nil), depth); err != nil {
		return nil, err
	}
	return w.text(), nil
}

// loop is the variable of that name inside a for.
type loop struct {
	items []any
	i     int
	depth int
	at    loc
	again func(*Call) (any, error)
	last  []any // what changed() saw
	seen  bool
}

func (*loop) engineCallable()  {}
func (*loop) TypeName() string { return "LoopContext" }

// Call is loop(items).
func (l *loop) Call(c *Call) (any, error) {
	if l.again == nil {
		return nil, fault.New("the loop must have the 'recursive' marker to be called")
	}
	return l.again(c)
}

// Attr implements Object.
func (l *loop) Attr(name string) (any, bool) {
	n := len(l.items)
	switch name {
	case "index":
		return int64(l.i + 1), true
	case "index0":
		return int64(l.i), true
	case "revindex":
		return int64(n - l.i), true
	case "revindex0":
		return int64(n - l.i - 1), true
	case "first":
		return l.i == 0, true
	case "last":
		return l.i == n-1, true
	case "length":
		return int64(n), true
	case "depth":
		return int64(l.depth + 1), true
	case "depth0":
		return int64(l.depth), true
	case "previtem":
		if l.i > 0 {
			return l.items[l.i-1], true
		}
		return &Undefined{Msg: "there is no previous item", Place: l.at.place()}, true
	case "nextitem":
		if l.i < n-1 {
			return l.items[l.i+1], true
		}
		return &Undefined{Msg: "there is no next item", Place: l.at.place()}, true
	case "cycle":
		return Func(l.cycle), true
	case "changed":
		return Func(l.changed), true
	}
	return nil, false
}

func (l *loop) cycle(c *Call) (any, error) {
	if len(c.Args) == 0 {
		return nil, fault.New("no items for cycling given")
	}
	return c.Args[l.i%len(c.Args)], nil
}

func (l *loop) changed(c *Call) (any, error) {
	if l.seen && Equal(Tuple(l.last), Tuple(c.Args)) {
		return false, nil
	}
	l.seen, l.last = true, append([]any(nil), c.Args...)
	return true, nil
}
