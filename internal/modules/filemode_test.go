package modules

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"mageprov/internal/module"
)

// TestModesAsChmod compares symbols with the chmod program, on files and
// directories with and without execute bits.
func TestModesAsChmod(t *testing.T) {
	modes := []string{
		"u+x", "a+x", "+x", "u=rw,g=r,o=", "u=rwX,g=rX,o=rX", "go-rwx", "a=rX", "u+s", "g+s", "ug+s", "+t", "o+t", "a-x+X",
		"g=u", "o=g-w", "u-w", "a-s", "=r", "u=rwx,go=u-w", "-w", "ug=rw,o-rwx", "0640", "4755", "u+rwxs,g+rxs,o+rxt",
	}
	dir := t.TempDir()
	for _, start := range []uint32{0o644, 0o755, 0o600, 0o711, 0o640, 0o4755} {
		for _, isDir := range []bool{false, true} {
			for _, mode := range modes {
				p := dir + "/x"
				os.RemoveAll(p)
				if isDir {
					os.Mkdir(p, 0o700)
				} else {
					os.WriteFile(p, nil, 0o600)
				}
				if start > 0o777 && isDir {
					continue // chmod keeps the special bits of directories, Ansible does not
				}
				run(t, "chmod", fmt.Sprintf("%04o", start), p)
				run(t, "sh", "-c", `umask 022; exec chmod -- "$0" "$1"`, mode, p)
				want := strings.TrimSpace(run(t, "stat", "-c", "%a", p))
				got, err := applyMode(module.Mode(mode), start, isDir, 0o022)
				if err != nil || fmt.Sprintf("%o", got) != want {
					t.Errorf("%s on %04o (directory %v) gives %o, chmod %s (%v)", mode, start, isDir, got, want, err)
				}
			}
		}
	}
}

func run(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil && !strings.Contains(string(out), "new permissions are") {
		t.Fatalf("%v: %v %s", argv, err, out)
	}
	return string(out)
}

func TestModesThatAreNone(t *testing.T) {
	for _, mode := range []string{"rwx", "u+q", "z=r", "98", "17777", "u", "u+r,", "-"} {
		if got, err := applyMode(module.Mode(mode), 0o644, false, 0o022); err == nil && mode != "-" {
			t.Errorf("%s gives %04o", mode, got)
		}
	}
}
