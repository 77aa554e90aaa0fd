package remote

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"

	"mageprov/internal/fault"
)

//go:embed embed
var embedded embed.FS

// built is "make" in a program that was linked together with the workers it
// embeds. Any other (go run, go test) might carry those of an older source, so
// where it can it pushes itself.
var built string

// binary is a worker for one kind of machine, compressed: by zstd in programs
// that carry it, which saves a sixth of the way, and by gzip for nodes that have
// nothing else. gzip is made when the first such node asks.
type binary struct {
	build string                 // SHA-256 of the program, its build id
	size  int64                  // of the program
	zst   func() ([]byte, error) // nil if there is none
	gzip  func() ([]byte, error)
}

// packed gives the program as a node can unpack it that has the tool of that
// name, and which tool it takes.
func (b *binary) packed(tool string) (string, []byte, error) {
	if tool == "zstd" && b.zst != nil {
		zst, err := b.zst()
		return tool, zst, err
	}
	gz, err := b.gzip()
	return "gzip", gz, err
}

// fromZstd makes a binary of a file that the build embedded. Its megabytes are
// read when a node has to be given them, which is once per version.
func fromZstd(build string, from fs.FS, file string) (*binary, error) {
	f, err := from.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, zstd.HeaderMaxSize)
	n, _ := io.ReadFull(f, head) // what is missing the header tells
	var h zstd.Header
	if err := h.Decode(head[:n]); err != nil || !h.HasFCS {
		return nil, fault.New("the worker %s that this program carries is damaged", build).Because(err)
	}
	zst := sync.OnceValues(func() ([]byte, error) { return fs.ReadFile(from, file) })
	return &binary{build: build, size: int64(h.FrameContentSize), zst: zst, gzip: sync.OnceValues(func() ([]byte, error) {
		data, err := zst()
		if err != nil {
			return nil, err
		}
		r, err := zstd.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return compress(r, gzip.DefaultCompression)
	})}, nil
}

func compress(r io.Reader, level int) ([]byte, error) {
	var buf bytes.Buffer
	z, err := gzip.NewWriterLevel(&buf, level)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(z, r); err != nil {
		return nil, err
	}
	err = z.Close()
	return buf.Bytes(), err
}

// name is the file's name on a node.
func (b *binary) name() string { return "worker-" + b.build[:20] }

// carried gives the workers that this program can push, by "linux/amd64". They
// are constants of the program, found once for all hosts.
var carried = sync.OnceValues(func() (map[string]*binary, error) { return findWorkers(embedded, built == "make") })

// findWorkers lists the embedded workers. Where they are missing or may be
// stale, the running program serves as the worker for its own kind of machine.
func findWorkers(from fs.ReadDirFS, fresh bool) (map[string]*binary, error) {
	entries, err := from.ReadDir("embed")
	if err != nil {
		return nil, err
	}
	all := map[string]*binary{}
	for _, e := range entries {
		// worker-OS-ARCH-SHA256.zst
		parts := strings.Split(strings.TrimSuffix(e.Name(), ".zst"), "-")
		if len(parts) != 4 || len(parts[3]) != 2*sha256.Size {
			continue
		}
		if all[parts[1]+"/"+parts[2]], err = fromZstd(parts[3], from, path.Join("embed", e.Name())); err != nil {
			return nil, err
		}
	}
	own := runtime.GOOS + "/" + runtime.GOARCH
	if !fresh || all[own] == nil {
		self, err := packSelf()
		if err != nil {
			return nil, err
		}
		all[own] = self
	}
	return all, nil
}

// packSelf compresses the running program, quickly rather than well.
func packSelf() (*binary, error) {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return nil, fault.Wrap(err, "reading this program, to push it as worker")
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	gz, err := compress(io.TeeReader(f, h), gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	return &binary{build: hex.EncodeToString(h.Sum(nil)), size: fi.Size(), gzip: func() ([]byte, error) { return gz, nil }}, nil
}

// machines maps what `uname -sm` prints to Go's names.
var machines = map[string]string{
	"Linux x86_64":  "linux/amd64",
	"Linux aarch64": "linux/arm64",
}
