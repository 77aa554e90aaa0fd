package modules

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "ansible.builtin.get_url",
		New:  func() any { return newGetURL() },
	})
}

// getURL downloads a file.
type getURL struct {
	httpOptions
	FileArgs
	Dest      string `arg:"dest,required"`
	Checksum  string `arg:"checksum"`
	Force     bool   `arg:"force" alias:"thirsty"`
	Backup    bool   `arg:"backup"`
	TmpDest   string `arg:"tmp_dest"`
	User      string `arg:"url_username" alias:"username"`
	Password  string `arg:"url_password" alias:"password" secret:"true"`
	UseGSSAPI bool   `arg:"use_gssapi"`
}

func newGetURL() *getURL { return &getURL{httpOptions: httpDefaults(10)} }

// Validate looks at the checksum's form.
func (m *getURL) Validate() error {
	if m.UseGSSAPI {
		return fault.New("use_gssapi is not supported").WithHint("give url_username and url_password")
	}
	if m.Checksum == "" {
		return nil
	}
	algo, sum, ok := strings.Cut(m.Checksum, ":")
	switch {
	case !ok:
		return fault.New("The checksum parameter has to be in format <algorithm>:<checksum>").WithHint("such as sha256:0123...")
	case sum == "":
		return fault.New("The checksum format is invalid").WithHint("such as sha256:0123...")
	}
	if newHash(algo) == nil {
		return fault.New("checksum: unsupported algorithm %q", algo).WithHint("md5, sha1, sha224, sha256, sha384 and sha512 are known")
	}
	return nil
}

// fetch is one download while it is planned and made.
type fetch struct {
	m    *getURL
	algo string
	want string // the sum in lower case, "" when none is asked for
	dest string
	old  *node.Info // what is at dest
	sha1 string     // of what is at dest
	ret  map[string]any
	kept []byte // the body, when it was small enough to keep
	size int64  // what the server announced last, -1 when it did not say
}

// fetchInCheck is the largest file that check mode downloads; of a larger one
// only the server's word is asked for.
const fetchInCheck = 1 << 20

// Check finds out whether the file at dest is the one the server has. It sends
// the request that decides, and keeps a small answer for the run.
func (m *getURL) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	f := &fetch{m: m, ret: map[string]any{"url": hidePassword(m.URL), "elapsed": int64(0)}}
	p := module.Plan{Return: f.ret}
	start := time.Now()
	err := f.plan(ctx, n, &p)
	f.ret["elapsed"] = int64(time.Since(start) / time.Second)
	f.ret["dest"] = f.dest
	return p, err
}

func (f *fetch) plan(ctx context.Context, n node.Reader, p *module.Plan) error {
	m := f.m
	f.dest = m.Dest
	toDir := strings.HasSuffix(m.Dest, "/")
	if info, err := n.Stat(m.Dest); err == nil && info.IsDir() {
		toDir = true
	}
	if toDir {
		f.dest = path.Join(m.Dest, fileOfURL(m.URL))
	}
	var err error
	if f.old, err = statOrNil(n, f.dest); err != nil {
		return err
	}
	if err := f.wanted(ctx, n); err != nil {
		return err
	}
	mismatch := false
	if f.old != nil && f.want != "" && !m.Force {
		have, err := hashOf(n, f.dest, f.algo)
		if err != nil {
			return err
		}
		if have == f.want {
			f.ret["msg"], f.ret["checksum_dest"], f.ret["checksum_src"] = "file already exists", nil, nil
			return f.onlyAttributes(n, p)
		}
		mismatch = true
	}
	if f.old == nil && !toDir || f.old != nil && mismatch || n.IsCheck() && f.old == nil {
		return f.download(n, p)
	}
	return f.compare(ctx, n, p, !toDir && !m.Force && !mismatch)
}

// onlyAttributes leaves the content alone.
func (f *fetch) onlyAttributes(n node.Reader, p *module.Plan) error {
	var err error
	p.Changes, err = f.m.changes(n, f.dest, *f.old)
	p.After = afterPathInfo(f.dest)
	return err
}

