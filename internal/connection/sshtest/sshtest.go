// Package sshtest runs the machine's own sshd on a free port of 127.0.0.1, with
// its own keys in a temporary directory, for tests.
package sshtest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Server is a running sshd.
type Server struct {
	Port       int
	Dir        string // of everything below
	User       string // who may log in: the test's own user
	Key        string // private key file that is accepted
	KnownHosts string // file that knows the server
	Home       string // HOME of those who log in
	Config     string // sshd_config
	cmd        *exec.Cmd
	log        *bytes.Buffer
}

// Options change the server from the usual one.
type Options struct {
	Config   string   // further lines of sshd_config, before the usual ones
	HostKeys []string // types of host key; nil: ed25519
	NoSFTP   bool
	UserHome bool // keep the real HOME of those who log in
}

// Start runs an sshd until the test ends. It needs /usr/sbin/sshd (openssh-server).
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	os.Chmod(filepath.Dir(dir), 0o755) // other users log in too
	os.Chmod(dir, 0o755)
	s := &Server{Dir: dir, User: me.Username, Key: filepath.Join(dir, "id"), KnownHosts: filepath.Join(dir, "known_hosts"),
		Home: filepath.Join(dir, "home"), Config: filepath.Join(dir, "sshd_config"), log: &bytes.Buffer{}}
	if err := os.Mkdir(s.Home, 0o700); err != nil {
		t.Fatal(err)
	}
	if me.Uid == "0" {
		os.MkdirAll("/run/sshd", 0o755)
	}
	KeyGen(t, "-t", "ed25519", "-f", s.Key)
	pub := Read(t, s.Key+".pub")
	Write(t, filepath.Join(dir, "authorized_keys"), pub)
	os.Chmod(filepath.Join(dir, "authorized_keys"), 0o644)
	if o.HostKeys == nil {
		o.HostKeys = []string{"ed25519"}
	}
	s.Port = freePort(t)
	conf := o.Config + "\n"
	for _, typ := range o.HostKeys {
		f := s.HostKey(typ)
		KeyGen(t, "-t", typ, "-f", f)
		conf += "HostKey " + f + "\n"
		s.Learn(t, typ)
	}
	conf += fmt.Sprintf("ListenAddress 127.0.0.1:%d\nPidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n", s.Port)
	conf += "AuthorizedKeysFile " + filepath.Join(dir, "authorized_keys") + "\nMaxStartups 200\nLogLevel ERROR\n"
	if !o.NoSFTP {
		conf += "Subsystem sftp internal-sftp\n"
	}
	if !o.UserHome {
		conf += "SetEnv HOME=" + s.Home + "\n"
	}
	Write(t, s.Config, conf)
	s.Run(t)
	return s
}

// Run starts the server, again if it was stopped.
func (s *Server) Run(t testing.TB) {
	t.Helper()
	s.cmd = exec.Command("/usr/sbin/sshd", "-D", "-e", "-f", s.Config)
	s.cmd.Stderr = s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatalf("starting sshd (install openssh-server): %v", err)
	}
	cmd := s.cmd
	t.Cleanup(func() { stop(cmd) })
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.Port))
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			stop(cmd)
			t.Fatalf("sshd does not answer: %v\n%s", err, s.log)
		}
	}
}

// Stop ends the listening server; sessions go on.
func (s *Server) Stop() { stop(s.cmd) }

// Pid is the listening server's process.
func (s *Server) Pid() int { return s.cmd.Process.Pid }

func stop(cmd *exec.Cmd) {
	if cmd.ProcessState == nil {
		cmd.Process.Kill()
		cmd.Wait()
	}
}

// HostKey is the private host key file of a type.
func (s *Server) HostKey(typ string) string { return filepath.Join(s.Dir, "host_"+typ) }

// Learn adds the host key of a type to KnownHosts.
func (s *Server) Learn(t testing.TB, typ string) {
	t.Helper()
	f, err := os.OpenFile(s.KnownHosts, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fmt.Fprintf(f, "[127.0.0.1]:%d %s\n", s.Port, strings.Join(strings.Fields(Read(t, s.HostKey(typ)+".pub"))[:2], " "))
}

// KeyGen runs ssh-keygen, without a passphrase unless -N is among args.
func KeyGen(t testing.TB, args ...string) {
	t.Helper()
	if !strings.Contains(strings.Join(args, " "), "-N ") {
		args = append([]string{"-N", ""}, args...)
	}
	out, err := exec.Command("ssh-keygen", append([]string{"-q"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("ssh-keygen %s: %v\n%s", args, err, out)
	}
}

// Read gives a file's text.
func Read(t testing.TB, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Write makes a file, mode 0600, or replaces its text.
func Write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
