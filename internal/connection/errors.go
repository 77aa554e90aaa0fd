package connection

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"mageprov/internal/fault"
)

// errDropped marks a login that the server broke off without a reason.
var errDropped = errors.New("")

func unreachable(format string, args ...any) *fault.Error {
	return fault.New(format, args...).WithCode(fault.ExitUnreachable)
}

// explainDial says in a user's words why a TCP connection did not come about.
func explainDial(e *endpoint, err error) error {
	var dns *net.DNSError
	var ne net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return unreachable("cancelled").Because(err)
	case errors.As(err, &dns) && dns.IsNotFound:
		return unreachable("unknown host name %s", e.host).WithHint("check ansible_host, /etc/hosts and DNS")
	case errors.As(err, &dns):
		return unreachable("resolving %s", e.host).Because(err).WithHint("is the name server reachable?")
	case errors.Is(err, syscall.ECONNREFUSED):
		return unreachable("connection refused by %s", e.address()).WithHint("does sshd run there, and on port %d?", e.port)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return unreachable("no route to %s", e.address()).WithHint("is the node up, and on a network this machine reaches?")
	case errors.As(err, &ne) && ne.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return unreachable("no answer from %s within %s", e.address(), e.timeout).
			WithHint("is the node up? a firewall that drops packets looks the same; -T (ansible_ssh_timeout) sets the time")
	}
	return unreachable("connecting").Because(err)
}

// explainHandshake says why an open connection did not become an SSH session.
func explainHandshake(e *endpoint, a *auth, w *watchdog, err error) error {
	var f *fault.Error
	text := err.Error()
	switch {
	case w.cause() != nil:
		if errors.Is(w.cause(), context.Canceled) {
			return unreachable("cancelled").Because(context.Canceled)
		}
		return unreachable("%s accepted the connection, but logging in was not done within %s", e.address(), w.limit).
			WithHint("is the node overloaded, or does its sshd wait for DNS (UseDNS)?")
	case errors.As(err, &f):
		return f
	case strings.Contains(text, "unable to authenticate"), strings.Contains(text, "Too many authentication failures"):
		return a.failed(text)
	case strings.Contains(text, "no common algorithm"):
		return unreachable("no algorithm in common with the server").Because(err).
			WithHint("compare `sshd -T` on the node: KexAlgorithms, Ciphers, MACs, HostKeyAlgorithms")
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, os.ErrClosed), errors.Is(err, net.ErrClosed):
		return unreachable("the server closed the connection during login").Because(fmt.Errorf("%w%w", err, errDropped)).
			WithHint("look at the node's journal of sshd: MaxStartups, a full disk, AllowUsers or a block list do this")
	}
	return unreachable("ssh").Because(err)
}
