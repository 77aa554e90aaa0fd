// Package lint finds what is wrong or doubtful in playbooks and roles that have
// been read, without touching any host. It says only what is sure: a name that
// something may define at run time counts as defined.
package lint

import (
	"slices"
	"sort"
	"strings"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/inventory"
	"mageprov/internal/jinja"
	"mageprov/internal/playbook"
	"mageprov/internal/template"
)

// Input is what has been read.
type Input struct {
	Files     document.Files
	Loader    *playbook.Loader
	Books     []*playbook.Playbook
	Templates *template.Engine
	// Inventories bring the variables of hosts and groups.
	Inventories []*inventory.Inventory
	Extra       *jinja.Dict

	Only, Skip []string // rules; no Only means all
}

// linter is one call of Run.
type linter struct {
	Input
	read  playbook.Contents
	found []playbook.Finding
}

// Run gives the findings, sorted by place. Findings of lines with a comment
// `# noqa: rule` are left out.
func Run(in Input) []playbook.Finding {
	l := &linter{Input: in, read: in.Loader.Contents()}
	for _, b := range in.Books {
		l.found = append(l.found, playbook.Lint(in.Loader, b)...)
	}
	l.tasks()
	l.variables()
	return Filter(in.Files, in.Loader, l.found, in.Only, in.Skip)
}

// Filter sorts findings, drops those that are said twice, those of rules that
// are not wanted, and those that a comment permits.
func Filter(files document.Files, loader *playbook.Loader, found []playbook.Finding, only, skip []string) []playbook.Finding {
	permits := newPermits(files, loader)
	seen := map[playbook.Finding]bool{}
	var out []playbook.Finding
	for _, f := range found {
		switch {
		case seen[f], slices.Contains(skip, f.Rule), len(only) > 0 && !slices.Contains(only, f.Rule), permits.has(f):
			continue
		}
		seen[f] = true
		out = append(out, f)
	}
	sort.SliceStable(out, func(i, j int) bool {
		a, b := out[i].Place, out[j].Place
		if a.File != b.File {
			return a.File < b.File
		}
		return a.Line < b.Line || a.Line == b.Line && a.Col < b.Col
	})
	return out
}

// say notes a finding of a rule; the rule knows its level.
func (l *linter) say(rule string, p fault.Place, msg, hint string) {
	l.found = append(l.found, playbook.Finding{Place: p, Rule: rule, Level: levelOf(rule), Msg: msg, Hint: hint})
}

// Broken makes a finding of an error that apply would stop at.
func Broken(err error) playbook.Finding {
	f := playbook.Finding{Rule: "refused", Level: playbook.Error, Msg: err.Error(), Hint: fault.HintOf(err)}
	if e, ok := err.(*fault.Error); ok {
		f.Place = e.Place
		f.Msg = strings.TrimPrefix(strings.TrimPrefix(err.Error(), e.Place.String()), ": ")
	}
	for _, c := range []struct{ text, rule string }{
		{"unknown module", "unknown-module"}, {"no module", "unknown-module"}, {"has no argument", "unknown-argument"}, {"unknown keyword", "unknown-keyword"},
		{"unknown filter", "unknown-filter"}, {"no filter", "unknown-filter"}, {"unknown test", "unknown-test"}, {"no test", "unknown-test"},
		{"lookup", "unknown-lookup"}, {"is gone", "deprecated"}, {"cannot loop", "deprecated"},
	} {
		if strings.Contains(f.Msg, c.text) {
			f.Rule = c.rule
			break
		}
	}
	return f
}
