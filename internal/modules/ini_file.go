package modules

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "community.general.ini_file",
		New:  func() any { return &iniFile{State: "present", Create: true, Exclusive: true} },
	})
}

// iniFile keeps an option, or a section, of a file in INI's form.
type iniFile struct {
	FileArgs
	Path          string   `arg:"path,required" alias:"dest"`
	Section       string   `arg:"section"`
	Option        string   `arg:"option"`
	Value         *string  `arg:"value"`
	Values        []string `arg:"values"`
	State         string   `arg:"state" choices:"absent,present"`
	Exclusive     bool     `arg:"exclusive"`
	NoExtraSpaces bool     `arg:"no_extra_spaces"`
	AllowNoValue  bool     `arg:"allow_no_value"`
	Create        bool     `arg:"create"`
	Backup        bool     `arg:"backup"`
}

// Validate asks for what there is to do.
func (m *iniFile) Validate() error {
	switch {
	case m.Value != nil && len(m.Values) > 0:
		return fault.New("parameters are mutually exclusive: value|values")
	case m.State == "present" && m.Value == nil && len(m.Values) == 0 && !m.AllowNoValue:
		return fault.New("Parameter 'value(s)' must be defined if state=present and allow_no_value=False.")
	case m.State == "absent" && m.Section == "" && m.Option == "":
		return fault.New("nothing says what shall be absent").WithHint("give option, section, or both")
	}
	return nil
}

// Check works the new text out.
func (m *iniFile) Check(_ context.Context, n node.Reader) (module.Plan, error) {
	m.Path = expandWord(n, m.Path)
	e := textEdit{args: m.FileArgs, path: m.Path, backup: m.Backup}
	old, before, err := e.open(n)
	if err != nil {
		return module.Plan{}, err
	}
	ret := map[string]any{"path": m.Path, "msg": "OK"}
	if old == nil && m.State == "absent" && m.Create {
		return module.Plan{Return: ret}, nil
	}
	if old == nil && !m.Create {
		return module.Plan{}, notSure(n, &module.Failure{
			Msg: fmt.Sprintf("Destination %s does not exist!", m.Path), Hint: "create: true makes it", Return: map[string]any{"rc": int64(257)}})
	}
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimPrefix(string(before), "\ufeff"))
	ini := &iniText{lines: keepLines(text)}
	ret["msg"] = m.edit(ini)
	after := before
	if edited := strings.Join(ini.lines, ""); edited != text {
		after = []byte(edited)
	}
	p, err := e.plan(n, old, before, after, ret)
	delete(ret, "backup")
	p.After = func(_ context.Context, n node.Reader, ret map[string]any) error {
		addPathInfo(n, m.Path, ret)
		return nil
	}
	return p, err
}

// iniText is a file as lines that keep their ends, all of them.
type iniText struct{ lines []string }

// section gives the lines of a section without its head: "" is what stands
// before the first. ok is false where there is no such section.
func (t *iniText) section(name string) (start, end int, ok bool) {
	start = 0
	if name != "" {
		start = slices.IndexFunc(t.lines, func(l string) bool { return strings.HasPrefix(l, "["+name+"]") }) + 1
		if start == 0 {
			return 0, 0, false
		}
	}
	for end = start; end < len(t.lines) && !strings.HasPrefix(t.lines[end], "["); end++ {
	}
	return start, end, true
}

// edit makes the text what is wanted, and says what it did in Ansible's words.
func (m *iniFile) edit(t *iniText) (msg string) {
	if len(t.lines) == 0 {
		t.lines = []string{"\n"} // an empty line comes first in a new file
	}
	if last := &t.lines[len(t.lines)-1]; !strings.HasSuffix(*last, "\n") {
		*last += "\n"
	}
	start, end, found := t.section(m.Section)
	switch {
	case m.State == "absent" && !found:
		return "OK"
	case m.State == "absent" && m.Option == "":
		t.lines = slices.Delete(t.lines, start-1, end)
		return "section removed"
	case m.State == "absent":
		return m.removeOption(t, start, end)
	case !found:
		t.lines = append(t.lines, "["+m.Section+"]\n")
		if m.Option == "" {
			return "only section added"
		}
		t.lines = append(t.lines, m.assignments()...)
		return "section and option added"
	case m.Option == "":
		return "OK"
	}
	return m.setOption(t, start, end)
}

