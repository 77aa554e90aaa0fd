//go:build !worker

package modules

import (
	"context"
	"strings"

	"mageprov/internal/module"
)

func init() {
	module.Register(module.Spec{
		Name:   "ansible.builtin.group_by",
		New:    func() any { return &groupBy{Parents: []string{"all"}} },
		Action: runGroupBy,
		Local:  true,
	})
}

// groupBy puts the host into a group named by a fact.
type groupBy struct {
	Key     string   `arg:"key,required"`
	Parents []string `arg:"parents"`
}

// runGroupBy returns what the engine has to do under the keys add_group and parent_groups.
func runGroupBy(_ context.Context, _ module.Controller, args module.Args) (*module.Result, error) {
	m := groupBy{Parents: []string{"all"}}
	if err := module.Decode(&m, args); err != nil {
		return nil, err
	}
	parents := []any{}
	for _, p := range m.Parents {
		parents = append(parents, strings.ReplaceAll(p, " ", "-"))
	}
	return &module.Result{
		Changed: true,
		Return:  map[string]any{"add_group": strings.ReplaceAll(m.Key, " ", "-"), "parent_groups": parents},
	}, nil
}
