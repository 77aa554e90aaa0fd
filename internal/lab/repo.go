package lab

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mageprov/internal/fault"
)

// buildRepository downloads Packages and what they need, and makes a signed
// apt repository of them, as a package proxy of an air-gapped site would give.
func (l *Lab) buildRepository(ctx context.Context) error {
	repo := l.path("repo")
	want := strings.Join(sorted(l.packages()), "\n")
	if have, err := os.ReadFile(filepath.Join(repo, ".ready")); err == nil && string(have) == want {
		return nil
	}
	l.Log("downloading packages for the lab's repository (once)")
	if err := os.RemoveAll(repo); err != nil {
		return err
	}
	if err := l.fetchPackages(ctx, filepath.Join(repo, "pool")); err != nil {
		return err
	}
	if err := l.index(ctx, repo); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(repo, ".ready"), []byte(want), 0o644)
}

// packages is all that the repository holds, but for what it needs.
func (l *Lab) packages() []string { return append(sorted(Packages), l.Packages...) }

func sorted(s []string) []string {
	out := append([]string(nil), s...)
	sort.Strings(out)
	return out
}

// fetchPackages lets apt in a throw-away layer over the base tree work out
// what is missing there, and download it with the machine's network.
func (l *Lab) fetchPackages(ctx context.Context, pool string) error {
	mirror, suite, err := l.source()
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(l.home(), "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	root, err := l.overlay(tmp)
	if err != nil {
		return err
	}
	defer syscall.Unmount(root, syscall.MNT_DETACH)
	components := "main"
	if suite == "noble" {
		components = "main universe"
	}
	list := "deb " + mirror + " " + suite + " " + components + "\n"
	if err := os.WriteFile(filepath.Join(root, "etc/apt/sources.list"), []byte(list), 0o644); err != nil {
		return err
	}
	for _, name := range []string{"/etc/resolv.conf", "/etc/hosts"} {
		if b, err := os.ReadFile(name); err == nil {
			os.Remove(filepath.Join(root, name))
			if err := os.WriteFile(filepath.Join(root, name), b, 0o644); err != nil {
				return err
			}
		}
	}
	if err := copyAptSettings(root); err != nil {
		return err
	}
	if _, err := run(ctx, "chroot", root, "apt-get", "-q", "update"); err != nil {
		return err
	}
	argv := []string{"chroot", root, "apt-get", "-qy", "--no-install-recommends", "--download-only", "-o", "APT::Sandbox::User=root", "install"}
	if _, err := run(ctx, append(argv, l.packages()...)...); err != nil {
		return err
	}
	if err := os.MkdirAll(pool, 0o755); err != nil {
		return err
	}
	debs, err := filepath.Glob(filepath.Join(root, "var/cache/apt/archives/*.deb"))
	if err != nil {
		return err
	}
	if len(debs) == 0 {
		return fault.New("apt downloaded nothing")
	}
	_, err = run(ctx, append([]string{"cp", "-t", pool}, debs...)...)
	return err
}

// copyAptSettings gives the throw-away layer the machine's own apt settings
// (a proxy, certificates): it downloads as the machine does.
func copyAptSettings(root string) error {
	files, _ := filepath.Glob("/etc/apt/apt.conf.d/*proxy*")
	for _, f := range append(files, "/etc/apt/apt.conf") {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(root, f), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// index writes Packages, Release and a signed InRelease of suite noble.
func (l *Lab) index(ctx context.Context, repo string) error {
	arch, err := run(ctx, "dpkg", "--print-architecture")
	if err != nil {
		return err
	}
	arch = strings.TrimSpace(arch)
	binary := filepath.Join(repo, "dists/noble/main/binary-"+arch)
	if err := os.MkdirAll(binary, 0o755); err != nil {
		return err
	}
	list, err := runIn(ctx, repo, nil, "apt-ftparchive", "packages", "pool")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(binary, "Packages"), []byte(list), 0o644); err != nil {
		return err
	}
	argv := []string{"apt-ftparchive"}
	for k, v := range map[string]string{"Origin": "Ubuntu", "Label": "Ubuntu", "Suite": "noble", "Codename": "noble", "Version": "24.04", "Architectures": arch, "Components": "main"} {
		argv = append(argv, "-o", "APT::FTPArchive::Release::"+k+"="+v)
	}
	release, err := runIn(ctx, repo, nil, append(argv, "release", "dists/noble")...)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(repo, "dists/noble/Release"), []byte(release), 0o644); err != nil {
		return err
	}
	return l.sign(ctx, repo)
}

func (l *Lab) sign(ctx context.Context, repo string) error {
	home := l.path("gnupg")
	env := []string{"GNUPGHOME=" + home}
	if _, err := os.Stat(home); err != nil {
		if err := os.MkdirAll(home, 0o700); err != nil {
			return err
		}
		if _, err := runIn(ctx, repo, env, "gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key", "lab repository <lab@example.invalid>", "ed25519", "sign", "0"); err != nil {
			return err
		}
	}
	if _, err := runIn(ctx, repo, env, "gpg", "--batch", "--yes", "--clearsign", "-o", "dists/noble/InRelease", "dists/noble/Release"); err != nil {
		return err
	}
	key, err := runIn(ctx, repo, env, "gpg", "--batch", "--yes", "--export")
	if err != nil {
		return err
	}
	// The agent would outlive us and hold the directory.
	if _, err := runIn(ctx, repo, env, "gpgconf", "--kill", "all"); err != nil {
		l.Log("gpg-agent: %v", err)
	}
	return os.WriteFile(filepath.Join(repo, "lab-archive-keyring.gpg"), []byte(key), 0o644)
}

// serveRepository starts the web server of the repository in a namespace of its own.
func (l *Lab) serveRepository(ctx context.Context) error {
	if l.alive(l.path("repo" + l.Name + ".pid")) {
		return nil
	}
	if err := l.addNode(ctx, "repo", repoIP); err != nil {
		return err
	}
	return l.daemon(l.path("repo"+l.Name+".pid"), l.path("repo"+l.Name+".log"), append([]string{"ip", "netns", "exec", l.prefix() + "repo"}, l.self("serve")...)...)
}

func (l *Lab) stopRepository() { l.kill(l.path("repo" + l.Name + ".pid")) }

// Serve is the web server itself; it runs until the process ends.
func (l *Lab) Serve(ctx context.Context) error {
	s := &http.Server{Addr: repoIP + ":" + repoPort, Handler: http.FileServer(http.Dir(l.path("repo"))), ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { s.Close() })
	if err := s.ListenAndServe(); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// daemon starts a program in a session of its own and notes its process id.
func (l *Lab) daemon(pidFile, logFile string, argv ...string) error {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := os.WriteFile(pidFile, []byte(strconv.Itoa(cmd.Process.Pid)), 0o644); err != nil {
		return err
	}
	return cmd.Process.Release()
}

// alive says whether the process of a pid file runs, and is ours: a number
// that another program has by now does not count.
func (l *Lab) alive(pidFile string) bool {
	pid := readPID(pidFile)
	if pid == 0 {
		return false
	}
	line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	return err == nil && (strings.Contains(string(line), "lab\x00s") || strings.Contains(string(line), "lab\x00--home"))
}

func readPID(file string) int {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	return pid
}

// kill ends the process group of a pid file.
func (l *Lab) kill(pidFile string) {
	if l.alive(pidFile) {
		pid := readPID(pidFile)
		if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil {
			l.Log("ending process %d: %v", pid, err)
		}
	}
	os.Remove(pidFile)
}
