package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path"
	"strings"
	"syscall"
	"time"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name:     "ansible.builtin.command",
		New:      func() any { return &command{runOptions: runDefaults(), ExpandArgumentVars: true} },
		FreeForm: "cmd",
	})
}

// command runs a program without a shell.
type command struct {
	runOptions
	Argv               []string `arg:"argv"`
	ExpandArgumentVars bool     `arg:"expand_argument_vars"`
}

// runOptions are the arguments that command and shell share.
type runOptions struct {
	Cmd             string  `arg:"cmd"`
	Chdir           string  `arg:"chdir"`
	Creates         string  `arg:"creates"`
	Removes         string  `arg:"removes"`
	Stdin           *string `arg:"stdin"`
	StdinAddNewline bool    `arg:"stdin_add_newline"`
	StripEmptyEnds  bool    `arg:"strip_empty_ends"`
	Executable      string  `arg:"executable"`
	// Warn did something before Ansible 2.14 and is still written in old roles.
	Warn *bool `arg:"warn"`
}

func runDefaults() runOptions { return runOptions{StdinAddNewline: true, StripEmptyEnds: true} }

// Validate asks for exactly one of cmd and argv.
func (m *command) Validate() error {
	switch {
	case strings.TrimSpace(m.Cmd) == "" && len(m.Argv) == 0:
		return fault.New("no command given").WithHint("write the command after the module's name, or as cmd: or argv:")
	case m.Cmd != "" && len(m.Argv) > 0:
		return fault.New("only one of cmd and argv can be given")
	}
	return nil
}

// Check plans the run of the program.
func (m *command) Check(_ context.Context, n node.Reader) (module.Plan, error) {
	argv := m.Argv
	if len(argv) == 0 {
		var err error
		if argv, err = splitArgv(m.Cmd); err != nil {
			return module.Plan{}, fmt.Errorf("splitting the command %q: %w", m.Cmd, err)
		}
	}
	shown := make([]any, len(argv))
	run := make([]string, len(argv))
	for i, a := range argv {
		shown[i], run[i] = a, a
		if m.ExpandArgumentVars {
			run[i] = expandWord(n, a)
		}
	}
	return m.plan(n, shown, run)
}

// plan makes the one change that a command is, unless creates or removes say
// that it need not run, or check mode that it cannot.
func (o *runOptions) plan(n node.Reader, shown any, argv []string) (module.Plan, error) {
	ret := emptyRun(shown)
	p := module.Plan{Return: ret}
	dir := ""
	if o.Chdir != "" {
		dir = expandWord(n, o.Chdir)
		if info, err := n.Stat(dir); err != nil || !info.IsDir() {
			ret["rc"] = nil
			msg := fmt.Sprintf("Unable to change directory before execution: [Errno 2] No such file or directory: b'%s'", dir)
			if err == nil {
				msg = fmt.Sprintf("Unable to change directory before execution: [Errno 20] Not a directory: b'%s'", dir)
			}
			return p, &module.Failure{Msg: msg}
		}
	}
	if file, why := o.needless(n, dir); why != "" {
		verb := "Did not"
		if n.IsCheck() {
			verb = "Would not"
		}
		ret["stdout"] = "skipped, since " + file + " " + why
		ret["stdout_lines"] = []any{ret["stdout"]}
		ret["msg"] = fmt.Sprintf("%s run command since '%s' %s", verb, file, why)
		return p, nil
	}
	if n.IsCheck() {
		ret["msg"] = "Command would have run if not in check mode"
		ret["unknown"] = true
		if o.Creates == "" && o.Removes == "" {
			p.Skipped = "Command would have run if not in check mode"
			return p, nil
		}
	}
	c := node.Command{Argv: argv, Dir: dir, Stdin: o.stdin()}
	var failure error
	p.Changes = []module.Change{{
		What: "run " + strings.Join(argv, " "),
		Apply: func(ctx context.Context, w node.Writer) error {
			res, err := w.Run(ctx, c)
			if err != nil {
				return startFailure(err, c)
			}
			if !res.Unknown {
				fillRun(ret, res, o.StripEmptyEnds)
				failure = rcFailure(res.RC)
			}
			return nil
		},
	}}
	// A command that ran and failed has changed the node for all we know, so the
	// failure is told after the change.
	p.After = func(context.Context, node.Reader, map[string]any) error { return failure }
	return p, nil
}

