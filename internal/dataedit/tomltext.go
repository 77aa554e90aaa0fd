package dataedit

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// tomlText is a TOML text and what its lines say.
type tomlText struct {
	text  string
	items []tomlItem
}

// tomlItem is a header or a key with its value.
type tomlItem struct {
	path       []string // from the root; tables of an array by their number
	header     bool
	start, end int        // the lines it takes
	spot       *tomlValue // only of a key on the way to the one looked for
}

// tomlValue is the innermost value on the way to a key whose bytes are known.
type tomlValue struct {
	path       []string
	start, end int
	comments   [][2]int
}

// scanTOML finds the lines of a text that parses. Of the key that leads to the
// one looked for, or to the one that holds what shall go, it finds the value.
func scanTOML(text string, key []string, absent bool) (*tomlText, error) {
	if absent {
		key = key[:len(key)-1]
	}
	t := &tomlText{text: text}
	arrays := map[string]int{}
	var table []string
	p := &unstable.Parser{KeepComments: true}
	p.Reset([]byte(text))
	for p.NextExpression() {
		n := p.Expression()
		item := tomlItem{header: n.Kind != unstable.KeyValue}
		switch n.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = headerPath(n, arrays)
			item.path = table
			first, last := keyBytes(n)
			item.start, item.end = t.lines(first, last)
		case unstable.KeyValue:
			item.path = slices.Concat(table, keyParts(n))
			item.start, item.end = t.lines(int(n.Raw.Offset), int(n.Raw.Offset+n.Raw.Length))
			if hasPrefix(key, item.path) {
				item.spot = t.innermost(n, item.path, key)
			}
		default:
			continue
		}
		t.items = append(t.items, item)
	}
	return t, p.Error()
}

// headerPath says which table a header opens.
func headerPath(n *unstable.Node, arrays map[string]int) []string {
	parts := keyParts(n)
	var path []string
	for i, part := range parts {
		path = append(path, part)
		id := strings.Join(path, "\x00")
		if n.Kind == unstable.ArrayTable && i == len(parts)-1 {
			arrays[id]++
		}
		if count := arrays[id]; count > 0 {
			path = append(path, strconv.Itoa(count-1))
		}
	}
	return path
}

func keyParts(n *unstable.Node) []string {
	var out []string
	for it := n.Key(); it.Next(); {
		if it.Node().Kind == unstable.Key {
			out = append(out, string(it.Node().Data))
		}
	}
	return out
}

// keyBytes gives the first byte of a key and the one behind it.
func keyBytes(n *unstable.Node) (first, last int) {
	first = -1
	for it := n.Key(); it.Next(); {
		if k := it.Node(); k.Kind == unstable.Key {
			if first < 0 {
				first = int(k.Raw.Offset)
			}
			last = int(k.Raw.Offset + k.Raw.Length)
		}
	}
	return first, last
}

// lines widens a range to whole lines.
func (t *tomlText) lines(start, end int) (int, int) {
	start = strings.LastIndexByte(t.text[:start], '\n') + 1
	if i := strings.IndexByte(t.text[end:], '\n'); i >= 0 {
		return start, end + i + 1
	}
	return start, len(t.text)
}

// innermost goes down into arrays and inline tables. The parser does not say
// where those end that are items of an array; then the outer one stands.
func (t *tomlText) innermost(kv *unstable.Node, path, key []string) *tomlValue {
	v := &tomlValue{path: path}
	v.start, v.end = t.valueBytes(kv)
	n, place, rest := kv.Value(), path, key[len(path):]
	for len(rest) > 0 && n != nil {
		var next *unstable.Node
		i := 0
		for c := n.Child(); c != nil && next == nil; c = c.Next() {
			switch {
			case c.Kind == unstable.Comment:
			case n.Kind == unstable.InlineTable && c.Kind == unstable.KeyValue:
				if parts := keyParts(c); hasPrefix(rest, parts) {
					next, place, rest = c.Value(), slices.Concat(place, parts), rest[len(parts):]
					v.path = place
					v.start, v.end = t.valueBytes(c)
				}
			case n.Kind == unstable.Array:
				if rest[0] == strconv.Itoa(i) {
					next, place, rest = c, slices.Concat(place, rest[:1]), rest[1:]
					if c.Kind != unstable.Array && c.Kind != unstable.InlineTable {
						v.path, v.start, v.end = place, int(c.Raw.Offset), int(c.Raw.Offset+c.Raw.Length)
					}
				}
				i++
			}
			if next != nil {
				break
			}
		}
		n = next
	}
	v.collectComments(kv)
	return v
}

// valueBytes is what stands behind the equals sign of a key.
func (t *tomlText) valueBytes(kv *unstable.Node) (start, end int) {
	_, start = keyBytes(kv)
	end = int(kv.Raw.Offset + kv.Raw.Length)
	start += strings.IndexByte(t.text[start:end], '=') + 1
	for start < end && (t.text[start] == ' ' || t.text[start] == '\t') {
		start++
	}
	return start, end
}

func (v *tomlValue) collectComments(n *unstable.Node) {
	for c := n.Child(); c != nil; c = c.Next() {
		if from := int(c.Raw.Offset); c.Kind == unstable.Comment && from >= v.start && from < v.end {
			v.comments = append(v.comments, [2]int{from, from + int(c.Raw.Length)})
		}
		v.collectComments(c)
	}
}

func hasPrefix(path, prefix []string) bool {
	return len(path) >= len(prefix) && slices.Equal(path[:len(prefix)], prefix)
}

// lineEnd is how the file ends its lines.
func (t *tomlText) lineEnd() string {
	if strings.Contains(t.text, "\r\n") {
		return "\r\n"
	}
	return "\n"
}
