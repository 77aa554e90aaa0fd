package modules

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
	"mageprov/internal/node/nodetest"
)

// stage is a Controller whose answers are given.
type stage struct {
	raw       map[string]any
	vars      map[string]any
	check     bool
	verbosity int
	kind      module.VarKind
	set       map[string]any
	exec      func(line string) (int, string, error)
	reconnect func() error
	ran       []string
	lines     []string
	node      node.Writer
	broken    error // of evaluating a variable
}

// undefined is the error of a variable that does not exist.
type undefined struct{}

func (undefined) Error() string     { return "undefined" }
func (undefined) Undefined() string { return "x" }

func (s *stage) Run(ctx context.Context, name string, args module.Args) (*module.Result, error) {
	s.ran = append(s.ran, name)
	if s.node == nil {
		return &module.Result{Return: map[string]any{}}, nil
	}
	spec, _ := module.Lookup(name)
	m := spec.New().(module.Module)
	if err := module.Decode(m, args); err != nil {
		return nil, err
	}
	return module.Run(ctx, m, s.node, false), nil
}
func (s *stage) Raw(arg string) any { return s.raw[arg] }
func (s *stage) Condition(_ context.Context, v any) (bool, error) {
	if b, ok := v.(bool); ok {
		return b, nil
	}
	return s.vars[v.(string)] == true, nil
}
func (s *stage) Var(_ context.Context, expr string) (any, error) {
	if v, ok := s.vars[expr]; ok {
		return v, nil
	}
	if s.broken != nil {
		return nil, s.broken
	}
	return nil, undefined{}
}
func (s *stage) SetVars(_ context.Context, kind module.VarKind, vars map[string]any) error {
	s.kind, s.set = kind, vars
	return nil
}
func (s *stage) IncludeVars(context.Context, module.Args) (*module.Result, error) {
	return &module.Result{Return: map[string]any{"included": true}}, nil
}
func (s *stage) ValidateArguments(context.Context) (*module.Result, error) {
	return &module.Result{Return: map[string]any{}}, nil
}
func (s *stage) Find(_, name string) (string, error)            { return name, nil }
func (s *stage) ReadFile(path string) ([]byte, error)           { return os.ReadFile(path) }
func (s *stage) Download(context.Context, string, string) error { return nil }
func (s *stage) RenderFile(context.Context, string, module.TemplateOptions) (string, error) {
	return "", nil
}
func (s *stage) Upload(ctx context.Context, path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	to := "/tmp/" + filepath.Base(path)
	return to, s.node.WriteFile(ctx, to, strings.NewReader(string(b)), node.Keep())
}
func (s *stage) Exec(_ context.Context, line string) (int, []byte, []byte, error) {
	s.lines = append(s.lines, line)
	rc, out, err := s.exec(line)
	return rc, []byte(out), nil, err
}
func (s *stage) Reconnect(context.Context) error { return s.reconnect() }
func (s *stage) Check() bool                     { return s.check }
func (s *stage) Diff() bool                      { return false }
func (s *stage) Verbosity() int                  { return s.verbosity }
func (s *stage) Host() string                    { return "node1" }
func (s *stage) Place() fault.Place              { return fault.Place{File: "play.yml", Line: 3} }
func (s *stage) Progress(string)                 {}

