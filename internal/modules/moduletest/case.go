// Package moduletest runs the cases of the modules: data in txtar files, the
// same for every module and for every place where modules run (a double, a
// worker on a pipe, a host over SSH).
//
// A case has one module's task and what must come of it:
//
//	What the case shows, in words.
//	-- case.yml --
//	task: {copy: {dest: $ROOT/etc/motd, content: "hi\n"}}
//	return: {dest: $ROOT/etc/motd, mode: "0644"}     # a subset
//	what: ["create $ROOT/etc/motd"]                  # optional
//	tree: {/etc/motd: file 0644 root root}           # optional, beside after/
//	-- before/etc/hosts --
//	-- after/etc/hosts --
//	-- after/etc/motd --
//	hi
//
// Binary files stand below before64/, in base64. A file that ends in "<no newline>" has no newline at its end.
//
// See Case for all keys. A task that names $ROOT runs everywhere; one that does
// not, or that has commands, runs on the double only.
package moduletest

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"gopkg.in/yaml.v3"

	"mageprov/internal/node/nodetest"
)

// Case is one case.yml.
type Case struct {
	// Task has one key, the module, whose value are its arguments.
	Task map[string]map[string]any `yaml:"task"`
	// Vars are what a module's controller part can look up.
	Vars map[string]any `yaml:"vars"`
	// Before makes the tree, beside the files of before/: path to a line such as
	// "dir 0755 root root", "file 0600", "link target". The mode may stand alone.
	Before map[string]string `yaml:"before"`
	// Commands may come, see nodetest.Command; each that is not optional must.
	Commands []Command `yaml:"commands"`
	// Again replaces the commands for the second run.
	Again []Command `yaml:"again"`
	// Programs are found beside those of the commands.
	Programs []string `yaml:"programs"`
	// UID is the worker's user, 0 unless given.
	UID int `yaml:"uid"`
	// Double keeps the case to the double, though it names $ROOT.
	Double bool `yaml:"double"`

	// Changed is true unless given; a task that fails has none.
	Changed *bool `yaml:"changed"`
	// Error is part of the message the task must fail with.
	Error string `yaml:"error"`
	// Skipped is part of the reason the task must be skipped for.
	Skipped string `yaml:"skipped"`
	// Return is a subset of what the task returns; null: the key must be absent;
	// "~regexp" matches text.
	Return map[string]any `yaml:"return"`
	// What lists the changes.
	What []string `yaml:"what"`
	// Diff is part of the before and after of the changes, as "-old\n+new" lines.
	Diff *Diff `yaml:"diff"`
	// Tree is what must be there at the end, in the form of Before, or "absent".
	// Files of after/ are compared with all files of the tree.
	Tree map[string]string `yaml:"tree"`
	// Check says why check mode cannot announce what the run does ("unknown": the
	// check must be skipped or without error, no more).
	Check string `yaml:"check"`
	// Second says why the second run changes again.
	Second string `yaml:"second"`

	name   string
	module string
	before map[string]string
	after  map[string]string // nil: no after/ given
	files  map[string]string
}

// Diff is the expected diff of the first change that has one.
type Diff struct {
	Before string `yaml:"before"`
	After  string `yaml:"after"`
}

// Command is an expected command in a case.
type Command struct {
	Query    []string          `yaml:"query"`
	Run      []string          `yaml:"run"`
	RC       int               `yaml:"rc"`
	Stdout   string            `yaml:"stdout"`
	Stderr   string            `yaml:"stderr"`
	Files    map[string]string `yaml:"files"`
	Optional bool              `yaml:"optional"`
}

func (c Command) double() nodetest.Command {
	return nodetest.Command{Query: c.Query, Run: c.Run, RC: c.RC, Stdout: c.Stdout, Stderr: c.Stderr, Files: c.Files}
}

func doubles(cs []Command) []nodetest.Command {
	var out []nodetest.Command
	for _, c := range cs {
		out = append(out, c.double())
	}
	return out
}

// Load reads the cases below dir: dir/<module>/<case>.txtar.
func Load(t *testing.T, dir string) []*Case {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in %s: %v", dir, err)
	}
	sort.Strings(files)
	var cases []*Case
	for _, f := range files {
		c, err := load(f)
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		cases = append(cases, c)
	}
	return cases
}

func load(file string) (*Case, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	c := &Case{
		name:   filepath.Base(filepath.Dir(file)) + "/" + strings.TrimSuffix(filepath.Base(file), ".txtar"),
		before: map[string]string{}, files: map[string]string{},
	}
	seen := false
	for _, f := range txtar.Parse(b).Files {
		f.Data = bytes.TrimSuffix(f.Data, []byte("<no newline>\n"))
		top, rest, _ := strings.Cut(f.Name, "/")
		switch top {
		case "case.yml":
			seen = true
			d := yaml.NewDecoder(bytes.NewReader(f.Data))
			d.KnownFields(true)
			if err := d.Decode(c); err != nil {
				return nil, err
			}
		case "before":
			c.before["/"+rest] = string(f.Data)
		case "before64":
			data, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(f.Data)))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.Name, err)
			}
			c.before["/"+rest] = string(data)
		case "after":
			if c.after == nil {
				c.after = map[string]string{}
			}
			if rest != "" {
				c.after["/"+rest] = string(f.Data)
			}
		case "files":
			c.files[rest] = string(f.Data)
		default:
			return nil, fmt.Errorf("unknown part %s", f.Name)
		}
	}
	if !seen || len(c.Task) != 1 {
		return nil, fmt.Errorf("case.yml with one task expected")
	}
	for c.module = range c.Task {
	}
	return c, nil
}

// Module is the name the task uses.
func (c *Case) Module() string { return c.module }

// Name is module/case.
func (c *Case) Name() string { return c.name }

// Portable says whether the case can run on a real machine: it stays below
// $ROOT, needs no prepared answers, and no owner but the one who runs it.
func (c *Case) Portable() bool {
	if c.Double || len(c.Commands) > 0 || len(c.Programs) > 0 || c.UID != 0 {
		return false
	}
	b, err := yaml.Marshal(c.Task)
	return err == nil && strings.Contains(string(b), "$ROOT")
}

// expand replaces $ROOT in all text of v, and turns YAML's numbers into JSON's.
func expand(v any, root string) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "$ROOT", root)
	case int:
		return int64(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = expand(v[i], root)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[strings.ReplaceAll(k, "$ROOT", root)] = expand(v[k], root)
		}
		return out
	}
	return v
}
