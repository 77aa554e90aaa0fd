//go:build conformance

package conformance_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// answers holds what ansible-core answered. Each answer is kept in the
// repository, with a hash over all on which it depends: when that has changed,
// the case is asked again and the new answer is written.
type answers struct {
	common   string // the hash of what all answers depend on
	packages string // the same for what the lab's repository offers
	part     func(i int) bool
}

func newCache(t *testing.T) *answers {
	t.Helper()
	inventory, err := os.ReadFile("inventory.yml")
	if err != nil {
		t.Fatal(err)
	}
	debs, err := filepath.Glob(filepath.Join(home, "repo/pool/*.deb"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(debs)
	a := &answers{common: hash(suite(), settings, trees, needed, string(inventory)), packages: hash(debs)}
	if a.part, err = partOf(os.Getenv("ORACLE"), os.Getenv("PART"), time.Now()); err != nil {
		t.Fatal(err)
	}
	return a
}

// partOf says which cases are asked anew, by their place in the list of all:
// none without ORACLE=live, else all, or one of eight: the one that PART names
// or, with PART=day, the day's.
func partOf(oracle, part string, now time.Time) (func(i int) bool, error) {
	const parts = 8
	if oracle != "live" {
		return func(int) bool { return false }, nil
	}
	n := now.UTC().YearDay() % parts
	switch part {
	case "":
		return func(int) bool { return true }, nil
	case "day":
	default:
		var err error
		if n, err = strconv.Atoi(part); err != nil || n < 0 || n >= parts {
			return nil, fmt.Errorf("PART is day, or 0 to %d, not %q", parts-1, part)
		}
	}
	return func(i int) bool { return i%parts == n }, nil
}

func hash(of ...any) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q", of)
	return hex.EncodeToString(h.Sum(nil))
}

// key names a case's answer: the playbook, and all files of its directory that
// are not cases themselves.
func (a *answers) key(t *testing.T, dir string, c *testCase) string {
	t.Helper()
	on := []any{a.common, c.name}
	if c.versions {
		on = append(on, a.packages)
	}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if filepath.Dir(p) == dir && strings.HasSuffix(p, ".yml") && d.Name() != c.book {
			return nil
		}
		b, err := os.ReadFile(p)
		on = append(on, p, string(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return hash(on...)
}

// kept is a file of answers: the runs of one case.
type kept struct {
	Key     string
	Answers []*answer
}

func (c *testCase) kept() string { return filepath.Join("answers", c.name+".json.gz") }

// read gives the answer that was kept, nil when it is to be asked for.
func (a *answers) read(t *testing.T, c *testCase, key string) []*answer {
	t.Helper()
	if c.live || a.part(c.number) {
		return nil
	}
	f, err := os.Open(c.kept())
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var k kept
	z, err := gzip.NewReader(f)
	if err == nil {
		var b []byte
		if b, err = io.ReadAll(z); err == nil {
			err = json.Unmarshal(b, &k)
		}
	}
	if err != nil {
		t.Fatalf("%s: %v", c.kept(), err)
	}
	if k.Key != key {
		return nil
	}
	for _, a := range k.Answers {
		for host, list := range a.Results {
			a.Results[host] = slices.DeleteFunc(list, func(r result) bool { return r.Status == "ok" && silent(r.Task, r.Result) })
		}
	}
	return k.Answers
}

// write keeps an answer, except one that tells of this machine, or that was
// only asked for to see that the one kept still holds.
func (a *answers) write(t *testing.T, c *testCase, key string, got []*answer) {
	t.Helper()
	if c.live || a.part(c.number) {
		return
	}
	b, err := json.Marshal(kept{key, got})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(c.kept()), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.kept(), out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
