package modules

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name:    "mageprov.builtin.custom_module",
		New:     func() any { return &customModule{} },
		Foreign: foreignModule,
	})
}

// customModule runs an executable of a library directory: the controller has
// pushed it and made its arguments.
type customModule struct {
	Name      string `arg:"_name"`
	Program   string `arg:"_program,required"`
	Arguments string `arg:"_arguments,required"` // JSON
	// Dry: the executable keeps its word in check mode, so it runs there.
	Dry bool `arg:"_dry"`
}

// pusher is what the controller must offer beside module.Controller.
type pusher interface {
	PushProgram(ctx context.Context, name string, content []byte) (string, error)
	NoLog() bool
}

// foreignModule is the module that an executable makes.
func foreignModule(name, file string, content []byte) (*module.Spec, error) {
	if err := runnable(name, file, content); err != nil {
		return nil, err
	}
	dry := bytes.Contains(content, []byte("_ansible_check_mode"))
	return &module.Spec{Name: name, New: func() any { return &struct{}{} }, OpenArgs: true, Action: func(ctx context.Context, c module.Controller, args module.Args) (*module.Result, error) {
		p, ok := c.(pusher)
		if !ok {
			return nil, fault.New("%s cannot be run here", name)
		}
		if c.Check() && !dry {
			return &module.Result{Skipped: true, Msg: "remote module (" + name + ") does not support check mode", Return: map[string]any{}}, nil
		}
		program, err := p.PushProgram(ctx, path.Base(file), content)
		if err != nil {
			return nil, err
		}
		given := map[string]any{
			"_ansible_check_mode": c.Check(), "_ansible_diff": c.Diff(), "_ansible_no_log": p.NoLog(), "_ansible_verbosity": c.Verbosity(),
			"_ansible_debug": false, "_ansible_module_name": name, "_ansible_version": "2.19.0", "_ansible_tmpdir": path.Dir(program),
			"_ansible_remote_tmp": path.Dir(program), "_ansible_keep_remote_files": false, "_ansible_selinux_special_fs": []string{},
			"_ansible_shell_executable": "/bin/sh", "_ansible_socket": nil, "_ansible_syslog_facility": "LOG_USER",
		}
		for k, v := range args {
			given[k] = v
		}
		raw, err := json.Marshal(given)
		if err != nil {
			return nil, fault.Wrap(err, "encoding the arguments of %s", name)
		}
		return c.Run(ctx, "custom_module", module.Args{"_name": name, "_program": program, "_arguments": string(raw), "_dry": dry})
	}}, nil
}

// runnable says why an executable cannot be used.
func runnable(name, file string, content []byte) error {
	has := func(text string) bool { return bytes.Contains(content, []byte(text)) }
	e := fault.New("the module %s cannot run: %s", name, file)
	hint := "an executable of any kind that takes the path of a JSON file works: mageprov doc custom_module"
	switch {
	case has("WANT_JSON"), bytes.HasPrefix(content, []byte("\x7fELF")):
		return nil
	case has("ansible.module_utils"), has("<<INCLUDE_ANSIBLE_MODULE"), has("AnsibleModule"):
		e.Msg += " is made for Ansible's own Python library, and there is no Python here"
	case has("Ansible.ModuleUtils"), has("POWERSHELL_COMMON"):
		e.Msg += " is made for PowerShell"
	case !bytes.HasPrefix(content, []byte("#!")):
		e.Msg += " is neither a binary nor a script with #! in its first line"
	default:
		e.Msg += " takes its arguments as key=value, as modules once did"
		hint = "take the path of a JSON file as the only argument, and write WANT_JSON into a comment: mageprov doc custom_module"
	}
	return e.WithHint("%s", hint)
}

