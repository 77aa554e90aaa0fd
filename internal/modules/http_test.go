package modules

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mageprov/internal/module"
	"mageprov/internal/node"
	"mageprov/internal/node/nodetest"
)

// webService answers as the paths say; /echo gives back what it was sent.
func webService() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/json", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("X-Foo-Bar", "1")
		io.WriteString(w, `{"a": [1, 2.5], "big": 12345678901234}`)
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		user, password, _ := r.BasicAuth()
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"method": r.Method, "type": r.Header.Get("Content-Type"), "body": string(body),
			"agent": r.UserAgent(), "x": r.Header.Get("X-A"), "auth": user + ":" + password, "encoding": r.Header.Get("Accept-Encoding")})
	})
	mux.HandleFunc("/private", func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "u" || password != "geheim" {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	mux.Handle("/redirect", http.RedirectHandler("/json", http.StatusFound))
	mux.HandleFunc("/gz", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		zw := gzip.NewWriter(w)
		io.WriteString(zw, "unzipped\n")
		zw.Close()
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		w.Write([]byte("half"))
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-time.After(10 * time.Second):
		}
	})
	mux.HandleFunc("/named", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Disposition", `attachment; filename="../../real.txt"`)
		io.WriteString(w, "named\n")
	})
	modified := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "file", modified, strings.NewReader("content\n"))
	})
	return mux
}

// do runs a module with arguments on a node.
func do(t *testing.T, n node.Writer, name string, args module.Args) *module.Result {
	t.Helper()
	spec, ok := module.Lookup(name)
	if !ok {
		t.Fatalf("no module %s", name)
	}
	m := spec.New().(module.Module)
	if err := module.Decode(m, args); err != nil {
		t.Fatal(err)
	}
	return module.Run(t.Context(), m, n, true)
}

func TestURI(t *testing.T) {
	srv := httptest.NewServer(webService())
	defer srv.Close()
	for _, c := range []struct {
		name string
		args module.Args
		fail string
		want map[string]any
	}{
		{"get", module.Args{"url": "/json", "return_content": true}, "", map[string]any{
			"status": 200, "json": `{"a":[1,2.5],"big":12345678901234}`, "x_foo_bar": "1", "cookies_string": "a=b",
			"content_length": "38", "msg": "OK (38 bytes)", "redirected": false, "content": `{"a": [1, 2.5], "big": 12345678901234}`}},
		{"redirect", module.Args{"url": "/redirect"}, "", map[string]any{"status": 200, "redirected": true}},
		{"no redirect", module.Args{"url": "/redirect", "follow_redirects": "none"}, "Status code was 302 and not [200]: HTTP Error 302: Found", map[string]any{"status": 302, "location": "/json"}},
		{"post is not safe", module.Args{"url": "/redirect", "method": "POST", "status_code": "302"}, "", map[string]any{"status": 302}},
		{"not found", module.Args{"url": "/none"}, "Status code was 404 and not [200]: HTTP Error 404: Not Found", map[string]any{"status": 404}},
		{"wanted 404", module.Args{"url": "/none", "status_code": []any{int64(200), "404"}}, "", map[string]any{"status": 404}},
		{"json body", module.Args{"url": "/echo", "method": "post", "body_format": "json", "body": map[string]any{"a": "<&>", "n": int64(1)}, "headers": map[string]any{"X-A": "b"}}, "",
			map[string]any{"json": `{"agent":"ansible-httpget","auth":":","body":"{\"a\":\"<&>\",\"n\":1}","encoding":"","method":"POST","type":"application/json","x":"b"}`}},
		{"form", module.Args{"url": "/echo", "method": "POST", "body_format": "form-urlencoded", "body": map[string]any{"a": int64(1), "b": []any{int64(1), "x y"}, "c": true}}, "",
			map[string]any{"json": `{"agent":"ansible-httpget","auth":":","body":"a=1&b=1&b=x+y&c=True","encoding":"","method":"POST","type":"application/x-www-form-urlencoded","x":""}`}},
		{"pairs", module.Args{"url": "/echo", "method": "PUT", "body_format": "form-urlencoded", "body": []any{[]any{"a", "1"}, []any{"b", "é"}}, "force_basic_auth": true, "user": "u", "password": "p"}, "",
			map[string]any{"json": `{"agent":"ansible-httpget","auth":"u:p","body":"a=1&b=%C3%A9","encoding":"","method":"PUT","type":"application/x-www-form-urlencoded","x":""}`}},
		{"asked for a password", module.Args{"url": "/private", "url_username": "u", "url_password": "geheim"}, "", map[string]any{"status": 200}},
		{"wrong password", module.Args{"url": "/private", "url_username": "u", "url_password": "no"}, "Status code was 401", nil},
		{"stalled", module.Args{"url": "/slow", "timeout": int64(1)}, "reading the answer", nil},
		{"unzipped", module.Args{"url": "/gz", "return_content": true}, "", map[string]any{"content": "unzipped\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.args["url"] = srv.URL + c.args["url"].(string)
			res := do(t, nodetest.New(t), "uri", c.args)
			if res.Failed != (c.fail != "") || !strings.Contains(res.Msg, c.fail) {
				t.Errorf("failed=%v %q, want %q", res.Failed, res.Msg, c.fail)
			}
			if res.Changed {
				t.Error("changed")
			}
			for k, want := range c.want {
				got := res.Return[k]
				if k == "json" {
					b, _ := marshalJSON(got)
					got = string(b)
				}
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%s is %v, want %v", k, got, want)
				}
			}
		})
	}
}

