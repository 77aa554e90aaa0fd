package modules

import (
	"context"
	"slices"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "community.general.cronvar",
		New:  func() any { return &cronVar{State: "present"} },
	})
}

// cronVar is a variable of a crontab, written as it is given, without quotes.
type cronVar struct {
	Name         string  `arg:"name,required"`
	Value        *string `arg:"value"`
	State        string  `arg:"state" choices:"absent,present"`
	User         string  `arg:"user"`
	CronFile     string  `arg:"cron_file"`
	InsertAfter  string  `arg:"insertafter"`
	InsertBefore string  `arg:"insertbefore"`
	Backup       bool    `arg:"backup"`
}

// Validate asks for a variable and its value.
func (m *cronVar) Validate() error {
	switch {
	case m.InsertAfter != "" && m.InsertBefore != "":
		return fault.New("parameters are mutually exclusive: insertbefore|insertafter")
	case m.State == "present" && m.Value == nil:
		return fault.New("You must specify 'value' to insert a new cron variable")
	case !isVarName(m.Name):
		return fault.New("name %q is no name of a variable", m.Name).WithHint("letters, digits and underscores")
	case m.Value != nil && strings.ContainsAny(*m.Value, "\r\n"):
		return fault.New("value must be one line")
	}
	return nil
}

// Check compares the table with the wanted variable.
func (m *cronVar) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	p := module.Plan{Return: map[string]any{}}
	table := &cron{User: m.User, CronFile: m.CronFile, Backup: m.Backup, Env: true, State: m.State}
	before, exists, err := table.read(ctx, n)
	if err != nil {
		return p, err
	}
	lines := textLines(before)
	after := m.edit(lines)
	p.Return["vars"] = cronVariables(after)
	if m.CronFile != "" {
		p.Return["cron_file"] = m.CronFile
	}
	if !slices.Equal(lines, after) {
		table.planWrite(n, &p, before, linesText(after), exists)
	}
	return p, nil
}

func (m *cronVar) edit(lines []string) []string {
	if m.State == "absent" {
		return slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return cronVariable(l) == m.Name })
	}
	want := m.Name + "=" + *m.Value
	out, found := slices.Clone(lines), false
	for i, l := range out {
		if cronVariable(l) != m.Name {
			continue
		}
		found = true
		if _, have, _ := strings.Cut(l, "="); strings.TrimSpace(have) != strings.TrimSpace(*m.Value) {
			out[i] = want
		}
	}
	if found {
		return out
	}
	at := 0
	if other := m.InsertAfter + m.InsertBefore; other != "" {
		at = max(0, slices.IndexFunc(out, func(l string) bool { return cronVariable(l) == other }))
		if m.InsertAfter != "" && at < len(out) && cronVariable(out[at]) == other {
			at++
		}
	}
	return slices.Insert(out, at, want)
}

func isVarName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '_', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		case c >= '0' && c <= '9' && i > 0:
		default:
			return false
		}
	}
	return s != ""
}
