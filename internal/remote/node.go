// Package remote is the controller's side of the wire: it puts the worker on a
// node, starts it as the wanted user, gives it tasks and takes the answers.
package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"mageprov/internal/connection"
	"mageprov/internal/fault"
	"mageprov/internal/wire"
)

// startTimeout bounds the time from becoming the user to the worker's Hello,
// when no worker has to be pushed; pushing winds it up again.
const startTimeout = 60 * time.Second

// Options are the settings of one node.
type Options struct {
	Name string // inventory_hostname, for messages
	// Local: the node is the controller itself, which need not push its worker.
	Local bool
	// Progress hears of a worker being pushed; may be nil.
	Progress func(done, total int64)

	bins func() (map[string]*binary, error) // for tests; nil: what this program carries
}

// Node is one managed node with its workers, one for each user that tasks become.
// It is safe for concurrent use.
type Node struct {
	conn connection.Conn
	o    Options

	mu       sync.Mutex
	sessions map[connection.Become]*slot
	closed   bool
}

// slot makes concurrent callers wait for one start.
type slot struct {
	mu sync.Mutex
	s  *Session
}

// Open makes a Node of a connection, which it then owns. Nothing is sent before
// the first Worker.
func Open(_ context.Context, conn connection.Conn, o Options) (*Node, error) {
	if o.bins == nil {
		o.bins = carried
	}
	return &Node{conn: conn, o: o, sessions: map[connection.Become]*slot{}}, nil
}

// Conn is the node's connection, for what needs no worker (raw).
func (n *Node) Conn() connection.Conn { return n.conn }

// Worker gives the worker that runs as the user of b: the one that runs
// already, or a new one.
func (n *Node) Worker(ctx context.Context, b connection.Become) (*Session, error) {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil, fault.New("the connection to %s is closed", n.o.Name).WithCode(fault.ExitUnreachable)
	}
	sl := n.sessions[b]
	if sl == nil {
		sl = &slot{}
		n.sessions[b] = sl
	}
	n.mu.Unlock()
	sl.mu.Lock()
	defer sl.mu.Unlock()
	if sl.s != nil && sl.s.alive() {
		return sl.s, nil
	}
	s, err := n.start(ctx, b)
	if err != nil {
		return nil, err
	}
	sl.s = s
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		s.close()
		return nil, fault.New("the connection to %s is closed", n.o.Name).WithCode(fault.ExitUnreachable)
	}
	return s, nil
}

// Close lets all workers go and ends the connection. A task that still runs is
// finished on the node; cancel its Do to end it.
func (n *Node) Close() error {
	n.mu.Lock()
	n.closed = true
	slots := n.sessions
	n.sessions = nil
	n.mu.Unlock()
	var wg sync.WaitGroup
	for _, sl := range slots {
		wg.Add(1)
		go func() {
			defer wg.Done()
			sl.mu.Lock()
			defer sl.mu.Unlock()
			if sl.s != nil {
				sl.s.close()
			}
		}()
	}
	wg.Wait()
	return n.conn.Close()
}

// start brings a worker up; one that proves to be damaged is pushed anew, once.
func (n *Node) start(ctx context.Context, b connection.Become) (*Session, error) {
	bins, err := n.o.bins()
	if err != nil {
		return nil, err
	}
	s, err := n.launch(ctx, b, bins, false)
	if errors.Is(err, errWrongBuild) {
		s, err = n.launch(ctx, b, bins, true)
	}
	return s, err
}

// argv is what starts a worker. The controller itself, or root on it, can run
// the controller's own program; any other user might not be able to read that.
func (n *Node) argv(b connection.Become, bins map[string]*binary, force bool) (argv []string, self bool) {
	if root := b.User == "" || b.User == "root"; n.o.Local && (b.Method == "" || root) && !force {
		if exe, err := os.Executable(); err == nil {
			return []string{exe, "worker"}, true
		}
	}
	return []string{"/bin/sh", "-c", script(bins, force)}, false
}

var errWrongBuild = errors.New("the worker on the node is damaged")

// launch starts a worker and waits for its Hello; force pushes it even if the
// node has one.
func (n *Node) launch(ctx context.Context, b connection.Become, bins map[string]*binary, force bool) (*Session, error) {
	argv, self := n.argv(b, bins, force)
	p, err := n.conn.Start(ctx, argv, b)
	if err != nil {
		return nil, err
	}
	stderr := &tail{all: make(chan struct{})}
	go func() {
		defer close(stderr.all)
		io.Copy(stderr, p.Stderr())
	}()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(startTimeout, func() { cancel(context.DeadlineExceeded) })
	defer timer.Stop()
	stop := context.AfterFunc(ctx, func() { p.Kill() })
	r := wire.NewReader(p.Stdout())
	pushed := false
	h, noise, err := greet(ctx, n.o.Name, p, r, bins, func(done, total int64) {
		pushed = true
		timer.Reset(startTimeout)
		if n.o.Progress != nil {
			n.o.Progress(done, total)
		}
	})
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err == nil && !self {
		if bin := bins[h.OS+"/"+h.Arch]; bin == nil || bin.name() != h.Build || bin.size != h.Size {
			err = errWrongBuild
		}
	}
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		p.Kill()
		if !pushed && !force && errors.Is(err, io.EOF) { // it may be too broken to say Hello
			err = fmt.Errorf("%w: %w", errWrongBuild, err)
		}
		return nil, n.explain(err, noise, stderr)
	}
	return newSession(n, p, r, b, *h, stderr), nil
}

// explain says why no worker came up, with whatever the node said instead.
func (n *Node) explain(err error, noise []byte, stderr *tail) error {
	var f *fault.Error
	if errors.As(err, &f) || errors.Is(err, errWrongBuild) || errors.Is(err, context.Canceled) {
		return err
	}
	f = fault.New("the worker on %s does not start", n.o.Name).WithCode(fault.ExitUnreachable)
	if errors.Is(err, context.DeadlineExceeded) {
		f.Msg = fmt.Sprintf("the worker on %s did not start within %s", n.o.Name, startTimeout)
	} else if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		f.Err = err
	}
	if text := strings.Join(strings.Fields(strings.ToValidUTF8(string(noise)+" "+stderr.String(), "?")), " "); text != "" {
		if len(text) > 500 {
			text = "..." + strings.ToValidUTF8(text[len(text)-500:], "")
		}
		f.Msg += "; the node said: " + text
	}
	return f.WithHint("can the user run commands there: ssh %s uname -a?", n.o.Name)
}

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
	all chan struct{} // closed when no more will come
}

// last waits a moment for what a process said at its end, which may arrive
// after the end of its output.
func (t *tail) last() string {
	select {
	case <-t.all:
	case <-time.After(500 * time.Millisecond):
	}
	return strings.TrimSpace(t.String())
}

const tailSize = 16 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - tailSize; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}
