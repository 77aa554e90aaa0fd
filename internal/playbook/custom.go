package playbook

import (
	"bytes"
	"errors"
	"path"
	"sort"
	"strings"

	"github.com/hashicorp/go-multierror"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/module"
)

// libraries are the directories whose executables are modules: of the role,
// beside the playbook, those of the configuration, and of the roles read so far,
// for a role may be there to bring modules to others.
func (s site) libraries() []string {
	var dirs []string
	if s.role != nil {
		dirs = append(dirs, document.Join(s.role.Path, "library"))
	}
	dirs = append(append(dirs, document.Join(s.playDir, "library")), s.l.o.Library...)
	return append(dirs, s.l.roleLibraries...)
}

// bring notes the modules that a role brings.
func (l *Loader) bring(r *Role) {
	dir := document.Join(r.Path, "library")
	if len(l.library(dir)) > 0 && !contains(l.roleLibraries, dir) {
		l.roleLibraries = append(l.roleLibraries, dir)
	}
}

// notModules are files that lie beside modules.
var notModules = []string{".md", ".txt", ".rst", ".pyc", ".bak", ".orig", ".swp", ".rpm", ".yml", ".yaml", ".json", ".ini", "~"}

// libraryFile finds the file of a site's own module, "" if there is none.
func (s site) libraryFile(name string) string {
	name = strings.TrimPrefix(name, "ansible.legacy.")
	if strings.Contains(name, ".") {
		return ""
	}
	for _, dir := range s.libraries() {
		if file, ok := s.l.library(dir)[name]; ok {
			return file
		}
	}
	return ""
}

// library lists a directory of modules by name, once.
func (l *Loader) library(dir string) map[string]string {
	if m, ok := l.libraries[dir]; ok {
		return m
	}
	m := map[string]string{}
	names, _ := l.o.Files.ReadDir(dir) // most sites have none
	sort.Strings(names)
	for _, n := range names {
		odd := strings.HasPrefix(n, ".") || strings.HasPrefix(n, "_")
		for _, ext := range notModules {
			odd = odd || strings.HasSuffix(n, ext)
		}
		base := strings.TrimSuffix(n, path.Ext(n))
		if _, taken := m[base]; !odd && !taken && l.isFile(document.Join(dir, n)) {
			m[base] = document.Join(dir, n)
		}
	}
	if l.libraries == nil {
		l.libraries = map[string]map[string]string{}
	}
	l.libraries[dir] = m
	return m
}

// foreign is a site's own module. The error says why its file cannot run.
func (s site) foreign(name string) (*module.Spec, error) {
	file := s.libraryFile(name)
	if file == "" {
		return nil, nil
	}
	if known, ok := s.l.foreign[file]; ok {
		return known.spec, known.err
	}
	var f foreign
	base, ok := s.l.o.Modules("mageprov.builtin.custom_module")
	if !ok || base.Foreign == nil {
		return nil, nil
	}
	content, err := s.l.o.Files.ReadFile(file)
	if err == nil {
		f.spec, err = base.Foreign(name, file, content)
	}
	f.err = err
	if s.l.foreign == nil {
		s.l.foreign = map[string]foreign{}
	}
	s.l.foreign[file] = f
	return f.spec, f.err
}

// foreign is a file of a library, looked at once.
type foreign struct {
	spec *module.Spec
	err  error
}

// pluginHint tells of a Python plugin that a site brings under a name which
// mageprov does not know; "" if it brings none.
func (s site) pluginHint(dir, name string) string {
	dirs := []string{document.Join(s.playDir, dir)}
	if s.role != nil {
		dirs = append(dirs, document.Join(s.role.Path, dir))
	}
	for _, d := range dirs {
		names, _ := s.l.o.Files.ReadDir(d)
		for _, n := range names {
			file := document.Join(d, n)
			if !strings.HasSuffix(n, ".py") {
				continue
			}
			if strings.TrimSuffix(n, ".py") == name {
				return file + " holds it, but plugins in Python do not run here"
			}
			content, err := s.l.o.Files.ReadFile(file)
			if err == nil && (bytes.Contains(content, []byte("'"+name+"'")) || bytes.Contains(content, []byte(`"`+name+`"`))) {
				return file + " holds it, but plugins in Python do not run here"
			}
		}
	}
	return ""
}

// explainPlugin adds the hint to errors about an unknown filter, test or lookup.
func (s site) explainPlugin(err error) error {
	var many *multierror.Error
	if errors.As(err, &many) {
		for i := range many.Errors {
			many.Errors[i] = s.explainPlugin(many.Errors[i])
		}
		return err
	}
	for what, dir := range map[string]string{"no filter named '": "filter_plugins", "no test named '": "test_plugins", "unknown lookup \"": "lookup_plugins"} {
		_, rest, ok := strings.Cut(err.Error(), what)
		if !ok {
			continue
		}
		name := rest[:max(strings.IndexAny(rest, `'"`), 0)]
		hint := s.pluginHint(dir, name)
		if f, isFault := err.(*fault.Error); isFault && hint != "" {
			explained := *f
			explained.Hint = hint
			return &explained
		}
	}
	return err
}
