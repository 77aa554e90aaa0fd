package inventory

import (
	"context"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/hashicorp/go-multierror"

	"mageprov/internal/document"
	"mageprov/internal/fault"
)

// source is the file that is being read and where its variables lie.
type source struct {
	file string // as messages name it
	dir  string // inventory_dir of its hosts
}

// Endings of files in an inventory directory that are not inventories. That
// .ini is among them surprises many: Load warns about it.
var ignoredEndings = []string{".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".ini", ".cfg", ".retry"}

// Load reads all sources and the variables beside them. The error is a
// *multierror.Error of every mistake found, each a *fault.Error with its place.
func Load(o Options) (*Inventory, error) { return LoadContext(context.Background(), o) }

// LoadContext is Load for those who may have to break off an inventory script.
func LoadContext(ctx context.Context, o Options) (*Inventory, error) {
	inv := newInventory(o)
	var errs *multierror.Error
	for _, s := range o.Sources {
		if err := inv.read(ctx, s); err != nil {
			errs = multierror.Append(errs, err)
		}
		inv.settle()
	}
	if err := inv.checkCycles(); err != nil {
		return nil, multierror.Append(errs, err)
	}
	inv.rank()
	for _, h := range inv.hostOrder {
		if inv.groups[h.Name] != nil {
			inv.Warnings = append(inv.Warnings, "host and group have the same name: "+h.Name)
		}
	}
	if err := inv.loadVarFiles(inv.dirs); err != nil {
		errs = multierror.Append(errs, err)
	}
	if err := errs.ErrorOrNil(); err != nil {
		return nil, err
	}
	inv.findSlips()
	return inv, nil
}

// read reads one value of -i.
func (inv *Inventory) read(ctx context.Context, s string) error {
	if strings.Contains(s, ",") {
		return inv.readList(s)
	}
	s = strings.TrimSuffix(filepath.ToSlash(s), "/")
	isDir, err := inv.files.Stat(s)
	switch {
	case s == "" || document.Missing(err):
		return fault.New("inventory %q does not exist", s).
			WithHint("give a file or a directory, or hosts with a comma: -i %s,", s)
	case err != nil:
		return fault.Wrap(err, "reading inventory %s", s)
	case isDir:
		inv.addDir(s)
		return inv.readDir(ctx, s, absolute(s))
	}
	dir := document.Dir(s)
	inv.addDir(dir)
	return inv.readFile(ctx, source{file: s, dir: absolute(dir)})
}

func (inv *Inventory) addDir(dir string) {
	if !slices.Contains(inv.dirs, dir) {
		inv.dirs = append(inv.dirs, dir)
	}
}

// absolute is the path that inventory_dir shows.
func absolute(p string) string {
	if strings.HasPrefix(p, document.Builtin) {
		return p
	}
	if a, err := filepath.Abs(filepath.FromSlash(p)); err == nil {
		return filepath.ToSlash(a)
	}
	return p
}

// readList reads `host,` and `h1,h2[1:3],`.
func (inv *Inventory) readList(s string) error {
	var errs *multierror.Error
	src := source{file: s}
	for _, h := range splitOutside(s, ',') {
		if h = strings.TrimSpace(h); h == "" {
			continue
		}
		if _, err := inv.addHosts(src, inv.groups[ungroupedName], h, fault.Place{}); err != nil {
			errs = multierror.Append(errs, fault.Wrap(err, "reading host list %q", s))
		}
	}
	return errs.ErrorOrNil()
}

// readDir reads every file below dir, in order of names, but for variables and
// the endings that are ignored. top is the inventory_dir.
func (inv *Inventory) readDir(ctx context.Context, dir, top string) error {
	names, err := inv.files.ReadDir(dir)
	if err != nil {
		return fault.Wrap(err, "reading inventory directory %s", dir)
	}
	sort.Strings(names)
	var errs *multierror.Error
	for _, name := range names {
		if strings.HasPrefix(name, ".") || name == "group_vars" || name == "host_vars" || name == "vars_plugins" {
			continue
		}
		file := document.Join(dir, name)
		if end := ignoredEnding(name); end != "" {
			if end == ".ini" {
				inv.Warnings = append(inv.Warnings, file+" is not read: files that end in .ini are ignored in an inventory directory, as Ansible does; rename it")
			}
			continue
		}
		isDir, err := inv.files.Stat(file)
		switch {
		case err != nil:
			err = fault.Wrap(err, "reading inventory %s", file)
		case isDir:
			err = inv.readDir(ctx, file, top)
		default:
			err = inv.readFile(ctx, source{file: file, dir: top})
		}
		if err != nil {
			errs = multierror.Append(errs, err)
		}
	}
	return errs.ErrorOrNil()
}

func ignoredEnding(name string) string {
	for _, end := range ignoredEndings {
		if strings.HasSuffix(name, end) {
			return end
		}
	}
	return ""
}

// readFile reads one inventory file, of the kind its name or else its content tells.
func (inv *Inventory) readFile(ctx context.Context, src source) error {
	data, err := inv.files.ReadFile(src.file)
	if err != nil {
		return document.Reading(err, "inventory", src.file)
	}
	switch {
	case isScript(src.file, data):
		return inv.readScript(ctx, src)
	case isYAML(src.file, string(data)):
		return inv.readYAML(ctx, src, data)
	}
	return inv.readINI(src, string(data))
}

// isYAML tells an inventory's format: YAML, or INI.
func isYAML(file, data string) bool {
	switch path.Ext(file) {
	case ".yml", ".yaml", ".json", ".config":
		return true
	case ".ini":
		return false
	}
	for line := range strings.Lines(data) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
			continue
		case line[0] == '{' || strings.HasPrefix(line, "---"):
			return true
		}
		if i := strings.Index(line, " #"); i >= 0 {
			line = strings.TrimSpace(line[:i])
		}
		if strings.HasSuffix(line, ":") {
			return true
		}
		return false
	}
	return false
}