// wanted are the values, each once; none for an option without a value.
func (m *iniFile) wanted() []string {
	if m.Value != nil {
		return []string{*m.Value}
	}
	var out []string
	for _, v := range m.Values {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// assignments are the lines for the wanted values.
func (m *iniFile) assignments() []string {
	sign := " = "
	if m.NoExtraSpaces {
		sign = "="
	}
	var out []string
	for _, v := range m.wanted() {
		out = append(out, m.Option+sign+v+"\n")
	}
	if out == nil {
		out = []string{m.Option + "\n"}
	}
	return out
}

// iniOption reads a line of an option. A commented one is a place where the
// option may stand.
func iniOption(line, option string) (value string, hasValue, commented, ok bool) {
	rest := strings.TrimSuffix(line, "\n")
	if commented = strings.HasPrefix(rest, "#") || strings.HasPrefix(rest, ";"); commented {
		rest = rest[1:]
	}
	if trimmed := strings.TrimLeft(rest, " \t"); strings.HasPrefix(trimmed, option) {
		rest = trimmed
	}
	rest, ok = strings.CutPrefix(rest, option)
	rest = strings.TrimLeft(rest, " \t")
	if !ok || rest != "" && rest[0] != '=' {
		return "", false, false, false
	}
	value, hasValue = strings.CutPrefix(rest, "=")
	return strings.TrimLeft(value, " \t"), hasValue, commented, true
}

func (m *iniFile) removeOption(t *iniText, start, end int) string {
	wanted := m.wanted()
	var kept []string
	for _, l := range t.lines[start:end] {
		v, hasValue, commented, ok := iniOption(l, m.Option)
		if !ok || commented || !m.Exclusive && !(hasValue && slices.Contains(wanted, v)) {
			kept = append(kept, l)
		}
	}
	if len(kept) == end-start {
		return "OK"
	}
	t.lines = slices.Replace(t.lines, start, end, kept...)
	return "option changed"
}

// setOption gives lines that are there to the wanted values: first those that
// say so already, then, if the option is exclusive, the others, which otherwise
// go. What is left is added at the end of the section.
func (m *iniFile) setOption(t *iniText, start, end int) string {
	section := slices.Clone(t.lines[start:end])
	todo := m.assignments()
	taken := m.claim(section, &todo)
	single := len(m.wanted()) == 0
	kept := make([]string, 0, len(section))
	for i, l := range section {
		_, _, _, ok := iniOption(l, m.Option)
		switch {
		case !ok || taken[i] || !m.Exclusive && !single || single && len(todo) == 0:
			kept = append(kept, l)
		case len(todo) > 0:
			kept, todo = append(kept, todo[0]), todo[1:]
		}
	}
	msg := "OK"
	if !slices.Equal(kept, t.lines[start:end]) {
		msg = "option changed"
	}
	if len(todo) > 0 {
		at := len(kept)
		for at > 0 && iniFiller(kept[at-1]) {
			at--
		}
		kept, msg = slices.Insert(kept, at, todo...), "option added"
	}
	t.lines = slices.Replace(t.lines, start, end, kept...)
	return msg
}

// iniFiller says whether a line is empty or a comment.
func iniFiller(line string) bool {
	s := strings.TrimSpace(line)
	return s == "" || s[0] == '#' || s[0] == ';'
}

// claim gives each assignment the line that has its value, takes it out of
// todo, and marks the line as taken. A line in effect goes before a commented one.
func (m *iniFile) claim(section []string, todo *[]string) []bool {
	taken := make([]bool, len(section))
	values := m.wanted()
	var left []string
	for k, line := range *todo {
		at := -1
		for i := range section {
			v, hasValue, commented, ok := iniOption(section[i], m.Option)
			same := !hasValue
			if len(values) > 0 {
				same = hasValue && v == values[k] || isAt(section, i, line)
			}
			if ok && same && !taken[i] && (at < 0 || !commented) {
				if at = i; !commented {
					break
				}
			}
		}
		if at < 0 {
			left = append(left, line)
			continue
		}
		taken[at] = true
		if !isAt(section, at, line) {
			section[at] = line
		}
	}
	*todo = left
	return taken
}
