package connection

import (
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"mageprov/internal/fault"
)

// dialCommand runs a ProxyCommand, as the user wrote it, and talks to its
// standard input and output.
func dialCommand(line string) (net.Conn, error) {
	cmd := exec.Command("/bin/sh", "-c", "exec "+line)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stderr = os.Stderr
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
	return &commandConn{cmd: cmd, in: in.(*os.File), out: out.(*os.File)}, nil
}

// commandConn makes a net.Conn of a command.
type commandConn struct {
	cmd     *exec.Cmd
	in, out *os.File
	once    sync.Once
}

func (c *commandConn) Read(p []byte) (int, error)  { return c.out.Read(p) }
func (c *commandConn) Write(p []byte) (int, error) { return c.in.Write(p) }

func (c *commandConn) Close() error {
	c.once.Do(func() {
		c.in.Close()
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGTERM)
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
