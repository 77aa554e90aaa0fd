package modules

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mageprov/internal/module"
	"mageprov/internal/modules/moduletest"
	"mageprov/internal/node"
	"mageprov/internal/node/nodetest"
)

var stamp = time.Date(2025, 5, 4, 3, 2, 1, 0, time.UTC)

// entry of an archive: a name that ends in a slash is a directory, a target
// makes a link.
type entry struct {
	name, content, target string
	mode                  int64
}

var plainEntries = []entry{
	{name: "./", mode: 0o755}, {name: "./bin/", mode: 0o750}, {name: "./bin/run", content: "#!/bin/sh\n", mode: 0o755},
	{name: "./bin/start", target: "run"}, {name: "./README", content: "read me\n", mode: 0o640},
}

func tarOf(t *testing.T, entries []entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.content)), ModTime: stamp, Uid: 1000, Gid: 1000}
		switch {
		case e.target != "":
			h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, e.target, 0o777
		case strings.HasSuffix(e.name, "/"):
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, e.content)
	}
	w.Close()
	return b.Bytes()
}

func gzOf(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

func zipOf(t *testing.T, entries []entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Modified: stamp, Method: zip.Deflate}
		h.SetMode(os.FileMode(e.mode))
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, e.content)
	}
	w.Close()
	return b.Bytes()
}

func bzip(t *testing.T, b []byte) []byte {
	c := exec.Command("bzip2", "-c")
	c.Stdin = bytes.NewReader(b)
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestUnarchiveKinds(t *testing.T) {
	plain := tarOf(t, plainEntries)
	for name, data := range map[string][]byte{
		"a.tar": plain, "a.tar.gz": gzOf(plain), "a.tar.bz2": bzip(t, plain),
		"a.zip": zipOf(t, []entry{{name: "bin/", mode: 0o755}, {name: "bin/run", content: "#!/bin/sh\n", mode: 0o755}, {name: "README", content: "read me\n", mode: 0o640}}),
	} {
		t.Run(name, func(t *testing.T) {
			n := nodetest.New(t)
			n.Put("/src/"+name, string(data))
			n.Put("/opt/keep", "x")
			args := module.Args{"src": "/src/" + name, "dest": "/opt", "remote_src": true, "list_files": true}
			before := len(n.Writes())
			check := moduletest.RunOn(t.Context(), node.NewOverlay(n), "unarchive", args)
			if check.Failed || !check.Changed || len(n.Writes()) != before {
				t.Fatalf("check: %+v, wrote %v", check, n.Writes()[before:])
			}
			res := moduletest.RunOn(t.Context(), n, "unarchive", args)
			if res.Failed || res.Changes[0].What != check.Changes[0].What {
				t.Fatalf("run: %+v", res)
			}
			i, err := n.Lstat("/opt/bin/run")
			if err != nil || i.Mode != 0o755 || !i.MTime.Equal(stamp) {
				t.Errorf("run: %+v %v", i, err)
			}
			if b, _ := n.ReadFile("/opt/README"); string(b) != "read me\n" {
				t.Errorf("README: %q", b)
			}
			if name != "a.zip" && (i.Owner != "app" || i.Group != "app") {
				t.Errorf("owner %s:%s, want the archive's", i.Owner, i.Group)
			}
			if again := moduletest.RunOn(t.Context(), n, "unarchive", args); again.Changed || again.Failed {
				t.Errorf("second run: %+v", again)
			}
			os.WriteFile(n.Root+"/opt/README", []byte("changed\n"), 0o640)
			if third := moduletest.RunOn(t.Context(), n, "unarchive", args); !third.Changed || !strings.Contains(third.Changes[0].What, ": 1 of ") {
				t.Errorf("a changed file: %+v", third)
			}
		})
	}
}

func TestUnarchiveOptions(t *testing.T) {
	data := string(tarOf(t, []entry{{name: "top/a", content: "a", mode: 0o600}, {name: "top/sub/b", content: "b", mode: 0o600}, {name: "top/c.log", content: "c", mode: 0o600}}))
	for name, c := range map[string]struct {
		args module.Args
		want string
	}{
		"strip":   {module.Args{"extra_opts": []any{"--strip-components=1"}}, "/opt/a /opt/c.log /opt/sub/b"},
		"exclude": {module.Args{"exclude": []any{"*.log", "sub"}}, "/opt/top/a"},
		"include": {module.Args{"include": []any{"top/sub"}}, "/opt/top/sub/b"},
		"mode":    {module.Args{"mode": "0644", "owner": "www-data", "include": "top/a"}, "/opt/top/a"},
		"creates": {module.Args{"creates": "/opt"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			n := nodetest.New(t)
			n.Put("/a.tar", data)
			n.Put("/opt/.keep", "")
			c.args["src"], c.args["dest"], c.args["remote_src"] = "/a.tar", "/opt", true
			res := moduletest.RunOn(t.Context(), n, "unarchive", c.args)
			if res.Failed {
				t.Fatal(res.Msg)
			}
			if got := filesBelow(t, n, "/opt"); got != c.want {
				t.Errorf("files %q, want %q", got, c.want)
			}
			if name == "mode" {
				if i, _ := n.Lstat("/opt/top/a"); i.Mode != 0o644 || i.Owner != "www-data" {
					t.Errorf("%04o %s", i.Mode, i.Owner)
				}
			}
			if again := moduletest.RunOn(t.Context(), n, "unarchive", c.args); again.Changed {
				t.Errorf("second run: %+v", again)
			}
		})
	}
}

func filesBelow(t *testing.T, n *nodetest.Node, dir string) string {
	var out []string
	filepath.Walk(n.Root+dir, func(p string, i os.FileInfo, err error) error {
		if err == nil && i.Mode().IsRegular() && i.Name() != ".keep" {
			out = append(out, strings.TrimPrefix(p, n.Root))
		}
		return nil
	})
	return strings.Join(out, " ")
}

func TestUnarchiveRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		entries []entry
		want    string
	}{
		"dots":          {[]entry{{name: "../evil", content: "x"}}, "leads out of the destination"},
		"absolute":      {[]entry{{name: "/etc/evil", content: "x"}}, "leads out of the destination"},
		"link":          {[]entry{{name: "l", target: "../../etc"}, {name: "l/evil", content: "x"}}, "leads out of the destination"},
		"absolute link": {[]entry{{name: "l", target: "/etc"}}, "leads out of the destination"},
		"link on node":  {[]entry{{name: "out/evil", content: "x"}}, "is a link that leads out"},
	} {
		t.Run(name, func(t *testing.T) {
			n := nodetest.New(t)
			n.Put("/a.tar", string(tarOf(t, c.entries)))
			n.Put("/opt/.keep", "")
			os.Symlink("/etc", n.Root+"/opt/out")
			res := moduletest.RunOn(t.Context(), n, "unarchive", module.Args{"src": "/a.tar", "dest": "/opt", "remote_src": true})
			if !res.Failed || !strings.Contains(res.Msg, c.want) {
				t.Errorf("%+v", res)
			}
			if _, err := n.Lstat("/etc/evil"); err == nil {
				t.Error("the archive wrote /etc/evil")
			}
		})
	}
}

