package dataedit

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"mageprov/internal/fault"
)

// tomlEdit is one edit of a text.
type tomlEdit struct {
	*tomlText
	old, now *yaml.Node // what the text says and shall say
	key      []string
	absent   bool
}

// run chooses how the text is changed.
func (d *tomlEdit) run() (string, error) {
	for _, item := range d.items {
		if item.spot != nil {
			return d.rewrite(item.spot)
		}
	}
	was, parent := lookUp(d.old, d.key), lookUp(d.old, d.key[:len(d.key)-1])
	value := lookUp(d.now, d.key)
	switch {
	case d.absent:
		return d.remove(), nil
	case was == nil && parent != nil && parent.Kind == yaml.SequenceNode:
		return d.addToArray(value)
	case was == nil:
		return d.add(value)
	case was.Kind == yaml.SequenceNode:
		return "", fault.New("line %d: an array of tables cannot be replaced as a whole", d.line()).WithHint("edit its items: %s.0, or %s.- for a new one", strings.Join(d.key, "."), strings.Join(d.key, "."))
	case value.Kind == yaml.MappingNode:
		return d.each(was, value)
	case parent.Kind == yaml.SequenceNode:
		return "", fault.New("line %d: an item of an array of tables must be a table", d.line())
	}
	without, err := applyTOML(d.text, edit{key: d.key, absent: true})
	if err != nil {
		return "", err
	}
	return applyTOML(without, edit{key: d.key, value: value})
}

// line is where the key stands, or what is nearest to it.
func (d *tomlEdit) line() int {
	at, depth := 0, 0
	for _, item := range d.items {
		n := 0
		for n < len(item.path) && n < len(d.key) && item.path[n] == d.key[n] {
			n++
		}
		if n > depth {
			at, depth = item.start, n
		}
	}
	return strings.Count(d.text[:at], "\n") + 1
}

// each makes a table what it shall be, key by key, so that what stays keeps its lines.
func (d *tomlEdit) each(was, value *yaml.Node) (string, error) {
	text := d.text
	var edits []edit
	for i := 0; i+1 < len(was.Content); i += 2 {
		if c, _ := find(value, was.Content[i].Value); c == nil {
			edits = append(edits, edit{absent: true, key: slices.Concat(d.key, []string{was.Content[i].Value})})
		}
	}
	for i := 0; i+1 < len(value.Content); i += 2 {
		edits = append(edits, edit{value: value.Content[i+1], key: slices.Concat(d.key, []string{value.Content[i].Value})})
	}
	for _, e := range edits {
		var err error
		if text, err = applyTOML(text, e); err != nil {
			return "", err
		}
	}
	return text, nil
}

// rewrite puts another value in the place of one.
func (d *tomlEdit) rewrite(v *tomlValue) (string, error) {
	before := d.text[v.start:v.end]
	value := lookUp(d.now, v.path)
	if out, ok, err := d.appendItem(v, value); ok || err != nil {
		return out, err
	}
	if len(v.comments) > 0 && len(v.path) < len(d.key) {
		line := strings.Count(d.text[:v.start], "\n") + 1
		return "", fault.New("line %d: the comments inside the value would be lost", line).WithHint("set %s as a whole", strings.Join(v.path, "."))
	}
	after, err := tomlOver(value, before, d.lineEnd())
	return d.text[:v.start] + after + d.text[v.end:], err
}

// appendItem writes a new last item of an array that has its items in lines of
// their own, behind the last one and its comment.
func (d *tomlEdit) appendItem(v *tomlValue, value *yaml.Node) (string, bool, error) {
	was := lookUp(d.old, v.path)
	if d.absent || len(v.path) != len(d.key)-1 || was == nil || was.Kind != yaml.SequenceNode || len(was.Content) == 0 ||
		len(value.Content) != len(was.Content)+1 || !strings.Contains(d.text[v.start:v.end], "\n") {
		return "", false, nil
	}
	item, err := tomlInline(value.Content[len(was.Content)], "")
	if err != nil {
		return "", false, err
	}
	last := func(end int) int { return v.start + len(strings.TrimRight(d.text[v.start:end], " \t\r\n")) }
	end := last(v.end - 1)
	code := end
	for _, c := range slices.Backward(v.comments) {
		if c[1] >= code {
			code = last(c[0])
		}
	}
	comma, trailing := ",", ""
	if d.text[code-1] == ',' {
		comma, trailing = "", ","
	}
	first, _ := d.lines(code, code)
	added := d.lineEnd() + margin(d.text[first:code]) + item + trailing
	return d.text[:code] + comma + d.text[code:end] + added + d.text[end:], true, nil
}

