package jinja

import "mageprov/internal/fault"

// macro is a macro bound to the names in view where it was defined.
type macro struct {
	def   *macroStmt
	state *state
	frame *frame
}

func (*macro) engineCallable()  {}
func (*macro) TypeName() string { return "Macro" }
func (m *macro) String() string { return "<Macro " + reprString(m.def.name) + ">" }

// Attr implements Object.
func (m *macro) Attr(name string) (any, bool) {
	switch name {
	case "name":
		return m.def.name, true
	case "arguments":
		t := make(Tuple, len(m.def.params))
		for i, p := range m.def.params {
			t[i] = p
		}
		return t, true
	case "caller":
		return m.def.caller, true
	case "catch_varargs":
		return m.def.varargs, true
	case "catch_kwargs":
		return m.def.kwargs, true
	}
	return nil, false
}

func (x *macroStmt) exec(s *state, _ *output) error {
	s.frame.set(x.name, &macro{x, s, s.frame})
	return nil
}

func (x *callStmt) exec(s *state, w *output) error {
	name, fn, err := x.call.function(s)
	if err != nil {
		return err
	}
	if u, ok := fn.(*Undefined); ok {
		return s.undefined(u, x.call.fn.where())
	}
	f, ok := fn.(Callable)
	if !ok {
		return s.fail(x.loc, "'%s' object is not callable", TypeName(fn))
	}
	c, err := s.call(x.call.args, x.call.loc, name)
	if err != nil {
		return err
	}
	c.Kwargs = append(c.Kwargs, Kwarg{"caller", &macro{x.macro, s, s.frame}})
	if err := s.enter(x.loc); err != nil {
		return err
	}
	v, err := f.Call(c)
	s.leave()
	if err != nil {
		return locate(err, x.loc)
	}
	return locate(w.write(outText(v)), x.loc)
}

// Call renders the macro's body.
func (m *macro) Call(c *Call) (any, error) {
	s := m.state
	here := s.frame
	defer func() { s.frame = here }()
	depth, ctx := s.depth, s.ctx
	if c.state != nil { // a macro of another template, imported
		s.depth, s.ctx = c.state.depth, c.state.ctx
		defer func() { s.depth, s.ctx = depth, ctx }()
	}
	s.frame = &frame{up: m.frame}
	if err := m.bind(s, c); err != nil {
		return nil, err
	}
	w := &output{}
	if err := s.run(m.def.body, w); err != nil {
		return nil, err
	}
	return w.text(), nil
}

// bind gives the parameters their values.
func (m *macro) bind(s *state, c *Call) error {
	d := m.def
	kw := map[string]any{}
	for _, k := range c.Kwargs {
		kw[k.Name] = k.Value
	}
	for i, name := range d.params {
		v, named := kw[name]
		if named {
			delete(kw, name)
		}
		switch {
		case i < len(c.Args):
			if named {
				return fault.New("macro '%s' got two values for argument '%s'", d.name, name)
			}
			v = c.Args[i]
		case named:
		default:
			j := i - (len(d.params) - len(d.defaults))
			if j < 0 {
				v = &Undefined{Name: name, Msg: "parameter '" + name + "' was not provided", Place: c.Place}
				break
			}
			var err error
			if v, err = d.defaults[j].eval(s); err != nil {
				return err
			}
		}
		s.frame.set(name, v)
	}
	if caller, ok := kw["caller"]; ok {
		if !d.caller {
			return fault.New("macro '%s' takes no caller: its body does not use caller()", d.name)
		}
		s.frame.set("caller", caller)
		delete(kw, "caller")
	} else if d.caller {
		if _, set := s.frame.get("caller"); !set || d.name != "caller" {
			s.frame.set("caller", &Undefined{Name: "caller", Msg: "no caller defined", Place: c.Place})
		}
	}
	return m.bindRest(s, c, kw)
}

func (m *macro) bindRest(s *state, c *Call, kw map[string]any) error {
	d := m.def
	if d.varargs {
		var rest Tuple
		if len(c.Args) > len(d.params) {
			rest = append(rest, c.Args[len(d.params):]...)
		}
		s.frame.set("varargs", rest)
	} else if len(c.Args) > len(d.params) {
		return fault.New("macro '%s' takes not more than %d argument(s)", d.name, len(d.params))
	}
	if d.kwargs {
		rest := &Dict{}
		for _, k := range c.Kwargs {
			if v, ok := kw[k.Name]; ok {
				rest.Set(k.Name, v)
			}
		}
		s.frame.set("kwargs", rest)
		return nil
	}
	for name := range kw {
		return fault.New("macro '%s' takes no keyword argument '%s'", d.name, name).WithHint("%s", fault.DidYouMean(name, d.params))
	}
	return nil
}
