package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

// debFile is a package file: what it holds, as far as it is known.
type debFile struct{ path, name, version, arch string }

// planDeb installs a package file of the node, or one that is fetched first.
func (t *aptTask) planDeb(ctx context.Context, n node.Reader) error {
	if strings.Contains(t.Deb, "://") {
		return t.planRemoteDeb(n)
	}
	if _, err := n.Stat(t.Deb); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fault.New("unable to install package: there is no file %s on the node", t.Deb).WithHint("copy it there first; a URL is fetched by the module itself")
		}
		return err
	}
	d, err := readDeb(ctx, n, t.Deb)
	if err != nil {
		return err
	}
	newer, err := t.debWanted(n, d)
	if err != nil || !newer {
		return err
	}
	op := []string{"install", d.path}
	if d.version == "" { // the file lies in the overlay of check mode only
		t.plan.Changes = append(t.plan.Changes, module.Change{What: "install " + d.path, Apply: func(ctx context.Context, w node.Writer) error {
			_, err := t.run(ctx, w, op)
			assumePackage(w, d.name, d.version)
			return err
		}})
		return nil
	}
	return t.transaction(ctx, n, fmt.Sprintf("install %s %s from %s", d.name, d.version, d.path), op, []string{d.name})
}

// readDeb asks dpkg-deb. A file that exists for this task but not for dpkg-deb
// is one that check mode holds in memory: then its name must do.
func readDeb(ctx context.Context, n node.Reader, file string) (debFile, error) {
	argv := []string{"dpkg-deb", "--show", "--showformat=${Package}\n${Version}\n${Architecture}\n", file}
	res, err := n.Query(ctx, node.Command{Argv: argv, Env: aptEnv()})
	if err != nil {
		return debFile{}, err
	}
	f := strings.Split(string(res.Stdout), "\n")
	if res.RC == 0 && len(f) >= 3 {
		return debFile{path: file, name: f[0], version: f[1], arch: f[2]}, nil
	}
	if strings.Contains(string(res.Stderr), "No such file or directory") {
		name, _, _ := strings.Cut(path.Base(file), "_")
		return debFile{path: file, name: name}, nil
	}
	return debFile{}, fault.New("unable to install package: %s", strings.TrimSpace(cleanText(res.Stderr))).WithHint("%s is no package file, or it is damaged", file)
}

// debWanted says whether the file brings another version than the one installed.
func (t *aptTask) debWanted(n node.Reader, d debFile) (bool, error) {
	have, ok := t.present(n, d.name)
	if !ok || d.version == "" {
		return true, nil
	}
	c := compareDebVersions(d.version, have)
	if c < 0 && have != "" && !t.AllowDowngrade && !t.Force {
		return false, fault.New("a later version of %s is already installed (%s, the file has %s)", d.name, have, d.version).
			WithHint("set allow_downgrade: true if the older version is wanted")
	}
	return c != 0, nil
}

// planRemoteDeb fetches the file with apt's own downloader. A file whose name
// tells package and version is not fetched when that version is installed.
func (t *aptTask) planRemoteDeb(n node.Reader) error {
	base := path.Base(strings.SplitN(t.Deb, "?", 2)[0])
	name, version := debFileName(base)
	if have, ok := t.present(n, name); ok && have != "" && version != "" {
		if _, upstream, found := strings.Cut(have, ":"); have == version || found && upstream == version {
			return nil
		}
	}
	tmp := "/var/cache/apt/archives/partial/mageprov-" + base
	t.plan.Changes = append(t.plan.Changes, module.Change{What: "install " + t.Deb, Apply: func(ctx context.Context, w node.Writer) error {
		res, err := w.Run(ctx, node.Command{Argv: []string{"/usr/lib/apt/apt-helper", "download-file", t.Deb, tmp}, Env: aptEnv()})
		if err != nil {
			return err
		}
		if res.Unknown {
			assumePackage(w, name, version)
			return nil
		}
		if res.RC != 0 {
			return aptFailure("fetching "+t.Deb, res)
		}
		defer func() { _ = w.Remove(tmp) }()
		d, err := readDeb(ctx, w, tmp)
		if err != nil {
			return err
		}
		newer, err := t.debWanted(w, d)
		if err != nil {
			return err
		}
		if !newer {
			return module.ErrNoChange
		}
		_, err = t.run(ctx, w, []string{"install", tmp})
		return err
	}})
	return nil
}

// debFileName takes name_version_arch.deb apart. The epoch is never part of it.
func debFileName(base string) (name, version string) {
	f := strings.Split(strings.TrimSuffix(base, ".deb"), "_")
	if len(f) != 3 || f[0] == "" {
		return f[0], ""
	}
	return f[0], strings.ReplaceAll(f[1], "%2b", "+")
}
