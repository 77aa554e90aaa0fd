// Package connection reaches a managed node: over SSH, or the controller
// itself. It starts processes, moves files, and becomes another user.
package connection

import (
	"context"
	"io"
	"time"
)

// Target says whom to reach and how, from ansible_* variables and flags.
type Target struct {
	Name       string // inventory_hostname, for messages
	Kind       string // "ssh" or "local"
	Host       string // ansible_host
	Port       int    // 0: ssh_config, else 22
	User       string // "": ssh_config, else the local user
	Password   string
	KeyFiles   []string                             // ansible_ssh_private_key_file, --private-key
	Passphrase func(keyFile string) (string, error) // asks for a key's passphrase; nil: fail
	ProxyJump  string                               // [user@]host[:port], comma separated
	SSHConfig  string                               // path; "": ~/.ssh/config and /etc/ssh/ssh_config; "none": no file
	KnownHosts []string                             // files; empty: the user's and the system's
	HostKey    HostKeyPolicy
	Ask        func(question string) (yes bool, err error) // for HostKeyAsk
	Timeout    time.Duration                               // to connect; 0: 10 s
	Keepalive  time.Duration                               // 0: 15 s
}

// HostKeyPolicy says what to do with a host key that known_hosts lacks. A key
// that differs from the known one is always refused.
type HostKeyPolicy string

// The policies of --host-key.
const (
	HostKeyStrict    HostKeyPolicy = "strict"
	HostKeyAsk       HostKeyPolicy = "ask"
	HostKeyAcceptNew HostKeyPolicy = "accept-new"
)

// Become says as whom a process runs on the node.
type Become struct {
	Method   string // "" none, "sudo", "su"
	User     string // "" is root
	Password string
	Flags    string // further flags of sudo
	Exe      string // path of sudo; "" from PATH
}

// Conn is an open connection to one node. It is safe for concurrent use.
type Conn interface {
	// Start runs argv (quoted for the login shell where there is one).
	Start(ctx context.Context, argv []string, b Become) (Process, error)
	// Exec runs a line through the login shell and waits (raw, bootstrap).
	Exec(ctx context.Context, line string, b Become, stdin io.Reader) (rc int, stdout, stderr []byte, err error)
	// Upload copies size bytes to a path of the login user, atomically, mode 0600
	// unless mode is given; progress may be nil.
	Upload(ctx context.Context, r io.Reader, size int64, path string, mode uint32, progress func(done, total int64)) error
	// Download copies a file the login user can read.
	Download(ctx context.Context, path string, w io.Writer) error
	// Done is closed when the connection is lost or closed.
	Done() <-chan struct{}
	Close() error
}

// Process is a running program.
type Process interface {
	Stdin() io.WriteCloser
	Stdout() io.Reader
	Stderr() io.Reader
	// Wait gives the exit code; err when it could not be known.
	Wait() (rc int, err error)
	Kill() error
}
