package document

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"

	"mageprov/internal/vault"
)

// Builtin heads the path of a file that is shipped in the binary.
const Builtin = "builtin:"

// Files is where playbooks, roles, variables and templates are read from. Paths
// are slash paths.
type Files interface {
	ReadFile(path string) ([]byte, error)
	// Stat says whether path is a directory; an error that is fs.ErrNotExist if there is nothing.
	Stat(path string) (isDir bool, err error)
	// ReadDir lists names in order.
	ReadDir(path string) ([]string, error)
	// Glob gives matching paths in order; Builtin in pattern is kept.
	Glob(pattern string) ([]string, error)
}

// Disk reads the disk and, for relative paths that are not there, Shipped.
type Disk struct {
	Shipped fs.FS          // content in the binary, nil for none
	Vault   *vault.Keyring // decrypts files that are encrypted as a whole, nil for none
}

// Resolve gives the path under which a file is really read: unchanged where it
// is on the disk, "builtin:..." where only the binary has it. ok is false where nobody has.
func (d Disk) Resolve(p string) (string, bool) {
	if !strings.HasPrefix(p, Builtin) {
		if _, err := os.Stat(filepath.FromSlash(p)); err == nil {
			return p, true
		}
		if path.IsAbs(p) {
			return p, false
		}
	}
	inside, ok := insideName(p)
	if d.Shipped == nil || !ok {
		return p, false
	}
	if _, err := fs.Stat(d.Shipped, inside); err != nil {
		return p, false
	}
	return Builtin + inside, true
}

// insideName is the name within Shipped.
func insideName(p string) (string, bool) {
	p = path.Clean(strings.TrimPrefix(p, Builtin))
	return p, fs.ValidPath(p)
}

// ReadFile reads a whole file. One that is encrypted with ansible-vault comes
// decrypted; without a password for it that is an error.
func (d Disk) ReadFile(p string) ([]byte, error) {
	if r, ok := d.Resolve(p); ok && strings.HasPrefix(r, Builtin) {
		return fs.ReadFile(d.Shipped, strings.TrimPrefix(r, Builtin))
	}
	data, err := os.ReadFile(filepath.FromSlash(p))
	if err != nil {
		return nil, err
	}
	return unsealFile(p, data, d.Vault)
}

// Stat says whether p is a directory.
func (d Disk) Stat(p string) (bool, error) {
	r, ok := d.Resolve(p)
	if ok && strings.HasPrefix(r, Builtin) {
		fi, err := fs.Stat(d.Shipped, strings.TrimPrefix(r, Builtin))
		return err == nil && fi.IsDir(), err
	}
	fi, err := os.Stat(filepath.FromSlash(p))
	return err == nil && fi.IsDir(), err
}

// ReadDir lists the names in a directory. A directory on the disk hides the shipped one.
func (d Disk) ReadDir(p string) ([]string, error) {
	var entries []fs.DirEntry
	var err error
	if r, ok := d.Resolve(p); ok && strings.HasPrefix(r, Builtin) {
		entries, err = fs.ReadDir(d.Shipped, strings.TrimPrefix(r, Builtin))
	} else {
		entries, err = os.ReadDir(filepath.FromSlash(p))
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}

// Glob gives the paths that match, of the disk or else of Shipped.
func (d Disk) Glob(pattern string) ([]string, error) {
	var out []string
	if !strings.HasPrefix(pattern, Builtin) {
		found, err := filepath.Glob(filepath.FromSlash(pattern))
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			out = append(out, filepath.ToSlash(f))
		}
	}
	if inside, ok := insideName(pattern); ok && len(out) == 0 && d.Shipped != nil && !path.IsAbs(pattern) {
		found, err := fs.Glob(d.Shipped, inside)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			out = append(out, Builtin+f)
		}
	}
	sort.Strings(out)
	return out, nil
}

// Join joins path elements and keeps Builtin at the front of the first; an
// absolute or builtin last element stands for itself.
func Join(dir string, elem ...string) string {
	for _, e := range elem {
		switch {
		case path.IsAbs(e) || strings.HasPrefix(e, Builtin) || dir == "":
			dir = path.Clean(e)
			if in, ok := strings.CutPrefix(e, Builtin); ok {
				dir = Builtin + path.Clean(in)
			}
		case strings.HasPrefix(dir, Builtin):
			dir = Builtin + path.Join(strings.TrimPrefix(dir, Builtin), e)
		default:
			dir = path.Join(dir, e)
		}
	}
	return dir
}

// Dir is the directory of a path, Builtin kept.
func Dir(p string) string {
	if in, ok := strings.CutPrefix(p, Builtin); ok {
		return Builtin + path.Dir(in)
	}
	return path.Dir(p)
}

// Missing says whether err means that there is no such file.
func Missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