func TestActions(t *testing.T) {
	vars := map[string]any{"x.y": int64(5), "yes": true, "no": false}
	for _, c := range []struct {
		name   string
		module string
		args   module.Args
		stage  stage
		fail   string
		skip   bool
		ret    map[string]any
	}{
		{name: "debug", module: "debug", ret: map[string]any{"msg": "Hello world!"}},
		{name: "debug msg", module: "debug", args: module.Args{"msg": []any{"a"}}, ret: map[string]any{"msg": []any{"a"}}},
		{name: "debug var", module: "debug", args: module.Args{"var": "x.y"}, ret: map[string]any{"x.y": int64(5)}},
		{name: "debug unknown var", module: "debug", args: module.Args{"var": "z"}, ret: map[string]any{"z": "VARIABLE IS NOT DEFINED!"}},
		{name: "debug broken var", module: "debug", args: module.Args{"var": "z"}, stage: stage{broken: errors.New("decrypting z: no password fits")}, fail: "no password fits"},
		{name: "debug templated var", module: "debug", args: module.Args{"var": "text"}, stage: stage{raw: map[string]any{"var": "{{ q }}"}}, ret: map[string]any{"{{ q }}": "text"}},
		{name: "debug list", module: "debug", args: module.Args{"var": []any{"a"}}, stage: stage{raw: map[string]any{"var": "{{ q }}"}}, ret: map[string]any{"{{ q }}": []any{"a"}}},
		{name: "debug quiet", module: "debug", args: module.Args{"msg": "a", "verbosity": int64(2)}, skip: true},
		{name: "debug loud", module: "debug", args: module.Args{"msg": "a", "verbosity": "2"}, stage: stage{verbosity: 2}, ret: map[string]any{"msg": "a"}},
		{name: "debug both", module: "debug", args: module.Args{"msg": "a", "var": "x"}, fail: "only one of"},
		{name: "assert", module: "assert", args: module.Args{"that": "x"}, stage: stage{raw: map[string]any{"that": []any{"yes", true}}}, ret: map[string]any{"msg": "All assertions passed"}},
		{name: "assert success", module: "assert", args: module.Args{"that": "x", "success_msg": "fine"}, stage: stage{raw: map[string]any{"that": "yes"}}, ret: map[string]any{"msg": "fine"}},
		{name: "assert fails", module: "assert", args: module.Args{"that": "x", "quiet": true}, stage: stage{raw: map[string]any{"that": []any{"yes", "no"}}}, fail: "Assertion failed", ret: map[string]any{"assertion": "no", "evaluated_to": false, "msg": "Assertion failed"}},
		{name: "assert msg", module: "assert", args: module.Args{"that": "x", "msg": "own"}, stage: stage{raw: map[string]any{"that": "no"}}, fail: "own", ret: map[string]any{"msg": "own"}},
		{name: "fail", module: "fail", fail: "Failed as requested from task"},
		{name: "fail msg", module: "fail", args: module.Args{"msg": "x y"}, fail: "x y"},
		{name: "set_fact nothing", module: "set_fact", args: module.Args{"cacheable": true}, fail: "needs at least one variable"},
		{name: "set_fact name", module: "set_fact", args: module.Args{"1a": 1}, fail: `play.yml:3: the variable name "1a" is not valid`},
		{name: "include_vars", module: "include_vars", args: module.Args{"file": "a.yml"}, ret: map[string]any{"included": true}},
		{name: "include_vars both", module: "include_vars", args: module.Args{"file": "a.yml", "dir": "b"}, fail: "only one of"},
		{name: "include_vars depth", module: "include_vars", args: module.Args{"file": "a.yml", "depth": "1"}, fail: "belong to dir"},
		{name: "add_host", module: "add_host", args: module.Args{"hostname": "h:2222", "groups": "a, b", "foo": "1"}, ret: map[string]any{"add_host": map[string]any{
			"host_name": "h", "groups": []any{"a", "b"}, "host_vars": map[string]any{"foo": "1", "ansible_port": int64(2222)}}}},
		{name: "add_host v6", module: "add_host", args: module.Args{"name": "fd00::1"}, ret: map[string]any{"add_host": map[string]any{
			"host_name": "fd00::1", "groups": []any{}, "host_vars": map[string]any{}}}},
		{name: "group_by", module: "group_by", args: module.Args{"key": "os x", "parents": "p"}, ret: map[string]any{"add_group": "os-x", "parent_groups": []any{"p"}}},
		{name: "pause check", module: "pause", args: module.Args{"seconds": "100"}, stage: stage{check: true}, skip: true},
		{name: "pause both", module: "pause", args: module.Args{"seconds": "1", "minutes": "1"}, fail: "only one of"},
		{name: "meta", module: "meta", args: module.Args{"free_form": "noop"}, fail: "cannot be run as a module"},
		{name: "raw check", module: "raw", args: module.Args{"free_form": "ls"}, stage: stage{check: true}, skip: true},
		{name: "raw empty", module: "raw", args: module.Args{"free_form": " "}, fail: "no command given"},
		{name: "reboot check", module: "reboot", stage: stage{check: true}, ret: map[string]any{"rebooted": true}},
		{name: "wait_for_connection check", module: "wait_for_connection", stage: stage{check: true}, skip: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.stage.vars = vars
			if c.stage.raw == nil {
				c.stage.raw = map[string]any(c.args)
			}
			res := act(t, c.module, &c.stage, c.args)
			if res.Failed != (c.fail != "") || !strings.Contains(res.Msg, c.fail) || res.Skipped != c.skip {
				t.Errorf("failed=%v skipped=%v %q", res.Failed, res.Skipped, res.Msg)
			}
			for k, want := range c.ret {
				if got := res.Return[k]; !reflect.DeepEqual(got, want) {
					t.Errorf("%s is %#v, want %#v", k, got, want)
				}
			}
		})
	}
}

