package remote

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"
	"time"

	"mageprov/internal/connection"
	"mageprov/internal/fault"
	"mageprov/internal/wire"
)

const (
	// inFrame is the size up to which a file travels within a frame, which is
	// one round trip instead of one more process on the node.
	inFrame = 4 << 20
	// cancelGrace is how long a cancelled task has to end before its answer is
	// no longer waited for: the worker first asks politely, then kills.
	cancelGrace = 10 * time.Second
	// byeGrace is the same for a worker that was told to end.
	byeGrace = 3 * time.Second
)

// Session is a running worker. It is safe for concurrent use: tasks that are
// sent together run in the order in which they were sent.
type Session struct {
	node   *Node
	proc   connection.Process
	become connection.Become
	hello  wire.Hello
	out    *wire.Writer
	stderr *tail

	mu      sync.Mutex
	lastID  uint64
	waiting map[uint64]*waiter
	err     error // why the session ended
	ended   chan struct{}

	programs sync.Mutex                   // held while one is being pushed
	pushed   map[[sha256.Size]byte]string // executables in the session's directory
}

type waiter struct {
	reply    chan *wire.Reply
	progress func(string)
}

func newSession(n *Node, p connection.Process, r *wire.Reader, b connection.Become, h wire.Hello, stderr *tail) *Session {
	s := &Session{node: n, proc: p, become: b, hello: h, out: wire.NewWriter(p.Stdin()), stderr: stderr,
		waiting: map[uint64]*waiter{}, ended: make(chan struct{})}
	go s.read(r)
	return s
}

// Hello is how the worker introduced itself.
func (s *Session) Hello() wire.Hello { return s.hello }

// Ended is closed when the worker is gone.
func (s *Session) Ended() <-chan struct{} { return s.ended }

func (s *Session) alive() bool {
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

// read hands out what the worker sends.
func (s *Session) read(r *wire.Reader) {
	for {
		kind, body, err := r.Next()
		if err == nil {
			err = s.take(kind, body)
		}
		if err != nil {
			s.fail(err)
			return
		}
	}
}

func (s *Session) take(kind wire.Kind, body []byte) error {
	switch kind {
	case wire.KindReply:
		r := &wire.Reply{}
		if err := wire.Decode(body, r); err != nil {
			return err
		}
		s.mu.Lock()
		w := s.waiting[r.ID]
		delete(s.waiting, r.ID)
		s.mu.Unlock()
		if w != nil {
			w.reply <- r
		}
	case wire.KindProgress:
		var p wire.Progress
		if err := wire.Decode(body, &p); err != nil {
			return err
		}
		s.mu.Lock()
		w := s.waiting[p.ID]
		s.mu.Unlock()
		if w != nil && w.progress != nil {
			w.progress(p.Text)
		}
	default:
		return fmt.Errorf("a worker does not send %s", kind)
	}
	return nil
}

// fail ends the session; whoever waits learns why.
func (s *Session) fail(err error) {
	f := fault.New("the connection to %s is lost", s.node.o.Name).WithCode(fault.ExitUnreachable)
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		f.Err = err
	}
	said := s.stderr.last()
	go s.proc.Kill()
	if strings.Contains(said, "panic:") || strings.Contains(said, "fatal error:") {
		f.Msg = fmt.Sprintf("the worker on %s broke", s.node.o.Name)
		f.Hint = said
	} else if said != "" {
		f.Hint = "the node said: " + said
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = f
	close(s.ended)
}

// Do has the worker run a task and waits for the answer; t.ID is set here.
// progress, if not nil, hears live output, and holds up all answers of the node
// while it does. When ctx ends the task is cancelled
// on the node, with all its processes, before Do returns ctx's error. A task
// that failed is an answer; the error is for a node that did not give one.
func (s *Session) Do(ctx context.Context, t wire.Task, progress func(string)) (*wire.Reply, error) {
	return s.call(ctx, progress, func(id uint64) (wire.Kind, any) {
		t.ID = id
		return wire.KindTask, t
	})
}

func (s *Session) call(ctx context.Context, progress func(string), message func(id uint64) (wire.Kind, any)) (*wire.Reply, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := &waiter{reply: make(chan *wire.Reply, 1), progress: progress}
	s.mu.Lock()
	s.lastID++
	id := s.lastID
	s.waiting[id] = w
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.waiting, id)
		s.mu.Unlock()
	}()
	kind, m := message(id)
	if err := s.out.Write(kind, m); err != nil {
		if errors.Is(err, wire.ErrTooLarge) {
			return nil, fault.New("the task's arguments are larger than %d MiB", wire.MaxFrame>>20).
				WithHint("put large content into a file and name it with src")
		}
		<-s.patience()
		return nil, s.lost(err)
	}
	select {
	case r := <-w.reply:
		return r, nil
	case <-s.ended:
		select { // the answer may have been the last thing that came
		case r := <-w.reply:
			return r, nil
		default:
		}
		return nil, s.lost(nil)
	case <-ctx.Done():
	}
	if s.out.Write(wire.KindCancel, wire.Cancel{ID: id}) == nil {
		timer := time.NewTimer(cancelGrace)
		defer timer.Stop()
		select {
		case <-w.reply:
		case <-s.ended:
		case <-timer.C:
		}
	}
	return nil, ctx.Err()
}

