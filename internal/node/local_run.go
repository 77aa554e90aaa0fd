package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// MaxOutput is how much of a command's output is kept, for each of its two streams.
const MaxOutput = 64 << 20

const (
	// killAfter is how long a cancelled command has to end by itself.
	killAfter = 5 * time.Second
	// drainFor is how long output is read after the command has ended: a daemon it
	// left behind may hold the pipe open for ever.
	drainFor = time.Second
)

// Query runs a program.
func (l *Local) Query(ctx context.Context, c Command) (Result, error) { return l.Run(ctx, c) }

// Run runs a program in a process group of its own, which ends with the worker
// and with ctx.
func (l *Local) Run(ctx context.Context, c Command) (Result, error) {
	if len(c.Argv) == 0 {
		return Result{}, errors.New("no command given")
	}
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	prog, err := l.LookPath(c.Argv[0])
	if err != nil {
		return Result{}, err
	}
	cmd := exec.Command(prog)
	cmd.Args = c.Argv
	cmd.Dir = c.Dir
	cmd.Env = mergeEnv(l.Environ(), c.Env)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = drainFor // for stdin that nobody reads
	if c.Stdin != nil {
		cmd.Stdin = bytes.NewReader(c.Stdin)
	}
	if c.Output == nil {
		c.Output = l.opts.Output
	}
	return l.wait(ctx, cmd, c.Output)
}

func (l *Local) wait(ctx context.Context, cmd *exec.Cmd, live func([]byte)) (Result, error) {
	var lock sync.Mutex
	stdout, err := newCapture(live, &lock)
	if err != nil {
		return Result{}, err
	}
	defer stdout.close()
	stderr, err := newCapture(live, &lock)
	if err != nil {
		return Result{}, err
	}
	defer stderr.close()
	cmd.Stdout, cmd.Stderr = stdout.w, stderr.w

	res := Result{Start: time.Now()}
	if err := cmd.Start(); err != nil {
		return res, fmt.Errorf("running %s: %w", cmd.Args[0], err)
	}
	stdout.w.Close()
	stderr.w.Close()
	ended := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Add(1)
	go func() {
		defer watcher.Done()
		endGroup(ctx, cmd.Process.Pid, ended)
	}()
	err = cmd.Wait()
	close(ended)
	watcher.Wait()
	res.End = time.Now()
	grace := time.NewTimer(drainFor)
	defer grace.Stop()
	res.Stdout = stdout.finish(grace)
	res.Stderr = stderr.finish(grace)
	if ctx.Err() != nil {
		return res, fmt.Errorf("running %s: %w", cmd.Args[0], context.Cause(ctx))
	}
	if stdout.over() || stderr.over() {
		return res, fmt.Errorf("running %s: it printed more than %d MiB", cmd.Args[0], MaxOutput>>20)
	}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		res.RC = exit.ExitCode()
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			res.RC = -int(ws.Signal())
		}
	case err != nil && !errors.Is(err, exec.ErrWaitDelay) && !errors.Is(err, syscall.EPIPE):
		return res, fmt.Errorf("running %s: %w", cmd.Args[0], err)
	}
	return res, nil
}

// endGroup ends the process group when ctx is done before the command is:
// politely first.
func endGroup(ctx context.Context, pid int, ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	syscall.Kill(-pid, syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(killAfter):
	}
	syscall.Kill(-pid, syscall.SIGKILL) // also what the command left behind
}

// capture reads one stream of a command.
type capture struct {
	r, w *os.File
	done chan struct{}
	mu   sync.Mutex
	buf  bytes.Buffer
	full bool
}

func newCapture(live func([]byte), lock *sync.Mutex) (*capture, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c := &capture{r: r, w: w, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		p := make([]byte, 32<<10)
		for {
			n, err := r.Read(p)
			c.keep(p[:n])
			if n > 0 && live != nil {
				lock.Lock()
				live(p[:n])
				lock.Unlock()
			}
			if err != nil {
				return
			}
		}
	}()
	return c, nil
}

func (c *capture) keep(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if room := MaxOutput - c.buf.Len(); len(p) > room {
		p, c.full = p[:room], true
	}
	c.buf.Write(p)
}

func (c *capture) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.full
}

func (c *capture) finish(grace *time.Timer) []byte {
	select {
	case <-c.done:
	case <-grace.C:
		grace.Reset(0)
		c.r.Close()
		<-c.done
	}
	return c.buf.Bytes()
}

func (c *capture) close() {
	c.w.Close()
	c.r.Close()
	<-c.done
}

// sbinDirs are searched after PATH: system programs live there and the PATH of
// a plain user's session lacks them.
var sbinDirs = []string{"/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin"}

// LookPath finds a program.
func (l *Local) LookPath(name string) (string, error) {
	if strings.Contains(name, "/") {
		if err := l.runnable(name); err != nil {
			return "", &exec.Error{Name: name, Err: err}
		}
		return name, nil
	}
	for _, dir := range append(filepath.SplitList(l.Getenv("PATH")), sbinDirs...) {
		if dir == "" || !filepath.IsAbs(dir) {
			continue
		}
		if p := filepath.Join(dir, name); l.runnable(p) == nil {
			return p, nil
		}
	}
	return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
}

func (l *Local) runnable(path string) error {
	if !filepath.IsAbs(path) {
		return nil // relative to the command's own directory
	}
	i, err := l.Stat(path)
	switch {
	case err != nil:
		return rootCause(err)
	case i.IsDir():
		return syscall.EISDIR
	case i.Mode&0o111 == 0:
		return fs.ErrPermission
	}
	return nil
}
