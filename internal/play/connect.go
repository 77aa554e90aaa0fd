package play

import (
	"context"
	"io"
	"os"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/charmbracelet/log"

	"mageprov/internal/connection"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/remote"
	"mageprov/internal/template"
)

// link is an open connection to one host.
type link struct {
	conn connection.Conn
	node *remote.Node
}

// links keeps one connection per host and way of reaching it.
type links struct {
	login Login
	mu    sync.Mutex
	open  map[linkKey]*pending
}

type linkKey struct {
	name, kind, host, user, jump, key string
	port                              int
}

// pending is a link that is being made: whoever comes second waits for the first.
type pending struct {
	ready chan struct{}
	link  *link
	err   error
}

func newLinks(l Login) *links {
	if l.Dial == nil {
		l.Dial = new(connection.Dialer).Dial
	}
	if l.Log == nil {
		l.Log = log.New(io.Discard)
	}
	return &links{login: l, open: map[linkKey]*pending{}}
}

// get gives the link to a target, connecting if there is none or it is lost.
func (ls *links) get(ctx context.Context, t connection.Target) (*link, error) {
	key := linkKey{t.Name, t.Kind, t.Host, t.User, t.ProxyJump, strings.Join(t.KeyFiles, ","), t.Port}
	ls.mu.Lock()
	p, ok := ls.open[key]
	if ok {
		select {
		case <-p.ready:
			if p.err != nil || isDone(p.link.conn.Done()) {
				ok = false
			}
		default:
		}
	}
	if !ok {
		p = &pending{ready: make(chan struct{})}
		ls.open[key] = p
		ls.mu.Unlock()
		p.link, p.err = ls.dial(ctx, t)
		close(p.ready)
		return p.link, p.err
	}
	ls.mu.Unlock()
	select {
	case <-p.ready:
		return p.link, p.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (ls *links) dial(ctx context.Context, t connection.Target) (*link, error) {
	l := ls.login.Log.With("host", t.Name)
	l.Debug("connecting", "by", t.Kind, "to", t.Host, "port", t.Port, "user", t.User)
	begin := time.Now()
	conn, err := ls.login.Dial(ctx, t)
	if err != nil {
		l.Debug("not connected", "after", time.Since(begin).Round(time.Millisecond), "error", err)
		return nil, unreachable(err)
	}
	l.Debug("connected", "after", time.Since(begin).Round(time.Millisecond))
	node, err := remote.Open(ctx, conn, remote.Options{Name: t.Name, Local: t.Kind == "local", Progress: func(done, total int64) {
		if done == total {
			l.Info("pushed the worker", "bytes", total)
		}
	}})
	if err != nil {
		conn.Close()
		return nil, unreachable(err)
	}
	return &link{conn: conn, node: node}, nil
}

// unreachable makes sure that a host we could not talk to counts as such.
func unreachable(err error) error {
	if fault.CodeOf(err) == fault.ExitError {
		return (&fault.Error{Err: err}).WithCode(fault.ExitUnreachable).WithHint("%s", fault.HintOf(err))
	}
	return err
}

func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// drop ends all links of a host.
func (ls *links) drop(name string) {
	ls.mu.Lock()
	var gone []*pending
	for k, p := range ls.open {
		if k.name == name {
			gone = append(gone, p)
			delete(ls.open, k)
		}
	}
	ls.mu.Unlock()
	for _, p := range gone {
		<-p.ready
		if p.err == nil {
			p.link.node.Close()
			p.link.conn.Close()
		}
	}
}

func (ls *links) close() {
	ls.mu.Lock()
	hosts := map[string]bool{}
	for k := range ls.open {
		hosts[k.name] = true
	}
	ls.mu.Unlock()
	var wg sync.WaitGroup
	for name := range hosts {
		wg.Go(func() { ls.drop(name) })
	}
	wg.Wait()
}

// target is the host that the task is done on: delegate_to's, or its own.
func (x *execution) target() *host {
	if x.delegate != nil {
		return x.delegate
	}
	return x.h
}

// link connects to the task's target.
func (x *execution) link(ctx context.Context, s *template.Scope) (*link, error) {
	t, err := x.reach(ctx, s)
	if err != nil {
		return nil, err
	}
	return x.b.run.links.get(ctx, t)
}

// session gives the worker that runs as the task's user.
func (x *execution) session(ctx context.Context, s *template.Scope) (*remote.Session, error) {
	l, err := x.link(ctx, s)
	if err != nil {
		return nil, err
	}
	become, err := x.become(ctx, s)
	if err != nil {
		return nil, err
	}
	return l.node.Worker(ctx, become)
}

// settingsScope is where connection variables are looked up: a delegate brings
// its own.
func (x *execution) settingsScope(s *template.Scope) *template.Scope {
	if x.delegate == nil {
		return s
	}
	in := inherited{dir: x.in.dir}
	return x.b.scopeFor(x.delegate, in, nil)
}

// variable gives the first of some variables that is set.
func variable(ctx context.Context, s *template.Scope, names ...string) (any, error) {
	for _, n := range names {
		v, ok, err := s.Lookup(ctx, n)
		if err != nil {
			return nil, fault.Wrap(err, "reading %s", n)
		}
		if ok && v != nil {
			return jinja.Materialize(ctx, v)
		}
	}
	return nil, nil
}

func textVar(ctx context.Context, s *template.Scope, def string, names ...string) (string, error) {
	v, err := variable(ctx, s, names...)
	if err != nil || v == nil {
		return def, err
	}
	return jinja.Str(v), nil
}

// reach works out how to connect: variables, then keywords, then flags.
func (x *execution) reach(ctx context.Context, s *template.Scope) (connection.Target, error) {
	h, l := x.target(), x.b.run.o.Connection
	vs := x.settingsScope(s)
	t := connection.Target{Name: h.name, Passphrase: l.Passphrase, KnownHosts: l.KnownHosts, HostKey: l.HostKey,
		Ask: l.AskHostKey, Timeout: l.Timeout, SSHConfig: l.SSHConfig}
	var err error
	get := func(def string, names ...string) (out string) {
		if err == nil {
			out, err = textVar(ctx, vs, def, names...)
		}
		return out
	}
	given := func(v any, def string) string {
		if err != nil || v == nil || x.delegate != nil {
			return def
		}
		r, rerr := keyword(ctx, s, v)
		if rerr != nil || r == nil {
			err = rerr
			return def
		}
		return jinja.Str(r)
	}
	kind := l.Kind
	if kind == "" {
		kind = "ssh"
	}
	if implicitLocal(x.b.run, h) {
		kind = "local"
	}
	t.Kind = normalKind(get(given(x.in.base.Connection, kind), "ansible_connection"))
	t.Host = get(h.name, "ansible_host", "ansible_ssh_host")
	t.User = get(given(x.in.base.RemoteUser, l.User), "ansible_user", "ansible_ssh_user")
	t.Password = get(l.Password, loginPasswords...)
	x.b.run.hide(t.Password, t.User)
	key := get(l.KeyFile, "ansible_ssh_private_key_file", "ansible_private_key_file")
	if key != "" {
		t.KeyFiles = []string{expandHome(key)}
	}
	port := get(given(x.in.base.Port, portOf(l)), "ansible_port", "ansible_ssh_port")
	if port != "" {
		if t.Port, err = portion(port, 0); err != nil {
			return t, fault.New("ansible_port of %s: %v", h.name, err)
		}
	}
	args := strings.Join([]string{get(l.SSHCommonArgs, "ansible_ssh_common_args"),
		get(l.SSHExtraArgs, "ansible_ssh_extra_args"), get(l.SSHArgs, "ansible_ssh_args")}, " ")
	if err != nil {
		return t, err
	}
	if err := sshArguments(&t, args); err != nil {
		return t, fault.Wrap(err, "ssh arguments of %s", h.name)
	}
	checking, err := variable(ctx, vs, "ansible_host_key_checking", "ansible_ssh_host_key_checking")
	if err != nil {
		return t, err
	}
	if checking != nil && !jinja.Truth(checking) {
		x.b.run.warn("ansible_host_key_checking: false is read as --host-key=accept-new: an unknown key is stored, a changed one is still refused")
		t.HostKey = connection.HostKeyAcceptNew
	}
	if secs := get("", "ansible_timeout", "ansible_ssh_timeout"); secs != "" && err == nil {
		if t.Timeout, err = seconds(secs); err != nil {
			return t, fault.New("ansible_timeout of %s: %v", h.name, err)
		}
	}
	return t, err
}

// implicitLocal: localhost that no inventory mentions is the controller itself.
func implicitLocal(r *Run, h *host) bool {
	return (h.name == "localhost" || h.name == "127.0.0.1" || h.name == "::1") && !r.o.Inventory.Explicit(h.name)
}

// portOf is the port where neither variable nor keyword names one.
func portOf(l Login) string {
	if l.Port == 0 {
		return ""
	}
	return strconv.Itoa(l.Port)
}

func normalKind(kind string) string {
	switch kind {
	case "ssh", "paramiko", "paramiko_ssh", "smart", "ansible.builtin.ssh", "":
		return "ssh"
	case "ansible.builtin.local":
		return "local"
	}
	return kind
}

// become works out as whom the task runs.
func (x *execution) become(ctx context.Context, s *template.Scope) (connection.Become, error) {
	l := x.b.run.o.Connection
	vs := x.settingsScope(s)
	want, err := x.in.flag(ctx, s, x.in.base.Become, false)
	if err != nil {
		return connection.Become{}, err
	}
	if v, err := variable(ctx, vs, "ansible_become"); err != nil {
		return connection.Become{}, err
	} else if v != nil {
		if want, err = x.in.flag(ctx, vs, v, false); err != nil {
			return connection.Become{}, err
		}
	}
	if !want {
		return connection.Become{}, nil
	}
	get := func(kw any, def string, names ...string) (out string) {
		if err != nil {
			return def
		}
		if kw != nil {
			var r any
			if r, err = keyword(ctx, s, kw); err == nil && r != nil {
				def = jinja.Str(r)
			}
		}
		if err == nil {
			out, err = textVar(ctx, vs, def, names...)
		}
		return out
	}
	bk := connection.Become{
		Method:   get(x.in.base.BecomeMethod, orElse(l.BecomeMethod, "sudo"), "ansible_become_method"),
		User:     get(x.in.base.BecomeUser, orElse(l.BecomeUser, "root"), "ansible_become_user"),
		Flags:    get(x.in.base.BecomeFlags, l.BecomeFlags, "ansible_become_flags"),
		Exe:      get(x.in.base.BecomeExe, l.BecomeExe, "ansible_become_exe"),
		Password: get(nil, l.BecomePassword, becomePasswords...),
	}
	bk.Method = strings.TrimPrefix(bk.Method, "ansible.builtin.")
	x.b.run.hide(bk.Password, bk.User)
	return bk, err
}

func orElse(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

func expandHome(p string) string {
	if rest, ok := strings.CutPrefix(p, "~/"); ok {
		if u, err := user.Current(); err == nil && os.Getenv("HOME") == "" {
			return u.HomeDir + "/" + rest
		}
		return os.Getenv("HOME") + "/" + rest
	}
	return p
}
