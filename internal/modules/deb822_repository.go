package modules

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"reflect"
	"sort"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
	"mageprov/internal/pyre"
)

func init() {
	module.Register(module.Spec{
		Name: "ansible.builtin.deb822_repository",
		New:  func() any { return &deb822Repository{State: "present", Types: []string{"deb"}} },
	})
}

// deb822Repository manages a .sources file. Fields that are nil are not written.
type deb822Repository struct {
	Name                     string      `arg:"name,required"`
	State                    string      `arg:"state" choices:"absent,present"`
	Types                    []string    `arg:"types" choices:"deb,deb-src"`
	URIs                     []string    `arg:"uris"`
	Suites                   []string    `arg:"suites"`
	Components               []string    `arg:"components"`
	Architectures            []string    `arg:"architectures"`
	SignedBy                 string      `arg:"signed_by"`
	Enabled                  *bool       `arg:"enabled"`
	Trusted                  *bool       `arg:"trusted"`
	AllowDowngradeToInsecure *bool       `arg:"allow_downgrade_to_insecure"`
	AllowInsecure            *bool       `arg:"allow_insecure"`
	AllowWeak                *bool       `arg:"allow_weak"`
	ByHash                   *bool       `arg:"by_hash"`
	CheckDate                *bool       `arg:"check_date"`
	CheckValidUntil          *bool       `arg:"check_valid_until"`
	DateMaxFuture            *int        `arg:"date_max_future"`
	Exclude                  []string    `arg:"exclude"`
	Include                  []string    `arg:"include"`
	InReleasePath            string      `arg:"inrelease_path"`
	Languages                []string    `arg:"languages"`
	PDiffs                   *bool       `arg:"pdiffs"`
	Targets                  []string    `arg:"targets"`
	Mode                     module.Mode `arg:"mode"`
	InstallPythonDebian      *bool       `arg:"install_python_debian"`
}

const aptKeyringsDir = "/etc/apt/keyrings"

// Validate asks for what apt needs to find a repository.
func (m *deb822Repository) Validate() error {
	if m.slug() == "" {
		return fault.New("name %q holds no letter that a file name can have", m.Name)
	}
	if m.State == "absent" {
		return nil
	}
	for _, need := range []struct {
		arg string
		val []string
	}{{"uris", m.URIs}, {"suites", m.Suites}} {
		if len(need.val) == 0 {
			return fault.New("%s is required with state: present", need.arg)
		}
	}
	for _, s := range m.Suites {
		if len(m.Components) == 0 && !strings.HasSuffix(s, "/") {
			return fault.New("components are required: suite %s is not a directory", s).WithHint("write components: [main], or end the suite with a slash")
		}
	}
	return nil
}

var (
	slugBlank = pyre.MustCompile(`[_\s]+`)
	slugOther = pyre.MustCompile(`[^a-z0-9-]+`)
)

// slug is the name as a file name.
func (m *deb822Repository) slug() string {
	return slugOther.Replace(slugBlank.Replace(strings.ToLower(m.Name), "-"), "")
}

// fieldName is the name that apt knows an argument by.
func fieldName(arg string) string {
	switch arg {
	case "name":
		return "X-Repolib-Name"
	case "uris":
		return "URIs"
	case "pdiffs":
		return "PDiffs"
	case "inrelease_path":
		return "InRelease-Path"
	}
	words := strings.Split(arg, "_")
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "-")
}

// text is the .sources file; signedBy is what stands in its Signed-By.
func (m *deb822Repository) text(signedBy string) string {
	var lines []string
	rv := reflect.ValueOf(*m)
	for i := 0; i < rv.NumField(); i++ {
		arg := rv.Type().Field(i).Tag.Get("arg")
		arg, _, _ = strings.Cut(arg, ",")
		switch arg {
		case "state", "mode", "install_python_debian":
			continue
		}
		value := fieldValue(rv.Field(i))
		if arg == "signed_by" {
			value = signedBy
		}
		if value != "" {
			lines = append(lines, arg+"\x00"+fieldName(arg)+": "+value)
		}
	}
	sort.Strings(lines)
	for i, l := range lines {
		_, lines[i], _ = strings.Cut(l, "\x00")
	}
	return joinLines(lines)
}

func fieldValue(v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return ""
		}
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Bool:
		return map[bool]string{true: "yes", false: "no"}[v.Bool()]
	case reflect.Slice:
		return strings.Join(v.Interface().([]string), " ")
	}
	return fmt.Sprint(v.Interface())
}

// keyFile is a key that the module keeps beside the sources.
type keyFile struct {
	path    string
	content []byte
}

