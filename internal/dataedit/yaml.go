package dataedit

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"gopkg.in/yaml.v3"
)

// parseYAML reads all documents; an empty text is one empty document.
func parseYAML(text string) ([]*yaml.Node, error) {
	var docs []*yaml.Node
	d := yaml.NewDecoder(strings.NewReader(text))
	for {
		doc := new(yaml.Node)
		err := d.Decode(doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		docs = append(docs, doc)
	}
	if len(docs) == 0 {
		docs = []*yaml.Node{{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}}}}
	}
	return docs, nil
}

// applyYAML makes one edit in the first document. Where the text can be changed
// at the place alone, blank lines and all else stay as they were; otherwise the
// library writes the file anew, with its comments.
func applyYAML(text string, e edit) (string, error) {
	docs, err := parseYAML(text)
	if err != nil {
		return "", err
	}
	original, err := parseYAML(text) // with the places
	if err != nil {
		return "", err
	}
	changed, err := change(docs[0].Content[0], e)
	if err != nil || !changed {
		return text, err
	}
	for _, surgery := range []func(string, *yaml.Node, *yaml.Node) (string, bool){exchangeScalar, cutLines, addLines} {
		out, ok := surgery(text, original[0].Content[0], docs[0].Content[0])
		if ok && saysTheSame(out, docs) {
			return out, nil
		}
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(indentOf(original[0]))
	for _, doc := range docs {
		if err := enc.Encode(doc); err != nil {
			return "", err
		}
	}
	out := b.String()
	if strings.HasPrefix(text, "---\n") && !strings.HasPrefix(out, "---") {
		out = "---\n" + out
	}
	return out, enc.Close()
}

func saysTheSame(text string, docs []*yaml.Node) bool {
	got, err := parseYAML(text)
	if err != nil || len(got) != len(docs) {
		return false
	}
	for i := range docs {
		if !sameTree(got[i], docs[i]) {
			return false
		}
	}
	return true
}

// indentOf is how far the file's own nested dictionaries are set in.
func indentOf(n *yaml.Node) int {
	for _, c := range n.Content {
		if n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle == 0 && c.Kind == yaml.MappingNode && c.Style&yaml.FlowStyle == 0 && c.Column > n.Column {
			return max(2, c.Column-n.Column)
		}
	}
	for _, c := range n.Content {
		if i := indentOf(c); i != 2 {
			return i
		}
	}
	return 2
}

// differing walks both trees to the first place where they differ.
func differing(old, now *yaml.Node) (*yaml.Node, *yaml.Node) {
	if old.Kind == now.Kind && len(old.Content) == len(now.Content) {
		for i := range old.Content {
			if !sameTree(old.Content[i], now.Content[i]) {
				return differing(old.Content[i], now.Content[i])
			}
		}
	}
	return old, now
}

// exchangeScalar writes another single value over the one in its line.
func exchangeScalar(text string, old, now *yaml.Node) (string, bool) {
	o, n := differing(old, now)
	lines := strings.SplitAfter(text, "\n")
	if o.Kind != yaml.ScalarNode || n.Kind != yaml.ScalarNode || o.Line < 1 || o.Line > len(lines) || o.Anchor != "" {
		return "", false
	}
	plain := *n
	plain.HeadComment, plain.LineComment, plain.FootComment = "", "", ""
	b, err := yaml.Marshal(&plain)
	value := strings.TrimSuffix(string(b), "\n")
	if err != nil || strings.Contains(value, "\n") {
		return "", false
	}
	line := []rune(lines[o.Line-1])
	if o.Column < 1 || o.Column > len(line) {
		return "", false
	}
	head, rest := string(line[:o.Column-1]), string(line[o.Column-1:])
	width := len(o.Value)
	if o.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		if width = quotedWidth(rest); width == 0 {
			return "", false
		}
	} else if !strings.HasPrefix(rest, o.Value) {
		return "", false
	}
	lines[o.Line-1] = head + value + rest[width:]
	return strings.Join(lines, ""), true
}

// quotedWidth measures a quoted value up to its closing quote, in one line.
func quotedWidth(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && s[0] == '"':
			i++
		case s[i] == s[0] && s[0] == '\'' && i+1 < len(s) && s[i+1] == '\'':
			i++
		case s[i] == s[0]:
			return i + 1
		}
	}
	return 0
}

// lastLine is the last line a node takes.
func lastLine(n *yaml.Node) int {
	line := n.Line
	if n.Kind == yaml.ScalarNode && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		line += strings.Count(strings.TrimRight(n.Value, "\n"), "\n") + 1
	}
	for _, c := range n.Content {
		line = max(line, lastLine(c))
	}
	return line
}

// cutLines takes away the lines of a key, or of an item of a list.
func cutLines(text string, old, now *yaml.Node) (string, bool) {
	o, n := differing(old, now)
	width := 1
	if o.Kind == yaml.MappingNode {
		width = 2
	}
	if o.Kind != n.Kind || len(o.Content) != len(n.Content)+width || o.Style&yaml.FlowStyle != 0 || len(n.Content) == 0 {
		return "", false
	}
	i := 0
	for i < len(n.Content) && sameTree(o.Content[i], n.Content[i]) {
		i += width
	}
	first, last := o.Content[i].Line, lastLine(o.Content[i+width-1])
	if c := o.Content[i].HeadComment; c != "" {
		first -= strings.Count(c, "\n") + 1
	}
	lines := strings.SplitAfter(text, "\n")
	if first < 1 || last > len(lines) || first > last {
		return "", false
	}
	return strings.Join(append(lines[:first-1:first-1], lines[last:]...), ""), true
}

// addLines writes a new last key of a dictionary, or item of a list, below the others.
func addLines(text string, old, now *yaml.Node) (string, bool) {
	o, n := differing(old, now)
	if o.Kind != n.Kind || len(o.Content) == 0 || len(n.Content) <= len(o.Content) || o.Style&yaml.FlowStyle != 0 {
		return "", false
	}
	addition := *n
	addition.Content, addition.HeadComment, addition.LineComment, addition.FootComment, addition.Anchor = n.Content[len(o.Content):], "", "", "", ""
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(indentOf(old))
	if err := enc.Encode(&addition); err != nil {
		return "", false
	}
	lines := strings.SplitAfter(text, "\n")
	last := lastLine(o)
	if last < 1 || last > len(lines) || o.Column < 1 {
		return "", false
	}
	if !strings.HasSuffix(lines[last-1], "\n") {
		lines[last-1] += "\n"
	}
	margin := strings.Repeat(" ", o.Column-1)
	added := margin + strings.ReplaceAll(strings.TrimSuffix(b.String(), "\n"), "\n", "\n"+margin) + "\n"
	return strings.Join(lines[:last], "") + added + strings.Join(lines[last:], ""), true
}
