// Package lab makes disposable hosts on one Linux machine: real systemd, sshd,
// sudo and apt in systemd-nspawn containers over one shared base tree, on a
// network of their own without a route out. Where the machine has no Ubuntu
// mirror the hosts are Debian under Ubuntu's name, and Banner says so.
//
// It needs root. Everything it makes lies in one directory and in network
// namespaces whose names begin with Prefix; Down removes it.
package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"mageprov/internal/fault"
)

// Dir is where the lab keeps its base tree, packages, keys and hosts. It is
// fixed, so that inventory/lab can name it.
const Dir = "/var/lib/mageprov-lab"

// Prefix begins the names of the lab's network namespaces.
const Prefix = "mplab-"

const (
	bridge   = "br-lab"
	gateway  = "10.77.0.1"
	repoIP   = "10.77.0.2"
	repoPort = "8081"
)

// Packages is what the lab's repository holds beyond the base tree, with all
// that they need: what the playbooks of the lab install.
var Packages = []string{"acl", "bash-completion", "chrony", "curl", "htop", "jq", "logrotate", "lsof", "nginx-light", "rsync", "rsyslog", "tmux", "tree", "unzip", "vim-tiny", "zip"}

// Host is one host of the lab.
type Host struct {
	Name string
	IP   string
}

// Hosts gives the first n hosts: lab1 10.77.0.11, lab2 10.77.0.12...
func Hosts(n int) []Host {
	hosts := make([]Host, n)
	for i := range hosts {
		hosts[i] = Host{Name: fmt.Sprintf("lab%d", i+1), IP: fmt.Sprintf("10.77.0.%d", 11+i)}
	}
	return hosts
}

// Lab is the lab of this machine.
type Lab struct {
	// Log receives a line for each thing that is done.
	Log func(format string, args ...any)
	// Program is the path of mageprov: the lab starts it for supervision,
	// the repository and the way in.
	Program string
	// Mirror and Suite say where the base tree comes from; empty: the mirror of
	// the machine's own apt sources, and trixie on Debian or noble on Ubuntu.
	Mirror, Suite string

	// The rest is for labs beside the one that inventory/lab names. Labs have
	// networks of their own, so two of them may have hosts of the same names and
	// addresses.

	// Home is where base tree, packages and keys lie; empty: Dir.
	Home string
	// Name tells labs with the same home apart; each has its own hosts.
	Name string
	// Include and Packages are packages for the base tree and for the
	// repository, beyond those that every lab has.
	Include, Packages []string
	// Alike makes hosts that cannot be told apart: host keys and machine id
	// are the base tree's, and Hostname is every host's name.
	Alike    bool
	Hostname string
}

func (l *Lab) home() string {
	if l.Home != "" {
		return l.Home
	}
	return Dir
}

func (l *Lab) path(parts ...string) string {
	return filepath.Join(append([]string{l.home()}, parts...)...)
}

// state is where this lab keeps what runs.
func (l *Lab) state(parts ...string) string {
	return filepath.Join(append([]string{l.home(), "run", l.Name}, parts...)...)
}

// Root is a host's tree as this machine sees it.
func (l *Lab) Root(host string) string { return l.state(host, "root") }

// prefix begins the names of this lab's network namespaces; no lab's prefix
// begins another's.
func (l *Lab) prefix() string {
	if l.Name == "" {
		return Prefix
	}
	return "mp-" + l.Name + "-"
}

// Switch is the network namespace of the controller's end of the lab.
func (l *Lab) Switch() string { return l.prefix() + "sw" }

// self is the command line of one of the programs with which the lab runs
// itself; a lab beside the usual one says which it is.
func (l *Lab) self(args ...string) []string {
	argv := []string{l.Program, "lab"}
	if l.Name != "" {
		argv = append(argv, "--home", l.home(), "--name", l.Name)
	}
	return append(argv, args...)
}

// Up makes sure that n hosts run and answer. What is there already is kept.
func (l *Lab) Up(ctx context.Context, n int) error {
	if os.Geteuid() != 0 {
		return fault.New("the lab needs root: it makes network namespaces and containers").WithHint("run it with sudo")
	}
	if n < 1 || n > 200 {
		return fault.New("the lab has 1 to 200 hosts, not %d", n)
	}
	if err := needTools(); err != nil {
		return err
	}
	if err := os.MkdirAll(l.state(), 0o755); err != nil {
		return err
	}
	steps := []struct {
		what string
		do   func(context.Context) error
	}{
		{"making room for many hosts", l.makeRoom},
		{"making keys", l.makeKeys},
		{"building the base tree", l.buildBase},
		{"building the package repository", l.buildRepository},
		{"making the network", l.makeNetwork},
		{"serving the package repository", l.serveRepository},
	}
	for _, s := range steps {
		if err := s.do(ctx); err != nil {
			return fault.Wrap(err, "%s", s.what)
		}
	}
	hosts := Hosts(n)
	if err := l.startHosts(ctx, hosts); err != nil {
		return err
	}
	if err := l.writeSSH(hosts); err != nil {
		return err
	}
	l.Log("%s", l.Banner())
	return nil
}

