package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "community.general.pamd",
		New:  func() any { return &pamd{State: "updated", Path: "/etc/pam.d"} },
	})
}

// pamd edits the rules of a PAM service that have a type, a control and a module.
type pamd struct {
	Name            string    `arg:"name,required"`
	Type            string    `arg:"type,required" choices:"account,-account,auth,-auth,password,-password,session,-session"`
	Control         string    `arg:"control,required"`
	ModulePath      string    `arg:"module_path,required"`
	NewType         string    `arg:"new_type" choices:",account,-account,auth,-auth,password,-password,session,-session"`
	NewControl      string    `arg:"new_control"`
	NewModulePath   string    `arg:"new_module_path"`
	ModuleArguments *[]string `arg:"module_arguments"`
	State           string    `arg:"state" choices:"absent,before,after,args_absent,args_present,updated"`
	Path            string    `arg:"path"`
	Backup          bool      `arg:"backup"`
}

// Validate asks for the parts of a new rule.
func (m *pamd) Validate() error {
	var missing []string
	need := func(name string, given bool) {
		if !given {
			missing = append(missing, name)
		}
	}
	switch m.State {
	case "before", "after":
		need("new_control", m.NewControl != "")
		need("new_type", m.NewType != "")
		need("new_module_path", m.NewModulePath != "")
	case "args_absent", "args_present":
		need("module_arguments", m.ModuleArguments != nil)
	}
	if len(missing) > 0 {
		return fault.New("state is %s but all of the following are missing: %s", m.State, strings.Join(missing, ", "))
	}
	if m.State == "args_present" && slices.ContainsFunc(m.arguments(), func(a string) bool { return strings.HasPrefix(a, "[") }) {
		return fault.New("Unable to process bracketed '[' complex arguments with 'args_present'. Please use 'updated'.")
	}
	return nil
}

// arguments are the words of module_arguments; a bracketed one is one word.
func (m *pamd) arguments() []string {
	if m.ModuleArguments == nil {
		return nil
	}
	return pamWords(strings.Join(*m.ModuleArguments, " "))
}

// pamWords cuts at blanks that are not in brackets.
func pamWords(s string) []string {
	var words []string
	start, depth := -1, 0
	for i := 0; i <= len(s); i++ {
		blank := i == len(s) || s[i] == ' ' || s[i] == '\t'
		switch {
		case blank && (depth == 0 || i == len(s)):
			if start >= 0 {
				words = append(words, s[start:i])
			}
			start = -1
		case blank:
		default:
			if start < 0 {
				start = i
			}
			if s[i] == '[' {
				depth++
			} else if s[i] == ']' && depth > 0 {
				depth--
			}
		}
	}
	return words
}

// pamEntry is a rule, or in raw what is none: comments, empty lines, @include.
type pamEntry struct {
	raw                    string // as it stands in the file, without its end
	isRule                 bool
	kind, control, modPath string
	args                   []string
	comment                string
}

// parsePAM reads a service file. A rule may go on over several lines.
func parsePAM(text string) []pamEntry {
	var out []pamEntry
	lines := textLines(text)
	for i := 0; i < len(lines); i++ {
		raw := lines[i]
		for strings.HasSuffix(raw, "\\") && i+1 < len(lines) {
			i++
			raw += "\n" + lines[i]
		}
		e := pamEntry{raw: raw}
		body, comment, found := strings.Cut(strings.ReplaceAll(raw, "\\\n", " "), "#")
		if found {
			comment = "#" + comment
		}
		if words := pamWords(body); len(words) >= 3 && words[0][0] != '@' {
			e.isRule, e.kind, e.control, e.modPath, e.args, e.comment = true, words[0], words[1], words[2], words[3:], comment
		}
		out = append(out, e)
	}
	return out
}