// TestUnarchiveWithTar runs the real tar program below a temporary directory.
func TestUnarchiveWithTar(t *testing.T) {
	dir := t.TempDir()
	c := exec.Command("zstd", "-q", "-o", dir+"/a.tar.zst")
	c.Stdin = bytes.NewReader(tarOf(t, plainEntries))
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	os.Mkdir(dir+"/to", 0o755)
	n := node.NewLocal(node.LocalOptions{})
	args := module.Args{"src": dir + "/a.tar.zst", "dest": dir + "/to", "remote_src": true, "extra_opts": []any{"--no-same-owner"}}
	res := moduletest.RunOn(t.Context(), n, "unarchive", args)
	if res.Failed || !res.Changed || res.Return["handler"] != "TarZstdArchive" {
		t.Fatalf("%+v", res)
	}
	if b, err := os.ReadFile(dir + "/to/README"); err != nil || string(b) != "read me\n" {
		t.Errorf("README: %q %v", b, err)
	}
	if again := moduletest.RunOn(t.Context(), n, "unarchive", args); again.Failed || again.Changed {
		t.Errorf("second run: %+v", again)
	}
}

// FuzzArchive: no bytes may make the reader panic or place an entry outside.
func FuzzArchive(f *testing.F) {
	t := &testing.T{}
	f.Add(tarOf(t, plainEntries))
	f.Add(gzOf(tarOf(t, plainEntries)))
	f.Add(zipOf(t, []entry{{name: "a", content: "x", mode: 0o600}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		kind := archiveKind(b)
		if !native(kind) {
			return
		}
		walkArchive(bytes.NewReader(b), int64(len(b)), kind, func(m member, content io.Reader) error {
			name, ok, err := selection{}.place(m)
			if ok && err == nil && (strings.HasPrefix(name, "/") || hasDotDot(name)) {
				t.Errorf("%q is placed at %q", m.Name, name)
			}
			if content != nil {
				io.Copy(io.Discard, io.LimitReader(content, 1<<20))
			}
			return err
		})
	})
}