// remove takes away the lines of a key, or of a table with all below it.
func (d *tomlEdit) remove() string {
	var out strings.Builder
	kept := 0
	for i := 0; i < len(d.items); i++ {
		item := d.items[i]
		if !hasPrefix(item.path, d.key) {
			continue
		}
		end := item.end
		for item.header && i+1 < len(d.items) && !d.items[i+1].header {
			i++
			end = d.items[i].end
		}
		out.WriteString(d.text[kept:item.start])
		kept = end
		if before := out.String(); item.header && (before == "" || strings.HasSuffix(before, d.lineEnd()+d.lineEnd())) {
			kept += len(d.text[kept:]) - len(strings.TrimPrefix(d.text[kept:], d.lineEnd()))
		}
	}
	out.WriteString(d.text[kept:])
	return out.String()
}

// addToArray writes a new last table of an array of tables.
func (d *tomlEdit) addToArray(value *yaml.Node) (string, error) {
	list := d.key[:len(d.key)-1]
	if d.insideArray(list) {
		return "", fault.New("line %d: a new table of an array that is inside another cannot be placed", d.line())
	}
	if value.Kind != yaml.MappingNode {
		return "", fault.New("line %d: an item of an array of tables must be a table", d.line())
	}
	lines, err := tomlTable(list, value, d.lineEnd())
	return d.atEnd("[[" + tomlKey(list...) + "]]" + d.lineEnd() + lines), err
}

// insideArray says whether a place is in a list.
func (d *tomlEdit) insideArray(key []string) bool {
	for i := range key {
		if n := lookUp(d.now, key[:i]); n != nil && n.Kind == yaml.SequenceNode {
			return true
		}
	}
	return false
}

// add writes a key that is not there, at the end of its table, or in a new
// table at the end of the file.
func (d *tomlEdit) add(value *yaml.Node) (string, error) {
	parent, name := d.key[:len(d.key)-1], d.key[len(d.key)-1]
	var host []string
	first, at := -1, -1 // the item of the header, the item to write behind
	for i, item := range d.items {
		if item.header && hasPrefix(parent, item.path) && len(item.path) >= len(host) {
			host, first = item.path, i
		}
	}
	dotted := false
	at = first
	for i := first + 1; i < len(d.items) && !d.items[i].header; i++ {
		at = i
		dotted = dotted || len(parent) > len(host) && hasPrefix(d.items[i].path, d.key[:len(host)+1])
	}
	table := value.Kind == yaml.MappingNode && len(value.Content) > 0
	switch {
	case d.insideArray(d.key) || dotted || len(parent) == len(host) && !table:
		text, err := tomlInline(value, "")
		return d.behind(at, tomlKey(d.key[len(host):]...)+" = "+text), err
	case table:
		lines, err := tomlTable(d.key, value, d.lineEnd())
		return d.atEnd("[" + tomlKey(d.key...) + "]" + d.lineEnd() + lines), err
	}
	text, err := tomlInline(value, "")
	return d.atEnd("[" + tomlKey(parent...) + "]" + d.lineEnd() + tomlKey(name) + " = " + text + d.lineEnd()), err
}

// behind writes a line below an item; where the root has none yet, above the
// first header and its comment.
func (d *tomlEdit) behind(at int, line string) string {
	line += d.lineEnd()
	if at >= 0 {
		item := d.items[at]
		head := d.text[:item.end]
		if !strings.HasSuffix(head, "\n") {
			head += d.lineEnd()
		}
		indent := margin(d.text[item.start:item.end])
		return head + indent + line + d.text[item.end:]
	}
	if len(d.items) == 0 {
		if d.text != "" && !strings.HasSuffix(d.text, "\n") {
			line = d.lineEnd() + line
		}
		return d.text + line
	}
	start := d.items[0].start
	for start > 0 {
		above, _ := d.lines(start-1, start-1)
		if !strings.HasPrefix(strings.TrimLeft(d.text[above:start], " \t"), "#") {
			break
		}
		start = above
	}
	return d.text[:start] + line + d.lineEnd() + d.text[start:]
}

// atEnd writes a table below all others.
func (d *tomlEdit) atEnd(block string) string {
	head := d.text
	if head != "" && !strings.HasSuffix(head, "\n") {
		head += d.lineEnd()
	}
	if head != "" && !strings.HasSuffix(head, d.lineEnd()+d.lineEnd()) {
		head += d.lineEnd()
	}
	return head + block
}
