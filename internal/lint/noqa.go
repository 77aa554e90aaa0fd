package lint

import (
	"regexp"
	"slices"
	"strings"

	"mageprov/internal/document"
	"mageprov/internal/playbook"
)

// permits are the comments `# noqa: rule rule` of files: they hold for findings
// of their own line and, within a task, for all of the task.
type permits struct {
	files document.Files
	lines map[string]map[int][]string // rules by file and line; "" permits all
	tasks map[string][]span
}

type span struct{ first, last int }

func newPermits(files document.Files, loader *playbook.Loader) *permits {
	p := &permits{files: files, lines: map[string]map[int][]string{}, tasks: map[string][]span{}}
	if loader == nil {
		return p
	}
	for _, t := range loader.Contents().Parsed {
		if t.Task != nil {
			f := t.Node.Place.File
			p.tasks[f] = append(p.tasks[f], span{t.Node.Place.Line, lastLine(t.Node)})
		}
	}
	return p
}

// lastLine is the last line on which something of a node begins.
func lastLine(n *document.Node) int {
	last := n.Place.Line
	for i := range n.Pairs {
		last = max(last, n.Pairs[i].KeyPlace.Line, lastLine(n.Pairs[i].Val))
	}
	for _, it := range n.Items {
		last = max(last, lastLine(it))
	}
	return last
}

var noqa = regexp.MustCompile(`#\s*noqa\b:?([^#]*)$`)

func (p *permits) of(file string) map[int][]string {
	if m, ok := p.lines[file]; ok {
		return m
	}
	m := map[int][]string{}
	p.lines[file] = m
	data, err := p.files.ReadFile(file)
	if err != nil {
		return m // a place that is no file: --extra-vars
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		if hit := noqa.FindStringSubmatch(strings.TrimRight(line, "\r\n")); hit != nil {
			m[n] = strings.FieldsFunc(hit[1], func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
			if len(m[n]) == 0 {
				m[n] = []string{""}
			}
		}
	}
	return m
}

func (p *permits) has(f playbook.Finding) bool {
	lines := p.of(f.Place.File)
	if len(lines) == 0 {
		return false
	}
	permitted := func(line int) bool {
		return slices.Contains(lines[line], "") || slices.Contains(lines[line], f.Rule)
	}
	if permitted(f.Place.Line) {
		return true
	}
	for _, t := range p.tasks[f.Place.File] {
		if f.Place.Line < t.first || f.Place.Line > t.last {
			continue
		}
		for line := t.first; line <= t.last; line++ {
			if permitted(line) {
				return true
			}
		}
	}
	return false
}