func (o *runOptions) stdin() []byte {
	if o.Stdin == nil {
		return nil
	}
	in := *o.Stdin
	if o.StdinAddNewline && !strings.HasSuffix(in, "\n") {
		in += "\n"
	}
	return []byte(in)
}

// needless says by which file the command has nothing to do, and why, as
// creates and removes tell; why is "" when it must run.
func (o *runOptions) needless(n node.Reader, dir string) (file, why string) {
	if o.Creates != "" && globExists(n, dir, expandWord(n, o.Creates)) {
		return o.Creates, "exists"
	}
	if o.Removes != "" && !globExists(n, dir, expandWord(n, o.Removes)) {
		return o.Removes, "does not exist"
	}
	return "", ""
}

// globExists says whether a pattern, relative to dir, matches anything.
func globExists(n node.Reader, dir, pattern string) bool {
	if !path.IsAbs(pattern) {
		if dir == "" {
			dir = "."
		}
		pattern = dir + "/" + pattern
	}
	return len(globFiles(n, pattern)) > 0
}

// globFiles gives the paths that match a shell pattern, sorted; a dangling link
// does not match, as in Ansible.
func globFiles(n node.Reader, pattern string) []string {
	if !strings.ContainsAny(pattern, "*?[") {
		if _, err := n.Stat(pattern); err != nil {
			return nil
		}
		return []string{pattern}
	}
	parent, last := path.Split(path.Clean(pattern))
	var found []string
	for _, dir := range globFiles(n, path.Clean(parent)) {
		if !strings.ContainsAny(last, "*?[") {
			if _, err := n.Stat(path.Join(dir, last)); err == nil {
				found = append(found, path.Join(dir, last))
			}
			continue
		}
		entries, err := n.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			name := path.Base(e.Path)
			if ok, _ := path.Match(last, name); ok && (name[0] != '.' || last[0] == '.') {
				found = append(found, path.Join(dir, name))
			}
		}
	}
	return found
}

// emptyRun is what a command returns before, or without, being run.
func emptyRun(cmd any) map[string]any {
	return map[string]any{
		"cmd": cmd, "rc": 0, "stdout": "", "stderr": "", "stdout_lines": []any{}, "stderr_lines": []any{},
		"start": nil, "end": nil, "delta": nil, "msg": "",
	}
}

func fillRun(ret map[string]any, res node.Result, strip bool) {
	for name, b := range map[string][]byte{"stdout": res.Stdout, "stderr": res.Stderr} {
		s := cleanText(b)
		if strip {
			s = strings.TrimRight(s, "\r\n")
		}
		ret[name], ret[name+"_lines"] = s, splitLines(s)
	}
	ret["rc"] = res.RC
	ret["start"] = res.Start.Format("2006-01-02 15:04:05.000000")
	ret["end"] = res.End.Format("2006-01-02 15:04:05.000000")
	ret["delta"] = pythonDelta(res.End.Sub(res.Start))
	if res.RC != 0 {
		ret["msg"] = "non-zero return code"
	}
}

func rcFailure(rc int) error {
	if rc == 0 {
		return nil
	}
	return &module.Failure{Msg: "non-zero return code"}
}

// startFailure tells why a program could not be started, in Python's words,
// which roles compare with.
func startFailure(err error, c node.Command) error {
	errno, text := 0, ""
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		errno, text = 2, "No such file or directory"
	case errors.Is(err, fs.ErrPermission):
		errno, text = 13, "Permission denied"
	case errors.Is(err, syscall.ENOEXEC):
		errno, text = 8, "Exec format error"
	default:
		return err
	}
	return &module.Failure{
		Msg:    fmt.Sprintf("[Errno %d] %s: b'%s'", errno, text, c.Argv[0]),
		Return: map[string]any{"rc": errno, "cmd": strings.Join(c.Argv, " ")},
	}
}

// pythonDelta writes a duration as Python's str(timedelta) does.
func pythonDelta(d time.Duration) string {
	us := d.Microseconds()
	days, us := us/86400e6, us%86400e6
	s := fmt.Sprintf("%d:%02d:%02d", us/3600e6, us/60e6%60, us/1e6%60)
	if frac := us % 1e6; frac != 0 {
		s += fmt.Sprintf(".%06d", frac)
	}
	switch {
	case days == 1:
		return "1 day, " + s
	case days > 1:
		return fmt.Sprintf("%d days, %s", days, s)
	}
	return s
}
