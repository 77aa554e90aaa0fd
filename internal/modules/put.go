package modules

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"mageprov/internal/module"
	"mageprov/internal/node"
)

// source is content that is to be put in place.
type source struct {
	data    []byte // where it is in memory
	path    string // else the file of the node
	size    int64
	sha1    string
	unknown bool // only the checksum is known: check mode does not move large files
}

func bytesSource(b []byte) source {
	if b == nil {
		b = []byte{}
	}
	sum := sha1.Sum(b)
	return source{data: b, size: int64(len(b)), sha1: hex.EncodeToString(sum[:])}
}

func fileSource(n node.Reader, p string) (source, error) {
	i, err := n.Stat(p)
	if err != nil {
		return source{}, err
	}
	sum, err := fileSHA1(n, p)
	return source{path: p, size: i.Size, sha1: sum}, err
}

func (s source) open(n node.Reader) (io.ReadCloser, error) {
	switch {
	case s.unknown:
		return io.NopCloser(node.UnknownContent), nil
	case s.data != nil:
		return io.NopCloser(bytes.NewReader(s.data)), nil
	}
	return n.Open(s.path)
}

// head gives as much of the content as a diff could show.
func (s source) head(n node.Reader) []byte {
	if s.unknown {
		return make([]byte, 1) // as good as binary
	}
	f, err := s.open(n)
	if err != nil {
		return nil
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, maxDiff+1))
	return b
}

// put places content at a path: what copy, template and their like have in common.
type put struct {
	args     FileArgs
	src      source
	dest     string
	force    bool // replace what is there and differs
	backup   bool
	follow   bool // write what a link at dest leads to
	validate string
}

// plan gives the steps. newDir: the directory of dest will be made before.
func (p put) plan(n node.Reader, newDir bool) (module.Plan, error) {
	ret := map[string]any{"dest": p.dest, "checksum": p.src.sha1} // dest: where the file is, behind a link that is followed
	plan := module.Plan{Return: ret}
	argv, err := validation(p.validate)
	if err != nil {
		return plan, err
	}
	var old *node.Info
	if !newDir {
		if old, err = lstatOrNil(n, p.dest); err != nil {
			return plan, err
		}
	}
	at := p.dest
	isLink := old != nil && old.IsLink()
	if isLink && p.follow {
		at = realPath(n, p.dest)
		ret["dest"] = at
		if old, err = statOrNil(n, p.dest); err != nil {
			return plan, err
		}
		isLink = false
	}
	if old != nil && old.IsDir() {
		return plan, fmt.Errorf("%s is a directory", at)
	}
	if old != nil && !p.force {
		delete(ret, "checksum")
		return plan, nil
	}
	same, err := p.same(n, at, old)
	if err != nil {
		return plan, err
	}
	plan.After = func(_ context.Context, n node.Reader, ret map[string]any) error {
		addPathInfo(n, at, ret)
		return nil
	}
	if same {
		ret["path"] = at
		plan.Changes, err = p.args.changes(n, at, *old)
		return plan, err
	}
	c, err := p.write(n, at, old, isLink, argv, ret)
	plan.Changes = append(plan.Changes, c)
	if err == nil && old != nil && !isLink {
		var attrs []module.Change
		attrs, err = p.args.changes(n, at, *old)
		plan.Changes = append(plan.Changes, attrs...)
	} else if err == nil && p.args.Attributes != "" {
		plan.Changes = append(plan.Changes, module.Change{Quiet: true, What: "set the attributes of " + at,
			Apply: func(ctx context.Context, w node.Writer) error { return p.args.setAttrs(ctx, w, at) }})
	}
	return plan, err
}

// same says whether the content is there already.
func (p put) same(n node.Reader, at string, old *node.Info) (bool, error) {
	if old == nil || !old.IsRegular() || !p.src.unknown && old.Size != p.src.size {
		return false, nil
	}
	sum, err := fileSHA1(n, at)
	if errors.Is(err, node.ErrUnknown) {
		return false, nil
	}
	return sum == p.src.sha1, err
}

func (p put) write(n node.Reader, at string, old *node.Info, isLink bool, argv []string, ret map[string]any) (module.Change, error) {
	have := newFile(n, at)
	c := module.Change{What: "create " + p.dest, BeforeName: p.dest, AfterName: p.dest}
	var before []byte
	if old != nil {
		c.What = "edit " + p.dest
		if !isLink {
			have = *old
		}
		if !isLink && old.IsRegular() {
			before = source{path: at}.head(n)
		}
		if isLink {
			c.What = "replace the link " + p.dest + " by a file"
		}
	}
	c.Before, c.After = diffTexts(before, p.src.head(n))
	wish, err := p.args.wish(n, have)
	if err != nil {
		return c, err
	}
	opts := p.args.writeOptions(wish)
	opts.Validate, opts.ReplaceLink = argv, true
	save := ""
	if p.backup && old != nil && !isLink {
		save = backupName(n, at)
		ret["backup_file"] = save
	}
	if p.src.data != nil {
		if sum, err := sumOf(bytes.NewReader(p.src.data), "md5"); err == nil {
			ret["md5sum"] = sum
		}
	}
	c.Apply = func(ctx context.Context, w node.Writer) error {
		if save != "" {
			if err := backup(ctx, w, at, save); err != nil {
				return err
			}
		}
		f, err := p.src.open(w)
		if err != nil {
			return err
		}
		defer f.Close()
		err = refusal(w.WriteFile(ctx, at, f, opts))
		if err != nil { // nothing is there to be told of
			delete(ret, "dest")
			delete(ret, "md5sum")
		}
		return err
	}
	return c, nil
}

// refusal gives what copy and template return where the validation command
// refused the file; any other error stays as it is.
func refusal(err error) error {
	var bad *node.Invalid
	if !errors.As(err, &bad) {
		return err
	}
	return &module.Failure{Msg: "failed to validate", Hint: "the file that is there was not touched", Return: map[string]any{
		"exit_status": bad.Result.RC, "stdout": string(bad.Result.Stdout), "stderr": string(bad.Result.Stderr)}}
}
