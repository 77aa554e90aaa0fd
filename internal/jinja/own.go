package jinja

// mutating names the methods that change the value they belong to.
var mutating = map[string]bool{
	"append": true, "extend": true, "insert": true, "pop": true, "remove": true, "sort": true, "reverse": true, "clear": true,
	"update": true, "setdefault": true, "popitem": true, "__setitem__": true,
}

// localise makes a copy, for this rendering alone, of the caller's variable that
// x reads, before a method changes it: variables are shared by hosts that are
// worked on at the same time.
func (s *state) localise(x expr) error {
	name, v, err := s.callers(x)
	if err != nil || name == "" {
		return err
	}
	if s.root == nil {
		s.frame = &frame{up: s.frame}
		s.root = s.frame
	}
	s.root.set(name, copyDeep(v, 0))
	return nil
}

// callers gives the caller's list or dictionary that x reads from; "" if it
// reads none.
func (s *state) callers(x expr) (string, any, error) {
	names := rootName(origin(x))
	if names == nil || s.scope == nil {
		return "", nil, nil
	}
	if _, own := s.frame.get(names[0]); own {
		return "", nil, nil
	}
	v, ok, err := s.scope.Lookup(s.ctx, names[0])
	if err != nil || !ok {
		return "", nil, nil // whoever reads it gets the error
	}
	if v, err = s.force(v, x.where()); err != nil {
		return "", nil, err
	}
	switch v.(type) {
	case *List, *Dict, Tuple:
		return names[0], v, nil
	}
	return "", nil, nil
}

// origin gives what a chain of filters and method calls begins with.
func origin(x expr) expr {
	for {
		switch y := x.(type) {
		case *filterExpr:
			if y.x == nil {
				return x
			}
			x = y.x
		case *callExpr:
			fn, ok := y.fn.(*attrExpr)
			if !ok {
				return x
			}
			x = fn.x
		case *attrExpr:
			x = y.x
		case *itemExpr:
			x = y.x
		default:
			return x
		}
	}
}

// copyDeep copies lists and dictionaries; what is computed on reading stays.
func copyDeep(v any, depth int) any {
	if depth > maxDepth {
		return v
	}
	switch v := v.(type) {
	case *List:
		l := &List{Items: make([]any, len(v.Items)), Templated: v.Templated}
		for i, x := range v.Items {
			l.Items[i] = copyDeep(x, depth+1)
		}
		return l
	case Tuple:
		t := make(Tuple, len(v))
		for i, x := range v {
			t[i] = copyDeep(x, depth+1)
		}
		return t
	case *Dict:
		d := v.Clone()
		for i, x := range d.vals {
			d.vals[i] = copyDeep(x, depth+1)
		}
		return d
	}
	return v
}
