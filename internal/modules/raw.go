//go:build !worker

package modules

import (
	"context"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
)

func init() {
	module.Register(module.Spec{
		Name:     "ansible.builtin.raw",
		New:      func() any { return &raw{} },
		FreeForm: "free_form",
		Action:   runRaw,
	})
}

// raw runs a line through the login shell, without the worker.
type raw struct {
	FreeForm   string `arg:"free_form,required"`
	Executable string `arg:"executable"`
}

func runRaw(ctx context.Context, c module.Controller, args module.Args) (*module.Result, error) {
	var m raw
	if err := module.Decode(&m, args); err != nil {
		return nil, err
	}
	if strings.TrimSpace(m.FreeForm) == "" {
		return nil, fault.At(c.Place(), "no command given").WithHint("write the command after the module's name")
	}
	res := &module.Result{Return: map[string]any{}}
	if c.Check() {
		res.Skipped, res.Msg = true, "Command would have run if not in check mode"
		res.Return["unknown"] = true
		return res, nil
	}
	line := m.FreeForm
	if m.Executable != "" {
		line = m.Executable + " -c " + shellQuote(line)
	}
	rc, stdout, stderr, err := c.Exec(ctx, line)
	if err != nil {
		return nil, err
	}
	out, errText := cleanText(stdout), cleanText(stderr)
	res.Changed = true
	res.Return = map[string]any{
		"rc": rc, "stdout": out, "stdout_lines": splitLines(out), "stderr": errText, "stderr_lines": splitLines(errText),
	}
	if rc != 0 {
		res.Failed, res.Msg = true, "non-zero return code"
		res.Return["msg"] = res.Msg
	}
	return res, nil
}
