package moduletest_test

import (
	"context"
	"encoding/json"
	"io"
	"path/filepath"
	"testing"

	"mageprov/internal/module"
	_ "mageprov/internal/modules"
	"mageprov/internal/modules/moduletest"
	"mageprov/internal/node"
	"mageprov/internal/wire"
	"mageprov/internal/worker"
)

// piped is a worker at the other end of a pipe, on the machine that runs the
// test, below a temporary directory.
type piped struct {
	*node.Local
	t       *testing.T
	root    string
	overlay *node.Overlay
	in      *wire.Writer
	out     *wire.Reader
	last    uint64
}

func newPiped(t *testing.T) moduletest.Host {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := &piped{t: t, root: root, Local: node.NewLocal(node.LocalOptions{Umask: 0o022})}
	workerIn, in := io.Pipe()
	out, workerOut := io.Pipe()
	p.in, p.out = wire.NewWriter(in), wire.NewReader(out)
	done := make(chan error, 1)
	go func() {
		done <- worker.Serve(context.Background(), workerIn, workerOut, worker.Options{
			Tmp: t.TempDir(), Node: p.node,
		})
	}()
	t.Cleanup(func() {
		in.Close()
		if err := <-done; err != nil {
			t.Errorf("the worker ended with %v", err)
		}
		workerOut.Close()
	})
	if _, _, err := p.out.Seek(wire.Preamble); err != nil {
		t.Fatal(err)
	}
	if kind, _, err := p.out.Next(); err != nil || kind != wire.KindHello {
		t.Fatalf("no hello: kind %d, %v", kind, err)
	}
	return p
}

// node is the worker's view of the machine.
func (p *piped) node(check bool, env map[string]string) node.Writer {
	machine := node.NewLocal(node.LocalOptions{Env: env, Umask: 0o022})
	if !check {
		return machine
	}
	if p.overlay == nil {
		p.overlay = node.NewOverlay(machine)
	}
	return p.overlay.Over(machine)
}

func (p *piped) Root() string       { return p.root }
func (p *piped) Files() node.Writer { return p.Local }
func (p *piped) NewCheck()          { p.overlay = nil }

func (p *piped) Run(ctx context.Context, name string, args module.Args, check bool) *module.Result {
	p.t.Helper()
	raw, err := json.Marshal(args)
	if err != nil {
		p.t.Fatal(err)
	}
	p.last++
	if err := p.in.Write(wire.KindTask, wire.Task{ID: p.last, Module: name, Args: raw, Check: check, Diff: true}); err != nil {
		p.t.Fatal(err)
	}
	for {
		kind, body, err := p.out.Next()
		if err != nil {
			p.t.Fatal(err)
		}
		if kind != wire.KindReply {
			continue
		}
		var r wire.Reply
		if err := wire.Decode(body, &r); err != nil || r.ID != p.last {
			p.t.Fatalf("reply %d to task %d: %v", r.ID, p.last, err)
		}
		res := &module.Result{Changed: r.Changed, Skipped: r.Skipped, Failed: r.Failed, Msg: r.Msg, Hint: r.Hint, Changes: r.Changes, Return: map[string]any{}}
		if len(r.Return) > 0 {
			if err := json.Unmarshal(r.Return, &res.Return); err != nil {
				p.t.Fatal(err)
			}
		}
		return res
	}
}

// TestCasesThroughWorker runs the portable cases through a worker.
func TestCasesThroughWorker(t *testing.T) { moduletest.Run(t, "../testdata", newPiped) }