func act(t *testing.T, name string, s *stage, args module.Args) *module.Result {
	t.Helper()
	spec, ok := module.Lookup(name)
	if !ok {
		t.Fatalf("no module %s", name)
	}
	res, err := spec.Action(t.Context(), s, args)
	if err != nil {
		res = &module.Result{Failed: true, Msg: err.Error()}
	}
	return res
}

func TestSetFact(t *testing.T) {
	for kind, args := range map[module.VarKind]module.Args{
		module.VarFacts:  {"a": int64(1), "b": []any{"x"}},
		module.VarCached: {"a": int64(1), "b": []any{"x"}, "cacheable": "yes"},
	} {
		s := &stage{}
		act(t, "set_fact", s, args)
		if want := map[string]any{"a": int64(1), "b": []any{"x"}}; s.kind != kind || !reflect.DeepEqual(s.set, want) {
			t.Errorf("kind %v, set %v", s.kind, s.set)
		}
	}
}

func TestRaw(t *testing.T) {
	s := &stage{exec: func(line string) (int, string, error) { return 4, "a\nb\n", nil }}
	res := act(t, "raw", s, module.Args{"free_form": "it's", "executable": "/bin/bash"})
	if !res.Failed || !res.Changed || res.Return["rc"] != 4 || !reflect.DeepEqual(res.Return["stdout_lines"], []any{"a", "b"}) {
		t.Errorf("%+v", res)
	}
	if want := `/bin/bash -c 'it'\''s'`; s.lines[0] != want {
		t.Errorf("ran %q, want %q", s.lines[0], want)
	}
}

// TestReboot plays a node that goes away in the middle of the order and comes
// back with another boot id after two attempts.
func TestReboot(t *testing.T) {
	boots, attempts := 1, 0
	s := &stage{}
	s.exec = func(line string) (int, string, error) {
		switch {
		case strings.Contains(line, "boot_id"):
			return 0, fmt.Sprintf("boot-%d\n", boots), nil
		case strings.Contains(line, "systemctl reboot"):
			return 0, "", errors.New("connection lost")
		}
		return 0, "root\n", nil
	}
	s.reconnect = func() error {
		if attempts++; attempts < 2 {
			return errors.New("connection refused")
		}
		boots = 2
		return nil
	}
	res := act(t, "reboot", s, module.Args{})
	if res.Failed || !res.Changed || res.Return["rebooted"] != true || attempts != 2 {
		t.Errorf("%+v after %d attempts", res, attempts)
	}
	if last := s.lines[len(s.lines)-1]; last != "whoami" {
		t.Errorf("the last command was %q", last)
	}
}

func TestRebootRefusedOrLost(t *testing.T) {
	same := func(line string) (int, string, error) {
		if strings.Contains(line, "boot_id") {
			return 0, "boot-1\n", nil
		}
		return 1, "no permission", nil
	}
	s := &stage{exec: same}
	if res := act(t, "reboot", s, module.Args{}); !res.Failed || !strings.Contains(res.Msg, "no permission") {
		t.Errorf("refused: %+v", res)
	}
	s = &stage{exec: func(line string) (int, string, error) {
		rc, out, err := same(line)
		if strings.Contains(line, "/own") {
			rc = 0
		}
		return rc, out, err
	}, reconnect: func() error { return nil }}
	res := act(t, "reboot", s, module.Args{"reboot_command": "/own", "reboot_timeout": "1"})
	if !res.Failed || res.Return["rebooted"] != false || !strings.Contains(res.Msg, "the same boot") && !strings.Contains(res.Msg, "timed out") {
		t.Errorf("same boot: %+v", res)
	}
}

func TestScriptIsRemovedWhenItFails(t *testing.T) {
	local := filepath.Join(t.TempDir(), "it.sh")
	if err := os.WriteFile(local, []byte("#!/bin/sh\nexit 3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	n := nodetest.New(t, nodetest.Command{Run: []string{"/tmp/it.sh", "a"}, RC: 3})
	s := &stage{node: n}
	res := act(t, "script", s, module.Args{"cmd": local + " a"})
	if !res.Failed || res.Return["rc"] != 3 || !res.Changed {
		t.Errorf("%+v", res)
	}
	if _, err := n.Lstat("/tmp/it.sh"); err == nil {
		t.Error("the script is still there")
	}
}
