package dataedit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"gopkg.in/yaml.v3"
)

// applyJSON makes all edits and writes the text anew, in the file's own order
// and indentation; numbers stay as they are written.
func applyJSON(text string, edits []edit) (string, error) {
	root := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	if strings.TrimSpace(text) != "" {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		var err error
		if root, err = readJSON(d); err != nil {
			return "", err
		}
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return "", errors.New("more than one value in a JSON file")
		}
	}
	changed := false
	for _, e := range edits {
		c, err := change(root, e)
		if err != nil {
			return "", fmt.Errorf("key %s: %w", strings.Join(e.key, "."), err)
		}
		changed = changed || c
	}
	if !changed {
		return text, nil
	}
	var b bytes.Buffer
	if err := writeJSON(&b, root); err != nil {
		return "", err
	}
	indent, end := jsonStyle(text)
	if indent == "" && text != "" {
		return b.String() + end, nil
	}
	var out bytes.Buffer
	err := json.Indent(&out, b.Bytes(), "", indent)
	return out.String() + end, err
}

// jsonStyle gives the indentation of the first line that has one; "" for a text in one line.
func jsonStyle(text string) (indent, end string) {
	if text == "" {
		return "    ", "\n"
	}
	if strings.HasSuffix(text, "\n") {
		end = "\n"
	}
	for i, line := range strings.Split(text, "\n") {
		if trimmed := strings.TrimLeft(line, " \t"); i > 0 && trimmed != "" && trimmed != line {
			return line[:len(line)-len(trimmed)], end
		}
	}
	return "", end
}

// readJSON makes a tree that keeps the order of keys.
func readJSON(d *json.Decoder) (*yaml.Node, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	n := new(yaml.Node)
	switch v := token.(type) {
	case json.Delim:
		n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		if v == '{' {
			n.Kind, n.Tag = yaml.MappingNode, "!!map"
		}
		for d.More() {
			c, err := readJSON(d)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, c)
		}
		_, err = d.Token()
		return n, err
	case json.Number:
		n.Kind, n.Tag, n.Value = yaml.ScalarNode, "!!int", v.String()
		if strings.ContainsAny(n.Value, ".eE") {
			n.Tag = "!!float"
		}
	case string:
		n.Kind, n.Tag, n.Value = yaml.ScalarNode, "!!str", v
	case bool:
		n.Kind, n.Tag, n.Value = yaml.ScalarNode, "!!bool", fmt.Sprint(v)
	case nil:
		n.Kind, n.Tag, n.Value = yaml.ScalarNode, "!!null", "null"
	}
	return n, nil
}

func writeJSON(b *bytes.Buffer, n *yaml.Node) error {
	switch n.Kind {
	case yaml.MappingNode, yaml.SequenceNode:
		open, end := byte('['), byte(']')
		if n.Kind == yaml.MappingNode {
			open, end = '{', '}'
		}
		b.WriteByte(open)
		for i, c := range n.Content {
			switch {
			case n.Kind == yaml.MappingNode && i%2 == 1:
				b.WriteByte(':')
			case i > 0:
				b.WriteByte(',')
			}
			if err := writeJSON(b, c); err != nil {
				return err
			}
		}
		b.WriteByte(end)
		return nil
	}
	switch n.ShortTag() {
	case "!!int", "!!float", "!!bool", "!!null":
		if n.ShortTag() == "!!null" {
			n.Value = "null"
		}
		if !json.Valid([]byte(n.Value)) {
			return fmt.Errorf("%s cannot be written in JSON", n.Value)
		}
		b.WriteString(n.Value)
		return nil
	}
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(n.Value); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1)
	return nil
}
