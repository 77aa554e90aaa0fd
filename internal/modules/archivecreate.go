package modules

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"path"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
	"mageprov/internal/pyre"
)

func init() {
	module.Register(module.Spec{
		Name: "community.general.archive",
		New:  func() any { return &archiveFiles{Format: "gz"} },
	})
}

// archiveFiles packs files of the node into an archive, or compresses one.
type archiveFiles struct {
	FileArgs
	Path              []string `arg:"path,required"`
	Dest              string   `arg:"dest"`
	Format            string   `arg:"format" choices:"bz2,gz,tar,xz,zip"`
	ExcludePath       []string `arg:"exclude_path"`
	ExclusionPatterns []string `arg:"exclusion_patterns"`
	ForceArchive      bool     `arg:"force_archive"`
	Remove            bool     `arg:"remove"`

	exclude []*pyre.Regexp
}

// packing is what an archive is to hold.
type packing struct {
	dest     string
	root     string // what member names are relative to
	compress bool   // one file, no archive
	files    []packed
}

// packed is one file of the node and the member it becomes.
type packed struct {
	path string
	member
}

// Check finds the files and compares them with those in the archive.
func (m *archiveFiles) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	for _, glob := range m.ExclusionPatterns {
		re, err := pyre.Compile(globToRegexp(glob), 0)
		if err != nil {
			return module.Plan{}, err
		}
		m.exclude = append(m.exclude, re.Anchored())
	}
	paths, excluded := expandGlobs(n, m.Path), expandGlobs(n, m.ExcludePath)
	if len(paths) == 0 {
		return module.Plan{Return: map[string]any{"path": strings.Join(m.Path, ","), "expanded_paths": "", "expanded_exclude_paths": ""}},
			notSure(n, fault.New("Error, no source paths were found"))
	}
	var found, missing []string
	for _, p := range paths {
		if inList(excluded, p) {
			continue
		}
		if _, err := n.Lstat(cleanPath(p)); err != nil {
			missing = append(missing, p)
		} else {
			found = append(found, p)
		}
	}
	pk, err := m.packing(n, paths, found)
	if err != nil {
		return module.Plan{}, err
	}
	p := module.Plan{Return: map[string]any{
		"archived": archived(pk.files), "arcroot": pk.root, "dest": pk.dest, "dest_state": "absent",
		"expanded_paths": anyList(paths), "expanded_exclude_paths": anyList(excluded), "missing": anyList(missing),
	}}
	old, err := statOrNil(n, pk.dest)
	if err != nil {
		return p, err
	}
	if old != nil && old.IsDir() {
		return p, fault.New("%s is a directory", pk.dest).WithHint("dest names the archive itself")
	}
	state := "archive"
	switch {
	case pk.compress:
		state = "compress"
	case len(missing) > 0 && len(found) > 0:
		state = "incomplete"
	}
	if old != nil || len(found) > 0 {
		p.Return["dest_state"] = state
	}
	if len(found) > 0 {
		if err := m.plan(ctx, n, &p, pk, old, found); err != nil {
			return p, err
		}
	} else if old != nil {
		if p.Changes, err = m.changes(n, pk.dest, *old); err != nil {
			return p, err
		}
	}
	p.After = func(_ context.Context, n node.Reader, ret map[string]any) error {
		if _, err := n.Stat(pk.dest); err == nil {
			addPathInfo(n, pk.dest, ret)
		}
		return nil
	}
	return p, nil
}

