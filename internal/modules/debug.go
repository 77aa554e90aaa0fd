//go:build !worker

package modules

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
)

func init() {
	module.Register(module.Spec{
		Name:   "ansible.builtin.debug",
		New:    func() any { return &debug{} },
		Action: runDebug,
		Local:  true,
	})
}

// debug prints a message or the value of an expression.
type debug struct {
	Msg       any `arg:"msg"`
	Var       any `arg:"var"`
	Verbosity int `arg:"verbosity"`
}

// Validate refuses msg together with var.
func (m *debug) Validate() error {
	if m.Msg != nil && m.Var != nil {
		return fault.New("only one of msg and var can be given")
	}
	return nil
}

func runDebug(ctx context.Context, c module.Controller, args module.Args) (*module.Result, error) {
	var m debug
	if err := module.Decode(&m, args); err != nil {
		return nil, err
	}
	res := &module.Result{Return: map[string]any{}}
	if m.Verbosity > c.Verbosity() {
		res.Skipped, res.Msg = true, "Verbosity threshold not met."
		res.Return["skipped_reason"] = res.Msg
		return res, nil
	}
	switch {
	case m.Var != nil:
		name, value, err := debugVar(ctx, c, m.Var)
		if err != nil {
			return nil, err
		}
		res.Return[name] = value
	case m.Msg != nil:
		res.Return["msg"] = m.Msg
	default:
		res.Return["msg"] = "Hello world!"
	}
	return res, nil
}

// debugVar evaluates var: the expression it holds, or, where it was written as
// a template that gave no expression, what the template gave. Only what is
// undefined is told as a value: a value that cannot be had (a wrong vault
// password) is an error.
func debugVar(ctx context.Context, c module.Controller, v any) (string, any, error) {
	written := rawText(c.Raw("var"))
	expr, isText := v.(string)
	if !isText {
		return written, v, nil
	}
	value, err := c.Var(ctx, expr)
	var undefined interface{ Undefined() string }
	switch {
	case err == nil:
		return expr, value, nil
	case strings.Contains(written, "{{"):
		return written, v, nil
	case !errors.As(err, &undefined):
		return "", nil, err
	case c.Verbosity() > 0:
		return expr, "VARIABLE IS NOT DEFINED!: " + err.Error(), nil
	}
	return expr, "VARIABLE IS NOT DEFINED!", nil
}

// rawText gives an argument that was not templated as text for people.
func rawText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case fmt.Stringer:
		return v.String()
	case bool:
		if v {
			return "True"
		}
		return "False"
	}
	return fmt.Sprint(v)
}
