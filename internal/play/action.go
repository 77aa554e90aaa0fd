package play

import (
	"bytes"
	"context"
	"encoding/json"
	"path"
	"strings"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/module"
	"mageprov/internal/report"
	"mageprov/internal/template"
	"mageprov/internal/wire"
)

// controller is what a module's action may use: it is one attempt of one task
// on one host.
type controller struct {
	x *execution
	s *template.Scope
}

// dispatch runs a module: its action if it has one, else straight on the node.
func (c *controller) dispatch(ctx context.Context, spec *module.Spec, args module.Args) (*module.Result, error) {
	if spec.Action != nil {
		if spec.Local {
			if err := c.noAsync(); err != nil {
				return nil, err
			}
		}
		return spec.Action(ctx, c, args)
	}
	return c.onNode(ctx, spec, args)
}

// Run runs the part of a module that lives on the node; the action of a module
// that has no such part.
func (c *controller) Run(ctx context.Context, name string, args module.Args) (*module.Result, error) {
	spec, ok := module.Lookup(name)
	if !ok {
		return nil, module.Unknown(c.x.t.Place, name)
	}
	if spec.New != nil {
		if _, onNode := spec.New().(module.Module); onNode {
			return c.onNode(ctx, spec, args)
		}
	}
	return c.dispatch(ctx, spec, args)
}

// onNode sends the task to the worker and waits for its reply.
func (c *controller) onNode(ctx context.Context, spec *module.Spec, args module.Args) (*module.Result, error) {
	session, err := c.x.session(ctx, c.s)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(args)
	if err != nil {
		return nil, fault.Wrap(err, "encoding the arguments of %s", spec.Short())
	}
	env, err := c.environment(ctx)
	if err != nil {
		return nil, err
	}
	if env, err = c.jobDir(ctx, spec, env); err != nil {
		return nil, err
	}
	job := c.asJob(spec)
	if job != nil && c.x.check {
		return nil, fault.New("check mode and async cannot be used on same task.")
	}
	reply, err := session.Do(ctx, wire.Task{Module: spec.Name, Args: raw, Check: c.x.check, Diff: c.x.diff, Env: env, Async: job}, c.Progress)
	if err != nil {
		return nil, err
	}
	res, err := result(reply)
	if err != nil || job == nil {
		return res, err
	}
	return c.job(ctx, res)
}

// result turns a reply into the module's result.
func result(r *wire.Reply) (*module.Result, error) {
	res := &module.Result{Changed: r.Changed, Skipped: r.Skipped, Failed: r.Failed, Msg: r.Msg, Hint: r.Hint, Changes: r.Changes, Return: map[string]any{}}
	if len(r.Return) == 0 {
		return res, nil
	}
	v, err := jinja.FromJSON(r.Return)
	if err != nil {
		return nil, fault.Wrap(err, "reading the worker's reply")
	}
	d, ok := v.(*jinja.Dict)
	if !ok {
		return nil, fault.New("reading the worker's reply: expected an object, found %s", jinja.TypeName(v))
	}
	for k, v := range d.All() {
		res.Return[jinja.Str(k)] = v
	}
	return res, nil
}

// environment merges environment: from the outermost to the task's own.
func (c *controller) environment(ctx context.Context) (map[string]string, error) {
	if len(c.x.in.base.Environment) == 0 {
		return nil, nil
	}
	env := map[string]string{}
	for _, e := range c.x.in.base.Environment {
		v, err := c.s.Render(ctx, e)
		if err != nil {
			return nil, fault.Wrap(err, "environment")
		}
		list := []any{v}
		if l, ok := v.(*jinja.List); ok {
			list = l.Items
		}
		for _, it := range list {
			d, ok := it.(*jinja.Dict)
			if !ok {
				if it == nil || it == template.Omit || it == "" {
					continue
				}
				return nil, fault.At(c.x.t.Place, "environment: must be a dictionary, found %s", jinja.TypeName(it))
			}
			for k, v := range d.All() {
				if v != template.Omit {
					env[jinja.Str(k)] = jinja.Str(v)
				}
			}
		}
	}
	return env, nil
}

// asJSON renders the arguments that the module wants as JSON text.
func asJSON(ctx context.Context, s *template.Scope, spec *module.Spec, d *jinja.Dict) (*jinja.Dict, error) {
	for _, name := range spec.AsJSON {
		raw, ok := d.Get(name)
		if !ok {
			continue
		}
		v, err := s.Render(ctx, raw)
		if err != nil {
			return nil, err
		}
		switch v.(type) {
		case *jinja.Dict, *jinja.List:
			if v, err = jinja.ToJSON(v, jinja.JSONOptions{EnsureASCII: true}); err != nil {
				return nil, err
			}
		}
		d = d.Clone()
		d.Set(name, v)
	}
	return d, nil
}

