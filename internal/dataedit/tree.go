package dataedit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"mageprov/internal/fault"
)

// sameTree compares without regard to comments, styles and places.
func sameTree(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || len(a.Content) != len(b.Content) || a.Anchor != b.Anchor {
		return false
	}
	if (a.Kind == yaml.ScalarNode || a.Kind == yaml.AliasNode) && (a.Value != b.Value || a.ShortTag() != b.ShortTag()) {
		return false
	}
	for i := range a.Content {
		if !sameTree(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}

// find gives the value of a key of a mapping and its index in Content.
func find(n *yaml.Node, key string) (*yaml.Node, int) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1], i + 1
		}
	}
	return nil, -1
}

// index reads a part of a key as a place in a list; negative ones count from the end.
func index(n *yaml.Node, part string) (int, error) {
	i, err := strconv.Atoi(part)
	if err != nil {
		return 0, fault.New("%q is no place in a list", part).WithHint("a number, or - for an item of that value")
	}
	if i < 0 {
		i += len(n.Content)
	}
	return i, nil
}

func real(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// change makes one edit below n and says whether it did anything.
func change(n *yaml.Node, e edit) (bool, error) {
	n = real(n)
	part, last := e.key[0], len(e.key) == 1
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" && !e.absent {
		*n = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", HeadComment: n.HeadComment, LineComment: n.LineComment, FootComment: n.FootComment}
	}
	switch n.Kind {
	case yaml.MappingNode:
		child, at := find(n, part)
		switch {
		case child == nil && e.absent:
			return false, nil
		case child == nil:
			key := &yaml.Node{}
			key.SetString(part)
			n.Content = append(n.Content, key, grow(e.key[1:], e.value))
			return true, nil
		case last && e.absent:
			n.Content = slices.Delete(n.Content, at-1, at+1)
			return true, nil
		case last:
			return replace(child, e.value), nil
		}
		return change(child, edit{e.key[1:], e.value, e.absent})
	case yaml.SequenceNode:
		return changeList(n, e)
	}
	if e.absent {
		return false, nil
	}
	return false, fault.New("there is a single value where %q should be looked up", part)
}

func changeList(n *yaml.Node, e edit) (bool, error) {
	part, last := e.key[0], len(e.key) == 1
	if part == "-" && last {
		at := slices.IndexFunc(n.Content, func(item *yaml.Node) bool { return sameTree(item, e.value) })
		switch {
		case at >= 0 == !e.absent:
			return false, nil
		case e.absent:
			n.Content = slices.Delete(n.Content, at, at+1)
		default:
			n.Content = append(n.Content, e.value)
		}
		return true, nil
	}
	i, err := index(n, part)
	if err != nil {
		return false, err
	}
	if i < 0 || i >= len(n.Content) {
		if e.absent {
			return false, nil
		}
		return false, fault.New("the list has no item %s, it has %d", part, len(n.Content))
	}
	switch {
	case last && e.absent:
		n.Content = slices.Delete(n.Content, i, i+1)
		return true, nil
	case last:
		return replace(n.Content[i], e.value), nil
	}
	return change(n.Content[i], edit{e.key[1:], e.value, e.absent})
}

// replace gives a node another value and keeps its comments.
func replace(n, value *yaml.Node) bool {
	if sameTree(n, value) {
		return false
	}
	v := *value
	v.HeadComment, v.LineComment, v.FootComment, v.Anchor = n.HeadComment, n.LineComment, n.FootComment, n.Anchor
	if n.Kind == yaml.ScalarNode && v.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" && v.ShortTag() == "!!str" && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
		v.Style = n.Style
	}
	*n = v
	return true
}

// grow makes the dictionaries that lead to a new value.
func grow(key []string, value *yaml.Node) *yaml.Node {
	if len(key) == 0 {
		return value
	}
	if key[0] == "-" && len(key) == 1 {
		return &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: []*yaml.Node{value}}
	}
	k := &yaml.Node{}
	k.SetString(key[0])
	return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{k, grow(key[1:], value)}}
}

// apply edits a text of the format. One that needs no change comes back as it was.
func apply(format, text string, edits []edit) (string, error) {
	if format == "json" {
		return applyJSON(text, edits)
	}
	one := applyYAML
	if format == "toml" {
		one = applyTOML
	}
	for _, e := range edits {
		var err error
		if text, err = one(text, e); err != nil {
			return "", fmt.Errorf("key %s: %w", strings.Join(e.key, "."), err)
		}
	}
	return text, nil
}
