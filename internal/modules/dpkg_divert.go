package modules

import (
	"context"
	"fmt"
	"path"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "community.general.dpkg_divert",
		New:  func() any { return &dpkgDivert{State: "present"} },
	})
}

// dpkgDivert tells dpkg to put a package's file elsewhere.
type dpkgDivert struct {
	Path   string `arg:"path,required"`
	State  string `arg:"state" choices:"absent,present"`
	Holder string `arg:"holder"`
	Divert string `arg:"divert"`
	Rename bool   `arg:"rename"`
	Force  bool   `arg:"force"`
}

// Validate demands absolute paths, as dpkg does.
func (m *dpkgDivert) Validate() error {
	for _, p := range []string{m.Path, m.Divert} {
		if p != "" && !path.IsAbs(p) && !strings.HasPrefix(p, "~") && !strings.HasPrefix(p, "$") {
			return fault.New("dpkg-divert: error: filename \"%s\" is not absolute", p)
		}
	}
	return nil
}

// diversion is an entry of dpkg's list; one without divert is not there.
type diversion struct{ divert, holder string }

const diversionsFile = "/var/lib/dpkg/diversions"

// findDiversion reads dpkg's list: three lines each, the holder ":" being the administrator.
func findDiversion(n node.Reader, p string) (diversion, error) {
	if s, ok := n.Assumed("diversion", p); ok {
		divert, holder, _ := strings.Cut(s, "\n")
		return diversion{divert, holder}, nil
	}
	text, _, err := readText(n, diversionsFile)
	if err != nil {
		return diversion{}, err
	}
	lines := textLines(text)
	for i := 0; i+2 < len(lines); i += 3 {
		if lines[i] == p {
			d := diversion{divert: lines[i+1], holder: lines[i+2]}
			if d.holder == ":" {
				d.holder = "LOCAL"
			}
			return d, nil
		}
	}
	return diversion{}, nil
}

// words describes a diversion as dpkg does.
func (d diversion) words(p string) string {
	if d.holder == "LOCAL" {
		return fmt.Sprintf("'local diversion of %s to %s'", p, d.divert)
	}
	return fmt.Sprintf("'diversion of %s to %s by %s'", p, d.divert, d.holder)
}

// facts is a diversion as it is returned.
func (d diversion) facts(p string) map[string]any {
	if d.divert == "" {
		return map[string]any{"path": p, "state": "absent", "divert": nil, "holder": nil}
	}
	return map[string]any{"path": p, "state": "present", "divert": d.divert, "holder": d.holder}
}

// Check compares dpkg's list with the wanted entry.
func (m *dpkgDivert) Check(_ context.Context, n node.Reader) (module.Plan, error) {
	m.Path, m.Divert = expandWord(n, m.Path), expandWord(n, m.Divert)
	p := module.Plan{Return: map[string]any{}}
	have, err := findDiversion(n, m.Path)
	if err != nil {
		return p, err
	}
	var want diversion
	if m.State == "present" {
		want = diversion{m.Divert, m.Holder}
		if want.divert == "" {
			want.divert = m.Path + ".distrib"
		}
		if want.holder == "" {
			want.holder = "LOCAL"
		}
		if i, err := statOrNil(n, m.Path); err == nil && i != nil && i.IsDir() {
			return p, fault.New("Unexpected error while changing state of the diversion.").WithHint("%s is a directory: dpkg-divert cannot divert directories", m.Path)
		}
	}
	commands, messages := m.commands(n, have, want)
	p.Return["commands"], p.Return["messages"], p.Return["diversion"] = anyList(joined(commands)), anyList(messages), want.facts(m.Path)
	if have == want {
		return p, nil
	}
	from, to := m.moves(have, want)
	if err := m.mayMove(n, from, to); err != nil {
		return p, err
	}
	show := func(d diversion) string {
		if d.divert == "" {
			return "no diversion of " + m.Path + "\n"
		}
		return strings.Trim(d.words(m.Path), "'") + "\n"
	}
	what := strings.ToLower(messages[len(messages)-1][:1]) + messages[len(messages)-1][1:]
	p.Changes = []module.Change{{What: what, Before: show(have), After: show(want), Apply: func(ctx context.Context, w node.Writer) error {
		w.Assume("diversion", m.Path, want.divert+"\n"+want.holder)
		return m.apply(ctx, w, commands, from, to)
	}}}
	return p, nil
}

