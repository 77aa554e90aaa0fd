package remote

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klauspost/compress/zstd"

	"mageprov/internal/connection"
	"mageprov/internal/fault"
	"mageprov/internal/wire"
)

func goarch() string { return runtime.GOARCH }

// maxWorker is what a worker may weigh on the wire.
const maxWorker = 3 << 20

// TestWorkerIsSmall builds the worker as `make worker` does.
func TestWorkerIsSmall(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "worker")
	cmd := exec.Command("go", "build", "-trimpath", "-tags", "worker,nethttpomithttp2", "-gcflags=all=-l", "-ldflags", "-s -w -buildid=", "-o", bin, "mageprov/cmd/mageprov-worker")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command("zstd", "-q", "--ultra", "-22", "-c", bin).Output()
	if err != nil {
		t.Fatalf("zstd: %v", err)
	}
	t.Logf("%d bytes on the wire", len(out))
	if len(out) > maxWorker {
		t.Errorf("%d bytes on the wire, at most %d are allowed", len(out), maxWorker)
	}
	// What a node without zstd gets must be the same program.
	b, err := fromZstd("x", fstest.MapFS{"f": {Data: out}}, "f")
	if err != nil {
		t.Fatal(err)
	}
	tool, gz, err := b.packed("gzip")
	if err != nil || tool != "gzip" {
		t.Fatal(tool, err)
	}
	z, err := gzip.NewReader(bytes.NewReader(gz))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(z)
	if want, _ := os.ReadFile(bin); err != nil || !bytes.Equal(got, want) {
		t.Errorf("gzip gives %d bytes, want %d (%v)", len(got), len(want), err)
	}
}

// TestWorkerImports keeps out of the worker what makes it large or does not
// belong on a node.
func TestWorkerImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "mageprov/cmd/mageprov-worker").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, dep := range strings.Fields(string(out)) {
		if dep == "regexp" {
			t.Error("the worker imports regexp; pyre.MustCompile does the same")
		}
		for _, no := range []string{"golang.org/x/crypto/ssh", "github.com/pkg/sftp", "gopkg.in/yaml", "charmbracelet", "spf13",
			"mageprov/internal/jinja", "mageprov/internal/connection", "mageprov/internal/remote", "mageprov/internal/play", "mageprov/internal/report"} {
			if strings.Contains(dep, no) {
				t.Errorf("the worker imports %s", dep)
			}
		}
	}
}

func TestFindWorkers(t *testing.T) {
	sum := strings.Repeat("a", 64)
	enc, err := zstd.NewWriter(nil, zstd.WithSingleSegment(true))
	if err != nil {
		t.Fatal(err)
	}
	pack := func(s string) []byte { return enc.EncodeAll([]byte(s), nil) }
	got, err := findWorkers(fstest.MapFS{
		"embed/README.md":                          {Data: []byte("x")},
		"embed/worker-linux-amd64-" + sum + ".zst": {Data: pack("one")},
		"embed/worker-linux-arm64-" + sum + ".zst": {Data: pack("second")},
		"embed/worker-linux-amd64-short.zst":       {Data: []byte("no")},
	}, true)
	if err != nil || len(got) != 2 || got["linux/arm64"].size != 6 || got["linux/amd64"].build != sum {
		t.Errorf("%v %v", got, err)
	}
	got, err = findWorkers(fstest.MapFS{"embed/worker-linux-" + goarch() + "-" + sum + ".zst": {Data: pack("stale")}}, false)
	if err != nil || len(got) != 1 {
		t.Fatalf("%v %v", got, err)
	}
	if _, err := findWorkers(fstest.MapFS{"embed/worker-linux-amd64-" + sum + ".zst": {Data: []byte("damaged")}}, true); err == nil {
		t.Error("a damaged worker is carried")
	}
	tool, gz, err := got["linux/"+goarch()].packed("zstd") // of which it has none
	if err != nil || tool != "gzip" {
		t.Fatal(tool, err)
	}
	z, err := gzip.NewReader(bytes.NewReader(gz))
	if err != nil {
		t.Fatal(err)
	}
	self, _ := os.ReadFile("/proc/self/exe")
	if b, err := io.ReadAll(z); err != nil || !bytes.Equal(b, self) {
		t.Errorf("packed %d bytes of %d, %v", len(b), len(self), err)
	}
}

// TestGreet plays nodes that say something else than Hello.
func TestGreet(t *testing.T) {
	bins := map[string]*binary{"linux/amd64": {build: strings.Repeat("a", 64), zst: func() ([]byte, error) { return []byte("zst"), nil }, gzip: func() ([]byte, error) { return []byte("gz"), nil }}}
	for label, c := range map[string]struct{ says, want string }{
		"other machine":     {bootMark + "machine FreeBSD amd64\n", "no worker for web1, which is FreeBSD amd64\nhint: managed nodes are Linux"},
		"not embedded":      {bootMark + "machine Linux aarch64\n", "no worker for web1, which is Linux aarch64\nhint: this program was built without"},
		"no directory":      {"motd\n" + bootMark + "nowhere\n", "no directory for the worker"},
		"disk full":         {bootMark + "push linux/amd64 gzip\n" + bootMark + "broken /var/tmp/x\n", "did not arrive whole in /var/tmp/x"},
		"unknown push":      {bootMark + "push linux/mips gzip\n", "does not exist"},
		"unknown word":      {bootMark + "hello\n", "the start script said"},
		"nothing":           {"", "EOF"},
		"cut line":          {bootMark + "push", "EOF"},
		"wrong frame":       {wire.Preamble + "\x00\x00\x00\x02\x02{}", "began with task"},
		"strange hello":     {wire.Preamble + "\x00\x00\x00\x07\x01{\"X\":1}", "unknown field"},
		"preamble, no more": {wire.Preamble, "EOF"},
	} {
		p := &fakeProcess{}
		_, _, err := greet(context.Background(), "web1", p, wire.NewReader(strings.NewReader(c.says)), bins, nil)
		if err == nil || !strings.Contains(err.Error()+"\nhint: "+fault.HintOf(err), c.want) {
			t.Errorf("%s: %v, want %q", label, err, c.want)
		}
		if sent := p.stdin.String(); label == "disk full" && sent != "gzip 2 "+strings.Repeat("a", 64)+"\ngz" {
			t.Errorf("%s: sent %q", label, sent)
		}
	}
}

type fakeProcess struct {
	connection.Process
	stdin bytes.Buffer
}

func (p *fakeProcess) Stdin() io.WriteCloser {
	return struct {
		io.Writer
		io.Closer
	}{&p.stdin, nil}
}

// TestScript asks a shell about the syntax, with the machine's sh.
func TestScript(t *testing.T) {
	bins := map[string]*binary{"linux/amd64": {build: strings.Repeat("a", 64)}, "linux/arm64": {build: strings.Repeat("b", 64)}}
	for _, force := range []bool{false, true} {
		text := script(bins, force)
		if out, err := exec.Command("/bin/sh", "-n", "-c", text).CombinedOutput(); err != nil {
			t.Errorf("%v %s\n%s", err, out, text)
		}
		if len(text) > 4096 {
			t.Errorf("the script has %d bytes", len(text))
		}
	}
}
