package connection

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"mageprov/internal/fault"
)

const (
	// handshakeFactor times the time to connect is what key exchange and login may
	// take: a loaded node takes its time there, and PAM may ask a directory.
	handshakeFactor = 6
	keepaliveMisses = 3
	maxJumps        = 8
)

// sshConn is a connection over SSH, and the hops that it goes through.
type sshConn struct {
	name   string
	user   string
	client *ssh.Client
	done   chan struct{}

	sftpMu  sync.Mutex
	sftp    *sftp.Client
	sftpErr error // the server has no sftp
}

func dialSSH(ctx context.Context, t Target) (Conn, error) {
	settings, err := loadSettings(t.SSHConfig)
	if err != nil {
		return nil, err
	}
	host := t.Host
	if host == "" {
		host = t.Name
	}
	e, err := settings.resolve(t, host, t.User, t.Port)
	if err != nil {
		return nil, err
	}
	if t.ProxyJump != "" {
		e.jumps, e.proxyCommand = nil, ""
		if t.ProxyJump != "none" {
			e.jumps = strings.Split(t.ProxyJump, ",")
		}
	}
	d := &dialer{t: t, settings: settings}
	client, err := d.reach(ctx, e, t.Password, 0)
	if err != nil {
		return nil, fault.Wrap(err, "connecting to %s (%s@%s)", t.Name, e.user, e.address())
	}
	c := &sshConn{name: t.Name, user: e.user, client: client, done: make(chan struct{})}
	go func() {
		client.Wait()
		close(c.done)
	}()
	every := t.Keepalive
	if every == 0 {
		every = 15 * time.Second
	}
	go c.keepalive(every)
	return c, nil
}

// dialer makes the connections of one Dial: the jump hosts and the target.
type dialer struct {
	t        Target
	settings *settings
}

// reach logs in to e, through its jump hosts if it has any.
func (d *dialer) reach(ctx context.Context, e *endpoint, password string, depth int) (*ssh.Client, error) {
	if depth > maxJumps {
		return nil, unreachable("more than %d jump hosts", maxJumps).WithHint("does ProxyJump of %s lead back to itself?", e.alias)
	}
	conn, err := d.connect(ctx, e, depth)
	if err != nil {
		return nil, err
	}
	client, err := d.login(ctx, e, conn, password)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return client, nil
}

// connect gives the byte stream to e's sshd.
func (d *dialer) connect(ctx context.Context, e *endpoint, depth int) (net.Conn, error) {
	if e.proxyCommand != "" {
		return dialCommand(e.proxyCommand)
	}
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	if len(e.jumps) == 0 {
		defer cancel()
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(e.host, portText(e.port)))
		if err != nil {
			return nil, explainDial(e, err)
		}
		return conn, nil
	}
	cancel()
	last := len(e.jumps) - 1
	host, usr, port, err := parseHop(e.jumps[last])
	if err != nil {
		return nil, err
	}
	hop, err := d.settings.resolve(d.t, host, usr, port)
	if err != nil {
		return nil, err
	}
	if last > 0 { // the hops before it; the first one's own ProxyJump is asked when it is reached
		hop.jumps, hop.proxyCommand = e.jumps[:last], ""
	}
	// The target's password is not for the hops.
	via, err := d.reach(context.WithoutCancel(ctx), hop, "", depth+1)
	if err != nil {
		return nil, fault.Wrap(err, "jump host %s (%s@%s)", hop.alias, hop.user, hop.address())
	}
	conn, err := via.Dial("tcp", net.JoinHostPort(e.host, portText(e.port)))
	if err != nil {
		via.Close()
		return nil, unreachable("jump host %s cannot reach %s", hop.alias, e.address()).Because(err).
			WithHint("try `nc -vz %s %d` on %s; AllowTcpForwarding must be on there", e.host, e.port, hop.alias)
	}
	return &tunnel{Conn: conn, via: via}, nil
}

// login runs the handshake over conn: host key, then authentication.
func (d *dialer) login(ctx context.Context, e *endpoint, conn net.Conn, password string) (*ssh.Client, error) {
	w := newWatchdog(ctx, handshakeFactor*e.timeout, func() { conn.Close() })
	defer w.end()
	ask := d.t.Ask
	if ask != nil {
		ask = func(q string) (bool, error) {
			defer w.pause()()
			return d.t.Ask(q)
		}
	}
	check, err := newHostKeyCheck(e, ask)
	if err != nil {
		return nil, err
	}
	a := &auth{e: e, password: password, passphrase: d.t.Passphrase, pause: w.pause}
	defer a.close()
	var refused error
	config := &ssh.ClientConfig{
		User: e.user,
		Auth: a.methods(),
		HostKeyCallback: func(name string, addr net.Addr, key ssh.PublicKey) error {
			refused = check.check(name, addr, key)
			return refused
		},
		HostKeyAlgorithms: check.known.algorithms(check.names),
		ClientVersion:     "SSH-2.0-mageprov",
	}
	cc, chans, reqs, err := ssh.NewClientConn(conn, e.address(), config)
	if refused != nil {
		err = refused
	}
	if err != nil {
		return nil, explainHandshake(e, a, w, err)
	}
	return ssh.NewClient(cc, chans, reqs), nil
}

// tunnel is a connection through a jump host, which ends with it.
type tunnel struct {
	net.Conn
	via *ssh.Client
}

func (t *tunnel) Close() error {
	err := t.Conn.Close()
	t.via.Close()
	return err
}

// keepalive notices a node that is gone without a word, and keeps firewalls
// from forgetting the connection.
func (c *sshConn) keepalive(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	answers := make(chan struct{}, 1)
	missed, pending := 0, false
	for {
		select {
		case <-c.done:
			return
		case <-answers:
			missed, pending = 0, false
		case <-tick.C:
			if pending {
				if missed++; missed >= keepaliveMisses {
					c.client.Close()
					return
				}
				continue
			}
			pending = true
			go func() {
				if _, _, err := c.client.SendRequest("keepalive@openssh.com", true, nil); err == nil {
					answers <- struct{}{}
				}
			}()
		}
	}
}

func (c *sshConn) Done() <-chan struct{} { return c.done }

func (c *sshConn) Close() error {
	c.sftpMu.Lock()
	if c.sftp != nil {
		c.sftp.Close()
	}
	c.sftpMu.Unlock()
	err := c.client.Close()
	<-c.done
	if err != nil && strings.Contains(err.Error(), "closed") {
		return nil
	}
	return err
}

func (c *sshConn) Exec(ctx context.Context, line string, b Become, stdin io.Reader) (int, []byte, []byte, error) {
	var p Process
	var err error
	if b.active(c.user) {
		p, err = c.Start(ctx, []string{"/bin/sh", "-c", line}, b)
	} else {
		p, err = c.startLine(line)
	}
	if err != nil {
		return -1, nil, nil, err
	}
	return collect(ctx, p, stdin)
}

func (c *sshConn) Start(ctx context.Context, argv []string, b Become) (Process, error) {
	start := func(argv []string) (Process, error) { return c.startLine(QuoteAll(argv)) }
	if !b.active(c.user) {
		return start(argv)
	}
	return become(ctx, c.name, b, argv, start)
}
