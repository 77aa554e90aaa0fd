// Package internal_test holds the floor plan: which package may import which.
package internal_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// floors is the floor plan of docs/architecture.md. A package imports only from
// floors below its own. The packages beside the plan (docs, the shipped
// content) are data and stand below everything.
var floors = map[string]int{
	"fault": 0,

	"config": 1,

	"wire": 1, "node": 1, "node/nodetest": 2, "jinja": 1, "diff": 1, "pyre": 1,
	"vault": 1, "secret": 1,

	"document": 2, "module": 2, "argspec": 2,

	"inventory": 3, "playbook": 3, "template": 3, "connection": 3, "report": 3, "lab": 3,
	"connection/sshtest": 3,

	"modules": 4, "vars": 4, "modules/moduletest": 5,

	"dataedit": 5, "synchronize": 5,

	"worker": 5, "remote": 6, "lint": 5, "explain": 5,

	"play": 7,
}

// outside lists, for the packages that end up in the worker, the only modules
// from outside that they may import: its size on the wire is limited.
var outside = map[string][]string{
	"fault": {}, "wire": {}, "diff": {}, "module": {}, "worker": {},
	"pyre":    {"github.com/dlclark/regexp2"},
	"node":    {"golang.org/x/sys"},
	"modules": {"golang.org/x/sys"},
	"jinja":   {},
}

func TestFloors(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") || strings.Contains(p, "testdata") {
			return err
		}
		pkg := filepath.ToSlash(filepath.Dir(p))
		seen[pkg] = true
		floor, ok := floors[pkg]
		if !ok {
			t.Errorf("%s: package %s is not on the floor plan", p, pkg)
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			check(t, p, pkg, floor, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range floors {
		if !seen[pkg] {
			t.Errorf("the floor plan names %s, which does not exist", pkg)
		}
	}
}

func check(t *testing.T, file, pkg string, floor int, path string) {
	t.Helper()
	if own, ok := strings.CutPrefix(path, "mageprov/internal/"); ok {
		if other, known := floors[own]; known && other >= floor {
			t.Errorf("%s: %s (floor %d) imports %s (floor %d)", file, pkg, floor, own, other)
		}
		return
	}
	if path == "mageprov" || strings.HasPrefix(path, "mageprov/cmd") {
		t.Errorf("%s: %s imports %s", file, pkg, path)
	}
	allowed, limited := outside[pkg]
	if !limited || !strings.Contains(strings.SplitN(path, "/", 2)[0], ".") {
		return
	}
	for _, a := range allowed {
		if path == a || strings.HasPrefix(path, a+"/") {
			return
		}
	}
	t.Errorf("%s: %s must not import %s: it is part of the worker or meant to stay plain", file, pkg, path)
}

// TestTopLevel holds the layout of the repository.
func TestTopLevel(t *testing.T) {
	for _, name := range []string{"cmd", "playbooks", "roles", "inventory", "stig", "artifacts", "vagrant", "docs", "conformance",
		"go.mod", "go.sum", "Makefile", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", ".ci/run"} {
		if _, err := os.Stat(filepath.Join("..", filepath.FromSlash(name))); err != nil {
			t.Errorf("%s is missing", name)
		}
	}
}
