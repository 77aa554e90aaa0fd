package template

import (
	"fmt"
	"math"
	"math/big"
	"sort"
	"strings"

	"mageprov/internal/jinja"
)

// yamlOptions are the arguments of PyYAML's dump that playbooks use.
type yamlOptions struct {
	Indent     int
	Width      int
	Unsorted   bool // keep the order of keys
	Flow       bool // everything in one line: {a: [1, 2]}
	FlowLeaves bool // lists and dictionaries that hold only scalars in one line
	ASCII      bool
	Start, End bool // write --- and ...
}

// yamlDepth bounds nesting: what is deeper is a list that contains itself.
const yamlDepth = 200

// dumpYAML writes v byte for byte as PyYAML with libyaml does, since files that Ansible
// wrote must not change when this program writes them again.
func dumpYAML(v any, o yamlOptions) (string, error) {
	w := &yamlWriter{o: o, indent: -1, whitespace: true, indention: true, step: 2, width: 80}
	if o.Indent > 1 && o.Indent < 10 {
		w.step = o.Indent
	}
	if o.Width > 2*w.step {
		w.width = o.Width
	}
	if o.Start {
		w.indicator("---", true, false, false)
	}
	if err := w.node(v, standing{}, 0); err != nil {
		return "", err
	}
	w.newIndent()
	if o.End {
		w.indicator("...", true, false, false)
		w.newIndent()
	}
	return w.b.String(), nil
}

// standing is where a node stands.
type standing struct{ mapping, key bool }

// yamlWriter keeps track of the column and of what stands before it in the
// line, because line folding and compact nesting ("- - a") depend on them.
type yamlWriter struct {
	o           yamlOptions
	b           strings.Builder
	step, width int
	indent      int // -1: outside of any collection
	flow        int
	column      int
	whitespace  bool // the last thing written was a blank
	indention   bool // only blanks and indicators so far in this line
}

func (w *yamlWriter) put(s string) {
	w.b.WriteString(s)
	w.column += len([]rune(s))
}

func (w *yamlWriter) lineBreak(s string) {
	w.b.WriteString(s)
	w.column, w.whitespace, w.indention = 0, true, true
}

// newIndent starts a line at the current indent, unless it has just been started.
func (w *yamlWriter) newIndent() {
	indent := max(w.indent, 0)
	if !w.indention || w.column > indent || w.column == indent && !w.whitespace {
		w.lineBreak("\n")
	}
	if w.column < indent {
		w.whitespace = true
		w.put(strings.Repeat(" ", indent-w.column))
	}
}

func (w *yamlWriter) indicator(s string, spaced, whitespace, indention bool) {
	if !w.whitespace && spaced {
		s = " " + s
	}
	w.whitespace = whitespace
	w.indention = w.indention && indention
	w.put(s)
}

// deeper sets the indent for a collection and returns the one to go back to.
func (w *yamlWriter) deeper(flow, indentless bool) int {
	old := w.indent
	switch {
	case old < 0 && flow:
		w.indent = w.step
	case old < 0:
		w.indent = 0
	case !indentless:
		w.indent += w.step
	}
	return old
}

func (w *yamlWriter) node(v any, at standing, depth int) error {
	if depth > yamlDepth {
		return fmt.Errorf("the value is nested too deeply for YAML")
	}
	switch v := v.(type) {
	case *jinja.List:
		return w.sequence(v.Items, at, depth)
	case jinja.Tuple:
		return w.sequence(v, at, depth)
	case *jinja.Dict:
		return w.mapping(v, depth)
	case *jinja.Undefined:
		return v.Err()
	}
	s, isText, err := scalarText(v)
	if err != nil {
		return err
	}
	w.scalar(s, isText, at)
	return nil
}

// scalarText gives the text of a scalar, and whether it is a string by nature.
func scalarText(v any) (s string, isText bool, err error) {
	switch v := v.(type) {
	case nil:
		return "null", false, nil
	case bool:
		if v {
			return "true", false, nil
		}
		return "false", false, nil
	case int64, *big.Int:
		return jinja.Repr(v), false, nil
	case float64:
		return yamlFloat(v), false, nil
	case string:
		return v, true, nil
	case timeValue:
		return v.String(), false, nil
	}
	return "", false, fmt.Errorf("a value of type %s cannot be written as YAML", jinja.TypeName(v))
}

func yamlFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return ".nan"
	case math.IsInf(f, 1):
		return ".inf"
	case math.IsInf(f, -1):
		return "-.inf"
	}
	s := jinja.Repr(f)
	if !strings.Contains(s, ".") && strings.Contains(s, "e") {
		s = strings.Replace(s, "e", ".0e", 1) // YAML 1.1 wants a point
	}
	return s
}

// inOneLine says whether a collection of these values is written in flow style.
func (w *yamlWriter) inOneLine(size int, values func(func(any) bool)) bool {
	if w.flow > 0 || w.o.Flow || size == 0 {
		return true
	}
	if !w.o.FlowLeaves {
		return false
	}
	leaf := true
	values(func(v any) bool {
		switch v.(type) {
		case *jinja.List, jinja.Tuple, *jinja.Dict:
			leaf = false
		}
		return leaf
	})
	return leaf
}

func (w *yamlWriter) sequence(items []any, at standing, depth int) error {
	each := func(yield func(any) bool) {
		for _, x := range items {
			if !yield(x) {
				return
			}
		}
	}
	if w.inOneLine(len(items), each) {
		w.indicator("[", true, true, false)
		old := w.deeper(true, false)
		w.flow++
		for i, x := range items {
			w.separate(i)
			if err := w.node(x, standing{}, depth+1); err != nil {
				return err
			}
		}
		w.indent = old
		w.flow--
		w.indicator("]", false, false, false)
		return nil
	}
	old := w.deeper(false, at.mapping && !w.indention)
	for _, x := range items {
		w.newIndent()
		w.indicator("-", true, false, true)
		if err := w.node(x, standing{}, depth+1); err != nil {
			return err
		}
	}
	w.indent = old
	return nil
}

// separate writes what stands before element i of a flow collection.
func (w *yamlWriter) separate(i int) {
	if i > 0 {
		w.indicator(",", false, false, false)
	}
	if w.column > w.width {
		w.newIndent()
	}
}

func (w *yamlWriter) mapping(d *jinja.Dict, depth int) error {
	keys := d.Keys()
	if !w.o.Unsorted {
		keys = sortedKeys(keys)
	}
	each := func(yield func(any) bool) {
		for k, x := range d.All() {
			if !yield(k) || !yield(x) {
				return
			}
		}
	}
	if w.inOneLine(d.Len(), each) {
		w.indicator("{", true, true, false)
		old := w.deeper(true, false)
		w.flow++
		for i, k := range keys {
			w.separate(i)
			if err := w.entry(d, k, depth); err != nil {
				return err
			}
		}
		w.indent = old
		w.flow--
		w.indicator("}", false, false, false)
		return nil
	}
	old := w.deeper(false, false)
	for _, k := range keys {
		w.newIndent()
		if err := w.entry(d, k, depth); err != nil {
			return err
		}
	}
	w.indent = old
	return nil
}

// entry writes "key: value", or "? key" and ": value" for a key that is long.
func (w *yamlWriter) entry(d *jinja.Dict, k any, depth int) error {
	v, _ := d.Get(k)
	block := w.flow == 0
	if simpleKey(k) {
		if err := w.node(k, standing{mapping: true, key: true}, depth+1); err != nil {
			return err
		}
		w.indicator(":", false, false, false)
		return w.node(v, standing{mapping: true}, depth+1)
	}
	w.indicator("?", true, false, block)
	if err := w.node(k, standing{mapping: true}, depth+1); err != nil {
		return err
	}
	if block {
		w.newIndent()
	} else if w.column > w.width {
		w.newIndent()
	}
	w.indicator(":", true, false, block)
	return w.node(v, standing{mapping: true}, depth+1)
}

func simpleKey(k any) bool {
	if t, ok := k.(jinja.Tuple); ok {
		return len(t) == 0
	}
	s, _, err := scalarText(k)
	return err == nil && len([]rune(s)) < 128 && !strings.ContainsAny(s, "\n\u0085\u2028\u2029")
}

// sortedKeys orders keys as Python does, or leaves them when they have no order.
func sortedKeys(keys []any) []any {
	out := append([]any(nil), keys...)
	ok := true
	sort.SliceStable(out, func(i, j int) bool {
		c, err := jinja.Compare(out[i], out[j])
		ok = ok && err == nil
		return c < 0
	})
	if !ok {
		return keys
	}
	return out
}
