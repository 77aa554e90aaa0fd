package play_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"mageprov/internal/diff"
	_ "mageprov/internal/modules"
	"mageprov/internal/worker"
)

// program is mageprov, built once for all cases.
var program string

func TestMain(m *testing.M) {
	worker.RunIfAsked() // the runs inside this process use it as their worker
	dir, err := os.MkdirTemp("", "conformance")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program = filepath.Join(dir, "mageprov")
	if out, err := exec.Command("go", "build", "-o", program, "mageprov/cmd/mageprov").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building mageprov: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// conformance is one case: files, how they are run, and what Ansible says.
type conformance struct {
	archive *txtar.Archive
	args    []string
	hosts   string
	root    bool   // it becomes other users
	onlySum bool   // compare the recap alone: the order of tasks is free
	differs string // why mageprov does otherwise; section "ours" says what
}

func readCase(t *testing.T, path string) conformance {
	a, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c := conformance{archive: a, hosts: "h1,h2,"}
	for _, l := range strings.Split(string(a.Comment), "\n") {
		key, val, ok := strings.Cut(l, ": ")
		switch {
		case !ok:
		case key == "args":
			c.args = strings.Fields(val)
		case key == "inventory":
			c.hosts = val
		case key == "recap only":
			c.onlySum = true
		case key == "needs root":
			c.root = true
		case key == "differs":
			c.differs = val
		}
	}
	return c
}

func (c conformance) section(name string) (string, bool) {
	for _, f := range c.archive.Files {
		if f.Name == name {
			return string(f.Data), true
		}
	}
	return "", false
}

// lay writes the files of the case into a fresh directory.
func (c conformance) lay(t *testing.T) string {
	dir := t.TempDir()
	for _, f := range c.archive.Files {
		if f.Name == "want" || f.Name == "ours" {
			continue
		}
		p := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// run runs a command line in a fresh directory and gives its normalised output.
func (c conformance) run(t *testing.T, env []string, argv ...string) string {
	dir := c.lay(t)
	argv = append(argv, "-i", c.hosts, "-c", "local", "book.yml")
	cmd := exec.Command(argv[0], append(argv[1:], c.args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if testing.Verbose() {
		t.Logf("%s\n%s", out.String(), errs.String())
	}
	return fmt.Sprintf("%sexit %d\n", normalise(out.String(), dir, c.onlySum), cmd.ProcessState.ExitCode())
}

// TestConformance runs every case and compares with what Ansible printed.
// With MAGEPROV_ORACLE=record an installed ansible-playbook is asked again.
func TestConformance(t *testing.T) {
	paths, err := filepath.Glob("testdata/conformance/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal("no cases", err)
	}
	for _, p := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(p), ".txtar"), func(t *testing.T) {
			t.Parallel()
			c := readCase(t, p)
			if c.root && os.Geteuid() != 0 {
				t.Skip("needs root to become other users")
			}
			want, known := c.section("want")
			if mode := os.Getenv("MAGEPROV_ORACLE"); mode == "record" || mode == "new" && !known {
				want = c.run(t, []string{"ANSIBLE_JINJA2_NATIVE=1", "ANSIBLE_SHOW_CUSTOM_STATS=1", "ANSIBLE_NOCOLOR=1", "ANSIBLE_NOCOWS=1", "ANSIBLE_PIPELINING=1",
					"ANSIBLE_PYTHON_INTERPRETER=/usr/bin/python3", "ANSIBLE_RETRY_FILES_ENABLED=0"}, "ansible-playbook")
				c.record(t, p, "want", want)
			}
			got := c.run(t, nil, program, "apply")
			ours, own := c.section("ours")
			switch {
			case own && c.differs == "":
				t.Error("an own answer needs a line that says why it differs")
			case own:
				want = ours
			case c.differs != "" && os.Getenv("MAGEPROV_ORACLE") == "new": // to be read before it is committed
				c.record(t, p, "ours", got)
				return
			}
			if got != want {
				t.Errorf("%s\n%s", c.archive.Comment, diff.Unified("want", "got", want, got))
			}
		})
	}
}

func (c conformance) record(t *testing.T, path, section, text string) {
	kept := c.archive.Files[:0]
	for _, f := range c.archive.Files {
		if f.Name != section {
			kept = append(kept, f)
		}
	}
	c.archive.Files = append(kept, txtar.File{Name: section, Data: []byte(text)})
	if err := os.WriteFile(path, txtar.Format(c.archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

var (
	stars     = regexp.MustCompile(`^((?:PLAY|TASK|RUNNING HANDLER)[^*]*?) \*+$`)
	resultOf  = regexp.MustCompile(`^(?:ok|changed|skipping|fatal|failed|FAILED - RETRYING|ERROR): \[([^\] ]+)`)
	failed    = regexp.MustCompile(`^((?:fatal|failed): .*?) => \{.*$`)
	column    = regexp.MustCompile(` +`)
	metaTask  = regexp.MustCompile(`^TASK \[(?:[^\]]* : )?meta\]`)
	includeOf = regexp.MustCompile(`^included: (\S+) for (.*)$`)
)

// normalise leaves what matters: banners, each host's results within a task in
// a fixed order, and the recap.
func normalise(text, dir string, onlySum bool) string {
	text = strings.ReplaceAll(text, dir, "DIR")
	var out, task []string
	flush := func() {
		sort.SliceStable(task, func(i, j int) bool { return hostOf(task[i]) < hostOf(task[j]) })
		out = append(out, task...)
		task = nil
	}
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		l := strings.TrimRight(lines[i], " ")
		switch {
		case l == "" || strings.HasPrefix(l, "[WARNING]") || strings.HasPrefix(l, "[DEPRECATION"), strings.HasPrefix(l, "  hint:"), strings.HasPrefix(l, "  at: "),
			strings.HasPrefix(l, "An exception occurred"), strings.HasPrefix(l, "  - "), strings.HasPrefix(l, "check: "):
			continue
		case metaTask.MatchString(l) || strings.HasPrefix(l, "NO MORE HOSTS LEFT"), strings.HasPrefix(l, "Pausing for "), strings.HasPrefix(l, "(ctrl+C then"), strings.HasPrefix(l, "ASYNC "):
			continue // steps of the engine, not results
		case stars.MatchString(l):
			flush()
			out = append(out, stars.FindStringSubmatch(l)[1])
			continue
		case l == "...ignoring":
			if len(task) > 0 {
				task[len(task)-1] += " ...ignoring"
			}
			continue
		case strings.HasSuffix(l, "=> {"):
			body := "{"
			for i++; i < len(lines); i++ {
				body += lines[i] + "\n"
				if lines[i] == "}" {
					break
				}
			}
			l = strings.TrimSuffix(l, "{") + compact(body)
		}
		if m := failed.FindStringSubmatch(l); m != nil {
			l = m[1]
		}
		if m := includeOf.FindStringSubmatch(l); m != nil {
			hosts, label, looped := strings.Cut(m[2], " => ")
			list := strings.Split(hosts, ", ")
			sort.Strings(list) // Ansible: in the order they answered
			l = "included: " + strings.TrimPrefix(m[1], "DIR/") + " for " + strings.Join(list, ", ")
			if looped {
				l += " => " + label
			}
		}
		if strings.Contains(l, " : ok=") {
			l = column.ReplaceAllString(l, " ")
		}
		task = append(task, l)
	}
	flush()
	if onlySum {
		for i, l := range out {
			if strings.HasPrefix(l, "PLAY RECAP") {
				out = out[i:]
				break
			}
		}
	}
	return strings.Join(out, "\n") + "\n"
}

func hostOf(line string) string {
	if m := resultOf.FindStringSubmatch(line); m != nil {
		return m[1]
	}
	return ""
}

// compact writes JSON on one line; the keys of a result are sorted, for their
// order is not part of the dialect.
func compact(body string) string {
	var v any
	if json.Unmarshal([]byte(body), &v) != nil {
		return body
	}
	b, err := json.Marshal(v)
	if err != nil {
		return body
	}
	return string(b)
}