func TestURIMultipart(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1 << 20); err != nil {
			t.Error(err)
			return
		}
		for _, name := range []string{"f", "disk"} {
			f, h, err := r.FormFile(name)
			if err != nil {
				t.Error(err)
				return
			}
			text, _ := io.ReadAll(f)
			fmt.Fprintf(w, "%s %s %s;", h.Filename, h.Header.Get("Content-Type"), text)
		}
		fmt.Fprint(w, r.FormValue("a"))
	}))
	defer srv.Close()
	n := nodetest.New(t)
	n.Put("/srv/d.bin", "disk")
	res := do(t, n, "uri", module.Args{"url": srv.URL, "method": "POST", "return_content": true, "body_format": "form-multipart", "body": map[string]any{
		"a": "1", "f": map[string]any{"content": "hi", "filename": "x.txt", "mime_type": "text/plain"}, "disk": map[string]any{"filename": "/srv/d.bin"},
	}})
	if want := "x.txt text/plain hi;d.bin application/octet-stream disk;1"; res.Return["content"] != want {
		t.Errorf("%v %v, want %q", res.Msg, res.Return["content"], want)
	}
}

func TestURIDestAndCheck(t *testing.T) {
	srv := httptest.NewServer(webService())
	defer srv.Close()
	n := nodetest.New(t)
	args := module.Args{"url": srv.URL + "/json", "dest": "/tmp", "mode": "0600"}
	if res := do(t, node.NewOverlay(n), "uri", args); !res.Skipped || res.Return["unknown"] != true {
		t.Errorf("check: %+v", res)
	}
	for i, changed := range []bool{true, false} {
		res := do(t, n, "uri", args)
		if res.Failed || res.Changed != changed || res.Return["path"] != "/tmp/json" || res.Return["mode"] != "0600" {
			t.Errorf("run %d: %+v", i, res)
		}
	}
}

func TestURITLS(t *testing.T) {
	srv := httptest.NewTLSServer(webService())
	defer srv.Close()
	n := nodetest.New(t)
	n.Put("/etc/ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})))
	for name, c := range map[string]struct {
		args module.Args
		ok   bool
	}{
		"unknown authority": {module.Args{}, false},
		"not validated":     {module.Args{"validate_certs": "no"}, true},
		"own authority":     {module.Args{"ca_path": "/etc/ca.pem"}, true},
		"no certificate":    {module.Args{"ca_path": "/etc/passwd"}, false},
	} {
		c.args["url"] = srv.URL + "/json"
		if res := do(t, n, "uri", c.args); res.Failed == c.ok {
			t.Errorf("%s: failed=%v %s", name, res.Failed, res.Msg)
		}
	}
}

func TestURISocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(webService())
	srv.Listener = l
	srv.Start()
	defer srv.Close()
	if res := do(t, nodetest.New(t), "uri", module.Args{"url": "http://docker/json", "unix_socket": path}); res.Failed {
		t.Error(res.Msg)
	}
}

