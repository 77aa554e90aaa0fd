//go:build conformance

package conformance_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// testCase is one playbook: its name is group/book without the suffix.
type testCase struct {
	name, dir, book string
	title           string
	inventory       string
	runs            [][]string // arguments of each run
	fresh           bool
	versions        bool // the answer tells versions of packages
	live            bool // the answer tells of this machine
	number          int  // its place in the list of all
}

// args are the arguments of the run that is being made.
type run struct {
	*testCase
	args []string
}

// readCase reads the comment with which a playbook begins:
//
//	# What the case is about.
//	# run: --check       a run with these arguments; as often as wanted
//	# inventory: NAME    in the group's directory, instead of the common one
//	# fresh              begins on hosts on which nothing has been done
//	# versions           tells versions of packages that the lab offers
//	# live               tells of this machine: no answer is kept
func readCase(dir, book string) (*testCase, error) {
	text, err := os.ReadFile(filepath.Join(dir, book))
	if err != nil {
		return nil, err
	}
	c := &testCase{name: filepath.Base(dir) + "/" + strings.TrimSuffix(book, ".yml"), dir: dir, book: book, inventory: "inventory.yml"}
	for line := range strings.Lines(string(text)) {
		note, ok := strings.CutPrefix(strings.TrimSpace(line), "# ")
		if !ok {
			break
		}
		args, isRun := strings.CutPrefix(note+" ", "run: ")
		inventory, isInventory := strings.CutPrefix(note, "inventory: ")
		switch {
		case isRun:
			c.runs = append(c.runs, strings.Fields(args))
		case isInventory:
			c.inventory = inventory
		case note == "fresh":
			c.fresh = true
		case note == "versions":
			c.versions = true
		case note == "live":
			c.live = true
		case c.title == "":
			c.title = note
		}
	}
	if c.title == "" {
		return nil, fmt.Errorf("%s: begins without a line that says what it is about", c.name)
	}
	if c.runs == nil {
		c.runs = [][]string{nil}
	}
	return c, nil
}

// groups reads all cases, by directory (a role by its playbook: it has hosts of
// its own), without those whose names do not match
// CASES (globs over group/name, separated by spaces).
func groups(t *testing.T) (all map[string][]*testCase, chosen bool) {
	t.Helper()
	globs := strings.Fields(os.Getenv("CASES"))
	all = map[string][]*testCase{}
	books, err := filepath.Glob("cases/*/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	roles, err := filepath.Glob("roles/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range append(books, roles...) {
		c, err := readCase(filepath.Dir(b), filepath.Base(b))
		if err != nil {
			t.Fatal(err)
		}
		c.number = i
		wanted := len(globs) == 0 || slices.ContainsFunc(globs, func(g string) bool {
			ok, err := filepath.Match(g, c.name)
			return err == nil && ok
		})
		if wanted {
			group := filepath.Dir(b)
			if group == "roles" {
				group = b
			}
			all[group] = append(all[group], c)
		}
	}
	if len(all) == 0 {
		t.Fatal("no cases")
	}
	return all, len(globs) > 0
}

// lay copies a group's directory and the common inventory to a new place.
func lay(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile("inventory.yml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(to, "inventory.yml"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	return to
}
