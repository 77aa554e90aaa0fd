package worker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSessionDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "private")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"session-999999999-x", "session-1-alive", "worker-abc"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	got, err := sessionDir(dir)
	if err != nil || filepath.Dir(got) != dir {
		t.Fatalf("%s %v", got, err)
	}
	if fi, err := os.Stat(got); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", fi, err)
	}
	for d, want := range map[string]bool{"session-999999999-x": false, "session-1-alive": true, "worker-abc": true} {
		if _, err := os.Stat(filepath.Join(dir, d)); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", d, err == nil, want)
		}
	}
	// A directory that others can enter is not used.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	home, tmp := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", tmp)
	t.Setenv("HOME", home)
	if got, err := sessionDir(dir); err != nil || filepath.Dir(got) != filepath.Join(home, ".cache/mageprov") {
		t.Errorf("%s %v", got, err)
	}
	t.Setenv("HOME", "/proc/no-home")
	dead := filepath.Join(tmp, "mageprov-session-999999999-x")
	if err := os.Mkdir(dead, 0o700); err != nil {
		t.Fatal(err)
	}
	if got, err := sessionDir(dir); err != nil || !strings.HasPrefix(got, tmp) {
		t.Errorf("%s %v", got, err)
	}
	if _, err := os.Stat(dead); err == nil {
		t.Error("a dead session was left")
	}
}

func TestIdentify(t *testing.T) {
	path, size, err := identify()
	if err != nil || size < 1<<20 || !filepath.IsAbs(path) {
		t.Errorf("%s %d %v", path, size, err)
	}
}