// plan writes the archive unless it holds the same, and removes the sources.
func (m *archiveFiles) plan(ctx context.Context, n node.Reader, p *module.Plan, pk packing, old *node.Info, found []string) error {
	same, have := false, newFile(n, pk.dest)
	var err error
	if old != nil {
		have = *old
		if same, err = m.same(ctx, n, pk); err != nil {
			return err
		}
	}
	if same {
		if p.Changes, err = m.changes(n, pk.dest, have); err != nil {
			return err
		}
	} else {
		if i, err := statOrNil(n, path.Dir(pk.dest)); err != nil || i == nil || !i.IsDir() {
			return notSure(n, fault.New("there is no directory %s for the archive", path.Dir(pk.dest)))
		}
		w, err := m.wish(n, have)
		if err != nil {
			return err
		}
		opts := m.writeOptions(w)
		p.Changes = append(p.Changes, module.Change{What: "pack " + pk.dest,
			Apply: func(ctx context.Context, nw node.Writer) error { return m.write(ctx, nw, pk, opts) }})
		if old != nil {
			attrs, err := m.changes(n, pk.dest, have)
			if err != nil {
				return err
			}
			p.Changes = append(p.Changes, attrs...)
		}
	}
	if !m.Remove {
		return nil
	}
	for _, f := range found {
		f = cleanPath(f)
		p.Changes = append(p.Changes, module.Change{What: "remove " + f,
			Apply: func(_ context.Context, w node.Writer) error { return w.RemoveAll(f) }})
	}
	return nil
}

func inList(list []string, s string) bool {
	for _, l := range list {
		if cleanPath(l) == cleanPath(s) {
			return true
		}
	}
	return false
}

func archived(files []packed) []any {
	out := []any{}
	for _, f := range files {
		out = append(out, f.path)
	}
	return out
}

// expandGlobs gives the paths of patterns; what is no pattern stays, also where
// there is nothing.
func expandGlobs(n node.Reader, patterns []string) []string {
	var out []string
	for _, p := range patterns {
		p = expandWord(n, p)
		if strings.ContainsAny(p, "*?[") {
			out = append(out, globFiles(n, p)...)
		} else {
			out = append(out, p)
		}
	}
	return out
}

// packing works out names. With one plain file and no force_archive there is no
// archive, but for zip and tar, which are nothing else.
func (m *archiveFiles) packing(n node.Reader, paths, found []string) (packing, error) {
	single := len(m.Path) == 1 && len(paths) == 1 && !m.ForceArchive && !strings.ContainsAny(m.Path[0], "*?[")
	if single {
		i, err := statOrNil(n, cleanPath(paths[0]))
		if err != nil {
			return packing{}, err
		}
		single = i == nil || !i.IsDir()
	}
	pk := packing{dest: expandWord(n, m.Dest), compress: single && m.Format != "zip" && m.Format != "tar", root: commonRoot(paths)}
	if pk.dest == "" && !single {
		return pk, fault.New("Error, must specify \"dest\" when archiving multiple files or trees")
	}
	if pk.dest == "" {
		pk.dest = paths[0] + "." + m.Format
	}
	for _, f := range found {
		if m.Remove && (cleanPath(f) == pk.dest || strings.HasPrefix(pk.dest, cleanPath(f)+"/")) {
			return pk, fault.New("Error, created archive can not be contained in source paths when remove=true")
		}
		if err := m.collect(n, &pk, f); err != nil {
			return pk, err
		}
	}
	return pk, nil
}

// commonRoot is the directory that all paths have in common, with its slash.
func commonRoot(paths []string) string {
	root := paths[0][:strings.LastIndexByte(paths[0], '/')+1]
	for _, p := range paths[1:] {
		for !strings.HasPrefix(p, root) {
			root = root[:strings.LastIndexByte(strings.TrimSuffix(root, "/"), '/')+1]
		}
	}
	return root
}

// collect adds a file, or what is below a directory.
func (m *archiveFiles) collect(n node.Reader, pk *packing, p string) error {
	i, err := n.Lstat(cleanPath(p))
	if err != nil {
		return err
	}
	if i.IsLink() && (pk.compress || strings.HasSuffix(p, "/")) {
		if i, err = n.Stat(cleanPath(p)); err != nil {
			return err
		}
	}
	if !i.IsDir() {
		return m.add(n, pk, cleanPath(p), i)
	}
	entries, err := n.ReadDir(cleanPath(p))
	if err != nil {
		return err
	}
	for _, dirs := range []bool{true, false} {
		for _, e := range entries {
			if e.IsDir() == dirs {
				if err := m.add(n, pk, path.Join(p, path.Base(e.Path)), e); err != nil {
					return err
				}
			}
		}
	}
	for _, e := range entries {
		if sub := path.Join(p, path.Base(e.Path)); e.IsDir() && !m.excluded(pk, sub) {
			if err := m.collect(n, pk, sub); err != nil {
				return err
			}
		}
	}
	return nil
}

