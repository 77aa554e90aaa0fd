// Package document reads YAML (and JSON, which is YAML) into the values of the
// template language and remembers where every value stood. It reads YAML 1.1 as
// Ansible does: yes is true, 0644 is 420, << merges, !unsafe is never a template.
//
// It also knows where files come from: the disk, or the content shipped in the binary.
package document

import (
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// Kind tells the three shapes of a Node apart.
type Kind uint8

// The kinds. The zero Kind is a scalar: an empty document is the scalar nil.
const (
	Scalar Kind = iota
	Seq
	Map
)

// String names the kind as error messages do.
func (k Kind) String() string {
	switch k {
	case Seq:
		return "a list"
	case Map:
		return "a dictionary"
	}
	return "a single value"
}

// Node is a value and its place. Nodes that an alias names are shared, as are
// the values made of them.
type Node struct {
	Kind  Kind
	Value any         // scalars: nil, bool, int64, *big.Int, float64, string, *jinja.Text or *Sealed
	Place fault.Place // of the first character of the content, behind tag and quote
	Pairs []Pair      // Map: merged keys included, in PyYAML's order
	Items []*Node     // Seq
	Tag   string      // as written: "", "!unsafe", "!!str"
	Raw   string      // scalars: the text before it was read as a number and so on
	Plain bool        // scalars: written without quotes

	container any // ToValue's memory
}

// Pair is one entry of a Map.
type Pair struct {
	Key      string // text of the key, whatever its type
	KeyValue any    // the key as a value: 1, true, "x"
	KeyPlace fault.Place
	Val      *Node
}

// Get gives the value of a key, or nil.
func (n *Node) Get(key string) *Node {
	for i := range n.Pairs {
		if n.Pairs[i].Key == key {
			return n.Pairs[i].Val
		}
	}
	return nil
}

// IsNull says whether the node is absent, empty or null.
func (n *Node) IsNull() bool { return n == nil || n.Kind == Scalar && n.Value == nil }

// Text gives the source of a scalar that is a string or a template.
func (n *Node) Text() (string, bool) {
	if n == nil || n.Kind != Scalar {
		return "", false
	}
	switch v := n.Value.(type) {
	case string:
		return v, true
	case *jinja.Text:
		return v.Source, true
	}
	return "", false
}

// ToValue gives the node as a value of the template language. Every call gives
// the same container: whoever changes it must clone it first. The first call is
// not safe for concurrent use.
func (n *Node) ToValue() any {
	if n == nil {
		return nil
	}
	if n.Kind == Scalar {
		return n.Value
	}
	if n.container != nil {
		return n.container
	}
	switch n.Kind {
	case Seq:
		l := &jinja.List{Items: make([]any, 0, len(n.Items))}
		n.container = l
		for _, it := range n.Items {
			v := it.ToValue()
			l.Templated = l.Templated || jinja.IsTemplated(v)
			l.Items = append(l.Items, v)
		}
	case Map:
		d := jinja.NewDict()
		n.container = d
		for i := range n.Pairs {
			v := n.Pairs[i].Val.ToValue()
			d.Templated = d.Templated || jinja.IsTemplated(v)
			d.Set(n.Pairs[i].KeyValue, v)
		}
	}
	return n.container
}