// keepAnswer is the largest answer that Check keeps for the run, so that it is
// not asked for twice.
const keepAnswer = 32 << 20

// compare asks the server, and compares its answer with what is there.
func (f *fetch) compare(ctx context.Context, n node.Reader, p *module.Plan, ifModified bool) error {
	since := time.Time{}
	if ifModified {
		since = f.old.MTime
	}
	body, err := f.open(ctx, n, since)
	if errors.Is(err, errNotModified) {
		f.ret["msg"], f.ret["status_code"] = "HTTP Error 304: Not Modified", http.StatusNotModified
		return f.onlyAttributes(n, p)
	}
	if err != nil {
		return err
	}
	defer body.Close()
	if f.old == nil {
		if f.old, err = statOrNil(n, f.dest); err != nil { // the server may have named the file
			return err
		}
	}
	if f.old == nil {
		return f.download(n, p)
	}
	sums := newSums(f.algo)
	keep := &keeper{limit: keepAnswer}
	size, err := io.Copy(io.MultiWriter(sums, keep), body)
	if err != nil {
		return &module.Failure{Msg: "Request failed: " + requestProblem(err)}
	}
	if err := f.verify(sums); err != nil {
		return err
	}
	if f.sha1, err = hashOf(n, f.dest, "sha1"); err != nil {
		return err
	}
	if f.sha1 == sums.sum("sha1") {
		f.report(sums, size)
		return f.onlyAttributes(n, p)
	}
	if !keep.over {
		f.kept = keep.data
	}
	return f.download(n, p)
}

// download plans the change that puts the file in place.
func (f *fetch) download(n node.Reader, p *module.Plan) error {
	info := f.old
	dir, err := n.Stat(path.Dir(f.dest))
	switch {
	case err != nil:
		return &module.Failure{Msg: "Destination " + path.Dir(f.dest) + " does not exist", Hint: "create it with file: state=directory first"}
	case !dir.IsDir():
		return &module.Failure{Msg: "Destination " + path.Dir(f.dest) + " is not a directory"}
	case info == nil:
		fresh := newFile(n, f.dest)
		info = &fresh
	default:
		if f.sha1 == "" {
			if f.sha1, err = hashOf(n, f.dest, "sha1"); err != nil {
				return err
			}
		}
		if f.m.Backup {
			name, step := keepCopy(n, f.dest)
			p.Changes = append(p.Changes, step)
			f.ret["backup_file"] = name
		}
	}
	w, err := f.m.wish(n, *info)
	if err != nil {
		return err
	}
	p.Changes = append(p.Changes, module.Change{
		What: fmt.Sprintf("download %s to %s", hidePassword(f.m.URL), f.dest),
		Apply: func(ctx context.Context, nw node.Writer) error {
			return f.put(ctx, nw, f.m.writeOptions(w))
		},
	})
	p.After = afterPathInfo(f.dest)
	return nil
}

// put streams the download into place: the sums are complete, and compared,
// before the writer renames its temporary file.
func (f *fetch) put(ctx context.Context, w node.Writer, o node.WriteOptions) error {
	f.ret["checksum_dest"] = nil
	if f.sha1 != "" {
		f.ret["checksum_dest"] = f.sha1
	}
	var body io.ReadCloser = io.NopCloser(strings.NewReader(string(f.kept)))
	if f.kept == nil {
		var err error
		if body, err = f.open(ctx, w, time.Time{}); err != nil {
			var failure *module.Failure
			if w.IsCheck() && errors.As(err, &failure) && f.ret["status_code"] == nil {
				// The server may be what an earlier task would bring up.
				f.ret["msg"], f.ret["unknown"] = failure.Msg, true
				return w.WriteFile(ctx, f.dest, node.UnknownContent, o)
			}
			return err
		}
	}
	defer body.Close()
	if w.IsCheck() && f.kept == nil && (f.size < 0 || f.size > fetchInCheck) {
		return w.WriteFile(ctx, f.dest, node.UnknownContent, o)
	}
	sums := newSums(f.algo)
	checked := &verifyingReader{r: io.TeeReader(body, sums), verify: func() error { return f.verify(sums) }}
	if err := w.WriteFile(ctx, f.dest, checked, o); err != nil {
		var failure *module.Failure
		if errors.As(err, &failure) {
			return failure
		}
		return fmt.Errorf("downloading %s: %w", hidePassword(f.m.URL), err)
	}
	f.report(sums, checked.size)
	return nil
}

