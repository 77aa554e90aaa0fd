//go:build !worker

package modules

import (
	"context"

	"mageprov/internal/module"
)

func init() {
	module.Register(module.Spec{
		Name:   "ansible.builtin.fail",
		New:    func() any { return &fail{Msg: "Failed as requested from task"} },
		Action: runFail,
		Local:  true,
	})
}

// fail fails with a message.
type fail struct {
	Msg string `arg:"msg"`
}

func runFail(_ context.Context, _ module.Controller, args module.Args) (*module.Result, error) {
	m := fail{Msg: "Failed as requested from task"}
	if err := module.Decode(&m, args); err != nil {
		return nil, err
	}
	return &module.Result{Failed: true, Msg: m.Msg, Return: map[string]any{"msg": m.Msg}}, nil
}
