package remote

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io"
	"os"
	"path"
	"runtime"
	"strings"
	"sync"

	"mageprov/internal/fault"
)

//go:embed embed
var embedded embed.FS

// binary is a worker for one kind of machine.
type binary struct {
	build string // SHA-256 of the program, its build id
	gz    []byte // the program, compressed
}

// name is the file's name on a node.
func (b *binary) name() string { return "worker-" + b.build[:20] }

// binaries knows the workers that can be pushed. It is shared by all hosts of
// a run, so that what is expensive happens once.
type binaries struct {
	fs   embed.FS
	once sync.Once
	all  map[string]*binary // by "linux/amd64"
	self *binary
	err  error
}

// load finds the embedded workers. Where there are none, the controller's own
// program serves as one.
func (b *binaries) load() (map[string]*binary, error) {
	b.once.Do(func() {
		b.all = map[string]*binary{}
		entries, err := b.fs.ReadDir("embed")
		if err != nil {
			b.err = err
			return
		}
		for _, e := range entries {
			// worker-OS-ARCH-SHA256.gz
			parts := strings.Split(strings.TrimSuffix(e.Name(), ".gz"), "-")
			if len(parts) != 4 || len(parts[3]) != 2*sha256.Size {
				continue
			}
			gz, err := b.fs.ReadFile(path.Join("embed", e.Name()))
			if err != nil {
				b.err = err
				return
			}
			b.all[parts[1]+"/"+parts[2]] = &binary{build: parts[3], gz: gz}
		}
		if len(b.all) == 0 {
			var self *binary
			if self, b.err = packSelf(); b.err == nil {
				b.all[runtime.GOOS+"/"+runtime.GOARCH] = self
			}
		}
	})
	return b.all, b.err
}

// packSelf compresses the running program, quickly rather than well.
func packSelf() (*binary, error) {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return nil, fault.Wrap(err, "reading this program, to push it as worker")
	}
	defer f.Close()
	var buf bytes.Buffer
	z, err := gzip.NewWriterLevel(&buf, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(z, h), f); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return &binary{build: hex.EncodeToString(h.Sum(nil)), gz: buf.Bytes()}, nil
}

// machines maps what `uname -sm` prints to Go's names.
var machines = map[string]string{
	"Linux x86_64":  "linux/amd64",
	"Linux aarch64": "linux/arm64",
}
