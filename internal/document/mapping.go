package document

import (
	"fmt"
	"math/big"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// mapping fills n.Pairs: what << brings first, then the mapping's own keys,
// which win; an overridden key keeps its place, as in a Python dict.
func (c *converter) mapping(n *Node, y *yaml.Node, unsafe bool) {
	var merged []Pair
	own := make([]Pair, 0, len(y.Content)/2)
	seen := make(map[string]fault.Place, len(y.Content)/2)
	for i := 0; i+1 < len(y.Content); i += 2 {
		k, v := y.Content[i], y.Content[i+1]
		if k.Kind == yaml.ScalarNode && k.Tag == "!!merge" {
			merged = append(merged, c.merge(c.node(v, unsafe))...)
			continue
		}
		p, ok := c.key(k)
		val := c.node(v, unsafe)
		if !ok {
			continue
		}
		id := keyID(p.KeyValue)
		if first, dup := seen[id]; dup {
			c.fail(p.KeyPlace, "duplicate key %q, first at %s", p.Key, first).
				WithHint("keep one of the two: the first would be lost without a word")
			continue
		}
		seen[id] = p.KeyPlace
		p.Val = val
		own = append(own, p)
	}
	if len(merged) == 0 {
		n.Pairs = own
		return
	}
	at := map[string]int{}
	for _, p := range append(merged, own...) {
		id := keyID(p.KeyValue)
		if i, ok := at[id]; ok {
			n.Pairs[i] = p
			continue
		}
		at[id] = len(n.Pairs)
		n.Pairs = append(n.Pairs, p)
	}
}

// merge gives the pairs that the value of << brings; of several mappings the first wins.
func (c *converter) merge(v *Node) []Pair {
	switch v.Kind {
	case Map:
		return v.Pairs
	case Seq:
		var out []Pair
		for i := len(v.Items) - 1; i >= 0; i-- {
			if v.Items[i].Kind != Map {
				c.fail(v.Items[i].Place, "<< merges dictionaries, found %s", v.Items[i].Kind)
				continue
			}
			out = append(out, v.Items[i].Pairs...)
		}
		return out
	}
	c.fail(v.Place, "<< merges a dictionary or a list of dictionaries, found %s", v.Kind)
	return nil
}

// key converts a key. Templates in keys are text: Ansible does not render them either.
func (c *converter) key(y *yaml.Node) (Pair, bool) {
	for y.Kind == yaml.AliasNode {
		y = y.Alias
	}
	p := Pair{KeyPlace: c.contentPlace(y)}
	if y.Kind != yaml.ScalarNode {
		e := c.fail(p.KeyPlace, "a dictionary or list cannot be a key")
		if line := c.line(y.Line); strings.Contains(line, "{{") {
			e.Place.Col = utf8.RuneCountInString(line[:strings.Index(line, "{{")]) + 1
			e.Msg = "found an unquoted {{, which YAML reads as a dictionary"
			e.WithHint("%s", quoteHint(line))
		}
		return p, false
	}
	was := c.trusted
	c.trusted = false
	n := c.node(y, true)
	c.trusted = was
	if _, nan := n.Value.(float64); nan {
		n.Value = n.Raw // no use as a key, and .nan is equal to nothing
	}
	p.KeyValue, p.Key = n.Value, n.Raw
	return p, true
}

// keyID tells keys apart as Python does: 1 and true are one key.
func keyID(v any) string {
	switch v := v.(type) {
	case string:
		return "s" + v
	case bool:
		if v {
			return "i1"
		}
		return "i0"
	case int64, *big.Int:
		return fmt.Sprintf("i%v", v)
	case *jinja.Text:
		return "s" + v.Source
	}
	return fmt.Sprintf("%T%v", v, v)
}

func (c *converter) line(n int) string {
	if n < 1 || n > len(c.lines) {
		return ""
	}
	return c.lines[n-1]
}

// contentPlace is where the text of a node starts: behind its tag, anchor and
// quote, or on the first line of a block.
func (c *converter) contentPlace(y *yaml.Node) fault.Place {
	p := c.place(y)
	if y.Kind != yaml.ScalarNode {
		return p
	}
	if y.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		for n := y.Line + 1; n <= len(c.lines); n++ {
			line := c.line(n)
			if t := strings.TrimLeft(line, " "); strings.TrimSpace(t) != "" {
				p.Line, p.Col = n, len(line)-len(t)+1
				break
			}
		}
		return p
	}
	if c.runesOf != y.Line {
		c.runes, c.runesOf = []rune(c.line(y.Line)), y.Line
	}
	rest := c.runes
	i := y.Column - 1
	for i >= 0 && i < len(rest) && (rest[i] == '!' || rest[i] == '&') {
		for i < len(rest) && rest[i] != ' ' && rest[i] != '\t' {
			i++
		}
		for i < len(rest) && (rest[i] == ' ' || rest[i] == '\t') {
			i++
		}
	}
	if i < len(rest) && i >= 0 {
		p.Col = i + 1
	}
	if y.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
		p.Col++
	}
	return p
}
