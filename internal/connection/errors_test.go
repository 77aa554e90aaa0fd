package connection

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"mageprov/internal/fault"
)

func TestExplainDial(t *testing.T) {
	e := &endpoint{host: "web1", port: 2222, timeout: 3 * time.Second}
	op := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
	}
	for label, c := range map[string]struct {
		err  error
		want []string
	}{
		"unknown name":   {&net.OpError{Err: &net.DNSError{Err: "no such host", Name: "web1", IsNotFound: true}}, []string{"unknown host name web1", "ansible_host"}},
		"no name server": {&net.DNSError{Err: "i/o timeout", Name: "web1", IsTimeout: true}, []string{"resolving web1", "name server"}},
		"refused":        {op(syscall.ECONNREFUSED), []string{"connection refused by web1:2222", "on port 2222"}},
		"no route":       {op(syscall.EHOSTUNREACH), []string{"no route to web1:2222"}},
		"no network":     {op(syscall.ENETUNREACH), []string{"no route to web1:2222"}},
		"timeout":        {op(syscall.ETIMEDOUT), []string{"no answer from web1:2222 within 3s", "firewall"}},
		"deadline":       {fmt.Errorf("x: %w", context.DeadlineExceeded), []string{"no answer from web1:2222"}},
		"cancelled":      {fmt.Errorf("x: %w", context.Canceled), []string{"cancelled"}},
		"else":           {errors.New("weird"), []string{"connecting: weird"}},
	} {
		t.Run(label, func(t *testing.T) { fails(t, explainDial(e, c.err), fault.ExitUnreachable, c.want...) })
	}
}

func TestParseHop(t *testing.T) {
	for in, want := range map[string]string{
		"bastion": "bastion||0", "me@bastion": "bastion|me|0", "bastion:2222": "bastion||2222", " me@b:1 ": "b|me|1",
		"ssh://me@b:1/": "b|me|1", "[fe80::1]:22": "fe80::1||22", "fe80::1": "fe80::1||0", "a@b@c": "c|a@b|0", "[::1]": "::1||0",
	} {
		host, user, port, err := parseHop(in)
		if got := fmt.Sprintf("%s|%s|%d", host, user, port); err != nil || got != want {
			t.Errorf("%q: %s, %v; want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"", "me@", ":22", "b:0", "b:99999", "b:x", "[]:1"} {
		if _, _, _, err := parseHop(in); err == nil {
			t.Errorf("%q: no error", in)
		}
	}
}

func FuzzParseHop(f *testing.F) {
	f.Add("me@[::1]:22")
	f.Fuzz(func(t *testing.T, in string) {
		if host, _, port, err := parseHop(in); err == nil && (host == "" || port < 0 || port > 65535) {
			t.Errorf("%q: host %q port %d", in, host, port)
		}
	})
}

func TestExpand(t *testing.T) {
	s := &settings{home: "/home/me"}
	e := &endpoint{alias: "web", host: "10.0.0.1", port: 22, user: "admin"}
	for in, want := range map[string]string{
		"~/.ssh/id_%h": "/home/me/.ssh/id_10.0.0.1", "~": "/home/me", "~other/x": "~other/x",
		"nc %h %p": "nc 10.0.0.1 22", "%r@%n 100%% %d": "admin@web 100% /home/me", "50%": "50%", "%q": "%q",
	} {
		if got := s.expand(in, e); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{"": "''", "a-b_c.d/e:fg@h%i+1,2": "a-b_c.d/e:fg@h%i+1,2", "A=b": "'A=b'", "a b": "'a b'", "it's": `'it'\''s'`, "~": "'~'", "ü": "'ü'"} {
		if got := Quote(in); got != want {
			t.Errorf("%q became %s, want %s", in, got, want)
		}
	}
}