func (f *fetch) report(sums *sums, size int64) {
	f.ret["checksum_src"], f.ret["md5sum"] = sums.sum("sha1"), sums.sum("md5")
	if f.ret["checksum_dest"] == nil && f.sha1 != "" {
		f.ret["checksum_dest"] = f.sha1
	}
	f.ret["msg"] = fmt.Sprintf("OK (%d bytes)", size)
}

func (f *fetch) verify(s *sums) error {
	if f.want == "" {
		return nil
	}
	if got := s.sum(f.algo); got != f.want {
		return &module.Failure{Msg: fmt.Sprintf("The checksum for %s did not match %s; it was %s.", f.dest, f.want, got)}
	}
	return nil
}

// verifyingReader turns the end of its input into an error when verify says so.
type verifyingReader struct {
	r      io.Reader
	verify func() error
	size   int64
}

func (v *verifyingReader) Read(p []byte) (int, error) {
	n, err := v.r.Read(p)
	v.size += int64(n)
	if err == io.EOF {
		if bad := v.verify(); bad != nil {
			return n, bad
		}
	}
	return n, err
}

// errNotModified is the server's answer to If-Modified-Since: nothing new.
var errNotModified = errors.New("not modified")

// open asks for the file. since, if set, asks only for something newer.
func (f *fetch) open(ctx context.Context, n node.Reader, since time.Time) (io.ReadCloser, error) {
	m := f.m
	if file, ok := strings.CutPrefix(m.URL, "file://"); ok {
		f.ret["status_code"] = nil
		if p, err := url.PathUnescape(file); err == nil {
			file = p
		}
		r, err := n.Open(file)
		if info, statErr := n.Stat(file); statErr == nil {
			f.size = info.Size
		}
		if err != nil {
			return nil, &module.Failure{Msg: "Request failed: <urlopen error " + err.Error() + ">"}
		}
		return r, nil
	}
	req := httpRequest{Method: http.MethodGet, URL: m.URL, Header: m.header(), User: m.User, Password: m.Password, Follow: "urllib2"}
	if m.Force {
		req.Header.Set("Cache-Control", "no-cache")
	}
	if !since.IsZero() {
		req.Header.Set("If-Modified-Since", since.UTC().Format(http.TimeFormat))
	}
	resp, err := m.do(ctx, n, req)
	if err != nil {
		return nil, &module.Failure{Msg: "Request failed: " + requestProblem(err), Return: map[string]any{"dest": f.dest}}
	}
	f.ret["status_code"] = resp.StatusCode
	if resp.StatusCode == http.StatusNotModified {
		resp.Body.Close()
		return nil, errNotModified
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		reason := strings.TrimSpace(strings.TrimPrefix(resp.Status, fmt.Sprint(resp.StatusCode)))
		return nil, &module.Failure{Msg: "Request failed", Return: map[string]any{
			"response": fmt.Sprintf("HTTP Error %d: %s", resp.StatusCode, reason), "dest": f.dest,
		}}
	}
	f.size = resp.ContentLength
	f.rename(n, resp)
	return resp.Body, nil
}

// rename follows the name a server gives the file, when dest is a directory.
func (f *fetch) rename(n node.Reader, resp *http.Response) {
	if info, err := n.Stat(f.m.Dest); err != nil || !info.IsDir() {
		return
	}
	_, params, err := mime.ParseMediaType(resp.Header.Get("Content-Disposition"))
	if name := path.Base(params["filename"]); err == nil && name != "." && name != "/" {
		f.dest = path.Join(f.m.Dest, name)
		f.ret["dest"] = f.dest
	}
}

// fileOfURL is the last part of a URL's path.
func fileOfURL(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "index.html"
	}
	if name := path.Base(u.Path); name != "." && name != "/" {
		return name
	}
	return "index.html"
}
