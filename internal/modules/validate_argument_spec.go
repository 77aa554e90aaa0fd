//go:build !worker

package modules

import (
	"context"

	"mageprov/internal/module"
)

func init() {
	module.Register(module.Spec{
		Name:  "ansible.builtin.validate_argument_spec",
		New:   func() any { return &validateArgumentSpec{} },
		Local: true,
		Action: func(ctx context.Context, c module.Controller, args module.Args) (*module.Result, error) {
			if err := module.Decode(&validateArgumentSpec{}, args); err != nil {
				return nil, err
			}
			return c.ValidateArguments(ctx)
		},
	})
}

// validateArgumentSpec holds variables against a specification.
type validateArgumentSpec struct {
	ArgumentSpec        map[string]any `arg:"argument_spec,required"`
	ProvidedArguments   map[string]any `arg:"provided_arguments"`
	ValidateArgsContext map[string]any `arg:"validate_args_context"`
}
