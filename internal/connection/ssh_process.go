package connection

import (
	"errors"
	"io"
	"strconv"
	"sync"

	"golang.org/x/crypto/ssh"

	"mageprov/internal/fault"
)

// sshProcess is a program at the other end of one channel.
type sshProcess struct {
	session        *ssh.Session
	stdin          io.WriteCloser
	stdout, stderr io.Reader
	once           sync.Once
	rc             int
	err            error
}

// startLine gives a line to the login shell.
func (c *sshConn) startLine(line string) (Process, error) {
	s, err := c.client.NewSession()
	if err != nil {
		return nil, c.lost(err)
	}
	p := &sshProcess{session: s}
	if p.stdin, err = s.StdinPipe(); err == nil {
		if p.stdout, err = s.StdoutPipe(); err == nil {
			p.stderr, err = s.StderrPipe()
		}
	}
	if err == nil {
		err = s.Start(line)
	}
	if err != nil {
		s.Close()
		return nil, c.lost(err)
	}
	return p, nil
}

// lost tells a broken connection from a server that refuses one more session.
func (c *sshConn) lost(err error) error {
	var open *ssh.OpenChannelError
	if errors.As(err, &open) {
		return fault.New("%s opens no further session", c.name).Because(err).WithCode(fault.ExitUnreachable).
			WithHint("MaxSessions in the node's sshd_config must be at least 3, or the account may not run commands")
	}
	return unreachable("the connection to %s is lost", c.name).Because(err)
}

func (p *sshProcess) Stdin() io.WriteCloser { return p.stdin }
func (p *sshProcess) Stdout() io.Reader     { return p.stdout }
func (p *sshProcess) Stderr() io.Reader     { return p.stderr }

func (p *sshProcess) Wait() (int, error) {
	p.once.Do(func() {
		err := p.session.Wait()
		var exit *ssh.ExitError
		var missing *ssh.ExitMissingError
		switch {
		case err == nil:
		case errors.As(err, &exit):
			p.rc = exit.ExitStatus()
		case errors.As(err, &missing):
			p.rc, p.err = -1, unreachable("the connection ended before the exit code came")
		default:
			p.rc, p.err = -1, err
		}
		p.session.Close()
	})
	return p.rc, p.err
}

// Kill sends the signal, which newer servers pass on, and hangs up, which ends
// whatever reads its input.
func (p *sshProcess) Kill() error {
	_ = p.session.Signal(ssh.SIGKILL) // older servers refuse; the hang-up follows anyway
	return p.session.Close()
}

func portText(port int) string { return strconv.Itoa(port) }