// Check plans the run of the executable; in check mode it runs here, for it has
// said that it then changes nothing.
func (m *customModule) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	p := module.Plan{Return: map[string]any{}}
	var failure error
	p.After = func(context.Context, node.Reader, map[string]any) error { return failure }
	if n.IsCheck() {
		if !m.Dry {
			p.Skipped = "remote module (" + m.Name + ") does not support check mode"
			return p, nil
		}
		res, err := n.Query(ctx, m.command())
		if err != nil {
			return p, startFailure(err, m.command())
		}
		said, err := m.read(p.Return, res)
		if failure = err; said.changed {
			p.Changes = []module.Change{{What: "run the module " + m.Name, Before: said.before, After: said.after}}
		}
		return p, nil
	}
	p.Changes = []module.Change{{What: "run the module " + m.Name}}
	p.Changes[0].Apply = func(ctx context.Context, w node.Writer) error {
		res, err := w.Run(ctx, m.command())
		if err != nil {
			return startFailure(err, m.command())
		}
		said, err := m.read(p.Return, res)
		if failure = err; !said.changed {
			return module.ErrNoChange
		}
		return nil
	}
	return p, nil
}

// runWithFile puts stdin into a file that only the user can read, runs the
// program with its path, and removes it.
const runWithFile = `f=$(mktemp "$1.XXXXXX") && cat >"$f" || exit 125; "$1" "$f" </dev/null; rc=$?; rm -f "$f"; exit $rc`

func (m *customModule) command() node.Command {
	return node.Command{Argv: []string{"/bin/sh", "-c", runWithFile, m.Name, m.Program}, Dir: path.Dir(m.Program), Stdin: []byte(m.Arguments)}
}

// verdict is what a module says beside its return values.
type verdict struct {
	changed       bool
	before, after string
}

// read takes the module's answer apart: into ret goes what register: receives.
// The error is for a module that failed.
func (m *customModule) read(ret map[string]any, res node.Result) (verdict, error) {
	answer, err := firstObject(res.Stdout)
	if err != nil {
		ret["module_stdout"], ret["module_stderr"], ret["rc"] = cleanText(res.Stdout), cleanText(res.Stderr), res.RC
		msg := "MODULE FAILURE\nSee stdout/stderr for the exact error"
		if res.RC == 0 {
			msg = "the module gave no JSON: " + err.Error()
		}
		hint := strings.TrimSpace(cleanText(res.Stderr))
		if len(hint) > 300 {
			hint = "..." + hint[len(hint)-300:]
		}
		return verdict{}, &module.Failure{Msg: msg, Hint: hint, Return: ret}
	}
	var v verdict
	v.changed = truthy(answer["changed"])
	failed := truthy(answer["failed"])
	if rc, ok := answer["rc"]; ok && answer["failed"] == nil && rc != nil && fmt.Sprint(rc) != "0" {
		failed = true
	}
	if d, ok := answer["diff"].(map[string]any); ok {
		v.before, _ = d["before"].(string)
		v.after, _ = d["after"].(string)
	}
	for k, val := range answer {
		if k != "changed" && k != "failed" {
			ret[k] = val
		}
	}
	if !failed {
		return v, nil
	}
	msg, ok := answer["msg"].(string)
	if !ok {
		msg = "the module " + m.Name + " failed and gave no msg"
	}
	return v, &module.Failure{Msg: msg, Return: ret}
}

// firstObject reads the JSON object in a module's output; lines before it, such
// as a login's greeting, are passed over.
func firstObject(out []byte) (map[string]any, error) {
	rest := out
	for len(rest) > 0 {
		line := bytes.TrimLeft(rest, " \t\r\n")
		if bytes.HasPrefix(line, []byte("{")) {
			d := json.NewDecoder(bytes.NewReader(line))
			d.UseNumber()
			var v map[string]any
			if err := d.Decode(&v); err != nil {
				return nil, err
			}
			return v, nil
		}
		_, rest, _ = bytes.Cut(line, []byte("\n"))
	}
	return nil, fmt.Errorf("no object in %d bytes of output", len(out))
}

func truthy(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case string:
		return v == "yes" || v == "true" || v == "True" || v == "1"
	case json.Number:
		return v != "0"
	}
	return false
}
