package document

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

func TestDiskFallsBackToShipped(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.MkdirAll(filepath.Join("roles", "own"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("site.yml", []byte("disk"), 0o644); err != nil {
		t.Fatal(err)
	}
	d := Disk{Shipped: fstest.MapFS{
		"site.yml":             {Data: []byte("shipped")},
		"playbooks/site.yml":   {Data: []byte("shipped play")},
		"roles/base/tasks.yml": {Data: []byte("x")},
	}}
	for _, c := range []struct{ in, resolved, content string }{
		{"site.yml", "site.yml", "disk"},
		{"builtin:site.yml", "builtin:site.yml", "shipped"},
		{"playbooks/site.yml", "builtin:playbooks/site.yml", "shipped play"},
		{"./playbooks/../playbooks/site.yml", "builtin:playbooks/site.yml", "shipped play"},
		{"builtin:playbooks/site.yml", "builtin:playbooks/site.yml", "shipped play"},
	} {
		got, ok := d.Resolve(c.in)
		data, err := d.ReadFile(c.in)
		if !ok || got != c.resolved || string(data) != c.content || err != nil {
			t.Errorf("%s: %s %v %q %v", c.in, got, ok, data, err)
		}
	}
	for _, missing := range []string{"nope.yml", "builtin:../site.yml", "../playbooks/site.yml", "/playbooks/site.yml"} {
		if got, ok := d.Resolve(missing); ok {
			t.Errorf("%s resolves to %s", missing, got)
		}
		if _, err := d.ReadFile(missing); !Missing(err) {
			t.Errorf("%s: %v", missing, err)
		}
	}
	if isDir, err := d.Stat("roles/base"); !isDir || err != nil {
		t.Errorf("roles/base: %v %v", isDir, err)
	}
	names, err := d.ReadDir("builtin:roles/base")
	if strings.Join(names, " ") != "tasks.yml" || err != nil {
		t.Errorf("ReadDir: %v %v", names, err)
	}
	found, err := d.Glob("playbooks/*.yml")
	if strings.Join(found, " ") != "builtin:playbooks/site.yml" || err != nil {
		t.Errorf("Glob: %v %v", found, err)
	}
}

func TestJoin(t *testing.T) {
	for _, c := range []struct{ dir, elem, want string }{
		{"a/b", "../c", "a/c"},
		{"builtin:a", "../c/d", "builtin:c/d"},
		{"builtin:a", "/c", "/c"},
		{"a", "builtin:x/../y", "builtin:y"},
		{"", "c", "c"},
	} {
		if got := Join(c.dir, c.elem); got != c.want {
			t.Errorf("Join(%q, %q) = %q, want %q", c.dir, c.elem, got, c.want)
		}
	}
	if got := Dir("builtin:a/b.yml"); got != "builtin:a" {
		t.Errorf("Dir = %q", got)
	}
}
