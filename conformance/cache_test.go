//go:build conformance

package conformance_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// answers keeps what ansible-core answered, on this machine only and never in
// the repository: a case is asked again when anything changes on which its
// answer depends. With ORACLE=live, and on a fresh machine, all are asked.
type answers struct {
	dir, common string
	live        bool
}

func newCache(t *testing.T) *answers {
	t.Helper()
	h := sha256.New()
	version, err := exec.CommandContext(t.Context(), "ansible", "--version").Output()
	if err != nil {
		t.Fatalf("ansible --version: %v (apt-get install ansible)", err)
	}
	h.Write(version)
	fmt.Fprintln(h, settings, trees)
	for _, name := range []string{filepath.Join(home, "base.ready"), filepath.Join(home, "repo/.ready"), "inventory.yml"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		h.Write(b)
	}
	a := &answers{dir: filepath.Join(home, "answers"), common: hex.EncodeToString(h.Sum(nil)), live: os.Getenv("ORACLE") == "live"}
	if err := os.MkdirAll(a.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return a
}

// key names a case's answer: the playbook, and all files of its directory that
// are not cases themselves.
func (a *answers) key(t *testing.T, dir string, c *testCase) string {
	t.Helper()
	h := sha256.New()
	fmt.Fprintln(h, a.common, c.name)
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if filepath.Dir(p) == dir && strings.HasSuffix(p, ".yml") && d.Name() != c.book {
			return nil
		}
		b, err := os.ReadFile(p)
		fmt.Fprintln(h, p, len(b))
		h.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (a *answers) read(key string) []*answer {
	b, err := os.ReadFile(filepath.Join(a.dir, key))
	var kept []*answer
	if a.live || err != nil || json.Unmarshal(b, &kept) != nil {
		return nil
	}
	return kept
}

func (a *answers) write(t *testing.T, key string, got []*answer) {
	t.Helper()
	b, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(a.dir, key), b, 0o644); err != nil {
		t.Fatal(err)
	}
}
