package modules

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"context"
	"io"
	"io/fs"
	"time"

	"mageprov/internal/node"
)

// write packs the files. What Go cannot compress the node's own program does,
// beside the archive, before it takes its place.
func (m *archiveFiles) write(ctx context.Context, w node.Writer, pk packing, opts node.WriteOptions) error {
	program := map[string]string{"bz2": "bzip2", "xz": "xz"}[m.Format]
	at := pk.dest
	if program != "" {
		at += ".part"
	}
	r, pipe := io.Pipe()
	go func() { pipe.CloseWithError(m.pack(w, pk, pipe)) }()
	err := w.WriteFile(ctx, at, r, opts)
	r.CloseWithError(io.ErrClosedPipe) // ends pack where the write failed
	if err != nil || program == "" {
		return err
	}
	c := node.Command{Argv: []string{program, "-z", "-f", at}}
	packedAt := at + "." + m.Format
	if err := mustRun(ctx, w, c); err != nil {
		w.Remove(at)
		return err
	}
	if w.IsCheck() {
		if err := w.Remove(at); err != nil {
			return err
		}
		return w.WriteFile(ctx, pk.dest, node.UnknownContent, opts)
	}
	return w.Rename(packedAt, pk.dest)
}

// pack writes the bytes of the archive, before bzip2 or xz.
func (m *archiveFiles) pack(n node.Reader, pk packing, out io.Writer) error {
	switch {
	case pk.compress && m.Format == "gz":
		z := gzip.NewWriter(out)
		if err := copyFrom(n, pk.files[0].path, z); err != nil {
			return err
		}
		return z.Close()
	case pk.compress:
		return copyFrom(n, pk.files[0].path, out)
	case m.Format == "zip":
		return packZip(n, pk, out)
	case m.Format == "gz":
		z := gzip.NewWriter(out)
		if err := packTar(n, pk, z); err != nil {
			return err
		}
		return z.Close()
	}
	return packTar(n, pk, out)
}

func copyFrom(n node.Reader, p string, out io.Writer) error {
	f, err := n.Open(p)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(out, f)
	return err
}

func packTar(n node.Reader, pk packing, out io.Writer) error {
	t := tar.NewWriter(out)
	for _, f := range pk.files {
		h := &tar.Header{
			Name: f.Name, Typeflag: tar.TypeReg, Mode: int64(f.Mode), Size: f.Size, ModTime: time.Unix(f.MTime, 0),
			Uid: f.UID, Gid: f.GID, Uname: f.User, Gname: f.Group, Linkname: f.Target,
		}
		switch f.Kind {
		case 'd':
			h.Typeflag, h.Name = tar.TypeDir, f.Name+"/"
		case 'l':
			h.Typeflag = tar.TypeSymlink
		}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if f.Kind == 'f' {
			if err := copyFrom(n, f.path, t); err != nil {
				return err
			}
		}
	}
	return t.Close()
}

func packZip(n node.Reader, pk packing, out io.Writer) error {
	z := zip.NewWriter(out)
	for _, f := range pk.files {
		h := &zip.FileHeader{Name: f.Name, Method: zip.Deflate, Modified: time.Unix(f.MTime, 0)}
		h.SetMode(fs.FileMode(f.Mode & 0o777))
		if f.Kind == 'd' {
			h.Name, h.Method = f.Name+"/", zip.Store
			h.SetMode(fs.ModeDir | fs.FileMode(f.Mode&0o777))
		}
		w, err := z.CreateHeader(h)
		if err != nil {
			return err
		}
		if f.Kind == 'f' {
			if err := copyFrom(n, f.path, w); err != nil {
				return err
			}
		}
	}
	return z.Close()
}
