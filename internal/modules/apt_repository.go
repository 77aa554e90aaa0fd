package modules

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
	"mageprov/internal/pyre"
)

func init() {
	module.Register(module.Spec{
		Name: "ansible.builtin.apt_repository",
		New: func() any {
			return &aptRepository{State: "present", UpdateCache: true, UpdateCacheRetries: 5, UpdateCacheRetryMaxDelay: 12, ValidateCerts: true}
		},
	})
}

// aptRepository manages a line of apt's sources.
type aptRepository struct {
	Repo                     string      `arg:"repo,required"`
	State                    string      `arg:"state" choices:"absent,present"`
	Filename                 string      `arg:"filename"`
	Mode                     module.Mode `arg:"mode"`
	UpdateCache              bool        `arg:"update_cache" alias:"update-cache"`
	UpdateCacheRetries       int         `arg:"update_cache_retries"`
	UpdateCacheRetryMaxDelay int         `arg:"update_cache_retry_max_delay"`
	ValidateCerts            bool        `arg:"validate_certs"`
	Codename                 string      `arg:"codename"`
	InstallPythonApt         *bool       `arg:"install_python_apt"`
}

const (
	aptSourcesFile = "/etc/apt/sources.list"
	aptSourcesDir  = "/etc/apt/sources.list.d"
)

// Validate looks at the line.
func (m *aptRepository) Validate() error {
	if strings.HasPrefix(m.Repo, "ppa:") {
		return fault.New("%s: a PPA needs the internet and is not supported", m.Repo).
			WithHint("write its line: deb [signed-by=/etc/apt/keyrings/x.asc] https://mirror.example/ppa noble main")
	}
	if _, ok := parseSourceLine(m.Repo); !ok {
		return fault.New("invalid repository string: %s", m.Repo).WithHint("a line is: deb [options] address suite components")
	}
	return nil
}

// sourceLine is a line of a sources file. source is its canonical text, without comment.
type sourceLine struct {
	source, comment string
	enabled         bool
}

var sourcePattern = pyre.MustCompile(`^(deb|deb-src)\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)((?:\s+\S+)*)\Z`)

// parseSourceLine reads "deb ..." and, switched off, "# deb ...".
func parseSourceLine(line string) (sourceLine, bool) {
	l := sourceLine{enabled: true}
	text := strings.TrimSpace(line)
	if strings.HasPrefix(text, "#") {
		l.enabled = false
		text = strings.TrimSpace(strings.TrimLeft(text, "#"))
	}
	text, comment, _ := strings.Cut(text, "#")
	l.comment = strings.TrimSpace(comment)
	f := sourcePattern.Groups(strings.TrimSpace(text))
	if f == nil {
		return l, false
	}
	words := []string{f[1]}
	if opts := strings.Join(strings.Fields(f[2]), " "); opts != "" {
		words = append(words, "["+opts+"]")
	}
	l.source = strings.Join(append(words, append([]string{f[3], f[4]}, strings.Fields(f[5])...)...), " ")
	return l, true
}

var (
	sourceHead    = pyre.MustCompile(`^(?:deb|deb-src)\s+(?:\[[^\]]*\]\s*)?(?:[a-z+]+://)?(?:[^@/\s]*@)?(\S+)`)
	notFileLetter = pyre.MustCompile(`[^a-zA-Z0-9]+`)
)

// file is where a new line goes: named after the repository's address, without
// scheme and password.
func (m *aptRepository) file() string {
	name := m.Filename
	if name == "" {
		name = strings.Trim(notFileLetter.Replace(sourceHead.Groups(m.Repo)[1], "_"), "_")
	}
	if path.IsAbs(name) {
		return name
	}
	return path.Join(aptSourcesDir, name+".list")
}

// sourceEdit is a sources file that changes; after "" removes it.
type sourceEdit struct {
	path, before, after string
	isNew               bool
}

