package modules

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name:   "ansible.builtin.uri",
		New:    func() any { return newURI() },
		Action: uploadURISource,
	})
}

// uri sends one request to a web service.
type uri struct {
	httpOptions
	FileArgs
	Method          string `arg:"method"`
	Body            any    `arg:"body"`
	BodyFormat      string `arg:"body_format" choices:"raw,json,form-urlencoded,form-multipart"`
	StatusCode      []int  `arg:"status_code"`
	ReturnContent   bool   `arg:"return_content"`
	FollowRedirects string `arg:"follow_redirects"`
	User            string `arg:"url_username" alias:"user"`
	Password        string `arg:"url_password" alias:"password" secret:"true"`
	Creates         string `arg:"creates"`
	Removes         string `arg:"removes"`
	Dest            string `arg:"dest"`
	Src             string `arg:"src"`
	RemoteSrc       bool   `arg:"remote_src"`
	Force           bool   `arg:"force" alias:"thirsty"`
	CAPath          string `arg:"ca_path"`
	UnixSocket      string `arg:"unix_socket"`
	UseGSSAPI       bool   `arg:"use_gssapi"`
}

func newURI() *uri {
	return &uri{httpOptions: httpDefaults(30), Method: "GET", BodyFormat: "raw", StatusCode: []int{200}, FollowRedirects: "safe"}
}

// Validate refuses body together with src.
func (m *uri) Validate() error {
	switch {
	case m.Body != nil && m.Src != "":
		return fault.New("only one of body and src can be given")
	case m.UseGSSAPI:
		return fault.New("use_gssapi is not supported").WithHint("give url_username and url_password")
	}
	switch m.FollowRedirects {
	case "all", "safe", "none", "urllib2", "no", "yes", "True", "False":
		return nil
	}
	return fault.New("argument follow_redirects: %q is not one of: all, none, safe, urllib2, yes, no", m.FollowRedirects)
}

// Check plans the request. It is never a change by itself: only what it writes is.
func (m *uri) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	for _, c := range []struct{ file, why string }{{m.Creates, "exists"}, {m.Removes, "does not exist"}} {
		if c.file == "" || globExists(n, "", expandWord(n, c.file)) != (c.why == "exists") {
			continue
		}
		msg := fmt.Sprintf("skipped, since '%s' %s", c.file, c.why)
		return module.Plan{Return: map[string]any{"stdout": msg, "stdout_lines": []any{msg}}}, nil
	}
	ret := map[string]any{}
	p := module.Plan{Return: ret}
	if n.IsCheck() {
		p.Skipped = "check mode sends no requests"
		ret["unknown"] = true
		return p, nil
	}
	req, err := m.request(n)
	if err != nil {
		return p, err
	}
	start := n.Now()
	resp, err := m.do(ctx, n, req)
	ret["elapsed"] = int64(n.Now().Sub(start) / time.Second)
	if err != nil {
		ret["status"], ret["url"], ret["redirected"] = -1, hidePassword(m.URL), false
		return p, &module.Failure{Msg: fmt.Sprintf("Status code was -1 and not %s: Request failed: %s", pyInts(m.StatusCode), requestProblem(err))}
	}
	defer resp.Body.Close()
	return m.answer(n, resp, p)
}

func (m *uri) request(n node.Reader) (httpRequest, error) {
	r := httpRequest{
		Method: strings.ToUpper(m.Method), URL: m.URL, Header: m.header(), User: m.User, Password: m.Password,
		Follow: m.FollowRedirects, Socket: m.UnixSocket, CAPath: m.CAPath,
	}
	if m.FollowRedirects == "yes" || m.FollowRedirects == "True" {
		r.Follow = "all"
	}
	if m.Force {
		r.Header.Set("Cache-Control", "no-cache")
	}
	var contentType string
	var err error
	if m.Src != "" {
		if r.Body, err = n.ReadFile(m.Src); err != nil {
			return r, fmt.Errorf("reading src: %w", err)
		}
	} else if r.Body, contentType, err = m.encodeBody(n); err != nil {
		return r, err
	}
	if len(r.Body) > 0 && r.Header.Get("Content-Type") == "" {
		if contentType == "" {
			contentType = "application/x-www-form-urlencoded" // what urllib sends
		}
		r.Header.Set("Content-Type", contentType)
	}
	return r, nil
}

