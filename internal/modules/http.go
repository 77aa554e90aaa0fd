package modules

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"mageprov/internal/node"
)

// httpOptions are the arguments that get_url and uri share.
type httpOptions struct {
	URL                 string         `arg:"url,required"`
	Headers             map[string]any `arg:"headers"`
	Timeout             int            `arg:"timeout"`
	ValidateCerts       bool           `arg:"validate_certs"`
	ClientCert          string         `arg:"client_cert"`
	ClientKey           string         `arg:"client_key"`
	ForceBasicAuth      bool           `arg:"force_basic_auth"`
	UseProxy            bool           `arg:"use_proxy"`
	HTTPAgent           string         `arg:"http_agent"`
	UnredirectedHeaders []string       `arg:"unredirected_headers"`
	Decompress          bool           `arg:"decompress"`
	UseNetrc            bool           `arg:"use_netrc"`
	Ciphers             []string       `arg:"ciphers"`
}

func httpDefaults(timeout int) httpOptions {
	return httpOptions{Timeout: timeout, ValidateCerts: true, UseProxy: true, HTTPAgent: "ansible-httpget", Decompress: true, UseNetrc: true}
}

// httpRequest is one request of a module.
type httpRequest struct {
	Method, URL    string
	Header         http.Header
	Body           []byte
	User, Password string
	Follow         string // "none", "safe", "all", "urllib2" and the older yes and no
	Socket         string // path of a unix socket
	CAPath         string
}

// do sends a request. The timeout counts for each wait, not for the whole: a
// large file may take as long as it keeps coming. The caller closes the body.
func (o *httpOptions) do(ctx context.Context, n node.Reader, r httpRequest) (*http.Response, error) {
	client, err := o.client(n, r)
	if err != nil {
		return nil, err
	}
	send := func(auth bool) (*http.Response, error) {
		ctx, cancel := context.WithCancel(ctx)
		req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, strings.NewReader(string(r.Body)))
		if err != nil {
			cancel()
			return nil, err
		}
		if len(r.Body) == 0 {
			req.Body, req.ContentLength = nil, 0
		}
		req.Header = r.Header.Clone()
		if h := r.Header.Get("Host"); h != "" {
			req.Host = h
		}
		if auth {
			req.SetBasicAuth(r.User, r.Password)
		}
		resp, err := client.Do(req)
		if err != nil {
			cancel()
			return nil, err
		}
		resp.Body = newIdleReader(resp.Body, time.Duration(o.Timeout)*time.Second, cancel)
		if o.Decompress && resp.Header.Get("Content-Encoding") == "gzip" {
			return resp, unzipBody(resp)
		}
		return resp, nil
	}
	resp, err := send(o.ForceBasicAuth && r.User != "")
	// As urllib does, a password is only sent to a server that asks for it.
	if err == nil && resp.StatusCode == http.StatusUnauthorized && r.User != "" && !o.ForceBasicAuth &&
		strings.HasPrefix(strings.ToLower(resp.Header.Get("WWW-Authenticate")), "basic") {
		resp.Body.Close()
		return send(true)
	}
	return resp, err
}

// unzipBody undoes Content-Encoding: gzip. Compression is never asked for, so
// that the file one fetches is the file the server has.
func unzipBody(resp *http.Response) error {
	zr, err := gzip.NewReader(resp.Body)
	if errors.Is(err, io.EOF) { // an empty body
		return nil
	}
	if err != nil {
		resp.Body.Close()
		return fmt.Errorf("decompressing the answer: %w", err)
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{zr, resp.Body}
	resp.ContentLength = -1
	return nil
}

func (o *httpOptions) client(n node.Reader, r httpRequest) (*http.Client, error) {
	conf, err := o.tlsConfig(n, r.CAPath)
	if err != nil {
		return nil, err
	}
	timeout := time.Duration(o.Timeout) * time.Second
	dialer := &net.Dialer{Timeout: timeout}
	tr := &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: conf, TLSHandshakeTimeout: timeout,
		ResponseHeaderTimeout: timeout, DisableKeepAlives: true, DisableCompression: true,
	}
	if r.Socket != "" {
		tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", r.Socket)
		}
	} else if o.UseProxy {
		tr.Proxy = func(req *http.Request) (*url.URL, error) { return proxyFor(n, req.URL) }
	}
	return &http.Client{Transport: tr, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		for _, h := range o.UnredirectedHeaders {
			req.Header.Del(h)
		}
		method := via[0].Method
		safe := method == http.MethodGet || method == http.MethodHead
		switch r.Follow {
		case "none", "no", "False":
			return http.ErrUseLastResponse
		case "safe", "":
			if !safe {
				return http.ErrUseLastResponse
			}
		}
		if len(via) >= 10 {
			return errors.New("stopped after 10 redirects")
		}
		return nil
	}}, nil
}

