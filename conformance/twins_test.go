//go:build conformance

package conformance_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mageprov/internal/lab"
)

// twin is one host, alone in a lab of its own, so that both twins of a pair can
// have the same name and address.
type twin struct {
	engine string
	lab    *lab.Lab
	host   lab.Host
	before state
	fresh  bool // booted since it was asked for; see begin
	// controls holds ansible's SSH connections, which end with the host.
	controls string
}

// pair is a host for each engine, in the same state.
type pair struct{ oracle, ours *twin }

// suite is the machine's own release of Debian: its Python is one that its
// ansible-core knows.
func suite() string {
	b, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if name, ok := strings.CutPrefix(line, "VERSION_CODENAME="); ok {
			return strings.TrimSpace(name)
		}
	}
	return ""
}

// twins boots n pairs; the first also builds what all share.
func twins(t *testing.T, n int) []*pair {
	t.Helper()
	var all []*twin
	pairs := make([]*pair, n)
	for i := range pairs {
		pairs[i] = &pair{newTwin(t, "ansible", i+1), newTwin(t, "mageprov", i+1)}
		all = append(all, pairs[i].oracle, pairs[i].ours)
	}
	for _, w := range all { // also what a run that was killed has left
		if err := w.lab.Down(t.Context(), false); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, w := range all {
			if err := w.lab.Down(context.Background(), false); err != nil {
				t.Error(err)
			}
		}
	})
	all[0].lab.Log = func(f string, a ...any) { fmt.Printf("lab: "+f+"\n", a...) }
	for _, w := range all {
		if err := w.lab.Up(t.Context(), 1); err != nil {
			t.Fatalf("%v\n%s", err, w.console())
		}
	}
	return pairs
}

func newTwin(t *testing.T, engine string, n int) *twin {
	return &twin{engine: engine, lab: newLab(fmt.Sprint(engine, n)), host: lab.Hosts(1)[0], controls: t.TempDir()}
}

// begin boots the host again from the base tree, when that was asked for. The
// oracle's is left alone until a case has to be asked.
func (w *twin) begin(t *testing.T) {
	t.Helper()
	if w.fresh {
		return
	}
	if err := os.RemoveAll(w.controls); err != nil {
		t.Fatal(err)
	}
	if err := w.lab.Renew(t.Context(), w.host); err != nil {
		t.Fatalf("%v\n%s", err, w.console())
	}
	w.settle(t)
	w.before = w.look(t)
	w.fresh = true
}

// console is what the host has written to its console.
func (w *twin) console() string {
	b, err := os.ReadFile(filepath.Join(filepath.Dir(w.lab.Root(w.host.Name)), "console.log"))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// settle waits until systemd has nothing left to do.
func (w *twin) settle(t *testing.T) {
	t.Helper()
	for range 100 {
		out, err := w.inside(t, "systemctl is-system-running; systemctl list-jobs --no-legend")
		if state, jobs, _ := strings.Cut(strings.TrimSpace(out), "\n"); err == nil && jobs == "" && (state == "running" || state == "degraded") {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("%s does not come to rest", w.lab.Name)
}

// inside runs a shell script as root on the host, past SSH.
func (w *twin) inside(t *testing.T, script string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd, err := w.lab.Inside(ctx, w.host.Name, script)
	if err != nil {
		return "", err
	}
	out, err := cmd.Output()
	if _, exited := err.(*exec.ExitError); exited {
		err = nil // its output says what it is
	}
	return string(out), err
}
