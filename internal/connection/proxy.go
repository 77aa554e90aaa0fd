package connection

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"mageprov/internal/fault"
)

// dialCommand runs a ProxyCommand, as the user wrote it, and talks to its
// standard input and output. It waits for the first byte, which is the server's:
// without it there is no connection, and the command's own words say why.
func dialCommand(ctx context.Context, e *endpoint) (net.Conn, error) {
	cmd := exec.Command("/bin/sh", "-c", "exec "+e.proxyCommand)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.WaitDelay = time.Second // a child of the command may hold its stderr
	said := &remarks{}
	cmd.Stderr = said
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, unreachable("starting ProxyCommand").Because(err)
	}
	c := &commandConn{cmd: cmd, in: in.(*os.File), out: bufio.NewReader(out)}
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	first := make(chan error, 1)
	go func() {
		_, err := c.out.Peek(1)
		first <- err
	}()
	select {
	case err = <-first:
	case <-ctx.Done():
		c.Close()
		<-first
		return nil, explainDial(e, ctx.Err())
	}
	if err != nil {
		c.Close()
		return nil, unreachable("ProxyCommand found no way to %s: %s", e.address(), said.last()).
			WithHint("is the node up, and does sshd run there? the command is: %s", e.proxyCommand)
	}
	said.pass()
	return c, nil
}

// remarks keeps what a command says on stderr until it is connected, and then
// lets it through to ours.
type remarks struct {
	mu      sync.Mutex
	text    []byte
	through bool
}

func (r *remarks) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.through {
		return os.Stderr.Write(p)
	}
	r.text = append(r.text, p...)
	if extra := len(r.text) - 4096; extra > 0 {
		r.text = r.text[extra:]
	}
	return len(p), nil
}

func (r *remarks) pass() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.through = true
	os.Stderr.Write(r.text)
}

// last gives the last line that was said.
func (r *remarks) last() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := strings.TrimSpace(string(r.text))
	if text == "" {
		return "it ended without a word"
	}
	return strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
}

// commandConn makes a net.Conn of a command.
type commandConn struct {
	cmd  *exec.Cmd
	in   *os.File
	out  *bufio.Reader
	once sync.Once
}

func (c *commandConn) Read(p []byte) (int, error)  { return c.out.Read(p) }
func (c *commandConn) Write(p []byte) (int, error) { return c.in.Write(p) }

// Close asks the command to end and, where it does not, ends it: its network
// may be gone, and it may wait for that.
func (c *commandConn) Close() error {
	c.once.Do(func() {
		c.in.Close()
		pid := c.cmd.Process.Pid
		_ = syscall.Kill(-pid, syscall.SIGTERM) // gone already is as good
		kill := time.AfterFunc(time.Second, func() { _ = syscall.Kill(-pid, syscall.SIGKILL) })
		defer kill.Stop()
		c.cmd.Wait()
	})
	return nil
}

type commandAddr struct{}

func (commandAddr) Network() string { return "command" }
func (commandAddr) String() string  { return "0.0.0.0:0" }

func (c *commandConn) LocalAddr() net.Addr  { return commandAddr{} }
func (c *commandConn) RemoteAddr() net.Addr { return commandAddr{} }

var errNoDeadline = fault.New("a ProxyCommand has no deadlines")

func (c *commandConn) SetDeadline(time.Time) error      { return errNoDeadline }
func (c *commandConn) SetReadDeadline(time.Time) error  { return errNoDeadline }
func (c *commandConn) SetWriteDeadline(time.Time) error { return errNoDeadline }
