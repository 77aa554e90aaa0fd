package inventory

import (
	"errors"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/hashicorp/go-multierror"

	"mageprov/internal/fault"
)

// TestFaults reads the cases of testdata/faults: files as "-- name --" sections,
// the first of them the inventory; the last section, "errors", is what Load says.
func TestFaults(t *testing.T) {
	found, err := filepath.Glob("testdata/faults/*.txt")
	if err != nil || len(found) == 0 {
		t.Fatal("no cases", err)
	}
	for _, name := range found {
		t.Run(filepath.Base(name), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			first, files := sections(string(data))
			want := files["errors"]
			delete(files, "errors")
			inv, err := Load(evaluating(Options{Sources: []string{first}, Files: files}))
			if err == nil {
				err = inv.LoadVars("play")
			}
			if got := spell(err); got != want {
				t.Errorf("got:\n%swant:\n%s", got, want)
			}
		})
	}
}

// spell writes all errors and their hints, sorted.
func spell(err error) string {
	list := []error{err}
	var all *multierror.Error
	if errors.As(err, &all) {
		list = all.Errors
	}
	var lines []string
	for _, e := range list {
		if e != nil {
			lines = append(lines, e.Error()+"\n  hint: "+fault.HintOf(e)+"\n")
		}
	}
	sort.Strings(lines)
	return strings.Join(lines, "")
}

func sections(text string) (first string, files memory) {
	files = memory{}
	name := ""
	for line := range strings.Lines(text) {
		if s, ok := strings.CutPrefix(line, "-- "); ok {
			name = strings.TrimSuffix(strings.TrimSpace(s), " --")
			files[name] = ""
			if first == "" {
				first = name
			}
			continue
		}
		files[name] += line
	}
	return first, files
}