// startHosts boots the hosts that are down, all at once, and waits for sshd.
func (l *Lab) startHosts(ctx context.Context, hosts []Host) error {
	for _, h := range hosts {
		if l.running(h) {
			continue
		}
		l.Log("booting %s (%s)", h.Name, h.IP)
		if err := l.start(ctx, h); err != nil {
			return fault.Wrap(err, "booting %s", h.Name)
		}
	}
	for _, h := range hosts {
		if err := l.await(ctx, h, 120*time.Second); err != nil {
			return err
		}
	}
	return nil
}

// inotifyLimit is how many watches of files root may have: each host's systemd
// takes some ten of them, and a host without one hangs while it boots.
const inotifyLimit = "/proc/sys/fs/inotify/max_user_instances"

// makeRoom raises the kernel's limit where it would stop hosts from booting.
func (l *Lab) makeRoom(context.Context) error {
	b, err := os.ReadFile(inotifyLimit)
	if err != nil {
		return err
	}
	if n, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && n >= 1024 {
		return nil
	}
	l.Log("raising %s to 1024", inotifyLimit)
	return os.WriteFile(inotifyLimit, []byte("1024"), 0o644)
}

// Banner says what the hosts really are.
func (l *Lab) Banner() string {
	real := "unknown"
	if b, err := os.ReadFile(l.path("base", "usr/lib/os-release.real")); err == nil {
		for _, line := range strings.Split(string(b), "\n") {
			if v, ok := strings.CutPrefix(line, "PRETTY_NAME="); ok {
				real = strings.Trim(v, `"`)
			}
		}
	}
	if strings.HasPrefix(real, "Ubuntu") {
		return "lab hosts: " + real + " in containers; no route out; packages from http://" + repoIP + ":" + repoPort
	}
	return "lab hosts: STAND-IN, " + real + " under the name of Ubuntu 24.04, in containers; no route out; packages from http://" + repoIP + ":" + repoPort
}

// Answers says whether the lab's network is there: it is gone after Down, and
// after a restart of the machine.
func Answers() bool {
	_, err := os.Stat("/run/netns/" + (&Lab{}).Switch())
	return err == nil
}

// Down ends all hosts and removes their state; with all also the base tree,
// the packages and the keys.
func (l *Lab) Down(ctx context.Context, all bool) error {
	if os.Geteuid() != 0 {
		return fault.New("the lab needs root").WithHint("run it with sudo")
	}
	if err := l.removeHosts(ctx); err != nil {
		return err
	}
	l.stopRepository()
	l.removeNetwork(ctx)
	if all {
		return os.RemoveAll(l.home())
	}
	return nil
}

// Renew gives a host back as it was before anything was done to it.
func (l *Lab) Renew(ctx context.Context, h Host) error {
	if err := l.stop(h.Name); err != nil {
		return fault.Wrap(err, "stopping %s", h.Name)
	}
	if err := l.start(ctx, h); err != nil {
		return fault.Wrap(err, "booting %s", h.Name)
	}
	return l.await(ctx, h, 120*time.Second)
}

// removeHosts ends every host and drops its layer.
func (l *Lab) removeHosts(ctx context.Context) error {
	entries, err := os.ReadDir(l.state())
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		l.Log("stopping %s", e.Name())
		if err := l.stop(e.Name()); err != nil {
			return fault.Wrap(err, "stopping %s", e.Name())
		}
	}
	return nil
}

// Status is one host's state.
type Status struct {
	Host
	Running bool
	SSH     bool // sshd answers
}

// Status lists the hosts that have been made.
func (l *Lab) Status(ctx context.Context) ([]Status, error) {
	if os.Geteuid() != 0 {
		return nil, fault.New("the lab needs root").WithHint("run it with sudo")
	}
	var out []Status
	for _, h := range Hosts(200) {
		if _, err := os.Stat(l.state(h.Name)); err != nil {
			continue
		}
		s := Status{Host: h, Running: l.running(h)}
		if s.Running {
			s.SSH = l.await(ctx, h, time.Second) == nil
		}
		out = append(out, s)
	}
	return out, nil
}
