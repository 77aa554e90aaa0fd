// Package worker is the other end of the wire, on the managed node: it reads a
// task, runs the module, answers. Tasks run one at a time, in the order in
// which they came. When the connection is cut the task that runs is finished,
// nothing else is begun, and the worker cleans up after itself.
package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"

	"mageprov/internal/node"
	"mageprov/internal/wire"
)

// Options are what a worker needs to know of the machine it runs on.
type Options struct {
	Build string // build id, for Hello
	Size  int64  // of the program, for Hello
	Tmp   string // the session's directory; removed by whoever made it
	// Node gives what a task works on: the machine, or in check mode one overlay
	// over it that lives as long as the worker.
	Node func(check bool, env map[string]string) node.Writer
}

// maxQueued bounds the tasks that wait: a controller that sends more is broken.
const maxQueued = 4096

// Serve greets and works until in ends or says Bye, or ctx is done (which also
// cancels the running task). The error tells of a broken protocol, not of tasks.
func Serve(ctx context.Context, in io.Reader, out io.Writer, o Options) error {
	s := &server{o: o, out: wire.NewWriter(out), cancelled: map[uint64]bool{}}
	s.wake = sync.NewCond(&s.mu)
	if _, err := io.WriteString(out, wire.Preamble); err != nil {
		return err
	}
	if err := s.out.Write(wire.KindHello, s.hello()); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { s.end(nil) })
	defer stop()
	go func() { s.end(s.read(wire.NewReader(in))) }()
	for {
		job, err := s.next()
		if job == nil {
			return err
		}
		s.reply(job(ctx))
	}
}

type server struct {
	o   Options
	out *wire.Writer

	mu        sync.Mutex
	wake      *sync.Cond
	queue     []func(context.Context) wire.Reply
	ended     bool
	err       error
	running   uint64
	cancel    context.CancelFunc
	cancelled map[uint64]bool // cancelled before they began
	waiting   map[uint64]bool
}

func (s *server) hello() wire.Hello {
	h := wire.Hello{Build: s.o.Build, Size: s.o.Size, OS: runtime.GOOS, Arch: runtime.GOARCH, UID: os.Geteuid(), PID: os.Getpid(), Tmp: s.o.Tmp}
	h.Home = os.Getenv("HOME")
	if u, err := user.LookupId(strconv.Itoa(h.UID)); err == nil {
		h.User, h.Home = u.Username, u.HomeDir
	}
	return h
}

// read takes frames until the end; nil is a clean one.
func (s *server) read(r *wire.Reader) error {
	for {
		kind, body, err := r.Next()
		if err != nil {
			if err == io.EOF {
				return nil
			}
			return fmt.Errorf("reading from the controller: %w", err)
		}
		switch kind {
		case wire.KindBye:
			return nil
		case wire.KindTask:
			var t wire.Task
			if err = wire.Decode(body, &t); err == nil {
				err = s.add(t.ID, func(ctx context.Context) wire.Reply { return s.task(ctx, t) })
			}
		case wire.KindFile:
			var f wire.File
			if err = wire.Decode(body, &f); err == nil {
				err = s.add(f.ID, func(context.Context) wire.Reply { return s.file(f) })
			}
		case wire.KindCancel:
			var c wire.Cancel
			if err = wire.Decode(body, &c); err == nil {
				s.stop(c.ID)
			}
		default:
			err = fmt.Errorf("a controller does not send %s", kind)
		}
		if err != nil {
			return err
		}
	}
}

func (s *server) add(id uint64, job func(context.Context) wire.Reply) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) >= maxQueued {
		return errors.New("too many tasks are waiting")
	}
	if s.waiting == nil {
		s.waiting = map[uint64]bool{}
	}
	s.waiting[id] = true
	s.queue = append(s.queue, func(ctx context.Context) wire.Reply { return s.run(ctx, id, job) })
	s.wake.Signal()
	return nil
}

// next waits for a job; nil when there will be none.
func (s *server) next() (func(context.Context) wire.Reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) == 0 && !s.ended {
		s.wake.Wait()
	}
	if s.ended {
		return nil, s.err
	}
	job := s.queue[0]
	s.queue = s.queue[1:]
	return job, nil
}

func (s *server) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.ended, s.err = true, err
	}
	s.wake.Signal()
}

// run makes a job cancellable by its ID.
func (s *server) run(ctx context.Context, id uint64, job func(context.Context) wire.Reply) wire.Reply {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	gone := s.cancelled[id]
	delete(s.cancelled, id)
	delete(s.waiting, id)
	s.running, s.cancel = id, cancel
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.running, s.cancel = 0, nil
		s.mu.Unlock()
	}()
	if gone {
		return wire.Reply{ID: id, Failed: true, Msg: "cancelled before it began"}
	}
	return job(ctx)
}

// stop cancels a task, running or waiting; one that has ended already is let be.
func (s *server) stop(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.cancel != nil && s.running == id:
		s.cancel()
	case s.waiting[id]:
		s.cancelled[id] = true
	}
}

// reply answers. An answer that fits no frame becomes a failure; a lost
// connection is noticed by read.
func (s *server) reply(r wire.Reply) {
	err := s.out.Write(wire.KindReply, r)
	if errors.Is(err, wire.ErrTooLarge) {
		_ = s.out.Write(wire.KindReply, wire.Reply{
			ID: r.ID, Changed: r.Changed, Failed: true,
			Msg:  fmt.Sprintf("the result is larger than %d MiB", wire.MaxFrame>>20),
			Hint: "let the command write to a file and fetch that",
		})
	}
}

// file puts a small file into the session's directory.
func (s *server) file(f wire.File) wire.Reply {
	r := wire.Reply{ID: f.ID}
	err := func() error {
		if s.o.Tmp == "" || f.Name != filepath.Base(f.Name) || f.Name == "." || f.Name == ".." {
			return fmt.Errorf("cannot store a file named %q", f.Name)
		}
		return os.WriteFile(filepath.Join(s.o.Tmp, f.Name), f.Data, os.FileMode(f.Mode))
	}()
	if err != nil {
		r.Failed, r.Msg = true, err.Error()
	}
	return r
}
