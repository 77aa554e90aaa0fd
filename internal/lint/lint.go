// Package lint finds what is wrong or doubtful in playbooks and roles that have
// been read, without touching any host. It says only what is sure: a name that
// something may define at run time counts as defined.
package lint

import (
	"path"
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
	l := &linter{Input: in}
	l.rest()
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

// rest reads the task files of roles that nothing names outright: which of them
// are included, the host decides. What is wrong with them the run says, if it
// ever comes to them.
func (l *linter) rest() {
	for {
		l.read = l.Loader.Contents()
		files := len(l.read.Files)
		for _, r := range l.read.Roles {
			for _, kind := range []string{"tasks", "handlers"} {
				for _, f := range l.below(document.Join(r.Path, kind)) {
					if l.read.Files[f] == nil {
						_, _ = l.Loader.Tasks(f, playbook.TasksContext{Role: r, Handlers: kind == "handlers"})
					}
				}
			}
		}
		if l.read = l.Loader.Contents(); len(l.read.Files) == files {
			return
		}
	}
}

// below lists the YAML files below a directory.
func (l *linter) below(dir string) []string {
	entries, err := l.Files.ReadDir(dir)
	if err != nil {
		return nil // there is no such directory
	}
	var out []string
	for _, n := range entries {
		p := document.Join(dir, n)
		if isDir, err := l.Files.Stat(p); err == nil && isDir {
			out = append(out, l.below(p)...)
		} else if ext := path.Ext(n); ext == ".yml" || ext == ".yaml" {
			out = append(out, p)
		}
	}
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
