package jinja

import (
	"errors"
	"io/fs"
	"strings"

	"mageprov/internal/fault"
)

// load finds a template by name and parses it.
func (s *state) load(v any, at loc) (*tree, error) {
	name, ok := v.(string)
	if !ok {
		return nil, s.fail(at, "the name of a template must be text, not %s", TypeName(v))
	}
	if s.env.Load == nil {
		return nil, &fault.Error{Place: at.place(), Msg: "template '" + name + "' cannot be loaded here", Err: fs.ErrNotExist}
	}
	t, err := s.env.Load(s.ctx, name)
	if err != nil {
		return nil, locate(err, at)
	}
	if t == nil {
		return nil, &fault.Error{Place: at.place(), Msg: "template '" + name + "'", Err: fs.ErrNotExist}
	}
	return s.env.parse(t, false)
}

func (x *extendsStmt) exec(s *state, w *output) error {
	if s.parent != nil {
		return s.fail(x.loc, "a template extends only one other")
	}
	v, err := s.value(x.name)
	if err != nil {
		return err
	}
	s.parent, err = s.load(v, x.loc)
	w.mute = true
	return err
}

func (x *blockStmt) exec(s *state, w *output) error {
	if s.parent != nil || w.mute {
		return nil
	}
	chain := s.blocks[x.name]
	if len(chain) == 0 {
		chain = []*blockStmt{x}
	}
	if chain[0].required {
		return s.fail(x.loc, "required block '%s' is not defined", x.name)
	}
	if err := s.enter(x.loc); err != nil {
		return err
	}
	defer s.leave()
	here := s.frame
	defer func() { s.frame = here }()
	from := s.root
	if x.scoped || chain[0].scoped {
		from = here
	}
	return s.block(chain, 0, from, w)
}

// block runs one definition of a block; super() is the next one.
func (s *state) block(chain []*blockStmt, i int, from *frame, w *output) error {
	super := &superBlock{s: s, chain: chain, i: i + 1, from: from}
	s.frame = &frame{up: from, names: []string{"super"}, vals: []any{super}}
	return s.run(chain[i].body, w)
}

type superBlock struct {
	s     *state
	chain []*blockStmt
	i     int
	from  *frame
}

func (b *superBlock) Call(*Call) (any, error) {
	if b.i >= len(b.chain) {
		return nil, fault.New("there is no parent block called '%s'", b.chain[0].name)
	}
	here := b.s.frame
	defer func() { b.s.frame = here }()
	w := &output{}
	err := b.s.block(b.chain, b.i, b.from, w)
	return w.text(), err
}

// Attr implements Object.
func (b *superBlock) Attr(name string) (any, bool) {
	if name == "super" && b.i < len(b.chain) {
		return &superBlock{b.s, b.chain, b.i + 1, b.from}, true
	}
	return nil, false
}

// selfBlocks is `self`: its attributes are the blocks of the template.
type selfBlocks struct{ s *state }

// Attr implements Object.
func (b *selfBlocks) Attr(name string) (any, bool) {
	chain := b.s.blocks[name]
	if len(chain) == 0 {
		return nil, false
	}
	return &superBlock{b.s, chain, 0, b.s.root}, true
}

func (x *includeStmt) exec(s *state, w *output) error {
	if w.mute {
		return nil
	}
	v, err := s.value(x.name)
	if err != nil {
		return err
	}
	names := []any{v}
	switch v := v.(type) {
	case *List:
		names = v.Items
	case Tuple:
		names = v
	}
	var tr *tree
	err = s.fail(x.loc, "none of the templates was found")
	for _, name := range names {
		if tr, err = s.load(name, x.loc); err == nil || !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		if x.ignoreMissing && (errors.Is(err, fs.ErrNotExist) || len(names) == 0) {
			return nil
		}
		return err
	}
	return s.enclosed(tr, x.loc, x.withContext, w)
}

// enclosed runs another template; with context it sees the names of this one.
func (s *state) enclosed(tr *tree, at loc, withContext bool, w *output) error {
	if err := s.enter(at); err != nil {
		return err
	}
	defer s.leave()
	sub := &state{ctx: s.ctx, env: s.env, depth: s.depth}
	if withContext {
		sub.scope, sub.frame = s.scope, s.frame
	}
	inner := &output{}
	if err := sub.template(tr, inner); err != nil {
		return err
	}
	return locate(w.write(inner.text()), at)
}

// module is an imported template: its top-level names.
type module struct {
	name  string
	frame *frame
	text  string
}

// Attr implements Object.
func (m *module) Attr(name string) (any, bool) {
	if strings.HasPrefix(name, "_") {
		return nil, false
	}
	for i, n := range m.frame.names {
		if n == name {
			return m.frame.vals[i], true
		}
	}
	return nil, false
}

func (m *module) TypeName() string { return "TemplateModule" }
func (m *module) String() string   { return m.text }

func (x *importStmt) exec(s *state, _ *output) error {
	v, err := s.value(x.name)
	if err != nil {
		return err
	}
	tr, err := s.load(v, x.loc)
	if err != nil {
		return err
	}
	if err := s.enter(x.loc); err != nil {
		return err
	}
	defer s.leave()
	sub := &state{ctx: s.ctx, env: s.env, depth: s.depth}
	if x.withContext {
		sub.scope, sub.frame = s.scope, s.frame
	}
	w := &output{}
	if err := sub.template(tr, w); err != nil {
		return err
	}
	m := &module{Str(v), sub.root, w.text()}
	if x.target != "" {
		s.frame.set(x.target, m)
		return nil
	}
	for _, n := range x.names {
		got, ok := m.Attr(n[0])
		if !ok {
			got = &Undefined{Name: n[0], Msg: "the template '" + m.name + "' does not export '" + n[0] + "'", Place: x.place()}
		}
		s.frame.set(n[1], got)
	}
	return nil
}