// patience waits a moment for the reader to find out why a write failed.
func (s *Session) patience() <-chan struct{} {
	c := make(chan struct{})
	go func() {
		defer close(c)
		select {
		case <-s.ended:
		case <-time.After(time.Second):
		}
	}()
	return c
}

func (s *Session) lost(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	return fault.New("the connection to %s is lost", s.node.o.Name).WithCode(fault.ExitUnreachable).Because(err)
}

// close tells the worker to end and waits a little, so that it can clean up.
func (s *Session) close() {
	if s.alive() && s.out.Write(wire.KindBye, nil) == nil {
		select {
		case <-s.ended:
			return
		case <-time.After(byeGrace):
		}
	}
	s.proc.Kill()
}

// Upload puts size bytes into the session's directory on the node, where the
// worker's user, and nobody else, can read them, and gives the path. The file
// is gone when the session ends.
func (s *Session) Upload(ctx context.Context, r io.Reader, size int64, name string, progress func(done, total int64)) (string, error) {
	var raw [8]byte
	rand.Read(raw[:]) // never fails
	name = hex.EncodeToString(raw[:]) + "-" + path.Base("/"+name)
	dst := path.Join(s.hello.Tmp, name)
	if size <= inFrame {
		data, err := io.ReadAll(io.LimitReader(r, size+1))
		if err != nil {
			return "", fault.Wrap(err, "reading %s", name)
		}
		if int64(len(data)) != size {
			return "", fault.New("%s changed its size while it was read", name)
		}
		reply, err := s.call(ctx, nil, func(id uint64) (wire.Kind, any) {
			return wire.KindFile, wire.File{ID: id, Name: name, Mode: 0o600, Data: data}
		})
		if err == nil && reply.Failed {
			err = fault.New("uploading to %s: %s", s.node.o.Name, reply.Msg)
		}
		return dst, err
	}
	if s.become.Method == "" {
		return dst, s.node.conn.Upload(ctx, r, size, dst, 0o600, progress)
	}
	return dst, fault.Wrap(s.uploadAs(ctx, r, size, dst, progress), "uploading to %s", s.node.o.Name)
}

// Program puts an executable into the session's directory, once per content,
// and gives its path.
func (s *Session) Program(ctx context.Context, content []byte, name string, progress func(done, total int64)) (string, error) {
	key := sha256.Sum256(content)
	s.programs.Lock()
	defer s.programs.Unlock()
	if p, ok := s.pushed[key]; ok {
		return p, nil
	}
	p, err := s.Upload(ctx, bytes.NewReader(content), int64(len(content)), name, progress)
	if err != nil {
		return "", err
	}
	rc, _, stderr, err := s.node.conn.Exec(ctx, "chmod 0700 "+connection.Quote(p), s.become, nil)
	if err == nil && rc != 0 {
		err = fault.New("%s", bytes.TrimSpace(stderr))
	}
	if err != nil {
		return "", fault.Wrap(err, "making %s executable", name)
	}
	if s.pushed == nil {
		s.pushed = map[[sha256.Size]byte]string{}
	}
	s.pushed[key] = p
	return p, nil
}

// uploadAs streams a large file as the worker's user, for the login user of
// SFTP may not write into that one's directory.
func (s *Session) uploadAs(ctx context.Context, r io.Reader, size int64, dst string, progress func(done, total int64)) error {
	src := &meter{r: io.LimitReader(r, size), total: size, progress: progress}
	line := fmt.Sprintf("umask 077; cat >%s", connection.Quote(dst))
	rc, _, stderr, err := s.node.conn.Exec(ctx, line, s.become, src)
	switch {
	case err != nil:
		return err
	case rc != 0:
		return fault.New("%s", bytes.TrimSpace(stderr))
	case src.done != size:
		return fault.New("%d of %d bytes came", src.done, size)
	}
	return nil
}

// Download copies a file that the worker's user can read to w.
func (s *Session) Download(ctx context.Context, path string, w io.Writer) error {
	if s.become.Method == "" {
		return s.node.conn.Download(ctx, path, w)
	}
	return fault.Wrap(connection.Cat(ctx, s.node.conn, path, s.become, w), "downloading %s from %s", path, s.node.o.Name)
}

// meter counts what is read.
type meter struct {
	r           io.Reader
	done, total int64
	progress    func(done, total int64)
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.done += int64(n)
	if m.progress != nil && n > 0 {
		m.progress(m.done, m.total)
	}
	return n, err
}
