package connection

import (
	"bytes"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/kevinburke/ssh_config"

	"mageprov/internal/fault"
)

// endpoint is one SSH server to log in to: the target or a hop on the way,
// with what ssh_config adds.
type endpoint struct {
	alias        string // the name as given: what ssh_config and known_hosts go by
	host         string // to connect to
	port         int
	user         string
	jumps        []string // hops before it, nearest to us first
	proxyCommand string
	keyFiles     []string // to offer first
	certFiles    []string
	defaultKeys  bool // no key was named: the usual ones
	agent        string
	agentOnly    bool // IdentitiesOnly: of the agent's keys only those named
	knownHosts   []string
	systemHosts  []string
	hostKeyName  string // HostKeyAlias
	policy       HostKeyPolicy
	timeout      time.Duration
}

// address is host:port as known_hosts and messages have it.
func (e *endpoint) address() string { return e.host + ":" + strconv.Itoa(e.port) }

// settings answers from the user's and the system's ssh_config, first value wins.
type settings struct {
	files []*ssh_config.Config
	home  string
}

func loadSettings(path string) (*settings, error) {
	s := &settings{home: os.Getenv("HOME")}
	if u, err := user.Current(); err == nil && s.home == "" {
		s.home = u.HomeDir
	}
	paths, must := []string{filepath.Join(s.home, ".ssh/config"), "/etc/ssh/ssh_config"}, false
	switch path {
	case "":
	case "none":
		return s, nil
	default:
		paths, must = []string{path}, true
	}
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			if must || !os.IsNotExist(err) {
				return nil, fault.Wrap(err, "reading the ssh configuration")
			}
			continue
		}
		c, err := ssh_config.DecodeBytes(text)
		if err != nil {
			return nil, &fault.Error{Place: fault.Place{File: p}, Msg: "cannot be understood", Err: err,
				Hint: "Match exec and other live criteria are not supported; --ssh-config names another file, none uses no file", Code: fault.ExitError}
		}
		s.files = append(s.files, c)
	}
	return s, nil
}

func (s *settings) get(alias, key string) string {
	for _, c := range s.files {
		if v, err := c.Get(alias, key); err == nil && v != "" {
			return strings.Trim(v, `"`)
		}
	}
	return ""
}

func (s *settings) all(alias, key string) []string {
	var out []string
	for _, c := range s.files {
		vs, _ := c.GetAll(alias, key)
		for _, v := range vs {
			out = append(out, strings.Trim(v, `"`))
		}
	}
	return out
}

// expand replaces ~ and the percent tokens that ssh_config allows.
func (s *settings) expand(v string, e *endpoint) string {
	if v == "~" || strings.HasPrefix(v, "~/") {
		v = s.home + v[1:]
	}
	if !strings.Contains(v, "%") {
		return v
	}
	local, localHost := "", ""
	if u, err := user.Current(); err == nil {
		local = u.Username
	}
	localHost, _ = os.Hostname()
	var b bytes.Buffer
	for i := 0; i < len(v); i++ {
		if v[i] != '%' || i+1 == len(v) {
			b.WriteByte(v[i])
			continue
		}
		i++
		switch v[i] {
		case '%':
			b.WriteByte('%')
		case 'h':
			b.WriteString(e.host)
		case 'n':
			b.WriteString(e.alias)
		case 'p':
			b.WriteString(strconv.Itoa(e.port))
		case 'r':
			b.WriteString(e.user)
		case 'u':
			b.WriteString(local)
		case 'd':
			b.WriteString(s.home)
		case 'l', 'L':
			b.WriteString(localHost)
		default:
			b.WriteByte('%')
			b.WriteByte(v[i])
		}
	}
	return b.String()
}