func TestGetURL(t *testing.T) {
	srv := httptest.NewServer(webService())
	defer srv.Close()
	sum := sha256.Sum256([]byte("content\n"))
	good := "sha256:" + hex.EncodeToString(sum[:])
	for _, c := range []struct {
		name    string
		args    module.Args
		before  string // of /tmp/f
		fail    string
		changed bool
		file    string // name and content afterwards
		status  any
	}{
		{"new", module.Args{"url": "/file", "dest": "/tmp/f"}, "", "", true, "/tmp/f content\n", 200},
		{"new with sum", module.Args{"url": "/file", "dest": "/tmp/f", "checksum": good}, "", "", true, "/tmp/f content\n", 200},
		{"not modified", module.Args{"url": "/file", "dest": "/tmp/f"}, "mine\n", "", false, "/tmp/f mine\n", 304},
		{"forced", module.Args{"url": "/file", "dest": "/tmp/f", "force": true}, "mine\n", "", true, "/tmp/f content\n", 200},
		{"forced, same", module.Args{"url": "/file", "dest": "/tmp/f", "force": true}, "content\n", "", false, "/tmp/f content\n", 200},
		{"sum differs from the file", module.Args{"url": "/file", "dest": "/tmp/f", "checksum": good}, "mine\n", "", true, "/tmp/f content\n", 200},
		{"sum is the file's", module.Args{"url": "/none", "dest": "/tmp/f", "checksum": good}, "content\n", "", false, "/tmp/f content\n", nil},
		{"directory", module.Args{"url": "/file", "dest": "/tmp"}, "", "", true, "/tmp/file content\n", 200},
		{"named by the server", module.Args{"url": "/named", "dest": "/tmp"}, "", "", true, "/tmp/real.txt named\n", 200},
		{"not found", module.Args{"url": "/none", "dest": "/tmp/f"}, "", "Request failed", false, "", 404},
		{"cut off", module.Args{"url": "/slow", "dest": "/tmp/f", "timeout": int64(1)}, "", "downloading", false, "", 200},
		{"password", module.Args{"url": "/private", "dest": "/tmp/f", "username": "u", "password": "geheim"}, "", "", true, "/tmp/f ", 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.args["url"] = srv.URL + c.args["url"].(string)
			n := nodetest.New(t)
			if c.before != "" {
				n.Put("/tmp/f", c.before)
			}
			res := do(t, n, "get_url", c.args)
			if res.Failed != (c.fail != "") || !strings.Contains(res.Msg, c.fail) || res.Changed != c.changed {
				t.Errorf("failed=%v changed=%v %q", res.Failed, res.Changed, res.Msg)
			}
			if fmt.Sprint(res.Return["status_code"]) != fmt.Sprint(c.status) {
				t.Errorf("status %v, want %v", res.Return["status_code"], c.status)
			}
			name, content, _ := strings.Cut(c.file, " ")
			if b, err := n.ReadFile(name); name != "" && (err != nil || string(b) != content) {
				t.Errorf("%s holds %q, %v", name, b, err)
			}
			if names, _ := os.ReadDir(n.Root + "/tmp"); name == "" && len(names) > 0 {
				t.Errorf("left behind: %v", names)
			}
			if strings.Contains(fmt.Sprint(res), "geheim") {
				t.Error("the password is in the result")
			}
		})
	}
}

func TestGetURLCheckWithoutServer(t *testing.T) {
	n := nodetest.New(t)
	o := node.NewOverlay(n)
	res := do(t, o, "get_url", module.Args{"url": "http://127.0.0.1:1/f", "dest": "/tmp/f"})
	if res.Failed || !res.Changed || res.Return["unknown"] != true {
		t.Errorf("%+v", res)
	}
	if _, err := o.Stat("/tmp/f"); err != nil {
		t.Error("later tasks of the check do not see the file")
	}
	if res := do(t, n, "get_url", module.Args{"url": "http://127.0.0.1:1/f", "dest": "/tmp/f"}); !res.Failed {
		t.Error("a run without server succeeds")
	}
}

func TestProxyBypass(t *testing.T) {
	for _, c := range []struct {
		host, list string
		want       bool
	}{
		{"nexus.example.org", "", false}, {"nexus.example.org", "example.org", true}, {"nexus.example.org", ".example.org", true},
		{"nexus.example.org", "ample.org", false}, {"10.1.2.3", "10.0.0.0/8", true}, {"11.1.2.3", "10.0.0.0/8, other", false},
		{"x", "*", true}, {"localhost", "", true}, {"127.0.0.1", "", true},
	} {
		if got := bypassProxy(c.host, c.list); got != c.want {
			t.Errorf("%s with %q: %v", c.host, c.list, got)
		}
	}
	n := nodetest.New(t)
	n.Env["https_proxy"] = "proxy:3128"
	srv := httptest.NewRequest("GET", "https://example.org/x", nil)
	u, err := proxyFor(n, srv.URL)
	if err != nil || u.String() != "http://proxy:3128" {
		t.Errorf("%v %v", u, err)
	}
}
