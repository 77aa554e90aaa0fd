//go:build !worker

package modules

import (
	"context"

	"mageprov/internal/fault"
	"mageprov/internal/module"
)

func init() {
	module.Register(module.Spec{
		Name:     "ansible.builtin.meta",
		New:      func() any { return &meta{} },
		FreeForm: "free_form",
		Local:    true,
		Action: func(_ context.Context, c module.Controller, args module.Args) (*module.Result, error) {
			return nil, fault.At(c.Place(), "meta: %v cannot be run as a module", args["free_form"])
		},
	})
}

// meta directs the play itself; the engine carries it out and never calls the Action.
type meta struct {
	FreeForm string `arg:"free_form,required" choices:"clear_facts,clear_host_errors,end_batch,end_host,end_play,end_role,flush_handlers,noop,refresh_inventory,reset_connection"`
}
