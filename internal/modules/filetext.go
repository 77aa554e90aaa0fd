package modules

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"path"

	"mageprov/internal/module"
	"mageprov/internal/node"
)

// maxDiff is the size of the largest file that is shown in a diff; Ansible's.
const maxDiff = 104448

// diffText gives a file's content for a diff, or why it is not shown.
func diffText(which string, content []byte) string {
	switch {
	case len(content) > maxDiff:
		return fmt.Sprintf("diff skipped: %s file size is greater than %d\n", which, maxDiff)
	case bytes.IndexByte(content, 0) >= 0:
		return fmt.Sprintf("diff skipped: %s file appears to be binary\n", which)
	}
	return string(content)
}

// diffTexts gives both sides; when one cannot be shown the other is not either.
func diffTexts(before, after []byte) (string, string) {
	if len(after) > maxDiff || bytes.IndexByte(after, 0) >= 0 {
		return "", diffText("source", after)
	}
	if len(before) > maxDiff || bytes.IndexByte(before, 0) >= 0 {
		return diffText("destination", before), ""
	}
	return string(before), string(after)
}

// textEdit is what lineinfile, blockinfile and replace share: a file is read,
// its text changed, and written back.
type textEdit struct {
	args     FileArgs
	path     string // as the user wrote it
	backup   bool
	validate string
}

// open reads the file. A nil Info: it is not there.
func (e textEdit) open(n node.Reader) (*node.Info, []byte, error) {
	i, err := statOrNil(n, e.path)
	if err != nil || i == nil {
		return nil, nil, err
	}
	if i.IsDir() {
		return nil, nil, &module.Failure{Msg: fmt.Sprintf("Path %s is a directory !", e.path), Return: map[string]any{"rc": int64(256)}}
	}
	b, err := n.ReadFile(e.path)
	return i, b, err
}

// missing is the failure of a file that is not there and may not be created;
// Ansible's modules call it by different words.
func (e textEdit) missing(n node.Reader, word string) error {
	return notSure(n, &module.Failure{
		Msg: fmt.Sprintf("%s %s does not exist !", word, e.path), Hint: "create: true makes it",
		Return: map[string]any{"rc": int64(257)},
	})
}

// unlikeNew says that the file shall differ in mode or owner from what a new
// file has by itself.
func (e textEdit) unlikeNew(n node.Reader) bool {
	have := newFile(n, e.path)
	w, err := e.args.wish(n, have)
	if err != nil {
		return false
	}
	return w.mode != nil && *w.mode != have.Mode || w.uid >= 0 && w.uid != n.UID() || w.gid > 0
}

// plan gives the steps from before to after. old is nil for a new file, which
// brings its directories.
func (e textEdit) plan(n node.Reader, old *node.Info, before, after []byte, ret map[string]any) (module.Plan, error) {
	p := module.Plan{Return: ret}
	argv, err := validation(e.validate)
	if err != nil {
		return p, err
	}
	real := realPath(n, e.path)
	have := newFile(n, real)
	if old != nil {
		have = *old
	}
	if old == nil || !bytes.Equal(before, after) {
		c, err := e.write(n, real, old, have, argv, after, ret)
		if err != nil {
			return p, err
		}
		c.Before, c.After = diffTexts(before, after)
		p.Changes = append(p.Changes, c)
	}
	if old != nil {
		attrs, err := e.args.changes(n, real, have)
		if err != nil {
			return p, err
		}
		p.Changes = append(p.Changes, attrs...)
		return p, nil
	}
	dirs, err := mkdirs(n, path.Dir(e.path), 0o777&^n.Umask())
	if err != nil {
		return p, err
	}
	p.Changes = append(dirs, p.Changes...)
	return p, nil
}

// write is the step that puts the new text in place, mode and owner with it.
func (e textEdit) write(n node.Reader, real string, old *node.Info, have node.Info, argv []string, after []byte, ret map[string]any) (module.Change, error) {
	w, err := e.args.wish(n, have)
	if err != nil {
		return module.Change{}, err
	}
	opts := e.args.writeOptions(w)
	opts.Validate = argv
	what, save := "create "+e.path, ""
	if old != nil {
		what = "edit " + e.path
		if e.backup {
			save = backupName(n, real)
			key := "backup_file"
			if _, own := ret["backup"]; own {
				key = "backup" // lineinfile's word for it
			}
			ret[key] = save
		}
	}
	return module.Change{What: what, BeforeName: e.path + " (content)", AfterName: e.path + " (content)",
		Apply: func(ctx context.Context, nw node.Writer) error {
			if save != "" {
				if err := backup(ctx, nw, real, save); err != nil {
					return err
				}
			}
			return nw.WriteFile(ctx, real, bytes.NewReader(after), opts)
		}}, nil
}

// sha1Of gives the checksum that Ansible returns for files.
func sha1Of(r io.Reader) (string, error) {
	h := sha1.New()
	_, err := io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), err
}

// fileSHA1 gives the checksum of a file of the node.
func fileSHA1(n node.Reader, p string) (string, error) {
	f, err := n.Open(p)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return sha1Of(f)
}
