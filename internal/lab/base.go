package lab

import (
	"bufio"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mageprov/internal/fault"
)

//go:embed files
var files embed.FS

// include is what the base tree has beyond the essential packages: what a fresh
// server installation brings and the lab itself needs.
const include = "systemd,systemd-sysv,dbus,openssh-server,sudo,iproute2,ca-certificates,kmod,procps,passwd,login,less,iputils-ping,netbase,tzdata,cron,gpg"

// source gives mirror and suite.
func (l *Lab) source() (mirror, suite string, err error) {
	mirror, suite = l.Mirror, l.Suite
	if mirror == "" {
		if mirror, err = machineMirror(); err != nil {
			return "", "", err
		}
	}
	if suite == "" {
		suite = "trixie"
		if b, err := os.ReadFile("/etc/os-release"); err == nil && strings.Contains(string(b), "\nID=ubuntu") {
			suite = "noble"
		}
	}
	return mirror, suite, nil
}

// machineMirror is the first mirror that this machine's own apt sources name.
func machineMirror() (string, error) {
	paths, _ := filepath.Glob("/etc/apt/sources.list.d/*")
	for _, p := range append(paths, "/etc/apt/sources.list") {
		f, err := os.Open(p)
		if err != nil {
			continue
		}
		defer f.Close()
		for sc := bufio.NewScanner(f); sc.Scan(); {
			words := strings.Fields(sc.Text())
			for i, w := range words {
				if (words[0] == "URIs:" || words[0] == "deb") && i > 0 && strings.Contains(w, "://") {
					return w, nil
				}
			}
		}
	}
	return "", fault.New("no mirror found in the machine's apt sources").WithHint("name one with --mirror")
}

// buildBase makes the tree that all hosts share, once.
func (l *Lab) buildBase(ctx context.Context) error {
	base := l.path("base")
	mirror, suite, err := l.source()
	if err != nil {
		return err
	}
	want, err := l.recipe(suite)
	if err != nil {
		return err
	}
	if have, err := os.ReadFile(l.path("base.ready")); err == nil && string(have) == want {
		return nil
	}
	if err := l.removeHosts(ctx); err != nil {
		return err
	}
	l.Log("building the base tree: %s (a minute or two, once)", suite)
	begin := time.Now()
	if err := os.RemoveAll(base); err != nil {
		return err
	}
	if err := os.MkdirAll(base, 0o755); err != nil {
		return err
	}
	tar := l.path("base.tar")
	argv := []string{"mmdebstrap", "--quiet", "--variant=minbase", "--include=" + strings.Join(append([]string{include}, l.Include...), ",")}
	if suite == "noble" {
		argv = append(argv, "--components=main,universe")
	}
	if _, err := run(ctx, append(argv, suite, tar, mirror)...); err != nil {
		return err
	}
	defer os.Remove(tar)
	if _, err := run(ctx, "tar", "-C", base, "-xpf", tar); err != nil {
		return err
	}
	if err := l.dress(ctx, base); err != nil {
		return err
	}
	l.Log("base tree ready after %s", time.Since(begin).Round(time.Second))
	return os.WriteFile(l.path("base.ready"), []byte(want), 0o644)
}

// recipe tells one base tree from another: what goes into it.
func (l *Lab) recipe(suite string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, suite, include)
	if len(l.Include) > 0 || l.Alike {
		fmt.Fprintln(h, l.Include, l.Alike)
	}
	entries, err := files.ReadDir("files")
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		text, err := files.ReadFile("files/" + e.Name())
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s\n%s\n", e.Name(), text)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// dress turns a bare tree into a host as it stands on a rack: sshd and an
// admin user with sudo, Ubuntu's labels, no network sources.
func (l *Lab) dress(ctx context.Context, base string) error {
	if err := relabel(base); err != nil {
		return err
	}
	key, err := os.ReadFile(l.path("id_ed25519.pub"))
	if err != nil {
		return err
	}
	if err := copyTree(base); err != nil {
		return err
	}
	write := map[string]string{
		"etc/hostname": "lab\n", "etc/machine-id": l.machineID(), "etc/resolv.conf": "# the lab has no name server\n",
		"root/.ssh/authorized_keys": string(key), "home/admin/.ssh/authorized_keys": string(key),
	}
	if _, err := run(ctx, "chroot", base, "useradd", "-m", "-s", "/bin/bash", "-G", "sudo", "admin"); err != nil {
		return err
	}
	for name, text := range write {
		p := filepath.Join(base, name)
		os.Remove(p)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, argv := range [][]string{
		{"chmod", "700", "/root/.ssh", "/home/admin/.ssh"},
		{"chmod", "600", "/root/.ssh/authorized_keys", "/home/admin/.ssh/authorized_keys"},
		{"chown", "-R", "admin:admin", "/home/admin"},
		{"chmod", "440", "/etc/sudoers.d/admin"},
		{"sh", "-c", "rm -f /usr/sbin/policy-rc.d /etc/apt/sources.list /etc/apt/sources.list.d/* /etc/ssh/ssh_host_*; rm -rf /var/lib/apt/lists/*"},
		{"systemctl", "set-default", "multi-user.target"},
		{"systemctl", "enable", "ssh", "lab-sysctl", "lab-hostkeys"},
		{"systemctl", "mask", "systemd-networkd-wait-online.service"},
	} {
		if _, err := run(ctx, append([]string{"chroot", base}, argv...)...); err != nil {
			return err
		}
	}
	if l.Alike {
		_, err = run(ctx, "chroot", base, "ssh-keygen", "-A")
	}
	return err
}

// machineID is empty where each host shall make its own.
func (l *Lab) machineID() string {
	if l.Alike {
		return "0123456789abcdef0123456789abcdef\n"
	}
	return ""
}

// relabel makes Debian say that it is Ubuntu 24.04: only the labels change, and
// what it really is stays in os-release.real.
func relabel(base string) error {
	p := filepath.Join(base, "usr/lib/os-release")
	real, err := os.ReadFile(p)
	if err != nil {
		return err
	}
	if err := os.WriteFile(p+".real", real, 0o644); err != nil {
		return err
	}
	if strings.Contains(string(real), "\nID=ubuntu") {
		return nil
	}
	for name, to := range map[string]string{"os-release": "usr/lib/os-release", "lsb-release": "etc/lsb-release"} {
		text, err := files.ReadFile("files/" + name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(base, to), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// copyTree lays files/tree over the base.
func copyTree(base string) error {
	for name, mode := range map[string]os.FileMode{
		"etc/systemd/system/lab-sysctl.service":           0o644,
		"etc/systemd/system/chrony.service.d/chrony.conf": 0o644,
		"etc/systemd/system/lab-hostkeys.service":         0o644,
		"usr/local/sbin/lab-sysctl":                       0o755,
		"etc/sudoers.d/admin":                             0o440,
	} {
		text, err := files.ReadFile("files/" + filepath.Base(name))
		if err != nil {
			return err
		}
		p := filepath.Join(base, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(p, text, mode); err != nil {
			return err
		}
	}
	return nil
}
