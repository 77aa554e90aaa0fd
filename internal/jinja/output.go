package jinja

import "strings"

// output gathers what a template puts out. While that is one value only, it
// stays native; the first addition turns it into text.
type output struct {
	b      strings.Builder
	native bool
	one    any
	held   bool // one holds a value that is not in b yet
	mute   bool // behind extends nothing is put out
}

func (w *output) write(s string) error {
	if w.mute || s == "" {
		return nil
	}
	w.flush()
	if w.b.Len()+len(s) > maxString {
		return errTooLarge("output")
	}
	w.b.WriteString(s)
	return nil
}

// put adds the value of an expression. None is nothing in text.
func (w *output) put(v any) error {
	if w.mute {
		return nil
	}
	if w.native && !w.held && w.b.Len() == 0 {
		w.one, w.held = v, true
		return nil
	}
	return w.write(outText(v))
}

func (w *output) flush() {
	if w.held {
		w.held = false
		w.b.WriteString(outText(w.one))
	}
}

// outText is how a value stands in text.
func outText(v any) string {
	if v == nil {
		return ""
	}
	return Str(v)
}

func (w *output) text() string {
	w.flush()
	return w.b.String()
}

func (w *output) value() any {
	if w.held {
		return w.one
	}
	return w.b.String()
}
