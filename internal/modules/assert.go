//go:build !worker

package modules

import (
	"context"

	"mageprov/internal/module"
)

func init() {
	module.Register(module.Spec{
		Name:   "ansible.builtin.assert",
		New:    func() any { return &assert{} },
		Action: runAssert,
		Local:  true,
		Raw:    []string{"that"},
	})
}

// assert fails unless all conditions hold.
type assert struct {
	That       any  `arg:"that,required"`
	FailMsg    any  `arg:"fail_msg" alias:"msg"`
	SuccessMsg any  `arg:"success_msg"`
	Quiet      bool `arg:"quiet"`
}

func runAssert(ctx context.Context, c module.Controller, args module.Args) (*module.Result, error) {
	that := c.Raw("that")
	seen := module.Args{}
	for k, v := range args {
		seen[k] = v
	}
	seen["that"] = "" // conditions are evaluated below, not decoded
	var m assert
	if err := module.Decode(&m, seen); err != nil {
		return nil, err
	}
	conditions, isList := that.([]any)
	if !isList {
		conditions = []any{that}
	}
	res := &module.Result{Return: map[string]any{}}
	for _, cond := range conditions {
		ok, err := c.Condition(ctx, cond)
		if err != nil {
			return nil, err
		}
		if ok {
			continue
		}
		res.Failed = true
		res.Msg = "Assertion failed"
		res.Return["assertion"], res.Return["evaluated_to"] = rawText(cond), false
		if _, isBool := cond.(bool); isBool {
			res.Return["assertion"] = cond
		}
		res.Return["msg"] = orElse(m.FailMsg, res.Msg)
		if s, ok := res.Return["msg"].(string); ok {
			res.Msg = s
		}
		return res, nil
	}
	res.Return["msg"] = orElse(m.SuccessMsg, "All assertions passed")
	return res, nil
}
