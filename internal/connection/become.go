package connection

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"mageprov/internal/fault"
)

// becomeTimeout is how long sudo may take, directory services and all, before
// the program starts.
const becomeTimeout = 30 * time.Second

// active says whether b changes the user at all: a login user need not become itself.
func (b Become) active(login string) bool { return b.Method != "" && b.user() != login }

func (b Become) user() string {
	if b.User == "" {
		return "root"
	}
	return b.User
}

// becoming is one attempt to become another user: the marks by which the
// prompt and the success are recognised in what sudo prints.
type becoming struct {
	b              Become
	prompt, marker string
}

func newBecoming(b Become) *becoming {
	var raw [12]byte
	rand.Read(raw[:]) // never fails
	id := hex.EncodeToString(raw[:])
	m := &becoming{b: b, prompt: "[mageprov " + id + "] password:", marker: "mageprov-become-" + id}
	if b.Method == "su" {
		m.prompt = "assword:" // su has no way to ask for another prompt
	}
	return m
}

// wrap gives the argv that becomes the user, reports success on stderr and
// then runs argv. The password is not in it.
func (m *becoming) wrap(argv []string) []string {
	inner := append([]string{"/bin/sh", "-c", "echo " + m.marker + ` >&2; exec "$@"`, "sh"}, argv...)
	flags := strings.Fields(m.b.Flags)
	if m.b.Method == "su" {
		return append(append([]string{"su", "-s", "/bin/sh"}, flags...), m.b.user(), "-c", QuoteAll(inner))
	}
	out := []string{m.b.Exe}
	if m.b.Exe == "" {
		out[0] = "sudo"
	}
	if len(flags) == 0 { // they stand in place of it
		out = append(out, "-H")
	}
	if m.b.Password == "" {
		out = append(out, "-n")
	} else {
		out = append(out, "-S", "-p", m.prompt)
	}
	for _, f := range flags {
		if f != "-S" && f != "-n" { // said already
			out = append(out, f)
		}
		if asksShell(f) {
			inner = []string{"/bin/sh", "-c", "echo " + m.marker + " >&2; eval \"`printf '" + octal("exec "+QuoteAll(argv)) + "'`\""}
		}
	}
	return append(append(out, "-u", m.b.user(), "--"), inner...)
}

// asksShell says whether a flag has sudo run the command by way of the user's
// shell: sudo then escapes all that is special to it, but for the dollar.
func asksShell(flag string) bool {
	switch flag {
	case "--login", "--shell":
		return true
	}
	return len(flag) > 1 && flag[1] != '-' && strings.ContainsAny(flag[1:], "is") && !strings.ContainsAny(flag[1:], "ugpCcDhrtTR")
}

// octal writes text as a format of printf that holds nothing special to a shell.
func octal(text string) string {
	var out strings.Builder
	for _, c := range []byte(text) {
		if c <= ' ' && c != ' ' || strings.IndexByte("\\$`'\"%!", c) >= 0 {
			fmt.Fprintf(&out, "\\%03o", c)
		} else {
			out.WriteByte(c)
		}
	}
	return out.String()
}

// become starts argv through start and returns when the other user's process
// runs, or with the reason why it does not.
func become(ctx context.Context, host string, b Become, argv []string, start func(argv []string) (Process, error)) (Process, error) {
	if b.Method != "sudo" && b.Method != "su" {
		return nil, fault.New("unknown become_method %q", b.Method).WithHint("known: sudo, su")
	}
	if strings.ContainsAny(b.Password, "\r\n\x00") {
		return nil, fault.New("the become password holds a line break")
	}
	m := newBecoming(b)
	p, err := start(m.wrap(argv))
	if err != nil {
		return nil, err
	}
	bp := &becomeProcess{Process: p, host: host, m: m, result: make(chan error, 1)}
	bp.stderr, bp.stderrW = io.Pipe()
	go bp.watch()
	timer := time.NewTimer(becomeTimeout)
	defer timer.Stop()
	select {
	case err = <-bp.result:
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = fault.New("%s on %s gave no answer within %s%s", b.Method, host, becomeTimeout, said(bp.heard())).
			WithCode(fault.ExitFailed).WithHint("does its PAM configuration ask for something else than a password?")
	}
	if err != nil {
		bp.stderrW.CloseWithError(io.EOF)
		p.Kill()
		return nil, err
	}
	return bp, nil
}

// becomeProcess takes what concerns becoming out of stderr.
type becomeProcess struct {
	Process
	host    string
	m       *becoming
	stderr  *io.PipeReader
	stderrW *io.PipeWriter
	result  chan error

	mu    sync.Mutex
	noise []byte // of sudo, before the marker
}

