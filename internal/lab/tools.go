package lab

import (
	"bytes"
	"context"
	"os/exec"
	"strings"

	"mageprov/internal/fault"
)

// tools are the programs the lab runs, and the Debian packages that hold them.
var tools = map[string]string{
	"mmdebstrap": "mmdebstrap", "systemd-nspawn": "systemd-container", "apt-ftparchive": "apt-utils",
	"ip": "iproute2", "ssh-keygen": "openssh-client", "ssh": "openssh-client", "gpg": "gpg", "chroot": "coreutils", "tar": "tar",
}

func needTools() error {
	missing := map[string]bool{}
	var pkgs []string
	for tool, pkg := range tools {
		if _, err := exec.LookPath(tool); err != nil && !missing[pkg] {
			missing[pkg] = true
			pkgs = append(pkgs, pkg)
		}
	}
	if len(pkgs) > 0 {
		return fault.New("the lab lacks programs of these packages: %s", strings.Join(pkgs, " ")).
			WithHint("apt-get install %s", strings.Join(pkgs, " "))
	}
	return nil
}

// run runs a program and gives its output; an error carries the end of stderr.
func run(ctx context.Context, argv ...string) (string, error) {
	return runIn(ctx, "", nil, argv...)
}

func runIn(ctx context.Context, dir string, env []string, argv ...string) (string, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	if env != nil {
		cmd.Env = append(cmd.Environ(), env...)
	}
	var out, errb bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errb
	if err := cmd.Run(); err != nil {
		return "", fault.New("%s: %v: %s", strings.Join(argv, " "), err, tail(errb.String()+out.String()))
	}
	return out.String(), nil
}

// tail keeps the last lines of a program's output.
func tail(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	if len(lines) > 8 {
		lines = lines[len(lines)-8:]
	}
	return strings.Join(lines, "\n")
}
