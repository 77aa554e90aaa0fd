package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mageprov/internal/fault"
)

// rebootCode is what systemd-nspawn --keep-unit ends with when the guest asked
// for a reboot: it does not boot again by itself.
const rebootCode = 133

// overlay mounts the base tree with a private layer in dir and gives its root.
func (l *Lab) overlay(dir string) (string, error) {
	root := filepath.Join(dir, "root")
	for _, d := range []string{"up", "work", "root"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return "", err
		}
	}
	opts := fmt.Sprintf("lowerdir=%s,upperdir=%s/up,workdir=%s/work,index=off", l.path("base"), dir, dir)
	return root, fault.Wrap(syscall.Mount("overlay", root, "overlay", 0, opts), "mounting the host's layer")
}

func (l *Lab) running(h Host) bool { return l.alive(l.state(h.Name, "pid")) }

// start lays the host's layer over the base tree and boots it.
func (l *Lab) start(ctx context.Context, h Host) error {
	dir := l.state(h.Name)
	if err := l.clear(h.Name); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	// In memory: dpkg's many fsyncs made installs seven times slower on a disk.
	if err := syscall.Mount("lab-"+h.Name, dir, "tmpfs", 0, "mode=755"); err != nil {
		return fault.Wrap(err, "mounting memory for %s", h.Name)
	}
	root, err := l.overlay(dir)
	if err != nil {
		return err
	}
	if err := l.furnish(root, h); err != nil {
		return err
	}
	if err := l.addNode(ctx, h.Name, h.IP); err != nil {
		return err
	}
	return l.daemon(filepath.Join(dir, "pid"), filepath.Join(dir, "console.log"), l.self("supervise", h.Name)...)
}

// furnish writes what differs between hosts, and the only package source.
func (l *Lab) furnish(root string, h Host) error {
	key, err := os.ReadFile(l.path("repo", "lab-archive-keyring.gpg"))
	if err != nil {
		return err
	}
	source := "Types: deb\nURIs: http://" + repoIP + ":" + repoPort + "\nSuites: noble\nComponents: main\nSigned-By: /usr/share/keyrings/lab-archive-keyring.gpg\n"
	name := h.Name
	if l.Hostname != "" {
		name = l.Hostname
	}
	write := map[string]string{
		"etc/hostname":                               name + "\n",
		"etc/hosts":                                  "127.0.0.1 localhost\n127.0.1.1 " + name + ".lab " + name + "\n" + repoIP + " packages.lab\n",
		"etc/apt/sources.list.d/ubuntu.sources":      source,
		"usr/share/keyrings/lab-archive-keyring.gpg": string(key),
	}
	for name, text := range write {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Supervise boots a host and boots it again whenever it asks for a reboot. It
// is a process of its own, with a private view of /sys/fs/cgroup, and returns
// when the host has powered off.
func (l *Lab) Supervise(ctx context.Context, name string) error {
	dir, cgroup := l.state(name), l.prefix()+name
	// A mount namespace belongs to a thread: on another one the mounts below, and
	// the host, would be in the machine's own.
	runtime.LockOSThread()
	if err := plainCgroups(cgroup); err != nil {
		return err
	}
	for {
		cmd := exec.CommandContext(ctx, "systemd-nspawn", "--quiet", "--boot", "--directory="+filepath.Join(dir, "root"), "--machine="+l.Name+name,
			"--register=no", "--keep-unit", "--network-namespace-path=/run/netns/"+l.prefix()+name,
			"--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=pipe", "--kill-signal=SIGRTMIN+3", "--capability=CAP_NET_ADMIN")
		cmd.Env = append(os.Environ(), "SYSTEMD_NSPAWN_API_VFS_WRITABLE=network")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := joinCgroup(cgroup); err != nil {
			return err
		}
		err := cmd.Run()
		var ee *exec.ExitError
		if errors.As(err, &ee) && ee.ExitCode() == rebootCode {
			continue
		}
		return err
	}
}

const cgroups = "/sys/fs/cgroup"

// plainCgroups gives this process and its children a view with one cgroup2
// tree, whatever the machine itself has.
func plainCgroups(name string) error {
	if err := syscall.Unshare(syscall.CLONE_NEWNS); err != nil {
		return fault.Wrap(err, "making a mount namespace")
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fault.Wrap(err, "making mounts private")
	}
	if err := syscall.Unmount(cgroups, syscall.MNT_DETACH); err != nil && !errors.Is(err, syscall.EINVAL) {
		return fault.Wrap(err, "unmounting %s", cgroups)
	}
	if err := syscall.Mount("cgroup2", cgroups, "cgroup2", 0, ""); err != nil {
		return fault.Wrap(err, "mounting cgroup2")
	}
	return os.MkdirAll(filepath.Join(cgroups, name), 0o755)
}

func joinCgroup(name string) error {
	return os.WriteFile(filepath.Join(cgroups, name, "cgroup.procs"), []byte("0"), 0o644)
}

// stop ends a host at once and drops its layer.
func (l *Lab) stop(name string) error {
	dir := l.state(name)
	pid := readPID(filepath.Join(dir, "pid"))
	if l.alive(filepath.Join(dir, "pid")) {
		for _, p := range descendants(pid) {
			if err := syscall.Kill(p, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				l.Log("ending process %d of %s: %v", p, name, err)
			}
		}
		l.kill(filepath.Join(dir, "pid"))
	}
	for range 50 {
		if len(descendants(pid)) == 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return l.clear(name)
}

// clear unmounts and removes what a host has left behind.
func (l *Lab) clear(name string) error {
	dir := l.state(name)
	if _, err := os.Stat(dir); err != nil {
		return nil
	}
	for _, m := range []string{filepath.Join(dir, "root"), dir} {
		for syscall.Unmount(m, syscall.MNT_DETACH) == nil {
		}
	}
	return os.RemoveAll(dir)
}

// Inside is a command that runs a shell script as root on a host, past SSH.
func (l *Lab) Inside(ctx context.Context, host, script string) (*exec.Cmd, error) {
	tree := descendants(readPID(l.state(host, "pid")))
	if len(tree) < 2 { // the host's process 1 is the grandchild of the supervisor
		return nil, fault.New("%s does not run", host)
	}
	cmd := exec.CommandContext(ctx, "nsenter", "-t", strconv.Itoa(tree[1]), "-m", "-u", "-i", "-n", "-p", "-C", "sh", "-c", script)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"}
	return cmd, nil
}

// descendants lists a process and all its children, the youngest last.
func descendants(pid int) []int {
	if pid == 0 {
		return nil
	}
	parents := map[int][]int{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		var id, ppid int
		if _, err := fmt.Sscan(e.Name(), &id); err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue
		}
		_, after, ok := strings.Cut(string(stat), ") ")
		if !ok {
			continue
		}
		var state string
		if _, err := fmt.Sscan(after, &state, &ppid); err == nil && state != "Z" {
			parents[ppid] = append(parents[ppid], id)
		}
	}
	var out []int
	var walk func(int)
	walk = func(p int) {
		for _, c := range parents[p] {
			out = append(out, c)
			walk(c)
		}
	}
	walk(pid)
	return out
}