// resolve merges what the inventory says with ssh_config; the inventory wins.
func (s *settings) resolve(t Target, alias, usr string, port int) (*endpoint, error) {
	e := &endpoint{alias: alias, host: alias, port: port, user: usr, timeout: t.Timeout, policy: t.HostKey}
	if v := s.get(alias, "HostName"); v != "" {
		e.host = s.expand(v, e)
	}
	if e.port == 0 {
		e.port = 22
		if v := s.get(alias, "Port"); v != "" {
			p, err := strconv.Atoi(v)
			if err != nil || p < 1 || p > 65535 {
				return nil, fault.New("ssh configuration of %s: port %q", alias, v)
			}
			e.port = p
		}
	}
	if e.user == "" {
		e.user = s.get(alias, "User")
	}
	if e.user == "" {
		u, err := user.Current()
		if err != nil {
			return nil, fault.Wrap(err, "finding the local user's name")
		}
		e.user = u.Username
	}
	s.resolveKeys(t, e)
	s.resolveHostKeys(t, e)
	if v := s.get(alias, "ProxyJump"); v != "" && v != "none" {
		e.jumps = strings.Split(v, ",")
	} else if v := s.get(alias, "ProxyCommand"); v != "" && v != "none" {
		e.proxyCommand = s.expand(v, e)
	}
	if e.timeout == 0 {
		e.timeout = 10 * time.Second
		if n, err := strconv.Atoi(s.get(alias, "ConnectTimeout")); err == nil && n > 0 {
			e.timeout = time.Duration(n) * time.Second
		}
	}
	return e, nil
}

func (s *settings) resolveKeys(t Target, e *endpoint) {
	for _, f := range append(append([]string(nil), t.KeyFiles...), s.all(e.alias, "IdentityFile")...) {
		if f = s.expand(f, e); f != "none" && f != "" {
			e.keyFiles = append(e.keyFiles, f)
		}
	}
	for _, f := range s.all(e.alias, "CertificateFile") {
		e.certFiles = append(e.certFiles, s.expand(f, e))
	}
	if len(e.keyFiles) == 0 {
		e.defaultKeys = true
		for _, n := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
			e.keyFiles = append(e.keyFiles, filepath.Join(s.home, ".ssh", n))
		}
	}
	e.agentOnly = strings.EqualFold(s.get(e.alias, "IdentitiesOnly"), "yes")
	e.agent = os.Getenv("SSH_AUTH_SOCK")
	switch v := s.get(e.alias, "IdentityAgent"); {
	case v == "", v == "SSH_AUTH_SOCK":
	case v == "none":
		e.agent = ""
	case strings.HasPrefix(v, "$"):
		e.agent = os.Getenv(strings.Trim(v[1:], "{}"))
	default:
		e.agent = s.expand(v, e)
	}
}

func (s *settings) resolveHostKeys(t Target, e *endpoint) {
	e.hostKeyName = s.get(e.alias, "HostKeyAlias")
	files := strings.Fields(s.get(e.alias, "UserKnownHostsFile"))
	if len(files) == 0 {
		files = []string{"~/.ssh/known_hosts", "~/.ssh/known_hosts2"}
	}
	e.systemHosts = strings.Fields(s.get(e.alias, "GlobalKnownHostsFile"))
	if len(e.systemHosts) == 0 {
		e.systemHosts = []string{"/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"}
	}
	if len(t.KnownHosts) > 0 {
		files, e.systemHosts = t.KnownHosts, nil
	}
	for _, f := range files {
		if f != "none" {
			e.knownHosts = append(e.knownHosts, s.expand(f, e))
		}
	}
	if e.policy != "" {
		return
	}
	e.policy = HostKeyStrict
	switch strings.ToLower(s.get(e.alias, "StrictHostKeyChecking")) {
	case "accept-new", "no", "off": // a changed key is refused even with "no"
		e.policy = HostKeyAcceptNew
	case "ask", "":
		if t.Ask != nil {
			e.policy = HostKeyAsk
		}
	}
}

// parseHop reads [user@]host[:port] or an ssh:// address.
func parseHop(s string) (host, usr string, port int, err error) {
	host = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(s), "ssh://"), "/")
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		usr, host = host[:i], host[i+1:]
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 && (strings.HasSuffix(host[:i], "]") || strings.Count(host, ":") == 1) {
		if port, err = strconv.Atoi(host[i+1:]); err != nil || port < 1 || port > 65535 {
			return "", "", 0, fault.New("jump host %q: port %q", s, host[i+1:])
		}
		host = host[:i]
	}
	host = strings.Trim(host, "[]")
	if host == "" {
		return "", "", 0, fault.New("jump host %q has no name", s).WithHint("write [user@]host[:port], several with commas")
	}
	return host, usr, port, nil
}
