//go:build !worker

package modules

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
)

// inlineLimit is the size up to which content travels with the task; what is
// larger is uploaded, with resume and progress, and only if it differs.
const inlineLimit = 1 << 20

// vaultHeader begins what ansible-vault has encrypted.
const vaultHeader = "$ANSIBLE_VAULT;"

// copyAction reads the source on the controller and sends it along.
func copyAction(ctx context.Context, c module.Controller, args module.Args) (*module.Result, error) {
	var m copyFile
	m.Force, m.LocalFollow = true, true
	if err := module.Decode(&m, args); err != nil {
		return nil, err
	}
	if m.RemoteSrc && m.Content == nil {
		return c.Run(ctx, "ansible.builtin.copy", args)
	}
	if m.Content != nil {
		text, err := contentText(m.Content)
		if err != nil {
			return nil, err
		}
		return c.Run(ctx, "ansible.builtin.copy", withData(args, []byte(text), ""))
	}
	src, err := c.Find("files", m.Src)
	if err != nil {
		return nil, err
	}
	if i, err := os.Stat(src); err == nil && i.IsDir() {
		return copyDirectory(ctx, c, args, m, src)
	}
	return copyOne(ctx, c, args, m, src, filepath.Base(m.Src))
}

// isVault says whether a file of the controller is encrypted with ansible-vault.
func isVault(p string) bool {
	f, err := os.Open(p)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, len(vaultHeader))
	_, err = io.ReadFull(f, head)
	return err == nil && string(head) == vaultHeader
}

// copyOne copies one file of the controller.
func copyOne(ctx context.Context, c module.Controller, args module.Args, m copyFile, src, basename string) (*module.Result, error) {
	args = maps.Clone(args)
	i, err := os.Stat(src)
	encrypted := err == nil && isVault(src)
	if err != nil || i.Size() <= inlineLimit || encrypted {
		// What is not on disk is in the embedded content, or an error. What is
		// encrypted is a secret, which is seldom large.
		read := c.ReadFile
		if encrypted && m.Decrypt != nil && !*m.Decrypt {
			read = os.ReadFile
		}
		b, err := read(src)
		if err != nil {
			return nil, err
		}
		if args["mode"] == "preserve" {
			args["mode"] = preserved(i)
		}
		return c.Run(ctx, "ansible.builtin.copy", withData(args, b, basename))
	}
	if args["mode"] == "preserve" {
		args["mode"] = preserved(i)
	}
	sum, err := localSHA1(src)
	if err != nil {
		return nil, err
	}
	args["_sha1"], args["_basename"] = sum, basename
	if c.Check() {
		return c.Run(ctx, "ansible.builtin.copy", args)
	}
	same, err := onNode(ctx, c, args, basename, sum)
	if err != nil {
		return nil, err
	}
	if !same {
		if args["_upload"], err = c.Upload(ctx, src); err != nil {
			return nil, err
		}
	}
	return c.Run(ctx, "ansible.builtin.copy", args)
}

// preserved is the mode of a file of the controller; embedded files have none.
func preserved(i fs.FileInfo) any {
	if i == nil {
		return "0644"
	}
	return fmt.Sprintf("%04o", i.Mode().Perm())
}

// onNode says whether the node has the content already, or refuses it by force: false.
func onNode(ctx context.Context, c module.Controller, args module.Args, basename, sum string) (bool, error) {
	dest, _ := args["dest"].(string)
	for _, p := range []string{dest, path.Join(dest, basename)} {
		res, err := c.Run(ctx, "ansible.builtin.stat", module.Args{"path": p, "follow": true, "get_mime": false, "get_attributes": false})
		if err != nil || res.Failed {
			return false, err
		}
		st := res.Return["stat"]
		if returned(st, "checksum") == sum {
			return true, nil
		}
		if returned(st, "isdir") != true {
			return false, nil
		}
	}
	return false, nil
}

func localSHA1(p string) (string, error) {
	f, err := os.Open(p)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha1.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), err
}

// copyDirectory copies a directory of the controller, file by file. A slash at
// the end of src leaves its own name out.
func copyDirectory(ctx context.Context, c module.Controller, args module.Args, m copyFile, src string) (*module.Result, error) {
	top := strings.TrimRight(m.Dest, "/")
	if !strings.HasSuffix(m.Src, "/") {
		top = path.Join(top, filepath.Base(src))
	}
	total := &module.Result{Return: map[string]any{"dest": strings.TrimRight(m.Dest, "/") + "/", "src": m.Src}}
	add := func(res *module.Result, err error) error {
		if err != nil {
			return err
		}
		total.Changed = total.Changed || res.Changed
		total.Changes = append(total.Changes, res.Changes...)
		if res.Failed {
			total.Failed, total.Msg, total.Hint = true, res.Msg, res.Hint
			return errLimit
		}
		return nil
	}
	err := walkLocal(strings.TrimRight(src, "/"), top, m.LocalFollow, map[string]bool{}, func(from, to string, i fs.FileInfo) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		switch {
		case i.IsDir():
			return add(c.Run(ctx, "ansible.builtin.copy", module.Args{"dest": to, "_directory": true,
				"directory_mode": args["directory_mode"], "owner": args["owner"], "group": args["group"],
				"_top": to == top && strings.HasSuffix(m.Src, "/")}))
		case i.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(from)
			if err != nil {
				return err
			}
			return add(c.Run(ctx, "ansible.builtin.file", module.Args{"path": to, "src": target, "state": "link", "force": true, "follow": false,
				"owner": args["owner"], "group": args["group"]}))
		}
		one := maps.Clone(args)
		delete(one, "directory_mode")
		one["src"], one["dest"] = from, to
		return add(copyOne(ctx, c, one, m, from, filepath.Base(from)))
	})
	if err != nil && !total.Failed {
		return nil, err
	}
	return total, nil
}

// walkLocal visits a directory of the controller, its own first.
func walkLocal(from, to string, follow bool, seen map[string]bool, visit func(from, to string, i fs.FileInfo) error) error {
	look := os.Lstat
	if follow {
		look = os.Stat
	}
	i, err := look(from)
	if err != nil && follow {
		i, err = os.Lstat(from) // a link to nowhere is copied as a link
	}
	if err != nil {
		return err
	}
	if !i.IsDir() {
		return visit(from, to, i)
	}
	real, err := filepath.EvalSymlinks(from)
	if err != nil {
		return err
	}
	if seen[real] {
		return fault.New("%s leads back to itself", from).WithHint("local_follow: false copies links as links")
	}
	seen[real] = true
	defer delete(seen, real)
	if err := visit(from, to, i); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := walkLocal(filepath.Join(from, e.Name()), path.Join(to, e.Name()), follow, seen, visit); err != nil {
			return err
		}
	}
	return nil
}