// line writes a rule as Ansible does.
func (e pamEntry) line() string {
	words := append([]string{fmt.Sprintf("%-10s", e.kind), e.control, e.modPath}, e.args...)
	if e.comment != "" {
		words = append(words, e.comment)
	}
	return strings.Join(words, " ")
}

func (e pamEntry) is(kind, control, modPath string) bool {
	return e.isRule && e.kind == kind && e.control == control && e.modPath == modPath
}

// Check works the new file out.
func (m *pamd) Check(_ context.Context, n node.Reader) (module.Plan, error) {
	file := path.Join(expandWord(n, m.Path), m.Name)
	b, err := n.ReadFile(file)
	if err != nil {
		err = fault.New("Unable to open/read PAM module file %s with error %v.", file, err)
		if _, serr := n.Stat(file); errors.Is(serr, fs.ErrNotExist) {
			err = notSure(n, err)
		}
		return module.Plan{}, err
	}
	entries, count := m.edit(parsePAM(string(b)))
	p := module.Plan{Return: map[string]any{"change_count": int64(count), "backupdest": ""}}
	if count == 0 {
		return p, nil
	}
	if m.Backup {
		name, step := keepCopy(n, file)
		p.Changes, p.Return["backupdest"] = append(p.Changes, step), name
	}
	lines := make([]string, len(entries))
	for i, e := range entries {
		lines[i] = e.raw
	}
	p.Changes = append(p.Changes, rewriteText(file, string(b), linesText(lines), true, 0o644))
	return p, nil
}

// edit gives the entries as they shall be, and how many were touched.
func (m *pamd) edit(entries []pamEntry) (out []pamEntry, count int) {
	added := pamEntry{isRule: true, kind: m.NewType, control: m.NewControl, modPath: m.NewModulePath, args: m.arguments()}
	added.raw = added.line()
	isAdded := func(e *pamEntry) bool { return e != nil && e.is(added.kind, added.control, added.modPath) }
	for i, e := range entries {
		if !e.is(m.Type, m.Control, m.ModulePath) {
			out = append(out, e)
			continue
		}
		switch m.State {
		case "absent":
			count++
		case "before":
			if !isAdded(lastRule(out)) {
				out, count = append(out, added), count+1
			}
			out = append(out, e)
		case "after":
			out = append(out, e)
			if !isAdded(nextRule(entries[i+1:])) {
				out, count = append(out, added), count+1
			}
		default:
			if changed := m.change(e); changed.line() != e.line() {
				changed.raw = changed.line()
				e, count = changed, count+1
			}
			out = append(out, e)
		}
	}
	return out, count
}

func lastRule(entries []pamEntry) *pamEntry {
	for i := len(entries) - 1; i >= 0; i-- {
		if entries[i].isRule {
			return &entries[i]
		}
	}
	return nil
}

func nextRule(entries []pamEntry) *pamEntry {
	for i := range entries {
		if entries[i].isRule {
			return &entries[i]
		}
	}
	return nil
}

// change gives a rule its new parts or arguments.
func (m *pamd) change(e pamEntry) pamEntry {
	switch m.State {
	case "args_absent":
		e.args = slices.DeleteFunc(slices.Clone(e.args), func(a string) bool { return slices.Contains(m.arguments(), a) })
	case "args_present":
		e.args = slices.Clone(e.args)
		for _, a := range m.arguments() {
			key, _, isPair := strings.Cut(a, "=")
			at := slices.IndexFunc(e.args, func(have string) bool { return have == a || isPair && strings.HasPrefix(have, key+"=") })
			if at < 0 {
				e.args = append(e.args, a)
			} else {
				e.args[at] = a
			}
		}
	default:
		if m.NewType != "" {
			e.kind = m.NewType
		}
		if m.NewControl != "" {
			e.control = m.NewControl
		}
		if m.NewModulePath != "" {
			e.modPath = m.NewModulePath
		}
		if m.ModuleArguments != nil {
			e.args = m.arguments()
		}
	}
	return e
}
