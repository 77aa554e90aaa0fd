package dataedit

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"gopkg.in/yaml.v3"

	"mageprov/internal/fault"
)

// parseTOML reads a text as a tree whose keys are sorted, so that two texts
// that say the same give the same tree.
func parseTOML(text string) (*yaml.Node, error) {
	values := map[string]any{}
	err := toml.Unmarshal([]byte(text), &values)
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		line, column := bad.Position()
		return nil, fault.New("line %d, column %d", line, column).Because(err)
	}
	if err != nil {
		return nil, err
	}
	return tomlNode(values)
}

// tomlNode makes the tree of a value. YAML's own encoder will not do: it writes
// 1.0 as 1, which is another type in TOML.
func tomlNode(v any) (*yaml.Node, error) {
	scalar := func(tag, value string) (*yaml.Node, error) {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}, nil
	}
	switch v := v.(type) {
	case nil:
		return scalar("!!null", "null")
	case string:
		return scalar("!!str", v)
	case bool:
		return scalar("!!bool", strconv.FormatBool(v))
	case int64:
		return scalar("!!int", strconv.FormatInt(v, 10))
	case float64:
		return scalar("!!float", tomlFloat(v))
	case time.Time:
		return scalar("!!timestamp", v.Format(time.RFC3339Nano))
	case toml.LocalDate, toml.LocalTime, toml.LocalDateTime:
		return scalar("!!timestamp", fmt.Sprint(v))
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, item := range v {
			c, err := tomlNode(item)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, c)
		}
		return n, nil
	case map[string]any:
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			c, err := tomlNode(v[name])
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name}, c)
		}
		return n, nil
	}
	n := new(yaml.Node)
	return n, n.Encode(v)
}

func tomlFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}

// applyTOML makes one edit at its place in the text. What comes out is read
// again and must say what is wanted and nothing else new.
func applyTOML(text string, e edit) (string, error) {
	if !utf8.ValidString(strings.Join(e.key, "")) {
		return "", fault.New("the key is not UTF-8")
	}
	old, err := parseTOML(text)
	if err != nil {
		return "", err
	}
	now, err := parseTOML(text)
	if err != nil {
		return "", err
	}
	changed, err := change(now, e)
	if err != nil || !changed {
		return text, err
	}
	sortKeys(now)
	d := &tomlEdit{old: old, now: now, absent: e.absent}
	d.key = resolve(old, e)
	if d.tomlText, err = scanTOML(text, d.key, e.absent); err != nil {
		return "", err
	}
	out, err := d.run()
	if err != nil {
		return "", err
	}
	got, err := parseTOML(out)
	if err == nil && !sameTree(got, now) && e.absent {
		// A table that stood only by what was removed goes with it.
		dropEmpty(got, d.key)
		dropEmpty(now, d.key)
	}
	if err != nil || !sameTree(got, now) {
		return "", fault.New("line %d: the text cannot be changed here without changing more", d.line()).WithHint("set or remove the table around it as a whole")
	}
	return out, nil
}

// resolve gives the plain place of an edit: items of lists by their number, a
// new one by the number it will have.
func resolve(n *yaml.Node, e edit) []string {
	var out []string
	for i, part := range e.key {
		switch {
		case n == nil && part == "-" && i == len(e.key)-1 && i > 0:
			return out // a new list as a whole
		case n != nil && n.Kind == yaml.SequenceNode && part == "-":
			at := slices.IndexFunc(n.Content, func(item *yaml.Node) bool { return sameTree(item, e.value) })
			if at < 0 {
				at = len(n.Content)
			}
			part = strconv.Itoa(at)
		case n != nil && n.Kind == yaml.SequenceNode:
			if at, err := index(n, part); err == nil {
				part = strconv.Itoa(at)
			}
		}
		out = append(out, part)
		n = lookUp(n, out[i:])
	}
	return out
}

// lookUp gives the value at a plain place, nil where there is none.
func lookUp(n *yaml.Node, key []string) *yaml.Node {
	for _, part := range key {
		if n == nil {
			return nil
		}
		switch n.Kind {
		case yaml.MappingNode:
			n, _ = find(n, part)
		case yaml.SequenceNode:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(n.Content) {
				return nil
			}
			n = n.Content[i]
		default:
			return nil
		}
	}
	return n
}

// sortKeys brings a key that change has added to its place.
func sortKeys(n *yaml.Node) {
	if n.Kind == yaml.MappingNode {
		pairs := slices.Collect(slices.Chunk(slices.Clone(n.Content), 2))
		slices.SortFunc(pairs, func(a, b []*yaml.Node) int { return strings.Compare(a[0].Value, b[0].Value) })
		n.Content = slices.Concat(pairs...)
	}
	for _, c := range n.Content {
		sortKeys(c)
	}
}

// dropEmpty takes away the tables on the way to a key that have become empty.
func dropEmpty(n *yaml.Node, key []string) {
	for i := len(key) - 1; i > 0; i-- {
		parent := lookUp(n, key[:i-1])
		child := lookUp(n, key[:i])
		if child == nil || parent == nil || len(child.Content) > 0 || child.Kind == yaml.ScalarNode || parent.Kind != yaml.MappingNode {
			continue
		}
		_, at := find(parent, key[i-1])
		parent.Content = slices.Delete(parent.Content, at-1, at+1)
	}
}
