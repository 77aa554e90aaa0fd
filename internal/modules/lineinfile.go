package modules

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
	"mageprov/internal/pyre"
)

func init() {
	module.Register(module.Spec{Name: "ansible.builtin.lineinfile", New: func() any { return &lineinfile{State: "present"} }})
}

// lineinfile keeps one line of a text file.
type lineinfile struct {
	FileArgs
	Path         string  `arg:"path,required" alias:"dest,destfile,name"`
	State        string  `arg:"state" choices:"absent,present"`
	Regexp       *string `arg:"regexp" alias:"regex"`
	SearchString string  `arg:"search_string"`
	Line         *string `arg:"line" alias:"value"`
	Backrefs     bool    `arg:"backrefs"`
	InsertAfter  string  `arg:"insertafter"`
	InsertBefore string  `arg:"insertbefore"`
	Create       bool    `arg:"create"`
	Backup       bool    `arg:"backup"`
	FirstMatch   bool    `arg:"firstmatch"`
	ValidateCmd  string  `arg:"validate"`
}

// Validate refuses what cannot go together.
func (m *lineinfile) Validate() error {
	switch {
	case m.Regexp != nil && m.SearchString != "":
		return fault.New("parameters are mutually exclusive: regexp|search_string")
	case m.InsertAfter != "" && m.InsertBefore != "":
		return fault.New("parameters are mutually exclusive: insertbefore|insertafter")
	case m.Backrefs && m.Regexp == nil:
		return fault.New("regexp is required with backrefs=true")
	case m.State == "present" && m.Line == nil:
		return fault.New("line is required with state=present")
	case m.State == "absent" && m.Line == nil && m.Regexp == nil && m.SearchString == "":
		return fault.New("one of line, search_string, or regexp is required with state=absent")
	}
	return nil
}

// Check works the new text out.
func (m *lineinfile) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	m.Path = expandWord(n, m.Path)
	e := textEdit{args: m.FileArgs, path: m.Path, backup: m.Backup, validate: m.ValidateCmd}
	old, before, err := e.open(n)
	if err != nil {
		return module.Plan{}, err
	}
	if old == nil && m.State == "absent" {
		return module.Plan{Return: map[string]any{"msg": "file not present"}}, nil
	}
	if old == nil && !m.Create {
		return module.Plan{}, e.missing(n, "Destination")
	}
	lines := keepLines(string(before))
	ret := map[string]any{"backup": ""}
	if m.State == "absent" {
		lines, err = m.remove(lines, ret)
	} else {
		lines, err = m.place(lines, ret)
	}
	if err != nil {
		return module.Plan{}, err
	}
	after := []byte(strings.Join(lines, ""))
	p, err := e.plan(n, old, before, after, ret)
	if err != nil {
		return p, err
	}
	if m.Regexp != nil && *m.Regexp == "" {
		ret["warnings"] = []any{emptyRegexp}
	}
	addAttrMessage(&p, !bytes.Equal(before, after), old == nil && e.unlikeNew(n))
	return p, nil
}

const emptyRegexp = "The regular expression is an empty string, which will match every line in the file. This may have unintended consequences, " +
	"such as replacing the last line in the file rather than appending. If this is desired, use '^' to match every line in the file and avoid this warning."

// addAttrMessage completes msg where attributes change, as Ansible does.
// A new file gets them in one step; apart says that Ansible would set them after.
func addAttrMessage(p *module.Plan, textChanged, apart bool) {
	attrs := len(p.Changes)
	if textChanged {
		attrs--
	}
	const said = "ownership, perms or SE linux context changed"
	switch msg, _ := p.Return["msg"].(string); {
	case !apart && (attrs <= 0 || !slices.ContainsFunc(p.Changes, isAttrChange)):
	case msg == "":
		p.Return["msg"] = said
	default:
		p.Return["msg"] = msg + " and " + said
	}
}

func isAttrChange(c module.Change) bool { return strings.HasPrefix(c.What, "set the ") }

