package modules

import (
	"bytes"
	"context"
	"crypto/rand"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{Name: "ansible.builtin.tempfile", New: func() any {
		return &tempfile{State: "file", Prefix: "ansible."}
	}})
}

// tempfile makes a file or directory of a name that nobody has.
type tempfile struct {
	State  string `arg:"state" choices:"directory,file"`
	Path   string `arg:"path"`
	Prefix string `arg:"prefix"`
	Suffix string `arg:"suffix"`
}

// Check picks the name.
func (t *tempfile) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	dir := expandWord(n, t.Path)
	if dir == "" {
		if dir = n.Getenv("TMPDIR"); dir == "" {
			dir = "/tmp"
		}
	}
	if i, err := n.Stat(dir); err != nil || !i.IsDir() {
		return module.Plan{}, fault.New("no directory %s", dir)
	}
	p := strings.TrimRight(dir, "/") + "/" + t.Prefix + strings.ToLower(rand.Text()[:8]) + t.Suffix
	mode := uint32(0o600)
	make := func(ctx context.Context, w node.Writer) error {
		o := node.Keep()
		o.Mode = &mode
		return w.WriteFile(ctx, p, bytes.NewReader(nil), o)
	}
	if t.State == "directory" {
		make = func(_ context.Context, w node.Writer) error { return w.Mkdir(p, 0o700) }
	}
	return module.Plan{
		Changes: []module.Change{{What: "create a temporary " + t.State + " in " + dir, Apply: make}},
		Return:  map[string]any{"path": p},
		After: func(_ context.Context, n node.Reader, ret map[string]any) error {
			addPathInfo(n, p, ret)
			return nil
		},
	}, nil
}