// Check looks for the line in all sources files, as apt reads them all.
func (m *aptRepository) Check(_ context.Context, n node.Reader) (module.Plan, error) {
	plan := module.Plan{Return: map[string]any{"repo": m.Repo, "state": m.State, "sources_added": []any{}, "sources_removed": []any{}}}
	want, ok := parseSourceLine(m.Repo)
	if !ok {
		return plan, m.Validate()
	}
	files := []string{aptSourcesFile}
	infos, err := n.ReadDir(aptSourcesDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return plan, err
	}
	for _, i := range infos {
		if strings.HasSuffix(i.Path, ".list") {
			files = append(files, i.Path)
		}
	}
	var edits []sourceEdit
	found := false
	for _, f := range files {
		data, err := n.ReadFile(f)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return plan, err
		}
		after, here := m.edit(string(data), want.source)
		found = found || here
		if after != string(data) {
			edits = append(edits, sourceEdit{path: f, before: string(data), after: after})
		}
	}
	if m.State == "present" && !found {
		e, err := m.add(n, want.source)
		if err != nil {
			return plan, err
		}
		edits = append(edits, e)
	}
	if len(edits) == 0 {
		return plan, nil
	}
	for _, e := range edits {
		if e.isNew {
			plan.Return["sources_added"] = []any{e.path}
		} else if e.after == "" {
			plan.Return["sources_removed"] = append(plan.Return["sources_removed"].([]any), e.path)
		}
	}
	plan.Changes = m.changes(edits)
	return plan, nil
}

// edit switches a line on, or takes it out. A file without any line left is "".
func (m *aptRepository) edit(text, source string) (after string, found bool) {
	var out []string
	left := false
	for _, line := range strings.SplitAfter(text, "\n") {
		l, isSource := parseSourceLine(line)
		if isSource && l.source == source {
			if m.State == "absent" && l.enabled {
				continue
			}
			if m.State == "present" && !l.enabled && !found {
				line = source + "\n"
				if l.comment != "" {
					line = source + " # " + l.comment + "\n"
				}
			}
			found = true
		}
		left = left || strings.TrimSpace(line) != ""
		out = append(out, line)
	}
	if !left && text != "" {
		return "", found
	}
	return strings.Join(out, ""), found
}

func (m *aptRepository) add(n node.Reader, source string) (sourceEdit, error) {
	e := sourceEdit{path: m.file()}
	data, err := n.ReadFile(e.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.isNew = true
	case err != nil:
		return e, err
	}
	e.before = string(data)
	e.after = e.before
	if e.after != "" && !strings.HasSuffix(e.after, "\n") {
		e.after += "\n"
	}
	e.after += source + "\n"
	return e, nil
}

// changes writes the files and refreshes the lists. When that fails the files go
// back to what they were: a source that does not answer would block every later install.
func (m *aptRepository) changes(edits []sourceEdit) []module.Change {
	var out []module.Change
	verb := map[string]string{"present": "add to ", "absent": "remove from "}[m.State]
	for _, e := range edits {
		c := module.Change{What: verb + e.path, Before: e.before, After: e.after, BeforeName: e.path, AfterName: e.path}
		if e.isNew {
			c.BeforeName = "/dev/null"
		}
		c.Apply = func(ctx context.Context, w node.Writer) error {
			w.Assume("apt-lists", "", "updated")
			return m.write(ctx, w, e)
		}
		out = append(out, c)
	}
	if m.UpdateCache {
		out = append(out, module.Change{What: "refresh the package lists", Quiet: true, Apply: func(ctx context.Context, w node.Writer) error {
			_, err := aptUpdate(ctx, w, updateOptions{retries: m.UpdateCacheRetries, maxDelay: m.UpdateCacheRetryMaxDelay, lockTimeout: 60})
			if err == nil {
				return nil
			}
			for _, e := range edits {
				back := sourceEdit{path: e.path, before: e.after, after: e.before}
				if rerr := m.write(context.WithoutCancel(ctx), w, back); rerr != nil {
					return errors.Join(err, rerr)
				}
			}
			return err
		}})
	}
	return out
}

func (m *aptRepository) write(ctx context.Context, w node.Writer, e sourceEdit) error {
	if e.after == "" {
		return w.Remove(e.path)
	}
	opts := node.Keep()
	if _, err := w.Stat(e.path); err != nil {
		wish, err := FileArgs{Mode: m.Mode}.wish(w, newFile(w, e.path))
		if err != nil {
			return err
		}
		opts.Mode = wish.mode
	}
	return w.WriteFile(ctx, e.path, strings.NewReader(e.after), opts)
}
