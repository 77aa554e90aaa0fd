//go:build lab

package lab_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"mageprov/internal/connection"
	"mageprov/internal/lab"
	"mageprov/internal/module"
	_ "mageprov/internal/modules"
	"mageprov/internal/modules/moduletest"
	"mageprov/internal/node"
	"mageprov/internal/remote"
	"mageprov/internal/wire"
)

// shared is the directory in which the cases run. It has the same path on this
// machine and on the host, so that the tests can look at it without a module.
const shared = "/srv/mageprov-cases"

// lent is a connection that outlives the nodes that use it.
type lent struct{ connection.Conn }

func (lent) Close() error { return nil }

// overSSH is a lab host, reached as its admin and changed as root.
type overSSH struct {
	*node.Local
	t          *testing.T
	root       string
	conn       connection.Conn
	node       *remote.Node // for runs, lives as long as the test
	check      *remote.Node // for checks: its worker's overlay lasts as long as it
	stopChecks func()
}

func (h *overSSH) Root() string       { return h.root }
func (h *overSSH) Files() node.Writer { return h.Local }

func (h *overSSH) NewCheck() {
	h.stopChecks()
	n, err := remote.Open(h.t.Context(), lent{h.conn}, remote.Options{Name: "lab3"})
	if err != nil {
		h.t.Fatal(err)
	}
	h.check, h.stopChecks = n, func() { n.Close() }
}

func (h *overSSH) Run(ctx context.Context, name string, args module.Args, check bool) *module.Result {
	h.t.Helper()
	n := h.node
	if check {
		n = h.check
	}
	w, err := n.Worker(ctx, connection.Become{Method: "sudo"})
	if err != nil {
		h.t.Fatal(err)
	}
	raw, err := json.Marshal(args)
	if err != nil {
		h.t.Fatal(err)
	}
	r, err := w.Do(ctx, wire.Task{Module: name, Args: raw, Check: check, Diff: true}, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	res := &module.Result{Changed: r.Changed, Skipped: r.Skipped, Failed: r.Failed, Msg: r.Msg, Hint: r.Hint, Changes: r.Changes, Return: map[string]any{}}
	if len(r.Return) > 0 {
		if err := json.Unmarshal(r.Return, &res.Return); err != nil {
			h.t.Fatal(err)
		}
	}
	return res
}

// TestCasesOverSSH runs the modules' portable cases as root on a host: the same
// data as on the double and through a pipe.
func TestCasesOverSSH(t *testing.T) {
	fresh(t)
	inside(t, "lab3", "mkdir "+shared)
	if err := os.MkdirAll(shared, 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(shared)
	if err := unix.Mount(root("lab3", shared), shared, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(shared, unix.MNT_DETACH)
	conn, err := connection.Dial(t.Context(), connection.Target{
		Name: "lab3", Kind: "ssh", Host: "10.77.0.13", SSHConfig: lab.Dir + "/ssh_config", HostKey: connection.HostKeyStrict,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	n, err := remote.Open(t.Context(), lent{conn}, remote.Options{Name: "lab3"})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	count := 0
	moduletest.Run(t, "../internal/modules/testdata", func(t *testing.T) moduletest.Host {
		count++
		h := &overSSH{t: t, root: fmt.Sprintf("%s/%d", shared, count), conn: conn, node: n,
			Local: node.NewLocal(node.LocalOptions{Umask: 0o022}), stopChecks: func() {}}
		if err := os.Mkdir(h.root, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.stopChecks(); os.RemoveAll(h.root) })
		return h
	})
	if count < 100 {
		t.Errorf("only %d cases ran", count)
	}
}
