package dataedit

import (
	"fmt"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"

	"mageprov/internal/fault"
)

var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// tomlKey writes a key of one or several parts.
func tomlKey(parts ...string) string {
	out := make([]string, len(parts))
	for i, part := range parts {
		out[i] = part
		if !bareKey.MatchString(part) {
			out[i] = tomlString(part)
		}
	}
	return strings.Join(out, ".")
}

func tomlString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// tomlInline writes a value in one line, in the quotes of the text it replaces.
func tomlInline(n *yaml.Node, before string) (string, error) {
	var items []string
	switch n.Kind {
	case yaml.SequenceNode:
		for _, c := range n.Content {
			item, err := tomlInline(c, "")
			if err != nil {
				return "", err
			}
			items = append(items, item)
		}
		return "[" + strings.Join(items, ", ") + "]", nil
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			item, err := tomlInline(n.Content[i+1], "")
			if err != nil {
				return "", err
			}
			items = append(items, tomlKey(n.Content[i].Value)+" = "+item)
		}
		if len(items) == 0 {
			return "{}", nil
		}
		return "{ " + strings.Join(items, ", ") + " }", nil
	}
	switch n.ShortTag() {
	case "!!null":
		return "", fault.New("TOML has no null").WithHint("state: absent removes a key")
	case "!!int", "!!float", "!!bool", "!!timestamp":
		return n.Value, nil
	}
	if strings.HasPrefix(before, "'") && !strings.HasPrefix(before, "'''") && !strings.ContainsFunc(n.Value, func(r rune) bool { return r < ' ' || r == '\'' || r == 0x7f }) {
		return "'" + n.Value + "'", nil
	}
	return tomlString(n.Value), nil
}

// tomlOver writes a value in the manner of the one it replaces: an array that
// has its items in lines of their own keeps them so.
func tomlOver(n *yaml.Node, before, lineEnd string) (string, error) {
	lines := strings.Split(before, "\n")
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 || len(lines) < 3 || !strings.HasPrefix(before, "[") {
		return tomlInline(n, before)
	}
	out, comma := "["+lineEnd, strings.HasSuffix(strings.TrimRight(before[:len(before)-1], " \t\r\n"), ",")
	for i, c := range n.Content {
		item, err := tomlInline(c, "")
		if err != nil {
			return "", err
		}
		if comma || i < len(n.Content)-1 {
			item += ","
		}
		out += margin(lines[1]) + item + lineEnd
	}
	return out + margin(lines[len(lines)-1]) + "]", nil
}

// margin is the white space a line begins with.
func margin(line string) string {
	return line[:len(line)-len(strings.TrimLeft(line, " \t"))]
}

// tomlTable writes the lines of a table, its own tables below it.
func tomlTable(path []string, n *yaml.Node, lineEnd string) (string, error) {
	out, below := "", ""
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, c := n.Content[i].Value, n.Content[i+1]
		if c.Kind == yaml.MappingNode && len(c.Content) > 0 {
			sub := append(path[:len(path):len(path)], name)
			lines, err := tomlTable(sub, c, lineEnd)
			if err != nil {
				return "", err
			}
			below += lineEnd + "[" + tomlKey(sub...) + "]" + lineEnd + lines
			continue
		}
		value, err := tomlInline(c, "")
		if err != nil {
			return "", err
		}
		out += tomlKey(name) + " = " + value + lineEnd
	}
	return out + below, nil
}
