package connection

import (
	"net"
	"syscall"
)

// quickAck acknowledges at once what it reads. While a login and the start of a
// command go on, sshd writes several small messages without being answered, and
// by Nagle's rule holds each back until the one before is acknowledged: Linux
// otherwise lets it wait 40 ms, twice per connection. The kernel leaves the mode
// on its own (tcp(7), TCP_QUICKACK), so it is asked for after every read.
type quickAck struct {
	net.Conn
	raw syscall.RawConn
}

func newQuickAck(c net.Conn) net.Conn {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return c
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return c
	}
	q := &quickAck{Conn: c, raw: raw}
	q.ask()
	return q
}

func (q *quickAck) Read(p []byte) (int, error) {
	n, err := q.Conn.Read(p)
	if err == nil {
		q.ask()
	}
	return n, err
}

// ask may fail: then the connection is only slower.
func (q *quickAck) ask() {
	_ = q.raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
	})
}