// signed finds out what Signed-By holds: a path, fingerprints, a key, or the
// path of a file for a key that a URL gives.
func (m *deb822Repository) signed(ctx context.Context, n node.Reader) (string, *keyFile, error) {
	v := strings.TrimSpace(m.SignedBy)
	switch {
	case strings.HasPrefix(v, "-----BEGIN PGP"):
		var b strings.Builder
		for _, line := range strings.Split(v, "\n") {
			if line = strings.TrimSpace(line); line == "" {
				line = "."
			}
			b.WriteString("\n " + line)
		}
		return b.String(), nil, nil
	case strings.Contains(v, "://"):
		data, err := fetchKey(ctx, n, v, true)
		if err != nil {
			return "", nil, err
		}
		ext := ".gpg"
		if bytes.Contains(data, []byte("-----BEGIN PGP")) {
			ext = ".asc"
		}
		k := &keyFile{path.Join(aptKeyringsDir, m.slug()+ext), data}
		return k.path, k, nil
	case path.IsAbs(v):
		if _, err := n.Stat(v); errors.Is(err, fs.ErrNotExist) {
			return "", nil, fault.New("signed_by: there is no key file %s on the node", v).WithHint("copy it there first, or give the key itself")
		}
	}
	return v, nil, nil
}

func fetchKey(ctx context.Context, n node.Reader, url string, validateCerts bool) ([]byte, error) {
	o := httpDefaults(30)
	o.ValidateCerts = validateCerts
	resp, err := o.do(ctx, n, httpRequest{Method: "GET", URL: url, Header: http.Header{}, Follow: "all"})
	if err != nil {
		return nil, fault.New("fetching the key %s: %s", hidePassword(url), requestProblem(err)).WithHint("the node must reach that address; otherwise give the key itself")
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the server answers %s", resp.Status)
	}
	if err != nil {
		return nil, fault.New("fetching the key %s", hidePassword(url)).Because(err)
	}
	return data, nil
}

// Check compares the file and its key.
func (m *deb822Repository) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	dest := path.Join(aptSourcesDir, m.slug()+".sources")
	plan := module.Plan{Return: map[string]any{"dest": dest, "key_filename": nil, "repo": nil}}
	if m.State == "absent" {
		for _, p := range []string{dest, path.Join(aptKeyringsDir, m.slug()+".asc"), path.Join(aptKeyringsDir, m.slug()+".gpg")} {
			old, err := n.ReadFile(p)
			if err != nil {
				continue
			}
			c := module.Change{What: "remove " + p, BeforeName: p, AfterName: "/dev/null", Apply: func(_ context.Context, w node.Writer) error {
				w.Assume("apt-lists", "", "updated")
				return w.Remove(p)
			}}
			if p == dest {
				c.Before = string(old)
			}
			plan.Changes = append(plan.Changes, c)
		}
		return plan, nil
	}
	signedBy, key, err := m.signed(ctx, n)
	if err != nil {
		return plan, err
	}
	if key != nil {
		plan.Return["key_filename"] = key.path
		if err := m.planFile(n, &plan, key.path, string(key.content), ""); err != nil {
			return plan, err
		}
	}
	text := m.text(signedBy)
	plan.Return["repo"] = text
	return plan, m.planFile(n, &plan, dest, text, m.Mode)
}

// planFile plans a file that apt's unprivileged fetcher can read.
func (m *deb822Repository) planFile(n node.Reader, plan *module.Plan, p, text string, mode module.Mode) error {
	old, err := n.ReadFile(p)
	isNew := errors.Is(err, fs.ErrNotExist)
	if err != nil && !isNew {
		return err
	}
	args := FileArgs{Mode: mode}
	if isNew && mode == "" {
		args.Mode = "0644"
	}
	if !isNew && string(old) == text {
		i, err := n.Stat(p)
		if err != nil {
			return err
		}
		changes, err := args.changes(n, p, i)
		plan.Changes = append(plan.Changes, changes...)
		return err
	}
	c := module.Change{What: "write " + p, Before: string(old), After: text, BeforeName: p, AfterName: p}
	if isNew {
		c.BeforeName = "/dev/null"
	}
	c.Apply = func(ctx context.Context, w node.Writer) error {
		w.Assume("apt-lists", "", "updated")
		if err := makeHomeParents(w, path.Dir(p)); err != nil {
			return err
		}
		i, err := w.Stat(p)
		if err != nil {
			i = newFile(w, p)
		}
		wish, err := args.wish(w, i)
		if err != nil {
			return err
		}
		return w.WriteFile(ctx, p, strings.NewReader(text), args.writeOptions(wish))
	}
	plan.Changes = append(plan.Changes, c)
	return nil
}
