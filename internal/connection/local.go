package connection

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"mageprov/internal/fault"
)

// local is the controller itself as a managed node.
type local struct {
	user string
	done chan struct{}
	once sync.Once
}

func newLocal() (Conn, error) {
	l := &local{done: make(chan struct{}), user: strconv.Itoa(os.Geteuid())}
	if u, err := user.Current(); err == nil {
		l.user = u.Username
	}
	return l, nil
}

func (l *local) Done() <-chan struct{} { return l.done }

func (l *local) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *local) Start(ctx context.Context, argv []string, b Become) (Process, error) {
	if !b.active(l.user) {
		return startLocal(argv)
	}
	return become(ctx, "localhost", b, argv, startLocal)
}

func (l *local) Exec(ctx context.Context, line string, b Become, stdin io.Reader) (int, []byte, []byte, error) {
	p, err := l.Start(ctx, []string{"/bin/sh", "-c", line}, b)
	if err != nil {
		return -1, nil, nil, err
	}
	return collect(ctx, p, stdin)
}

func (l *local) Upload(ctx context.Context, r io.Reader, size int64, path string, mode uint32, progress func(done, total int64)) error {
	if mode == 0 {
		mode = 0o600
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	n, err := io.Copy(tmp, &counted{ctx: ctx, r: r, total: size, progress: progress})
	if err == nil && n != size {
		err = fault.New("uploading %s: %d of %d bytes came", path, n, size)
	}
	if err == nil {
		err = tmp.Chmod(os.FileMode(mode))
	}
	if err == nil {
		err = tmp.Close()
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	return err
}

func (l *local) Download(ctx context.Context, path string, w io.Writer) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, &counted{ctx: ctx, r: f})
	return err
}

// localProcess has pipes of its own, because those of exec.Cmd are closed by Wait.
type localProcess struct {
	cmd            *exec.Cmd
	stdin          *os.File
	stdout, stderr *os.File
	once           sync.Once
	rc             int
	err            error
}

func startLocal(argv []string) (Process, error) {
	p := &localProcess{cmd: exec.Command(argv[0], argv[1:]...)}
	// Its own session: neither Ctrl-C at the controller's terminal nor sudo's
	// wish to ask there may reach it.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var ends [3]*os.File
	var err error
	if ends[0], p.stdin, err = os.Pipe(); err != nil {
		return nil, err
	}
	if p.stdout, ends[1], err = os.Pipe(); err != nil {
		return nil, err
	}
	if p.stderr, ends[2], err = os.Pipe(); err != nil {
		return nil, err
	}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = ends[0], ends[1], ends[2]
	err = p.cmd.Start()
	for _, f := range ends {
		f.Close()
	}
	if err != nil {
		p.stdin.Close()
		p.stdout.Close()
		p.stderr.Close()
		return nil, fault.Wrap(err, "starting %s", argv[0])
	}
	return p, nil
}

func (p *localProcess) Stdin() io.WriteCloser { return p.stdin }
func (p *localProcess) Stdout() io.Reader     { return p.stdout }
func (p *localProcess) Stderr() io.Reader     { return p.stderr }

func (p *localProcess) Wait() (int, error) {
	p.once.Do(func() {
		err := p.cmd.Wait()
		var exit *exec.ExitError
		switch {
		case err == nil:
		case errors.As(err, &exit):
			p.rc = exit.ExitCode()
			if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
				p.rc = 128 + int(ws.Signal())
			}
		default:
			p.rc, p.err = -1, err
		}
	})
	return p.rc, p.err
}

// Kill ends the whole session. A process that became root cannot be signalled
// by us; it ends because its input does.
func (p *localProcess) Kill() error {
	p.stdin.Close()
	err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	go func() {
		p.Wait()
		p.stdout.Close()
		p.stderr.Close()
	}()
	return err
}

// counted is a reader that reports how far it is and stops with its context.
type counted struct {
	ctx         context.Context
	r           io.Reader
	done, total int64
	progress    func(done, total int64)
}

func (c *counted) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	c.done += int64(n)
	if c.progress != nil && n > 0 {
		c.progress(c.done, c.total)
	}
	return n, err
}