// Raw gives an argument as it was written.
func (c *controller) Raw(arg string) any {
	v, _ := c.x.raw.Get(arg)
	if l, ok := v.(*jinja.List); ok {
		return l.Items
	}
	return v
}

// Condition evaluates a raw value as when: would: text without braces is an expression.
func (c *controller) Condition(ctx context.Context, v any) (bool, error) {
	if s, ok := v.(string); ok {
		v = &jinja.Text{Source: s, Expr: true, Place: c.x.t.Place}
	}
	return c.s.Condition(ctx, v)
}

// Var evaluates an expression.
func (c *controller) Var(ctx context.Context, expr string) (any, error) {
	return c.s.Eval(ctx, expr, c.x.t.Place)
}

// SetVars writes variables of the host. Values that are the task's own
// arguments keep the order of their dictionaries.
func (c *controller) SetVars(_ context.Context, kind module.VarKind, vars map[string]any) error {
	d := jinja.FromGo(vars).(*jinja.Dict)
	if c.x.rendered != nil {
		for _, k := range append([]any(nil), d.Keys()...) {
			if v, ok := c.x.rendered.Get(k); ok {
				d.Set(k, v)
			}
		}
	}
	c.x.learn(assignment{kind: kind, vars: d})
	return nil
}

// Find resolves a file name along the task's search path.
func (c *controller) Find(kind, name string) (string, error) {
	return c.files().Find(context.Background(), kind, name)
}

func (c *controller) files() taskFiles { return c.x.b.filesFor(c.x.in, c.x.t) }

// ReadFile reads a file of the controller.
func (c *controller) ReadFile(p string) ([]byte, error) { return c.x.b.run.o.Files.ReadFile(p) }

// RenderFile renders a template file with the task's variables.
func (c *controller) RenderFile(ctx context.Context, p string, o module.TemplateOptions) (string, error) {
	return c.s.RenderFile(ctx, p, o)
}

// Upload copies a controller file into the session's directory on the node; one
// that is encrypted with ansible-vault arrives decrypted.
func (c *controller) Upload(ctx context.Context, p string) (string, error) {
	if err := c.noAsync(); err != nil {
		return "", err
	}
	session, err := c.x.session(ctx, c.s)
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(p, document.Builtin) || document.EncryptedFile(p) {
		data, err := c.ReadFile(p)
		if err != nil {
			return "", err
		}
		return session.Upload(ctx, bytes.NewReader(data), int64(len(data)), path.Base(p), c.transfer(p))
	}
	return session.UploadFile(ctx, p, c.transfer(p))
}

// transfer reports the progress of an upload or download.
func (c *controller) transfer(name string) func(done, total int64) {
	return func(done, total int64) {
		c.x.b.emit(report.Event{Type: report.Progress, Host: c.x.h.name, Text: c.x.secretive(name), Done: done, Total: total})
	}
}

// Download fetches a file that the task's user on the node can read. The local
// file appears whole or not at all.
func (c *controller) Download(ctx context.Context, remote, local string) error {
	if err := c.noAsync(); err != nil {
		return err
	}
	session, err := c.x.session(ctx, c.s)
	if err != nil {
		return err
	}
	return session.DownloadFile(ctx, remote, local)
}

// Exec runs a line through the login shell, with the task's become.
func (c *controller) Exec(ctx context.Context, line string) (int, []byte, []byte, error) {
	if err := c.noAsync(); err != nil {
		return 0, nil, nil, err
	}
	link, err := c.x.link(ctx, c.s)
	if err != nil {
		return 0, nil, nil, err
	}
	become, err := c.x.become(ctx, c.s)
	if err != nil {
		return 0, nil, nil, err
	}
	return link.conn.Exec(ctx, line, become, nil)
}

// Reconnect makes a new connection in place of the old one.
func (c *controller) Reconnect(ctx context.Context) error {
	if err := c.noAsync(); err != nil {
		return err
	}
	c.x.b.run.links.drop(c.x.target().name)
	_, err := c.x.link(ctx, c.s)
	return err
}

func (c *controller) Check() bool        { return c.x.check }
func (c *controller) Diff() bool         { return c.x.diff }
func (c *controller) Verbosity() int     { return c.x.b.run.o.Verbosity }
func (c *controller) Host() string       { return c.x.h.name }
func (c *controller) Place() fault.Place { return c.x.t.Place }

// Progress shows live output of the task; no_log hides it.
func (c *controller) Progress(text string) {
	if !c.x.noLog {
		c.x.b.emit(report.Event{Type: report.Progress, Host: c.x.h.name, Text: text})
	}
}
