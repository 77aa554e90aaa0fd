//go:build !worker

package modules

import (
	"context"

	"mageprov/internal/fault"
	"mageprov/internal/module"
)

func init() {
	module.Register(module.Spec{
		Name:     "ansible.builtin.include_vars",
		New:      func() any { return newIncludeVars() },
		FreeForm: "file",
		Local:    true,
		Action: func(ctx context.Context, c module.Controller, args module.Args) (*module.Result, error) {
			if err := module.Decode(newIncludeVars(), args); err != nil {
				return nil, err
			}
			return c.IncludeVars(ctx, args)
		},
	})
}

// includeVars loads variables from a file or a directory of the controller.
type includeVars struct {
	File                    string   `arg:"file"`
	Dir                     string   `arg:"dir"`
	Name                    string   `arg:"name"`
	Depth                   int      `arg:"depth"`
	FilesMatching           string   `arg:"files_matching"`
	IgnoreFiles             []string `arg:"ignore_files"`
	Extensions              []string `arg:"extensions"`
	IgnoreUnknownExtensions bool     `arg:"ignore_unknown_extensions"`
	HashBehaviour           string   `arg:"hash_behaviour" choices:"replace,merge"`
}

func newIncludeVars() *includeVars {
	return &includeVars{Extensions: []string{"json", "yaml", "yml"}}
}

// Validate asks for one of file and dir, and for dir where only dir makes sense.
func (m *includeVars) Validate() error {
	switch {
	case m.File == "" && m.Dir == "":
		return fault.New("neither file nor dir is given")
	case m.File != "" && m.Dir != "":
		return fault.New("only one of file and dir can be given")
	case m.File != "" && (m.Depth != 0 || m.FilesMatching != "" || m.IgnoreFiles != nil || m.IgnoreUnknownExtensions):
		return fault.New("depth, files_matching, ignore_files and ignore_unknown_extensions belong to dir, not to file")
	}
	return nil
}
