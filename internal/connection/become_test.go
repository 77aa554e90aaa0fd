package connection

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mageprov/internal/connection/sshtest"
	"mageprov/internal/fault"
)

// loginAs connects as a user of this machine who may use sudo as rules say.
func loginAs(t *testing.T, rules ...string) (Conn, string) {
	t.Helper()
	user := sshtest.NewUser(t, rules...)
	s := sshtest.Start(t, sshtest.Options{UserHome: true})
	tg := target(s)
	tg.User = user
	return dial(t, tg), user
}

func TestSudo(t *testing.T) {
	wrong, right := "wrong", sshtest.Password
	for label, c := range map[string]struct {
		rules []string
		b     Become
		want  []string // of the error; empty: it works
	}{
		"without password":          {[]string{"ALL=(ALL) NOPASSWD: ALL"}, Become{}, nil},
		"password not needed":       {[]string{"ALL=(ALL) NOPASSWD: ALL"}, Become{Password: right}, nil},
		"with password":             {[]string{"ALL=(ALL) ALL"}, Become{Password: right}, nil},
		"with lecture":              {[]string{"ALL=(ALL) ALL", "lecture=always"}, Become{Password: right}, nil},
		"with flags":                {[]string{"ALL=(ALL) ALL"}, Become{Password: right, Flags: "-H -S -n -E"}, nil},
		"login shell":               {[]string{"ALL=(ALL) NOPASSWD: ALL"}, Become{Flags: "-i"}, nil},
		"login shell, password":     {[]string{"ALL=(ALL) ALL"}, Become{Password: right, Flags: "-H -i"}, nil},
		"su with a login shell":     {nil, Become{Method: "su", User: "SELF2", Password: right, Flags: "-l"}, nil},
		"wrong password":            {[]string{"ALL=(ALL) ALL"}, Become{Password: wrong}, []string{"sudo on web1 refused the password", "-K"}},
		"wrong password, one try":   {[]string{"ALL=(ALL) ALL", "passwd_tries=1"}, Become{Password: wrong}, []string{"refused the password"}},
		"no password given":         {[]string{"ALL=(ALL) ALL"}, Become{}, []string{"sudo on web1 needs a password", "--ask-become-pass"}},
		"not in sudoers":            {nil, Become{Password: right}, []string{"exit code", "sudoers", "needs a rule"}},
		"not this user":             {[]string{"ALL=(root) NOPASSWD: ALL"}, Become{User: "daemon"}, []string{"sudo on web1"}},
		"unknown user":              {[]string{"ALL=(ALL) NOPASSWD: ALL"}, Become{User: "nobody-here"}, []string{"there is no user nobody-here"}},
		"requiretty":                {[]string{"ALL=(ALL) NOPASSWD: ALL", "requiretty"}, Become{}, []string{"requiretty"}},
		"another user":              {[]string{"ALL=(ALL) NOPASSWD: ALL"}, Become{User: "daemon"}, nil},
		"no sudo at that path":      {nil, Become{Exe: "/nowhere/sudo"}, []string{"there is no sudo"}},
		"su":                        {nil, Become{Method: "su", User: "SELF2", Password: right}, nil},
		"su with wrong password":    {nil, Become{Method: "su", User: "SELF2", Password: wrong}, []string{"su on web1 refused the password"}},
		"su without password":       {nil, Become{Method: "su", User: "SELF2"}, []string{"su on web1 needs a password"}},
		"unknown method":            {nil, Become{Method: "runas"}, []string{"unknown become_method"}},
		"line break in password":    {nil, Become{Password: "a\nb"}, []string{"line break"}},
		"quoted words":              {[]string{"ALL=(ALL) NOPASSWD: ALL"}, Become{}, nil},
		"prompt override by policy": {[]string{"ALL=(ALL) ALL", "passprompt=hello"}, Become{Password: right}, nil},
	} {
		t.Run(label, func(t *testing.T) {
			t.Parallel() // sudo takes its time over a wrong password
			conn, user := loginAs(t, c.rules...)
			if c.b.Method == "" {
				c.b.Method = "sudo"
			}
			if c.b.User == "SELF2" {
				c.b.User = sshtest.NewUser(t)
			}
			rc, out, errOut, err := conn.Exec(context.Background(), "me=$(id -un); echo \"$me\"; cat; echo to stderr >&2; exit 7", c.b, strings.NewReader("its input"))
			if len(c.want) > 0 {
				code := fault.ExitFailed
				if label == "unknown method" || label == "line break in password" {
					code = fault.ExitError
				}
				fails(t, err, code, c.want...)
				return
			}
			if err != nil {
				t.Fatalf("as %s: %v", user, err)
			}
			if rc != 7 || string(out) != c.b.user()+"\nits input" || string(errOut) != "to stderr\n" {
				t.Errorf("rc %d, stdout %q, stderr %q", rc, out, errOut)
			}
		})
	}
}

// TestPasswordStaysSecret looks at every process while one runs through sudo.
func TestPasswordStaysSecret(t *testing.T) {
	conn, _ := loginAs(t, "ALL=(ALL) ALL")
	p, err := conn.Start(context.Background(), []string{"cat"}, Become{Method: "sudo", Password: sshtest.Password})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	environs, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, f := range append(files, environs...) {
		text, _ := os.ReadFile(f)
		if strings.Contains(strings.ReplaceAll(string(text), "\x00", " "), sshtest.Password) {
			t.Errorf("the password stands in %s: %q", f, text)
		}
	}
}

func TestBecomeSelf(t *testing.T) {
	me, err := exec.Command("id", "-un").Output()
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, Target{Kind: "local"})
	rc, out, _, err := c.Exec(context.Background(), "id -un", Become{Method: "sudo", User: strings.TrimSpace(string(me)), Exe: "/no/sudo"}, nil)
	if rc != 0 || err != nil || string(out) != string(me) {
		t.Errorf("rc %d %q %v", rc, out, err)
	}
}

func TestLocalSudo(t *testing.T) {
	user := sshtest.NewUser(t)
	c := dial(t, Target{Kind: "local"})
	_, out, _, err := c.Exec(context.Background(), "id -un", Become{Method: "sudo", User: user}, nil)
	if err != nil || string(out) != user+"\n" {
		t.Errorf("%q %v", out, err)
	}
}
