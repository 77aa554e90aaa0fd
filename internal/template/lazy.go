package template

import (
	"context"
	"fmt"

	"mageprov/internal/jinja"
)

// lazy is an element of a container that is rendered when it is read, once.
type lazy struct {
	s    *Scope
	raw  any
	name string // path from the variable, for messages: "users[0].home"
	done bool
	val  any
	err  error
}

// Force renders the element.
func (l *lazy) Force(ctx context.Context) (any, error) {
	if l.done {
		return l.val, l.err
	}
	val, err := l.s.read(ctx, l.name, l.raw)
	if ctx.Err() != nil {
		return val, err
	}
	l.done, l.val, l.err = true, val, err
	return val, err
}

// bind copies a container whose elements hold templates, so that reading one
// element renders that element alone: x.a works although x.b is undefined.
func (s *Scope) bind(v any, name string) any {
	switch v := v.(type) {
	case *jinja.List:
		out := &jinja.List{Items: make([]any, len(v.Items))}
		for i, x := range v.Items {
			out.Items[i] = s.bindElement(x, name, i)
		}
		return out
	case *jinja.Dict:
		out := &jinja.Dict{}
		for k, x := range v.All() {
			out.Set(k, s.bindElement(x, name, k))
		}
		return out
	}
	return v
}

func (s *Scope) bindElement(x any, name string, key any) any {
	if jinja.IsTemplated(x) {
		if k, ok := key.(string); ok {
			name += "." + k
		} else {
			name += fmt.Sprintf("[%v]", key)
		}
		return &lazy{s: s, raw: x, name: name}
	}
	if s.fresh {
		return copied(x)
	}
	return x
}

// copied is a deep copy of a container's lists and dictionaries. Templates that
// call append, update and the like must not reach the variables all hosts share.
func copied(v any) any {
	switch v := v.(type) {
	case *jinja.List:
		out := &jinja.List{Items: make([]any, len(v.Items)), Templated: v.Templated}
		for i, x := range v.Items {
			out.Items[i] = copied(x)
		}
		return out
	case *jinja.Dict:
		out := &jinja.Dict{Templated: v.Templated}
		for k, x := range v.All() {
			out.Set(k, copied(x))
		}
		return out
	}
	return v
}
