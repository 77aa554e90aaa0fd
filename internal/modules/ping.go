package modules

import (
	"context"

	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "ansible.builtin.ping",
		New:  func() any { return &ping{Data: "pong"} },
	})
}

// ping proves that the worker runs on the node and answers.
type ping struct {
	Data string `arg:"data"`
}

// Check gives data back; "crash" fails, to try out error handling.
func (m *ping) Check(context.Context, node.Reader) (module.Plan, error) {
	if m.Data == "crash" {
		return module.Plan{}, &module.Failure{Msg: "boom"}
	}
	return module.Plan{Return: map[string]any{"ping": m.Data}}, nil
}