// keepLines splits text into lines that keep their ends.
func keepLines(s string) []string {
	if s == "" {
		return nil
	}
	lines := strings.SplitAfter(s, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

func trimEnd(line string) string { return strings.TrimRight(line, "\r\n") }

// matcher tells the lines that regexp or search_string means.
func (m *lineinfile) matcher() (func(line string) (*pyre.Match, bool, error), error) {
	switch {
	case m.Regexp != nil:
		re, err := pyre.Compile(*m.Regexp, 0)
		if err != nil {
			return nil, err
		}
		return func(line string) (*pyre.Match, bool, error) {
			match, err := re.Search(trimEnd(line))
			return match, match != nil, err
		}, nil
	case m.SearchString != "":
		return func(line string) (*pyre.Match, bool, error) {
			return nil, strings.Contains(trimEnd(line), m.SearchString), nil
		}, nil
	}
	return func(string) (*pyre.Match, bool, error) { return nil, false, nil }, nil
}

func (m *lineinfile) remove(lines []string, ret map[string]any) ([]string, error) {
	match, err := m.matcher()
	if err != nil {
		return nil, err
	}
	byLine := m.Regexp == nil && m.SearchString == ""
	var kept []string
	for _, l := range lines {
		_, hit, err := match(l)
		if err != nil {
			return nil, err
		}
		if byLine {
			hit = trimEnd(l) == *m.Line
		}
		if !hit {
			kept = append(kept, l)
		}
	}
	found := len(lines) - len(kept)
	ret["found"], ret["msg"] = int64(found), ""
	if found > 0 {
		ret["msg"] = fmt.Sprintf("%d line(s) removed", found)
	}
	return kept, nil
}

// place replaces the line that matches, or adds the line where it belongs.
func (m *lineinfile) place(lines []string, ret map[string]any) ([]string, error) {
	ret["msg"] = ""
	line := *m.Line
	at, exact, insert, found, err := m.locate(lines)
	if err != nil {
		return nil, err
	}
	if at >= 0 {
		if m.Backrefs && found != nil {
			if line, err = found.Expand(line); err != nil {
				return nil, err
			}
		}
		return m.set(lines, at, line, ret), nil
	}
	if m.Backrefs || exact >= 0 {
		return lines, nil
	}
	switch {
	case m.InsertBefore == "BOF" || m.InsertAfter == "BOF":
		insert = 0
	case insert < 0:
		insert = len(lines)
	}
	lines = slices.Clone(lines)
	if insert == len(lines) && insert > 0 && !strings.HasSuffix(lines[insert-1], "\n") {
		lines[insert-1] += "\n"
	}
	ret["msg"] = "line added"
	return slices.Insert(lines, insert, line+"\n"), nil
}

// set puts the line in place of the one at.
func (m *lineinfile) set(lines []string, at int, line string, ret map[string]any) []string {
	if !strings.HasSuffix(line, "\n") {
		line += "\n"
	}
	if isAt(lines, at, line) {
		return lines
	}
	lines = slices.Clone(lines)
	lines[at] = line
	ret["msg"] = "line replaced"
	return lines
}

// isAt says whether text, of one line or several, stands at a line.
func isAt(lines []string, at int, text string) bool {
	for _, l := range keepLines(text) {
		if at >= len(lines) || lines[at] != l {
			return false
		}
		at++
	}
	return true
}

// locate looks for the line that regexp or search_string means (at), the line
// itself (exact) and the place for a new one (insert); -1 is none.
func (m *lineinfile) locate(lines []string) (at, exact, insert int, found *pyre.Match, err error) {
	at, exact, insert = -1, -1, -1
	match, err := m.matcher()
	if err != nil {
		return
	}
	anchor := m.InsertAfter + m.InsertBefore
	var where *pyre.Regexp
	if anchor != "" && anchor != "EOF" && anchor != "BOF" {
		if where, err = pyre.Compile(anchor, 0); err != nil {
			return
		}
	}
	for k, l := range lines {
		var hit bool
		var mt *pyre.Match
		if mt, hit, err = match(l); err != nil {
			return
		}
		if hit {
			at, found = k, mt
			if m.FirstMatch {
				return
			}
		}
		if trimEnd(l) == trimEnd(*m.Line) || strings.Contains(*m.Line, "\n") && isAt(lines, k, trimEnd(*m.Line)+"\n") {
			exact = k
		}
		if where == nil || m.FirstMatch && insert >= 0 {
			continue
		}
		var w *pyre.Match
		if w, err = where.Search(trimEnd(l)); err != nil {
			return
		}
		if w != nil {
			if insert = k; m.InsertAfter != "" {
				insert = k + 1
			}
		}
	}
	if at < 0 && m.Regexp == nil && m.SearchString == "" && !m.Backrefs {
		at = exact // the line is there: nothing to do
	}
	return
}
