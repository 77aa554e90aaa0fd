package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"syscall"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
	"mageprov/internal/wire"
)

// defaultUmask is set for every task, whatever the login shell or PAM made of
// it: hardened hosts log in with 077, and files made by a command would differ
// from host to host.
const defaultUmask = 0o022

// task runs one task, or starts it as a job, and never panics.
func (s *server) task(ctx context.Context, t wire.Task) (r wire.Reply) {
	syscall.Umask(defaultUmask)
	defer func() { r.ID = t.ID }()
	n := s.o.Node(t.Check, t.Env)
	if t.Async != nil {
		return startJob(n, t)
	}
	live := newProgress(s.out, t.ID)
	defer live.close()
	return perform(ctx, &liveNode{n, live}, t)
}

// perform runs the module that a task names on n; a panic is its failure.
func perform(ctx context.Context, n node.Writer, t wire.Task) (r wire.Reply) {
	defer func() {
		if p := recover(); p != nil {
			r = wire.Reply{Failed: true, Msg: fmt.Sprintf("module %s broke: %v", t.Module, p), Hint: string(debug.Stack())}
		}
	}()
	m, err := decode(t)
	if err != nil {
		return failure(err)
	}
	res := module.Run(ctx, m, n, t.Diff)
	r = wire.Reply{Changed: res.Changed, Skipped: res.Skipped, Failed: res.Failed, Msg: res.Msg, Hint: res.Hint, Changes: res.Changes}
	if r.Return, err = json.Marshal(res.Return); err != nil {
		return failure(fmt.Errorf("the result of %s cannot be sent: %w", t.Module, err))
	}
	return r
}

func failure(err error) wire.Reply {
	return wire.Reply{Failed: true, Msg: err.Error(), Hint: fault.HintOf(err)}
}

// decode makes the module that a task names, with its arguments.
func decode(t wire.Task) (module.Module, error) {
	spec, ok := module.Lookup(t.Module)
	if !ok {
		return nil, module.Unknown(fault.Place{}, t.Module)
	}
	if spec.New == nil {
		return nil, fault.New("module %s does not run on a managed node", t.Module)
	}
	args, err := decodeArgs(t.Args)
	if err != nil {
		return nil, err
	}
	v := spec.New()
	m, ok := v.(module.Module)
	if !ok {
		return nil, fault.New("module %s does not run on a managed node", t.Module)
	}
	return m, module.Decode(v, args)
}

// decodeArgs reads a JSON object into the types that module.Args promises.
func decodeArgs(raw json.RawMessage) (module.Args, error) {
	if len(raw) == 0 {
		return module.Args{}, nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		return nil, fmt.Errorf("arguments do not decode: %w", err)
	}
	for k, v := range m {
		m[k] = plain(v)
	}
	return module.Args(m), nil
}

// plain turns json.Number into int64 or float64. A whole number beyond int64
// stays text, digit for digit, rather than lose its end.
func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return i
		} else if errors.Is(err, strconv.ErrRange) {
			return string(v)
		}
		f, err := v.Float64()
		if err != nil {
			return string(v)
		}
		return f
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	}
	return v
}

// liveNode sends the output of the programs that a module runs to the
// controller while they run.
type liveNode struct {
	node.Writer
	live *progress
}

func (n *liveNode) Run(ctx context.Context, c node.Command) (node.Result, error) {
	if c.Output == nil {
		c.Output = n.live.write
	}
	return n.Writer.Run(ctx, c)
}
