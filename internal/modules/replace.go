package modules

import (
	"context"
	"fmt"
	"unicode/utf8"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
	"mageprov/internal/pyre"
)

func init() {
	module.Register(module.Spec{Name: "ansible.builtin.replace", New: func() any { return &replace{Encoding: "utf-8"} }})
}

// replace replaces all matches of a regular expression in a file.
type replace struct {
	FileArgs
	Path        string `arg:"path,required" alias:"dest,destfile,name"`
	Regexp      string `arg:"regexp,required"`
	Replace     string `arg:"replace"`
	After       string `arg:"after"`
	Before      string `arg:"before"`
	Backup      bool   `arg:"backup"`
	Encoding    string `arg:"encoding"`
	ValidateCmd string `arg:"validate"`
}

// Validate knows one encoding.
func (m *replace) Validate() error {
	switch m.Encoding {
	case "utf-8", "utf8", "UTF-8", "ascii", "latin-1", "iso-8859-1":
		return nil
	}
	return fault.New("encoding %q is not supported", m.Encoding).WithHint("known: utf-8, latin-1")
}

// Check works the new text out.
func (m *replace) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	m.Path = expandWord(n, m.Path)
	e := textEdit{args: m.FileArgs, path: m.Path, backup: m.Backup, validate: m.ValidateCmd}
	old, before, err := e.open(n)
	if err != nil {
		return module.Plan{}, err
	}
	if old == nil {
		return module.Plan{}, notSure(n, &module.Failure{Msg: fmt.Sprintf("Path %s does not exist !", m.Path), Return: map[string]any{"rc": int64(257)}})
	}
	decode := decodeText
	if m.Encoding == "latin-1" || m.Encoding == "iso-8859-1" {
		decode = decodeBytes
	}
	text, encode := decode(before)
	ret := map[string]any{"msg": "", "rc": int64(0)}
	start, end, miss, err := m.section(text)
	if err != nil {
		return module.Plan{}, err
	}
	if miss != "" {
		ret["msg"] = "Pattern for before/after params did not match the given file: " + miss
		return module.Plan{Return: ret}, nil
	}
	re, err := pyre.Compile(m.Regexp, pyre.Multiline)
	if err != nil {
		return module.Plan{}, err
	}
	runes := []rune(text)
	part, count, err := re.Sub(string(runes[start:end]), m.Replace, 0)
	if err != nil {
		return module.Plan{}, err
	}
	after := encode(string(runes[:start]) + part + string(runes[end:]))
	changed := string(after) != string(before)
	if changed {
		ret["msg"] = fmt.Sprintf("%d replacements made", count)
	}
	p, err := e.plan(n, old, before, after, ret)
	addAttrMessage(&p, changed, false)
	return p, err
}

// section gives the part of the text, in characters, that after and before
// bound; miss is the pattern that found none.
func (m *replace) section(text string) (start, end int, miss string, err error) {
	pattern := ""
	switch {
	case m.After != "" && m.Before != "":
		pattern = m.After + "(?P<subsection>.*?)" + m.Before
	case m.After != "":
		pattern = m.After + "(?P<subsection>.*)"
	case m.Before != "":
		pattern = "(?P<subsection>.*)" + m.Before
	default:
		return 0, utf8.RuneCountInString(text), "", nil
	}
	re, err := pyre.Compile(pattern, pyre.DotAll)
	if err != nil {
		return 0, 0, "", err
	}
	match, err := re.Search(text)
	if err != nil {
		return 0, 0, "", err
	}
	if match == nil {
		return 0, 0, pattern, nil
	}
	start, end = match.Span(re.GroupNames()["subsection"])
	return start, end, "", nil
}

// decodeText gives a file's text for regular expressions. A file that is not
// UTF-8 is taken byte by byte, so that what is not replaced stays as it is.
func decodeText(b []byte) (string, func(string) []byte) {
	if utf8.Valid(b) {
		return string(b), func(s string) []byte { return []byte(s) }
	}
	return decodeBytes(b)
}

// decodeBytes takes every byte for a character.
func decodeBytes(b []byte) (string, func(string) []byte) {
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return string(runes), func(s string) []byte {
		out := make([]byte, 0, len(s))
		for _, r := range s {
			if r < 256 {
				out = append(out, byte(r))
			} else {
				out = utf8.AppendRune(out, r)
			}
		}
		return out
	}
}