// answer makes the return values, and the change that writes dest.
func (m *uri) answer(n node.Reader, resp *http.Response, p module.Plan) (module.Plan, error) {
	ret := p.Return
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return p, fmt.Errorf("reading the answer of %s: %w", hidePassword(m.URL), err)
	}
	for name, vals := range resp.Header {
		key := strings.ToLower(strings.ReplaceAll(name, "-", "_"))
		ret[key] = strings.Join(vals, ", ")
	}
	if cs := resp.Cookies(); len(cs) > 0 {
		cookies, text := map[string]any{}, []string{}
		for _, c := range cs {
			cookies[c.Name] = c.Value
			text = append(text, c.Name+"="+c.Value)
		}
		ret["cookies"], ret["cookies_string"] = cookies, strings.Join(text, "; ")
	} else if resp.StatusCode < 300 {
		ret["cookies"], ret["cookies_string"] = map[string]any{}, ""
	}
	if ret["content_length"] == nil && resp.ContentLength >= 0 {
		ret["content_length"] = strconv.FormatInt(resp.ContentLength, 10)
	}
	final := resp.Request.URL.String()
	ret["status"], ret["url"], ret["redirected"] = resp.StatusCode, hidePassword(final), final != m.URL && !sameURL(final, m.URL)
	reason := strings.TrimSpace(strings.TrimPrefix(resp.Status, strconv.Itoa(resp.StatusCode)))
	if resp.StatusCode >= 300 {
		ret["msg"] = fmt.Sprintf("HTTP Error %d: %s", resp.StatusCode, reason)
	} else {
		ret["msg"] = fmt.Sprintf("OK (%v bytes)", orElse(ret["content_length"], "unknown"))
	}
	text := cleanText(body)
	if m.ReturnContent {
		ret["content"] = text
	}
	if isJSONType(resp.Header.Get("Content-Type")) {
		if v, err := decodeJSON(body); err == nil {
			ret["json"] = v
		}
	}
	if !m.accepts(resp.StatusCode) {
		if resp.StatusCode >= 400 && m.ReturnContent {
			ret["content"] = text
		}
		msg := fmt.Sprintf("Status code was %d and not %s: %v", resp.StatusCode, pyInts(m.StatusCode), ret["msg"])
		return p, &module.Failure{Msg: msg, Return: map[string]any{"msg": msg}}
	}
	if resp.StatusCode >= 300 && !m.ReturnContent { // an error that is wanted: Ansible names its text so
		ret["body"] = text
	}
	if m.Dest == "" {
		return p, nil
	}
	return m.save(n, p, body)
}

// save plans to write the body to dest, where it differs from what is there.
func (m *uri) save(n node.Reader, p module.Plan, body []byte) (module.Plan, error) {
	dest := m.Dest
	if info, err := n.Stat(dest); err == nil && info.IsDir() {
		name := path.Base(m.URL)
		if u, err := url.Parse(m.URL); err == nil {
			name = path.Base(u.Path)
		}
		if name == "/" || name == "." {
			name = "index.html"
		}
		dest = path.Join(dest, name)
	}
	p.Return["path"] = dest
	return planBody(n, p, dest, body, m.FileArgs)
}

func (m *uri) accepts(code int) bool {
	for _, c := range m.StatusCode {
		if c == code {
			return true
		}
	}
	return false
}

func sameURL(a, b string) bool { return strings.TrimSuffix(a, "/") == strings.TrimSuffix(b, "/") }

func isJSONType(ct string) bool {
	ct, _, _ = strings.Cut(strings.ToLower(ct), ";")
	ct = strings.TrimSpace(ct)
	return strings.HasSuffix(ct, "/json") || strings.HasSuffix(ct, "+json") || ct == "application/javascript" || ct == "text/javascript"
}

// pyInts writes numbers as Python prints a list of them.
func pyInts(ns []int) string {
	b, _ := json.Marshal(ns)
	return strings.ReplaceAll(string(b), ",", ", ")
}

// planBody plans to write a body that is at hand.
func planBody(n node.Reader, p module.Plan, dest string, body []byte, a FileArgs) (module.Plan, error) {
	info, err := statOrNil(n, dest)
	if err != nil {
		return p, err
	}
	if info == nil {
		fresh := newFile(n, dest)
		info = &fresh
	} else if have, err := n.ReadFile(dest); err == nil && bytes.Equal(have, body) {
		p.Changes, err = a.changes(n, dest, *info)
		p.After = afterPathInfo(dest)
		return p, err
	}
	w, err := a.wish(n, *info)
	if err != nil {
		return p, err
	}
	p.Changes = []module.Change{{What: "write the answer to " + dest, Apply: func(ctx context.Context, nw node.Writer) error {
		return nw.WriteFile(ctx, dest, bytes.NewReader(body), a.writeOptions(w))
	}}}
	p.After = afterPathInfo(dest)
	return p, nil
}

func afterPathInfo(path string) func(context.Context, node.Reader, map[string]any) error {
	return func(_ context.Context, n node.Reader, ret map[string]any) error {
		addPathInfo(n, path, ret)
		return nil
	}
}
