//go:build !worker

package modules

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
)

func init() {
	module.Register(module.Spec{
		Name: "ansible.builtin.fetch", Action: fetchAction,
		New: func() any { return &fetchFile{FailOnMissing: true, ValidateChecksum: true} },
	})
}

// fetchFile brings a file of the node to the controller.
type fetchFile struct {
	Src              string `arg:"src,required"`
	Dest             string `arg:"dest,required"`
	Flat             bool   `arg:"flat"`
	FailOnMissing    bool   `arg:"fail_on_missing"`
	ValidateChecksum bool   `arg:"validate_checksum"`
}

func fetchAction(ctx context.Context, c module.Controller, args module.Args) (*module.Result, error) {
	f := &fetchFile{FailOnMissing: true, ValidateChecksum: true}
	if err := module.Decode(f, args); err != nil {
		return nil, err
	}
	res, err := c.Run(ctx, "ansible.builtin.stat", module.Args{"path": f.Src, "follow": true, "get_mime": false, "get_attributes": false})
	if err != nil || res.Failed {
		return res, err
	}
	st := res.Return["stat"]
	out := &module.Result{Return: map[string]any{}}
	switch {
	case returned(st, "exists") != true:
		out.Msg = "the remote file does not exist, not transferring, ignored"
		out.Failed = f.FailOnMissing && !c.Check() // a task that did not run may bring it
		out.Skipped = f.FailOnMissing && c.Check()
		out.Return["msg"] = out.Msg
		if !out.Failed {
			out.Return["file"] = f.Src
		}
		return out, nil
	case returned(st, "isdir") == true:
		return nil, fault.New("remote file is a directory, fetch cannot work on directories")
	case returned(st, "readable") != true:
		return nil, fault.New("file is not readable: %s", f.Src)
	}
	sum, _ := returned(st, "checksum").(string)
	dest, err := f.destination(c.Host())
	if err != nil {
		return nil, err
	}
	out.Return["dest"], out.Return["checksum"] = dest, sum
	have, err := localSHA1(dest)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil && have == sum {
		out.Return["file"] = f.Src
		out.Return["md5sum"], err = localMD5(dest)
		return out, err
	}
	out.Changed = true
	out.Return["remote_checksum"], out.Return["remote_md5sum"] = sum, nil
	if c.Check() {
		return out, nil
	}
	return out, f.download(ctx, c, dest, sum, out.Return)
}

// download brings the file and proves that it is the one that was described.
func (f *fetchFile) download(ctx context.Context, c module.Controller, dest, sum string, ret map[string]any) error {
	if err := os.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
		return err
	}
	if err := c.Download(ctx, f.Src, dest); err != nil {
		return fault.Wrap(err, "fetching %s", f.Src)
	}
	have, err := localSHA1(dest)
	if err != nil {
		return err
	}
	if f.ValidateChecksum && have != sum {
		os.Remove(dest)
		return fault.New("checksum mismatch: %s has %s, the fetched file %s", f.Src, sum, have).
			WithHint("the file changed while it was fetched; run again")
	}
	ret["checksum"] = have
	ret["md5sum"], err = localMD5(dest)
	return err
}

// destination is dest/HOST/path, or with flat dest itself, a directory where it
// ends in a slash. A path of the node cannot lead out of dest.
func (f *fetchFile) destination(host string) (string, error) {
	dest, err := filepath.Abs(f.Dest)
	if err != nil {
		return "", err
	}
	slash := strings.HasSuffix(f.Dest, "/")
	if !f.Flat {
		return filepath.Join(dest, host, filepath.Clean("/"+f.Src)), nil
	}
	if i, err := os.Stat(dest); err == nil && i.IsDir() && !slash {
		return "", fault.New("dest is an existing directory, use a trailing slash if you want to fetch src into that directory")
	}
	if slash {
		return filepath.Join(dest, filepath.Base(f.Src)), nil
	}
	return dest, nil
}

func localMD5(p string) (string, error) {
	f, err := os.Open(p)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return sumOf(io.Reader(f), "md5")
}
