package modules

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"mageprov/internal/fault"
	"mageprov/internal/pyre"
)

// member is one entry of an archive.
type member struct {
	Name   string `json:"n"` // as it is in the archive
	Kind   byte   `json:"k"` // 'f', 'd', 'l' symbolic link, 'h' hard link
	Mode   uint32 `json:"m"` // 0 where the archive has none
	Size   int64  `json:"s,omitempty"`
	MTime  int64  `json:"t"`
	UID    int    `json:"u"` // -1: the archive has none
	GID    int    `json:"g"`
	User   string `json:"un,omitempty"`
	Group  string `json:"gn,omitempty"`
	Target string `json:"l,omitempty"`
}

// handlers are Ansible's names for the kinds of archive, by our own.
var handlers = map[string]string{
	"tar": "TarArchive", "gz": "TgzArchive", "bz2": "TarBzipArchive", "xz": "TarXzArchive", "zst": "TarZstdArchive", "zip": "ZipArchive",
}

// archiveKind tells archives apart by their first bytes.
func archiveKind(head []byte) string {
	for _, m := range []struct{ prefix, kind string }{
		{"\x1f\x8b", "gz"}, {"BZh", "bz2"}, {"\xfd7zXZ\x00", "xz"}, {"\x28\xb5\x2f\xfd", "zst"}, {"PK\x03\x04", "zip"}, {"PK\x05\x06", "zip"},
	} {
		if bytes.HasPrefix(head, []byte(m.prefix)) {
			return m.kind
		}
	}
	if len(head) >= 262 && string(head[257:262]) == "ustar" {
		return "tar"
	}
	return ""
}

// native says whether the kind is read here; the others need the tar program.
func native(kind string) bool { return kind == "tar" || kind == "gz" || kind == "bz2" || kind == "zip" }

// walkArchive visits all entries in order. content is nil but for files.
func walkArchive(f io.Reader, size int64, kind string, visit func(m member, content io.Reader) error) error {
	if kind == "zip" {
		return walkZip(f, size, visit)
	}
	r := io.Reader(bufio.NewReaderSize(f, 256<<10))
	switch kind {
	case "gz":
		z, err := gzip.NewReader(r)
		if err != nil {
			return err
		}
		defer z.Close()
		r = z
	case "bz2":
		r = bzip2.NewReader(r)
	}
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		m, skip, err := tarMember(h)
		if err != nil {
			return err
		}
		if skip {
			continue
		}
		content := io.Reader(nil)
		if m.Kind == 'f' {
			content = t
		}
		if err := visit(m, content); err != nil {
			return err
		}
	}
}

func tarMember(h *tar.Header) (m member, skip bool, err error) {
	m = member{
		Name: h.Name, Mode: uint32(h.Mode) & 0o7777, Size: h.Size, MTime: h.ModTime.Unix(),
		UID: h.Uid, GID: h.Gid, User: h.Uname, Group: h.Gname, Target: h.Linkname,
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse, tar.TypeCont:
		m.Kind, m.Target = 'f', ""
	case tar.TypeDir:
		m.Kind, m.Size = 'd', 0
	case tar.TypeSymlink:
		m.Kind, m.Size = 'l', 0
	case tar.TypeLink:
		m.Kind, m.Size = 'h', 0
	case tar.TypeXGlobalHeader:
		return m, true, nil
	default:
		return m, false, fmt.Errorf("%s is a device or pipe, which is not unpacked", h.Name)
	}
	return m, false, nil
}

func walkZip(f io.Reader, size int64, visit func(m member, content io.Reader) error) error {
	at, ok := f.(io.ReaderAt)
	if !ok {
		b, err := io.ReadAll(f)
		if err != nil {
			return err
		}
		at, size = bytes.NewReader(b), int64(len(b))
	}
	z, err := zip.NewReader(at, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return err
	}
	for _, zf := range z.File {
		if err := visitZip(zf, visit); err != nil {
			return err
		}
	}
	return nil
}

func visitZip(zf *zip.File, visit func(m member, content io.Reader) error) error {
	mode := zf.Mode()
	m := member{Name: zf.Name, Kind: 'f', Size: int64(zf.UncompressedSize64), MTime: zipTime(zf).Unix(), UID: -1, GID: -1}
	if zf.CreatorVersion>>8 == 3 { // Unix
		m.Mode = uint32(mode.Perm())
	}
	if mode.IsDir() || strings.HasSuffix(zf.Name, "/") {
		m.Kind, m.Size = 'd', 0
		return visit(m, nil)
	}
	r, err := zf.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	if mode&fs.ModeSymlink != 0 { // the content is the target
		b, err := io.ReadAll(io.LimitReader(r, 4096))
		m.Kind, m.Size, m.Target = 'l', 0, string(b)
		if err != nil {
			return err
		}
		return visit(m, nil)
	}
	return visit(m, r)
}

// zipTime is the time of an entry. DOS times have no zone: they are local.
func zipTime(zf *zip.File) time.Time {
	t := zf.Modified
	if t.Location() == time.UTC && len(zf.Extra) == 0 {
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.Local)
	}
	return t
}

// selection says which entries are unpacked, and under which names.
type selection struct {
	include, exclude []string
	strip            int
	globs            map[string]*pyre.Regexp // the patterns, compiled
}

// compile reads the patterns.
func (s *selection) compile() error {
	s.globs = map[string]*pyre.Regexp{}
	for _, list := range [][]string{s.include, s.exclude} {
		for i, glob := range list {
			list[i] = strings.TrimSuffix(strings.TrimPrefix(glob, "./"), "/")
			re, err := pyre.Compile(globToRegexp(list[i]), 0)
			if err != nil {
				return err
			}
			s.globs[list[i]] = re.Anchored()
		}
	}
	return nil
}

// place gives an entry's path below the destination; "" is the destination
// itself, ok is false where the entry is left out. A name that leads out is an error.
func (s selection) place(m member) (name string, ok bool, err error) {
	if path.IsAbs(m.Name) || hasDotDot(m.Name) {
		return "", false, fault.New("the archive is refused: %q leads out of the destination", m.Name)
	}
	name = strings.TrimPrefix(path.Clean("/"+m.Name), "/")
	if len(s.include) > 0 && !s.matches(s.include, name) || s.matches(s.exclude, name) {
		return "", false, nil
	}
	if s.strip > 0 {
		parts := strings.Split(name, "/")
		if len(parts) < s.strip || len(parts) == s.strip && m.Kind != 'd' {
			return "", false, nil
		}
		name = strings.Join(parts[s.strip:], "/")
	}
	if m.Kind == 'l' {
		target := path.Join(path.Dir(name), m.Target)
		if path.IsAbs(m.Target) || target == ".." || strings.HasPrefix(target, "../") {
			return "", false, fault.New("the archive is refused: the link %q leads out of the destination, to %q", m.Name, m.Target)
		}
	}
	return name, true, nil
}

func hasDotDot(p string) bool {
	for _, part := range strings.Split(p, "/") {
		if part == ".." {
			return true
		}
	}
	return false
}

// matches compares as tar does: a pattern may match the whole name, the end of
// it after a slash, or a directory above it.
func (s selection) matches(patterns []string, name string) bool {
	for p := name; p != "." && p != "/" && p != ""; p = path.Dir(p) {
		for _, pattern := range patterns {
			for tail := p; ; {
				if m, err := s.globs[pattern].Match(tail); m != nil && err == nil {
					return true
				}
				at := strings.IndexByte(tail, '/')
				if at < 0 {
					break
				}
				tail = tail[at+1:]
			}
		}
	}
	return false
}
