package template

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// onDisk is Files below one directory, as a play beside it would look for them.
type onDisk string

func (d onDisk) ReadFile(p string) ([]byte, error) { return os.ReadFile(p) }

func (d onDisk) Glob(pattern string) ([]string, error) {
	names, err := filepath.Glob(pattern)
	sort.Strings(names)
	return names, err
}

func (d onDisk) Find(_ context.Context, kind, name string) (string, error) {
	for _, p := range []string{filepath.Join(string(d), kind, name), filepath.Join(string(d), name)} {
		if _, err := os.Stat(p); err == nil {
			return p, nil
		}
	}
	return "", fault.New("%s was not found", name)
}

// oracleCase is an expression with the answer that ansible-core gave, or ours
// where it differs on purpose.
type oracleCase struct {
	line     int
	src      string
	want     string // repr of the value
	mistake  string // message of ansible-core; an error is wanted
	differs  string // what we give instead; "error" for an error
	why      string
	answered bool
}

func readOracle(t *testing.T, file string) []oracleCase {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var cases []oracleCase
	for i, line := range strings.Split(string(data), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		kind, rest, _ := strings.Cut(line, " ")
		if kind != "=>" && kind != "!!" && kind != "differs:" && kind != "why:" {
			cases = append(cases, oracleCase{line: i + 1, src: line})
			continue
		}
		c := &cases[len(cases)-1]
		switch kind {
		case "=>":
			c.want, c.answered = rest, true
		case "!!":
			c.mistake, c.answered = rest, true
		case "differs:":
			c.differs = rest
		case "why:":
			c.why = rest
		}
	}
	return cases
}

// TestOracle runs the expressions of testdata/oracle, whose answers
// testdata/oracle/record.py took from ansible-core.
func TestOracle(t *testing.T) {
	here, err := filepath.Abs("testdata/oracle")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TZ", "UTC")
	t.Setenv("HOME", "/root")
	t.Chdir(filepath.Join(here, "files"))
	raw, err := os.ReadFile(filepath.Join(here, "vars.yml"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := document.Values("vars.yml", raw, true)
	if err != nil {
		t.Fatal(err)
	}
	vars := dictVars{v.(*jinja.Dict)}
	files, err := filepath.Glob(filepath.Join(here, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal("no case files", err)
	}
	for _, file := range files {
		for _, c := range readOracle(t, file) {
			t.Run(fmt.Sprintf("%s:%d", filepath.Base(file), c.line), func(t *testing.T) {
				s := New(Options{}).Scope(vars, onDisk(filepath.Join(here, "files")))
				got, err := s.Eval(context.Background(), c.src, fault.Place{File: filepath.Base(file), Line: c.line, Col: 1})
				text := strings.ReplaceAll(jinja.Repr(got), here, "ORACLE")
				if err != nil {
					text = "error"
				}
				switch {
				case !c.answered || (c.differs != "") != (c.why != ""):
					t.Fatal("the case has no answer, or differs without a reason")
				case c.differs != "" && text != c.differs:
					t.Errorf("%s\ngives %s %v\nwant  %s: %s", c.src, text, err, c.differs, c.why)
				case c.differs != "":
				case c.mistake != "" && err == nil:
					t.Errorf("%s\ngives %s\nwant an error like %s", c.src, text, c.mistake)
				case c.mistake == "" && err != nil:
					t.Errorf("%s\nfails: %v\nwant  %s", c.src, err, c.want)
				case c.mistake == "" && text != c.want:
					t.Errorf("%s\ngives %s\nwant  %s", c.src, text, c.want)
				}
			})
		}
	}
}