func joined(commands [][]string) []string {
	var out []string
	for _, c := range commands {
		out = append(out, strings.Join(c, " "))
	}
	return out
}

// commands gives what dpkg-divert is told, and what it says to it.
func (m *dpkgDivert) commands(n node.Reader, have, want diversion) (commands [][]string, messages []string) {
	program, err := n.LookPath("dpkg-divert")
	if err != nil {
		program = "dpkg-divert"
	}
	rename := "--no-rename"
	if update := have.divert != "" && want.divert != "" && have != want; m.Rename && !update {
		rename = "--rename"
	}
	if have.divert != "" && have != want || want.divert == "" {
		commands = append(commands, []string{program, rename, "--remove", m.Path})
		messages = append(messages, "Removing "+have.words(m.Path))
		if have.divert == "" {
			messages = []string{"No diversion 'any diversion of " + m.Path + "', none removed."}
		}
	}
	if want.divert == "" {
		return commands, messages
	}
	argv := []string{program, rename, "--local"}
	if want.holder != "LOCAL" {
		argv = []string{program, rename, "--package", want.holder}
	}
	if m.Divert != "" {
		argv = append(argv, "--divert", m.Divert)
	}
	verb := "Adding "
	if have == want {
		verb = "Leaving "
	}
	return append(commands, append(argv, "--add", m.Path)), append(messages, verb+want.words(m.Path))
}

// moves says which file goes where with rename.
func (m *dpkgDivert) moves(have, want diversion) (from, to string) {
	switch {
	case !m.Rename:
		return "", ""
	case have.divert == "":
		return m.Path, want.divert
	case want.divert == "":
		return have.divert, m.Path
	case have.divert == want.divert:
		return "", ""
	}
	return have.divert, want.divert
}

// mayMove refuses to move over another file without force.
func (m *dpkgDivert) mayMove(n node.Reader, from, to string) error {
	if from == "" || m.Force {
		return nil
	}
	source, err := lstatOrNil(n, from)
	if err != nil || source == nil {
		return err
	}
	target, err := lstatOrNil(n, to)
	if err != nil || target == nil {
		return err
	}
	return &module.Failure{Msg: "Set 'force' param to True to force renaming of files.", Hint: to + " is there already",
		Return: map[string]any{"rc": int64(2), "diversion": map[string]any{"path": m.Path}}}
}

// apply runs the commands. A file in the way goes only when all went well.
func (m *dpkgDivert) apply(ctx context.Context, w node.Writer, commands [][]string, from, to string) error {
	aside := ""
	if from != "" {
		source, err := lstatOrNil(w, from)
		if err != nil {
			return err
		}
		target, err := lstatOrNil(w, to)
		if err != nil {
			return err
		}
		if source != nil && target != nil {
			aside = to + ".dpkg-divert.aside"
			if err := w.Rename(to, aside); err != nil {
				return err
			}
		}
		if source != nil && len(commands) == 2 { // dpkg does not move what is diverted elsewhere
			if err := w.Rename(from, to); err != nil {
				return err
			}
		}
	}
	for _, argv := range commands {
		if err := mustRun(ctx, w, node.Command{Argv: argv, Env: aptEnv()}); err != nil {
			if aside != "" {
				if rerr := w.Rename(aside, to); rerr != nil {
					return fmt.Errorf("%w; the file that was in the way is %s", err, aside)
				}
			}
			return err
		}
	}
	if aside != "" {
		return w.Remove(aside)
	}
	return nil
}
