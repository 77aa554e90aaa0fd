package modules

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"

	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{Name: "ansible.builtin.slurp", New: func() any { return &slurp{} }})
}

// slurp returns the content of a file in base64.
type slurp struct {
	Src string `arg:"src,required" alias:"path"`
}

// Check does all of it: slurp changes nothing.
func (s *slurp) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	s.Src = expandWord(n, s.Src)
	i, err := n.Stat(s.Src)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return module.Plan{}, notSure(n, fmt.Errorf("file not found: %s", s.Src))
	case err == nil && i.IsDir():
		return module.Plan{}, fmt.Errorf("source is a directory and must be a file: %s", s.Src)
	}
	b, err := n.ReadFile(s.Src)
	if errors.Is(err, fs.ErrPermission) {
		return module.Plan{}, fmt.Errorf("file is not readable: %s", s.Src)
	}
	if err != nil {
		return module.Plan{}, err
	}
	return module.Plan{Return: map[string]any{
		"content": base64.StdEncoding.EncodeToString(b), "encoding": "base64", "source": s.Src,
	}}, nil
}