func (p *becomeProcess) Stderr() io.Reader { return p.stderr }

func (p *becomeProcess) heard() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Clone(p.noise)
}

// watch reads stderr: until the marker it answers the prompt, after it copies.
func (p *becomeProcess) watch() {
	var seen, buf []byte = nil, make([]byte, 4096)
	asked := 0
	for {
		n, err := p.Process.Stderr().Read(buf)
		seen = append(seen, buf[:n]...)
		if i := bytes.Index(seen, []byte(p.m.marker+"\n")); i >= 0 {
			p.result <- nil
			rest := seen[i+len(p.m.marker)+1:]
			_, werr := p.stderrW.Write(rest)
			if werr == nil && err == nil {
				_, err = io.Copy(p.stderrW, p.Process.Stderr())
			}
			p.stderrW.CloseWithError(err)
			return
		}
		if i := bytes.Index(seen, []byte(p.m.prompt)); i >= 0 {
			asked++
			seen = bytes.Clone(seen[i+len(p.m.prompt):])
			switch {
			case p.m.b.Password == "":
				p.result <- missingPassword(p.host, p.m.b)
				return
			case asked > 1:
				p.result <- wrongPassword(p.host, p.m.b)
				return
			}
			// The line goes out in one piece; sudo reads no further than its end.
			if _, werr := io.WriteString(p.Stdin(), p.m.b.Password+"\n"); werr != nil {
				err = werr
			}
		}
		p.mu.Lock()
		p.noise = append(p.noise[:0], seen[max(0, len(seen)-4096):]...)
		p.mu.Unlock()
		if len(seen) > 1<<20 {
			err = fmt.Errorf("too much output")
		}
		if err != nil {
			rc, _ := p.Process.Wait()
			p.result <- explainBecome(p.host, p.m.b, string(seen), rc)
			return
		}
	}
}

func missingPassword(host string, b Become) error {
	return fault.New("%s on %s needs a password", b.Method, host).WithCode(fault.ExitFailed).
		WithHint("give it with -K (--ask-become-pass) or ansible_become_password")
}

func wrongPassword(host string, b Become) error {
	return fault.New("%s on %s refused the password", b.Method, host).WithCode(fault.ExitFailed).
		WithHint("check the password given with -K or ansible_become_password; too many attempts may lock the account (faillock)")
}

// explainBecome finds out from sudo's words why there is no process.
func explainBecome(host string, b Become, text string, rc int) error {
	low := strings.ToLower(text)
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(low, p) {
				return true
			}
		}
		return false
	}
	f := fault.New("%s on %s failed (exit code %d)%s", b.Method, host, rc, said([]byte(text))).WithCode(fault.ExitFailed)
	switch {
	case has("must have a tty", "tty present", "no tty"):
		return fault.New("sudo on %s wants a terminal (requiretty)", host).WithCode(fault.ExitFailed).
			WithHint("put `Defaults !requiretty` for the login user into the node's sudoers")
	case has("password is required", "password was provided"):
		if b.Password != "" {
			return wrongPassword(host, b)
		}
		return missingPassword(host, b)
	case has("incorrect password", "sorry, try again", "authentication failure", "authentication token manipulation"):
		if b.Password == "" {
			return missingPassword(host, b)
		}
		return wrongPassword(host, b)
	case has("not in the sudoers", "not allowed to", "may not run sudo"):
		return f.WithHint("the login user needs a rule in the node's sudoers that allows it to become %s", b.user())
	case has("unknown user", "does not exist", "no such user", "no passwd entry"):
		return fault.New("there is no user %s on %s to become", b.user(), host).WithCode(fault.ExitFailed).
			WithHint("create the user first, or check become_user")
	case rc == 127 || has("not found", "no such file"):
		return fault.New("there is no %s on %s%s", b.Method, host, said([]byte(text))).WithCode(fault.ExitFailed).
			WithHint("install it, log in as %s, or set become_method or become_exe", b.user())
	case has("account has expired", "account validation failure", "expired"):
		return f.WithHint("the account or its password has expired on the node")
	}
	return f
}

// said quotes the end of what a program printed, on one line.
func said(b []byte) string {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(b), "?")), " ")
	if text == "" {
		return ""
	}
	if len(text) > 400 {
		text = "..." + strings.ToValidUTF8(text[len(text)-400:], "")
	}
	return fmt.Sprintf("; it said: %s", text)
}
