package inventory

import (
	"path"
	"sort"
	"strings"

	"github.com/hashicorp/go-multierror"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// LoadVars makes dir the playbook's directory: from now on its group_vars/ and
// host_vars/ are laid over those of the inventory. All files for known groups
// and hosts are read at once, so that their mistakes are found before the first
// host is touched.
func (inv *Inventory) LoadVars(dir string) error {
	dir = path.Clean(strings.TrimSuffix(dir, "/"))
	inv.mu.Lock()
	defer inv.mu.Unlock()
	if dir == inv.playDir {
		return nil
	}
	if err := inv.loadVarFiles([]string{dir}); err != nil {
		return err
	}
	inv.playDir = dir
	inv.gen++
	return nil
}

// loadVarFiles reads the files of all groups and hosts in the given directories.
func (inv *Inventory) loadVarFiles(dirs []string) error {
	var errs *multierror.Error
	for _, dir := range dirs {
		for _, g := range inv.order {
			errs = appendError(errs, inv.loadVarsOf(dir, "group_vars", g.Name))
		}
		for _, h := range inv.hostOrder {
			errs = appendError(errs, inv.loadVarsOf(dir, "host_vars", h.Name))
		}
		for name := range inv.implicit {
			errs = appendError(errs, inv.loadVarsOf(dir, "host_vars", name))
		}
	}
	return errs.ErrorOrNil()
}

func appendError(errs *multierror.Error, err error) *multierror.Error {
	if err == nil {
		return errs
	}
	return multierror.Append(errs, err)
}

// loadVarsOf reads the variables of one name in dir/kind: of NAME (a file or a
// directory), NAME.yml, NAME.yaml and NAME.json the first that exists.
func (inv *Inventory) loadVarsOf(dir, kind, name string) error {
	if strings.Contains(name, "/") || name == "." || name == ".." {
		return nil
	}
	base := document.Join(dir, kind, name)
	if _, done := inv.varFiles[base]; done {
		return nil
	}
	inv.varFiles[base] = nil
	for _, end := range []string{"", ".yml", ".yaml", ".json"} {
		isDir, err := inv.files.Stat(base + end)
		if document.Missing(err) || end != "" && isDir {
			continue
		}
		if err != nil {
			return fault.Wrap(err, "reading %s", base+end)
		}
		files := []string{base + end}
		if isDir {
			if files, err = inv.filesBelow(base); err != nil {
				return err
			}
		}
		layers, err := inv.readVarFiles(files)
		inv.varFiles[base] = layers
		return err
	}
	return nil
}

// filesBelow lists the files of variables in a directory and those below it.
func (inv *Inventory) filesBelow(dir string) ([]string, error) {
	names, err := inv.files.ReadDir(dir)
	if err != nil {
		return nil, fault.Wrap(err, "reading %s", dir)
	}
	sort.Strings(names)
	var files []string
	for _, name := range names {
		if strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") {
			continue
		}
		p := document.Join(dir, name)
		isDir, err := inv.files.Stat(p)
		switch {
		case err != nil:
			return nil, fault.Wrap(err, "reading %s", p)
		case isDir:
			below, err := inv.filesBelow(p)
			if err != nil {
				return nil, err
			}
			files = append(files, below...)
			continue
		}
		switch path.Ext(name) {
		case "", ".yml", ".yaml", ".json":
			files = append(files, p)
		}
	}
	return files, nil
}

func (inv *Inventory) readVarFiles(files []string) ([]fileVars, error) {
	var layers []fileVars
	var errs *multierror.Error
	for _, f := range files {
		data, err := inv.files.ReadFile(f)
		if err != nil {
			errs = multierror.Append(errs, document.Reading(err, "variables", f))
			continue
		}
		n, err := document.LoadSealed(f, data, inv.vault)
		switch {
		case err != nil:
			errs = multierror.Append(errs, err)
		case n.IsNull():
		case n.Kind != document.Map:
			errs = multierror.Append(errs, fault.At(n.Place, "a file of variables must be a dictionary, not %s", n.Kind))
		default:
			layers = append(layers, fileVars{file: f, vars: n.ToValue().(*jinja.Dict), node: n})
		}
	}
	return layers, errs.ErrorOrNil()
}