func (o *httpOptions) tlsConfig(n node.Reader, caPath string) (*tls.Config, error) {
	conf := &tls.Config{InsecureSkipVerify: !o.ValidateCerts}
	if caPath != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		pem, err := n.ReadFile(caPath)
		if err != nil {
			return nil, fmt.Errorf("reading ca_path: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("no certificate in %s", caPath)
		}
		conf.RootCAs = pool
	}
	if o.ClientCert != "" {
		cert, err := n.ReadFile(o.ClientCert)
		if err != nil {
			return nil, fmt.Errorf("reading client_cert: %w", err)
		}
		key := cert
		if o.ClientKey != "" {
			if key, err = n.ReadFile(o.ClientKey); err != nil {
				return nil, fmt.Errorf("reading client_key: %w", err)
			}
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("reading client_cert: %w", err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	for _, name := range o.Ciphers {
		for _, s := range tls.CipherSuites() {
			if s.Name == name {
				conf.CipherSuites = append(conf.CipherSuites, s.ID)
			}
		}
	}
	return conf, nil
}

// header gives the request's headers: the agent, then what the user wrote.
func (o *httpOptions) header() http.Header {
	h := http.Header{"User-Agent": {o.HTTPAgent}}
	for k, v := range o.Headers {
		h.Set(k, fmt.Sprint(v))
	}
	return h
}

// proxyFor reads the proxy variables of the task's environment, which the
// worker's own process does not have.
func proxyFor(n node.Reader, u *url.URL) (*url.URL, error) {
	get := func(name string) string {
		if v := n.Getenv(name); v != "" {
			return v
		}
		return n.Getenv(strings.ToUpper(name))
	}
	proxy := get(u.Scheme + "_proxy")
	if proxy == "" || bypassProxy(u.Hostname(), get("no_proxy")) {
		return nil, nil
	}
	if !strings.Contains(proxy, "://") {
		proxy = "http://" + proxy
	}
	return url.Parse(proxy)
}

func bypassProxy(host, list string) bool {
	ip, ipErr := netip.ParseAddr(host)
	for _, p := range strings.Split(list, ",") {
		p = strings.ToLower(strings.TrimSpace(p))
		switch {
		case p == "":
			continue
		case p == "*", strings.EqualFold(host, strings.TrimPrefix(p, ".")), strings.HasSuffix(strings.ToLower(host), "."+strings.TrimPrefix(p, ".")):
			return true
		}
		if net, err := netip.ParsePrefix(p); err == nil && ipErr == nil && net.Contains(ip) {
			return true
		}
	}
	return host == "localhost" || ipErr == nil && ip.IsLoopback()
}

// idleReader ends a transfer that stands still.
type idleReader struct {
	io.ReadCloser
	limit  time.Duration
	timer  *time.Timer
	cancel context.CancelFunc
}

func newIdleReader(rc io.ReadCloser, limit time.Duration, cancel context.CancelFunc) *idleReader {
	return &idleReader{ReadCloser: rc, limit: limit, timer: time.AfterFunc(limit, cancel), cancel: cancel}
}

func (r *idleReader) Read(p []byte) (int, error) {
	r.timer.Reset(r.limit)
	return r.ReadCloser.Read(p)
}

func (r *idleReader) Close() error {
	r.timer.Stop()
	defer r.cancel()
	return r.ReadCloser.Close()
}

// requestProblem gives the reason of a failed request in Python's words where
// it has them, without the URL, which may hold a password.
func requestProblem(err error) string {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	var errno syscall.Errno
	var dns *net.DNSError
	switch {
	case errors.As(err, &errno):
		text := errno.Error()
		return fmt.Sprintf("<urlopen error [Errno %d] %s>", int(errno), strings.ToUpper(text[:1])+text[1:])
	case errors.As(err, &dns):
		return "<urlopen error [Errno -2] Name or service not known>"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.Canceled), isTimeout(err):
		return "The read operation timed out"
	}
	return "<urlopen error " + err.Error() + ">"
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// hidePassword removes user and password from a URL that is shown.
func hidePassword(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.User == nil {
		return s
	}
	u.User = nil
	return u.String()
}

// maxAnswer is the largest body that is read into memory.
const maxAnswer = 64 << 20
