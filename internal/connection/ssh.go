package connection

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
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
	// maxTries is how often a login is begun that the server breaks off.
	maxTries = 4
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

func (d *Dialer) dialSSH(ctx context.Context, t Target) (Conn, error) {
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
	r := &route{shared: d, t: t, settings: settings}
	client, err := r.reach(ctx, e, t.Password, nil)
	if err != nil {
		return nil, fault.Wrap(err, "connecting to %s (%s@%s)", t.Name, e.user, e.address())
	}
	c := &sshConn{name: t.Name, user: e.user, client: client, done: make(chan struct{})}
	go func() {
		client.Wait()
		close(c.done)
	}()
	every := t.Keepalive
	if n, err := strconv.Atoi(settings.get(e.alias, "ServerAliveInterval")); every == 0 && err == nil && n > 0 {
		every = time.Duration(n) * time.Second
	}
	if every == 0 {
		every = 15 * time.Second
	}
	go c.keepalive(every)
	return c, nil
}

// route makes the connections of one Dial: the jump hosts and the target.
type route struct {
	shared   *Dialer
	t        Target
	settings *settings
}

// reach logs in to e, through its jump hosts if it has any. A server that drops
// the connection before the login, as sshd does when many come at once, is
// tried again.
func (r *route) reach(ctx context.Context, e *endpoint, password string, chain []string) (*ssh.Client, error) {
	for try := 1; ; try++ {
		conn, err := r.connect(ctx, e, chain)
		if err != nil {
			return nil, err
		}
		client, err := r.login(ctx, e, conn, password)
		if err == nil {
			return client, nil
		}
		conn.Close()
		if try == maxTries || !errors.Is(err, errDropped) {
			return nil, err
		}
		select {
		case <-time.After(time.Duration(try) * (200 + rand.N[time.Duration](800)) * time.Millisecond):
		case <-ctx.Done():
			return nil, unreachable("cancelled").Because(ctx.Err())
		}
	}
}

// connect gives the byte stream to e's sshd.
func (r *route) connect(ctx context.Context, e *endpoint, chain []string) (net.Conn, error) {
	if e.proxyCommand != "" {
		return dialCommand(ctx, e)
	}
	if len(e.jumps) == 0 {
		ctx, cancel := context.WithTimeout(ctx, e.timeout)
		defer cancel()
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(e.host, portText(e.port)))
		if err != nil {
			return nil, explainDial(e, err)
		}
		return newQuickAck(conn), nil
	}
	last := len(e.jumps) - 1
	host, usr, port, err := parseHop(e.jumps[last])
	if err != nil {
		return nil, err
	}
	hop, err := r.settings.resolve(r.t, host, usr, port)
	if err != nil {
		return nil, err
	}
	if last > 0 { // the hops before it; the first one's own ProxyJump is asked when it is reached
		hop.jumps, hop.proxyCommand = e.jumps[:last], ""
	}
	via, release, err := r.via(ctx, hop, chain)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	conn, err := via.DialContext(ctx, "tcp", net.JoinHostPort(e.host, portText(e.port)))
	if err != nil {
		release()
		return nil, unreachable("jump host %s cannot reach %s", hop.alias, e.address()).Because(err).
			WithHint("try `nc -vz %s %d` on %s; AllowTcpForwarding must be on there", e.host, e.port, hop.alias)
	}
	return &tunnel{Conn: conn, release: release}, nil
}

// login runs the handshake over conn: host key, then authentication.
func (r *route) login(ctx context.Context, e *endpoint, conn net.Conn, password string) (*ssh.Client, error) {
	w := newWatchdog(ctx, handshakeFactor*e.timeout, func() { conn.Close() })
	defer w.end()
	ask := r.t.Ask
	if ask != nil {
		ask = func(q string) (bool, error) {
			defer w.pause()()
			return r.t.Ask(q)
		}
	}
	check, err := newHostKeyCheck(e, ask)
	if err != nil {
		return nil, err
	}
	a := &auth{e: e, password: password, passphrase: r.t.Passphrase, pause: w.pause}
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