// excluded compares the whole path and the member's name, as fnmatch does.
func (m *archiveFiles) excluded(pk *packing, p string) bool {
	for _, re := range m.exclude {
		for _, name := range []string{p, strings.TrimPrefix(p, pk.root)} {
			if found, err := re.Match(name); found != nil && err == nil {
				return true
			}
		}
	}
	return false
}

func (m *archiveFiles) add(n node.Reader, pk *packing, p string, i node.Info) error {
	if p == pk.dest || m.excluded(pk, p) {
		return nil
	}
	f := packed{path: p, member: member{
		Name: strings.TrimPrefix(p, pk.root), Kind: 'f', Mode: i.Mode, Size: i.Size, MTime: i.MTime.Unix(),
		UID: i.UID, GID: i.GID, User: i.Owner, Group: i.Group,
	}}
	switch {
	case i.IsDir():
		f.Kind, f.Size = 'd', 0
	case i.IsLink() && m.Format == "zip": // zip holds what the link leads to
		to, err := n.Stat(p)
		if err != nil || !to.IsRegular() {
			return nil
		}
		f.Size, f.Mode, f.MTime = to.Size, to.Mode, to.MTime.Unix()
	case i.IsLink():
		f.Kind, f.Target, f.Size = 'l', i.Target, 0
	case !i.IsRegular():
		return nil
	}
	pk.files = append(pk.files, f)
	return nil
}

// same compares the archive that is there with what it is to hold.
func (m *archiveFiles) same(ctx context.Context, n node.Reader, pk packing) (bool, error) {
	f, err := n.Open(pk.dest)
	if err != nil {
		return false, err
	}
	defer f.Close()
	r := io.Reader(f)
	kind := m.Format
	if kind == "xz" {
		res, err := n.Query(ctx, node.Command{Argv: []string{"xz", "-dc", pk.dest}})
		if err != nil || res.RC != 0 {
			return false, nil
		}
		r, kind = bytes.NewReader(res.Stdout), "tar"
	}
	if pk.compress {
		switch kind {
		case "gz":
			if r, err = gzip.NewReader(r); err != nil {
				return false, nil
			}
		case "bz2":
			r = bzip2.NewReader(r)
		}
		have, err := sha1Of(r)
		if err != nil {
			return false, nil
		}
		want, err := fileSHA1(n, pk.files[0].path)
		return have == want, err
	}
	have := map[string]string{}
	i, err := n.Stat(pk.dest)
	if err != nil {
		return false, err
	}
	err = walkArchive(r, i.Size, kind, func(e member, content io.Reader) error {
		sum := ""
		if content != nil {
			if sum, err = sha1Of(content); err != nil {
				return err
			}
		}
		have[strings.TrimSuffix(e.Name, "/")] = m.signature(e, sum)
		return nil
	})
	if err != nil || len(have) != len(pk.files) {
		return false, nil // not an archive of this kind, or another one
	}
	for _, f := range pk.files {
		sum := ""
		if f.Kind == 'f' {
			if sum, err = fileSHA1(n, f.path); err != nil {
				return false, err
			}
		}
		if have[f.Name] != m.signature(f.member, sum) {
			return false, nil
		}
	}
	return true, nil
}

// signature is what two members have in common when they are the same. Times
// in zip files are too coarse to compare.
func (m *archiveFiles) signature(e member, sum string) string {
	if m.Format == "zip" {
		return string(e.Kind) + sum
	}
	return fmt.Sprintf("%c %o %d %d:%d %s %s", e.Kind, e.Mode, e.MTime, e.UID, e.GID, e.Target, sum)
}
