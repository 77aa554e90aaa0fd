//go:build !worker

package modules

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"os"

	"mageprov/internal/fault"
	"mageprov/internal/module"
)

// maxManifest is the largest list of entries that is sent instead of the archive.
const maxManifest = 8 << 20

// unarchiveAction compares a controller archive by the list of what is in it,
// and uploads it only when the node lacks something.
func unarchiveAction(ctx context.Context, c module.Controller, args module.Args) (*module.Result, error) {
	u := &unarchive{Copy: true}
	if err := module.Decode(u, args); err != nil {
		return nil, err
	}
	const name = "ansible.builtin.unarchive"
	if u.RemoteSrc || !u.Copy {
		return c.Run(ctx, name, args)
	}
	if u.Creates != "" {
		res, err := c.Run(ctx, "ansible.builtin.stat", module.Args{"path": u.Creates, "get_checksum": false, "get_mime": false, "get_attributes": false})
		if err != nil || res.Failed {
			return res, err
		}
		if returned(res.Return["stat"], "exists") == true {
			return &module.Result{Skipped: true, Msg: "skipped, since " + u.Creates + " exists", Return: map[string]any{}}, nil
		}
	}
	src, err := c.Find("files", u.Src)
	if err != nil {
		return nil, err
	}
	args = maps.Clone(args)
	open := func() (archiveSource, error) { return os.Open(src) }
	if isVault(src) {
		if u.Decrypt != nil && !*u.Decrypt {
			return nil, fault.New("failed to find handler for %q", u.Src).WithHint("it is encrypted with ansible-vault; decrypt: true unpacks it")
		}
		open = func() (archiveSource, error) {
			b, err := c.ReadFile(src)
			return decrypted{bytes.NewReader(b)}, err
		}
	}
	kind, manifest, err := readManifest(ctx, open)
	if err != nil {
		return nil, fault.Wrap(err, "reading %s", src)
	}
	known, err := (&unpacker{unarchive: u}).options()
	if err != nil {
		return nil, err
	}
	if known && manifest != "" {
		args["_manifest"], args["_kind"] = manifest, kind
		if c.Check() {
			return c.Run(ctx, name, args)
		}
		same, err := c.Run(ctx, name, withKey(args, "_compare", true))
		if err != nil || same.Failed || !same.Changed {
			return same, err
		}
		delete(args, "_manifest")
	}
	if args["_upload"], err = c.Upload(ctx, src); err != nil {
		return nil, err
	}
	return c.Run(ctx, name, args)
}

func withKey(args module.Args, key string, v any) module.Args {
	out := maps.Clone(args)
	out[key] = v
	return out
}

// archiveSource is a controller archive under reading.
type archiveSource interface {
	io.ReadSeekCloser
	io.ReaderAt
}

// decrypted is the content of an encrypted archive, in memory.
type decrypted struct{ *bytes.Reader }

// Close has nothing to close.
func (decrypted) Close() error { return nil }

// readManifest lists a controller archive; "" where it is not read here, or too long.
func readManifest(ctx context.Context, open func() (archiveSource, error)) (kind, manifest string, err error) {
	f, err := open()
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return "", "", err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", "", err
	}
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.ErrUnexpectedEOF {
		return "", "", err
	}
	if kind = archiveKind(head[:n]); !native(kind) {
		return kind, "", nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", "", err
	}
	members := []member{}
	err = walkArchive(f, size, kind, func(m member, _ io.Reader) error {
		members = append(members, m)
		return ctx.Err()
	})
	if err != nil {
		return "", "", err
	}
	b, err := json.Marshal(members)
	if err != nil || len(b) > maxManifest {
		return kind, "", err
	}
	return kind, string(b), nil
}
