package lab

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"mageprov/internal/fault"
)

// dial connects from inside the lab's network. The thread that enters the
// namespace is given up afterwards.
func (l *Lab) dial(ctx context.Context, address string) (net.Conn, error) {
	type answer struct {
		c   net.Conn
		err error
	}
	got := make(chan answer, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine, and its namespace with it
		f, err := os.Open("/run/netns/" + l.Switch())
		if err != nil {
			got <- answer{nil, fault.New("the lab is not up").WithHint("mageprov lab up")}
			return
		}
		defer f.Close()
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
			got <- answer{nil, fault.Wrap(err, "entering the lab's network, for which it takes root")}
			return
		}
		// One address and a plain dial: the socket is made on this thread.
		d := net.Dialer{Timeout: 10 * time.Second, FallbackDelay: -1}
		c, err := d.DialContext(ctx, "tcp4", address)
		got <- answer{c, err}
	}()
	a := <-got
	return a.c, a.err
}

// Connect joins in and out with a port of a lab host: it is the ProxyCommand
// of the lab's ssh_config.
func (l *Lab) Connect(ctx context.Context, address string, in io.Reader, out io.Writer) error {
	c, err := l.dial(ctx, address)
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	go func() {
		if _, err := io.Copy(c, in); err == nil {
			c.(*net.TCPConn).CloseWrite()
		}
	}()
	if _, err = io.Copy(out, c); ctx.Err() != nil {
		return nil // told to end: that is no error
	}
	return err
}

// await waits until the host's sshd greets.
func (l *Lab) await(ctx context.Context, h Host, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		if l.greets(ctx, h) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fault.New("%s does not answer on %s:22 after %s", h.Name, h.IP, limit).
				WithHint("its console is in %s", l.state(h.Name, "console.log"))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (l *Lab) greets(ctx context.Context, h Host) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	c, err := l.dial(ctx, h.IP+":22")
	if err != nil {
		return false
	}
	defer c.Close()
	if err := c.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return false
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	return err == nil && strings.HasPrefix(line, "SSH-")
}

// makeKeys makes the key with which the lab's admin logs in.
func (l *Lab) makeKeys(ctx context.Context) error {
	if _, err := os.Stat(l.path("id_ed25519")); err == nil {
		return nil
	}
	_, err := run(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "mageprov lab", "-f", l.path("id_ed25519"))
	return err
}

// writeSSH writes ssh_config and known_hosts: the lab's hosts are known, so
// strict checking of host keys works from the first connection.
func (l *Lab) writeSSH(hosts []Host) error {
	var known, config strings.Builder
	for _, h := range hosts {
		keys, err := filepath.Glob(l.state(h.Name, "root/etc/ssh/ssh_host_*_key.pub"))
		if err != nil {
			return err
		}
		for _, k := range keys {
			b, err := os.ReadFile(k)
			if err != nil {
				return err
			}
			f := strings.Fields(string(b))
			if len(f) >= 2 {
				fmt.Fprintf(&known, "%s,%s %s %s\n", h.Name, h.IP, f[0], f[1])
			}
		}
		fmt.Fprintf(&config, "Host %s %s\n  HostName %s\n\n", h.Name, h.IP, h.IP)
	}
	fmt.Fprintf(&config, "Host lab* 10.77.0.*\n  User admin\n  IdentityFile %s\n  IdentitiesOnly yes\n  UserKnownHostsFile %s\n  StrictHostKeyChecking yes\n  ProxyCommand %s lab connect %%h:%%p\n",
		l.path("id_ed25519"), l.path("known_hosts"), l.Program)
	if err := os.WriteFile(l.path("known_hosts"), []byte(known.String()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(l.path("ssh_config"), []byte(config.String()), 0o644)
}
