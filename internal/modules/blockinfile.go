package modules

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
	"mageprov/internal/pyre"
)

func init() {
	module.Register(module.Spec{Name: "ansible.builtin.blockinfile", New: func() any {
		return &blockinfile{State: "present", Marker: "# {mark} ANSIBLE MANAGED BLOCK", MarkerBegin: "BEGIN", MarkerEnd: "END"}
	}})
}

// blockinfile keeps a block of lines between two marker lines.
type blockinfile struct {
	FileArgs
	Path           string `arg:"path,required" alias:"dest,destfile,name"`
	State          string `arg:"state" choices:"absent,present"`
	Block          string `arg:"block" alias:"content"`
	Marker         string `arg:"marker"`
	MarkerBegin    string `arg:"marker_begin"`
	MarkerEnd      string `arg:"marker_end"`
	InsertAfter    string `arg:"insertafter"`
	InsertBefore   string `arg:"insertbefore"`
	AppendNewline  bool   `arg:"append_newline"`
	PrependNewline bool   `arg:"prepend_newline"`
	Create         bool   `arg:"create"`
	Backup         bool   `arg:"backup"`
	ValidateCmd    string `arg:"validate"`
}

// Validate refuses two places at once.
func (m *blockinfile) Validate() error {
	if m.InsertAfter != "" && m.InsertBefore != "" {
		return fault.New("parameters are mutually exclusive: insertbefore|insertafter")
	}
	if begin, end := m.marks(); begin == end {
		return fault.New("begin and end of the block are the same line: %s", trimEnd(begin)).
			WithHint("write {mark} into marker; without it the block would be added again at every run")
	}
	return nil
}

// Check works the new text out.
func (m *blockinfile) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	m.Path = expandWord(n, m.Path)
	e := textEdit{args: m.FileArgs, path: m.Path, backup: m.Backup, validate: m.ValidateCmd}
	old, before, err := e.open(n)
	if err != nil {
		return module.Plan{}, err
	}
	if old == nil && !m.Create {
		return module.Plan{}, e.missing(n, "Path")
	}
	lines, err := m.place(keepLines(string(before)))
	if err != nil {
		return module.Plan{}, err
	}
	after := []byte(strings.Join(lines, ""))
	ret := map[string]any{"msg": ""}
	changed := old == nil || !bytes.Equal(before, after)
	switch {
	case old == nil:
		ret["msg"] = "File created"
	case changed && m.block() == nil:
		ret["msg"] = "Block removed"
	case changed:
		ret["msg"] = "Block inserted"
	}
	p, err := e.plan(n, old, before, after, ret)
	if err != nil {
		return p, err
	}
	addAttrMessage(&p, changed, old == nil && e.unlikeNew(n))
	return p, nil
}

func (m *blockinfile) marks() (begin, end string) {
	return strings.ReplaceAll(m.Marker, "{mark}", m.MarkerBegin) + "\n", strings.ReplaceAll(m.Marker, "{mark}", m.MarkerEnd) + "\n"
}

// block gives the lines that shall be there, with their markers; nil is none.
func (m *blockinfile) block() []string {
	if m.State == "absent" || m.Block == "" {
		return nil
	}
	begin, end := m.marks()
	text := m.Block
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return append(append([]string{begin}, keepLines(text)...), end)
}

// place takes the old block out and puts the new one in.
func (m *blockinfile) place(lines []string) ([]string, error) {
	lines = slices.Clone(lines)
	begin, end := m.marks()
	from, to := -1, -1
	for k, l := range lines {
		switch trimEnd(l) {
		case trimEnd(begin):
			from = k
			if begin == end {
				to = k
			}
		case trimEnd(end):
			to = k
		}
	}
	at := 0
	switch {
	case from < 0 || to < 0:
		var err error
		if at, err = m.position(lines); err != nil {
			return nil, err
		}
	default:
		at = min(from, to)
		lines = slices.Delete(lines, at, max(from, to)+1)
	}
	block := m.block()
	if block == nil {
		return lines, nil
	}
	if at > 0 && !strings.HasSuffix(lines[at-1], "\n") {
		lines[at-1] += "\n"
	}
	if m.PrependNewline && at > 0 && lines[at-1] != "\n" {
		block = append([]string{"\n"}, block...)
	}
	if m.AppendNewline && at < len(lines) && lines[at] != "\n" {
		block = append(block, "\n")
	}
	return slices.Insert(lines, at, block...), nil
}

// position finds the place of a new block.
func (m *blockinfile) position(lines []string) (int, error) {
	anchor := m.InsertAfter + m.InsertBefore
	switch {
	case anchor == "BOF":
		return 0, nil
	case anchor == "" || anchor == "EOF":
		return len(lines), nil
	}
	re, err := pyre.Compile(anchor, 0)
	if err != nil {
		return 0, err
	}
	at := len(lines)
	for k, l := range lines {
		hit, err := re.Search(trimEnd(l))
		if err != nil {
			return 0, err
		}
		if hit == nil {
			continue
		}
		if at = k; m.InsertAfter != "" {
			at = k + 1
		}
	}
	return at, nil
}
