package modules

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{Name: "ansible.builtin.stat", New: func() any {
		return &stat{ChecksumAlgorithm: "sha1", GetChecksum: true, GetMime: true, GetAttributes: true}
	}})
}

// stat describes a file.
type stat struct {
	Path              string `arg:"path,required" alias:"dest,name"`
	Follow            bool   `arg:"follow"`
	GetChecksum       bool   `arg:"get_checksum"`
	ChecksumAlgorithm string `arg:"checksum_algorithm" alias:"checksum,checksum_algo" choices:"md5,sha1,sha224,sha256,sha384,sha512"`
	GetMime           bool   `arg:"get_mime" alias:"mime,mime_type,mime-type"`
	GetAttributes     bool   `arg:"get_attributes" alias:"attr,attributes"`
	GetMD5            bool   `arg:"get_md5"`
}

// Check does all of it: stat changes nothing.
func (s *stat) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	s.Path = expandWord(n, s.Path)
	look := n.Lstat
	if s.Follow {
		look = n.Stat
	}
	i, err := orNil(look(s.Path))
	if err != nil {
		return module.Plan{}, err
	}
	if i == nil {
		return module.Plan{Return: map[string]any{"stat": map[string]any{"exists": false}}}, nil
	}
	st := statValues(*i)
	st["path"], st["exists"] = s.Path, true
	st["readable"], st["writeable"], st["executable"] = n.Access(s.Path, 4), n.Access(s.Path, 2), n.Access(s.Path, 1)
	st["blocks"], st["block_size"], st["device_type"] = (i.Size+4095)/4096*8, int64(4096), int64(0)
	if i.IsLink() {
		st["blocks"] = int64(0)
		st["lnk_target"] = i.Target
		if real, err := n.EvalSymlinks(s.Path); err == nil {
			st["lnk_source"] = real
		} else {
			st["lnk_source"] = absolute(s.Path, i.Target)
		}
	}
	if i.IsRegular() {
		if err := s.checksums(n, st); err != nil {
			return module.Plan{}, err
		}
	}
	if s.GetMime {
		st["mimetype"], st["charset"] = mimeOf(ctx, n, s.Path, *i)
	}
	if s.GetAttributes {
		addAttributes(n, s.Path, *i, st)
	}
	return module.Plan{Return: map[string]any{"stat": st}}, nil
}

func (s *stat) checksums(n node.Reader, st map[string]any) error {
	readable, _ := st["readable"].(bool)
	if !readable {
		return nil
	}
	if s.GetChecksum {
		sum, err := fileSum(n, s.Path, s.ChecksumAlgorithm)
		if err != nil {
			return err
		}
		st["checksum"] = sum
	}
	if s.GetMD5 {
		sum, err := fileSum(n, s.Path, "md5")
		if err != nil {
			return err
		}
		st["md5"] = sum
	}
	return nil
}

func addAttributes(n node.Reader, p string, i node.Info, st map[string]any) {
	st["attributes"], st["attr_flags"], st["version"] = []any{}, "", nil
	if !i.IsRegular() && !i.IsDir() {
		return
	}
	if a, err := n.Attrs(p); err == nil {
		st["attr_flags"], st["attributes"] = flagLetters(a.Flags)
		st["version"] = strconv.FormatUint(uint64(a.Version), 10)
	}
}

// statValues gives what stat and find have in common.
func statValues(i node.Info) map[string]any {
	bit := func(b uint32) bool { return i.Mode&b != 0 }
	return map[string]any{
		"mode": fmt.Sprintf("%04o", i.Mode), "size": i.Size, "uid": int64(i.UID), "gid": int64(i.GID),
		"pw_name": i.Owner, "gr_name": i.Group, "inode": int64(i.Inode), "dev": int64(i.Dev), "nlink": int64(i.NLink),
		"atime": seconds(i.ATime), "mtime": seconds(i.MTime), "ctime": seconds(i.CTime),
		"isdir": i.IsDir(), "isreg": i.IsRegular(), "islnk": i.IsLink(),
		"ischr":  i.Type&fs.ModeCharDevice != 0,
		"isblk":  i.Type&fs.ModeDevice != 0 && i.Type&fs.ModeCharDevice == 0,
		"isfifo": i.Type&fs.ModeNamedPipe != 0, "issock": i.Type&fs.ModeSocket != 0,
		"isuid": bit(0o4000), "isgid": bit(0o2000),
		"rusr": bit(0o400), "wusr": bit(0o200), "xusr": bit(0o100),
		"rgrp": bit(0o040), "wgrp": bit(0o020), "xgrp": bit(0o010),
		"roth": bit(0o004), "woth": bit(0o002), "xoth": bit(0o001),
	}
}

func seconds(t time.Time) float64 { return float64(t.UnixNano()/1000) / 1e6 }

// hashes are the algorithms of checksum_algorithm.
var hashes = map[string]func() hash.Hash{
	"md5": md5.New, "sha1": sha1.New, "sha224": sha256.New224, "sha256": sha256.New,
	"sha384": sha512.New384, "sha512": sha512.New,
}

// fileSum gives the checksum of a file in hexadecimal.
func fileSum(n node.Reader, p, algorithm string) (string, error) {
	f, err := n.Open(p)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return sumOf(f, algorithm)
}

func sumOf(r io.Reader, algorithm string) (string, error) {
	newHash := hashes[strings.ToLower(algorithm)]
	if newHash == nil {
		return "", fmt.Errorf("checksum algorithm %q is not known", algorithm)
	}
	h := newHash()
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// mimeOf asks the file program, as Ansible does; without it, it looks at the
// first bytes itself.
func mimeOf(ctx context.Context, n node.Reader, p string, i node.Info) (mime, charset string) {
	if prog, err := n.LookPath("file"); err == nil {
		res, err := n.Query(ctx, node.Command{Argv: []string{prog, "--mime-type", "--mime-encoding", p}})
		if err == nil && res.RC == 0 {
			out := strings.TrimSpace(string(res.Stdout))
			if at := strings.LastIndex(out, ": "); at >= 0 {
				mime, charset, _ := strings.Cut(out[at+2:], "; charset=")
				return strings.TrimSpace(mime), charset
			}
		}
	}
	switch {
	case i.IsDir():
		return "inode/directory", "binary"
	case i.IsLink():
		return "inode/symlink", "binary"
	case !i.IsRegular():
		return "unknown", "unknown"
	case i.Size == 0:
		return "inode/x-empty", "binary"
	}
	f, err := n.Open(p)
	if err != nil {
		return "unknown", "unknown"
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return "unknown", "unknown"
	}
	return sniff(head)
}
