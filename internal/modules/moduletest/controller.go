package moduletest

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
	"mageprov/internal/node/nodetest"
)

// controller is what a module's Action sees in a case: the files of files/,
// and variables that are names, not expressions.
type controller struct {
	t     *testing.T
	c     *Case
	h     Host
	check bool
	dir   string
}

var _ module.Controller = (*controller)(nil)

func (c *controller) Run(ctx context.Context, name string, args module.Args) (*module.Result, error) {
	return c.h.Run(ctx, name, args, c.check), nil
}

func (c *controller) Raw(arg string) any {
	return expand(c.c.Task[c.c.module], c.h.Root()).(map[string]any)[arg]
}

func (c *controller) Var(ctx context.Context, expr string) (any, error) {
	v, ok := c.c.Vars[expr]
	if !ok {
		return nil, fault.New("'%s' is undefined", expr)
	}
	return v, nil
}

func (c *controller) Condition(ctx context.Context, v any) (bool, error) {
	if s, ok := v.(string); ok {
		var err error
		if v, err = c.Var(ctx, s); err != nil {
			return false, err
		}
	}
	b, ok := v.(bool)
	if !ok {
		return false, fmt.Errorf("%v is no boolean", v)
	}
	return b, nil
}

func (c *controller) SetVars(ctx context.Context, kind module.VarKind, vars map[string]any) error {
	return nil
}

func (c *controller) IncludeVars(ctx context.Context, args module.Args) (*module.Result, error) {
	return &module.Result{Return: map[string]any{}}, nil
}

func (c *controller) ValidateArguments(context.Context) (*module.Result, error) {
	return &module.Result{Return: map[string]any{}}, nil
}

// source gives the directory of the case's controller files.
func (c *controller) source() string {
	if c.dir == "" {
		c.dir = c.t.TempDir()
		for name, content := range c.c.files {
			p := filepath.Join(c.dir, name)
			if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
				c.t.Fatal(err)
			}
			if err := os.WriteFile(p, []byte(strings.ReplaceAll(content, "$ROOT", c.h.Root())), 0o644); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	return c.dir
}

func (c *controller) Find(kind, name string) (string, error) {
	p := filepath.Join(c.source(), name)
	if filepath.IsAbs(name) {
		p = name
	}
	if _, err := os.Stat(p); err != nil {
		return "", fault.New("could not find %s", name).WithHint("looked in: %s", kind)
	}
	if strings.HasSuffix(name, "/") {
		p += "/"
	}
	return p, nil
}

func (c *controller) ReadFile(path string) ([]byte, error) { return os.ReadFile(path) }

// RenderFile knows {{ name }} only: templates have tests of their own.
func (c *controller) RenderFile(ctx context.Context, path string, opts module.TemplateOptions) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	s := string(b)
	for k, v := range c.c.Vars {
		s = strings.ReplaceAll(s, "{{ "+k+" }}", fmt.Sprint(v))
	}
	if strings.Contains(s, "{{ ") {
		return "", fault.New("undefined variable")
	}
	if opts.NewlineSequence != "" && opts.NewlineSequence != "\n" {
		s = strings.ReplaceAll(s, "\n", opts.NewlineSequence)
	}
	return s, nil
}

func (c *controller) Upload(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	w := c.h.Files()
	if err := w.Mkdir(c.h.Root()+uploads, 0o700); err != nil && !os.IsExist(err) {
		return "", err
	}
	to := c.h.Root() + uploads + "/" + filepath.Base(path)
	return to, w.WriteFile(ctx, to, f, node.Keep())
}

func (c *controller) Download(ctx context.Context, remote, local string) error {
	b, err := c.h.Files().ReadFile(remote)
	if err != nil {
		return err
	}
	return os.WriteFile(local, b, 0o644)
}

func (c *controller) Exec(ctx context.Context, line string) (int, []byte, []byte, error) {
	return 0, nil, nil, fs.ErrInvalid
}

func (c *controller) Reconnect(ctx context.Context) error { return nil }
func (c *controller) Check() bool                         { return c.check }
func (c *controller) Diff() bool                          { return true }
func (c *controller) Verbosity() int                      { return 0 }
func (c *controller) Host() string                        { return "host1" }
func (c *controller) Place() fault.Place                  { return fault.Place{} }
func (c *controller) Progress(text string)                {}

// NewController gives a Controller for tests of an Action in Go: with files by
// name, on the host h.
func NewController(t *testing.T, h Host, files map[string]string, check bool) module.Controller {
	return &controller{t: t, c: &Case{files: files, Task: map[string]map[string]any{"": nil}}, h: h, check: check}
}

// NewHost gives the double as a Host.
func NewHost(n *nodetest.Node) Host {
	return &double{Node: n, overlay: node.NewOverlay(n)}
}
