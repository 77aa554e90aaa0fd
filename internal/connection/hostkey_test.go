package connection

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"mageprov/internal/connection/sshtest"
	"mageprov/internal/fault"
)

func fingerprint(t *testing.T, file string) string {
	t.Helper()
	return ssh.FingerprintSHA256(publicKey(t, file))
}

func publicKey(t *testing.T, file string) ssh.PublicKey {
	t.Helper()
	pub, _, _, _, err := ssh.ParseAuthorizedKey([]byte(sshtest.Read(t, file)))
	if err != nil {
		t.Fatal(err)
	}
	return pub
}

func TestUnknownHostKey(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	finger := fingerprint(t, s.HostKey("ed25519")+".pub")
	known := filepath.Join(t.TempDir(), "sub", "known_hosts")
	tg := target(s)
	tg.KnownHosts = []string{known}
	_, err := Dial(context.Background(), tg)
	fails(t, err, fault.ExitUnreachable, "is not known: ssh-ed25519 "+finger, "--host-key=accept-new")

	tg.HostKey = HostKeyAsk
	var asked string
	tg.Ask = func(q string) (bool, error) { asked = q; return false, nil }
	_, err = Dial(context.Background(), tg)
	fails(t, err, fault.ExitUnreachable, "was not accepted")
	if !strings.Contains(asked, finger) {
		t.Errorf("the question is %q", asked)
	}
	if _, err := os.Stat(known); err == nil {
		t.Error("a refused key was remembered")
	}
	tg.Ask = func(string) (bool, error) { return true, nil }
	dial(t, tg)
	want := fmt.Sprintf("[127.0.0.1]:%d ssh-ed25519 ", s.Port)
	if got := sshtest.Read(t, known); !strings.HasPrefix(got, want) || strings.Count(got, "\n") != 1 {
		t.Errorf("known_hosts is %q", got)
	}
	tg.HostKey = HostKeyStrict
	dial(t, tg)
}

// TestAcceptNew learns from many connections at once into a file whose last
// line has no end.
func TestAcceptNew(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	known := filepath.Join(t.TempDir(), "known_hosts")
	sshtest.Write(t, known, "# mine")
	tg := target(s)
	tg.KnownHosts, tg.HostKey = []string{known}, HostKeyAcceptNew
	var wg sync.WaitGroup
	for range 5 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c, err := Dial(context.Background(), tg)
			if err != nil {
				t.Error(err)
				return
			}
			c.Close()
		}()
	}
	wg.Wait()
	got := sshtest.Read(t, known)
	if !strings.HasPrefix(got, "# mine\n[127.0.0.1]:") || strings.Count(got, "\n") != 2 {
		t.Errorf("known_hosts is %q", got)
	}
}

func TestKnownHostKeys(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{HostKeys: []string{"rsa", "ecdsa", "ed25519"}})
	other := filepath.Join(t.TempDir(), "other")
	sshtest.KeyGen(t, "-t", "ed25519", "-f", other)
	name := fmt.Sprintf("[127.0.0.1]:%d", s.Port)
	line := func(names, keyFile string) string {
		return names + " " + strings.Join(strings.Fields(sshtest.Read(t, keyFile))[:2], " ") + "\n"
	}
	rsa, ed := s.HostKey("rsa")+".pub", s.HostKey("ed25519")+".pub"
	for label, c := range map[string]struct {
		known string
		want  []string // of the error; empty: accepted
	}{
		"only rsa is known":    {line(name, rsa), nil},
		"only ecdsa is known":  {line(name, s.HostKey("ecdsa")+".pub"), nil},
		"hashed":               {line(knownhosts.HashHostname(name), ed), nil},
		"without port":         {line("127.0.0.1", ed), nil},
		"wildcard":             {line("[127.0.0.*]:*", ed), nil},
		"negated":              {line("[127.0.0.*]:*,!"+name, ed), []string{"is not known"}},
		"bad lines":            {"nonsense\n" + name + " ssh-rsa AAAA\n" + line(name, ed), nil},
		"two keys of one type": {line(name, other+".pub") + line(name, ed), nil},
		"changed":              {"# one\n" + line(name, other+".pub"), []string{"has changed", "known:2 has ssh-ed25519 " + fingerprint(t, other+".pub"), fingerprint(t, ed), "ssh-keygen -R '" + name + "' -f "}},
		"changed without port": {line("127.0.0.1", other+".pub"), []string{"is not known"}},
		"revoked":              {line(name, ed) + "@revoked " + line("*", ed), []string{"is revoked"}},
	} {
		t.Run(label, func(t *testing.T) {
			known := filepath.Join(t.TempDir(), "known")
			sshtest.Write(t, known, c.known)
			tg := target(s)
			tg.KnownHosts, tg.HostKey = []string{known}, HostKeyStrict
			if label == "changed" {
				tg.HostKey = HostKeyAcceptNew // not even then
			}
			conn, err := Dial(context.Background(), tg)
			if err == nil {
				conn.Close()
			}
			if len(c.want) > 0 {
				fails(t, err, fault.ExitUnreachable, c.want...)
			} else if err != nil {
				t.Error(err)
			}
			if got := sshtest.Read(t, known); got != c.known {
				t.Errorf("known_hosts became %q", got)
			}
		})
	}
}

// TestHostCertificate uses a server whose key is signed by an authority, for
// its name, for another name, and revoked.
func TestHostCertificate(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca")
	sshtest.KeyGen(t, "-t", "ed25519", "-f", ca)
	for label, c := range map[string]struct {
		principal, known string
		want             []string
	}{
		"good":            {"127.0.0.1", "@cert-authority 127.0.0.* CA", nil},
		"other name":      {"elsewhere", "@cert-authority * CA", []string{"certificate", "not good"}},
		"other authority": {"127.0.0.1", "@cert-authority *.example.com CA", []string{"is not known"}},
		"revoked":         {"127.0.0.1", "@cert-authority * CA\n@revoked * CA", []string{"not good"}},
	} {
		t.Run(label, func(t *testing.T) {
			s := sshtest.Start(t, sshtest.Options{})
			out, err := exec.Command("ssh-keygen", "-q", "-s", ca, "-I", "host", "-h", "-n", c.principal, s.HostKey("ed25519")+".pub").CombinedOutput()
			if err != nil {
				t.Fatalf("%v %s", err, out)
			}
			s.Stop()
			sshtest.Write(t, s.Config, "HostCertificate "+s.HostKey("ed25519")+"-cert.pub\n"+sshtest.Read(t, s.Config))
			s.Run(t)
			tg := target(s)
			tg.KnownHosts = []string{filepath.Join(s.Dir, "known_ca")}
			sshtest.Write(t, tg.KnownHosts[0], strings.ReplaceAll(c.known, "CA", strings.TrimSpace(sshtest.Read(t, ca+".pub")))+"\n")
			conn, err := Dial(context.Background(), tg)
			if err == nil {
				conn.Close()
			}
			if len(c.want) > 0 {
				fails(t, err, fault.ExitUnreachable, c.want...)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// FuzzKnownHosts reads foreign files: it must neither panic nor hang.
func FuzzKnownHosts(f *testing.F) {
	f.Add("[a]:1,!b* ssh-ed25519 AAAA\n", "b")
	f.Add("|1|x|y ssh-rsa AAAA\n@revoked * x y\n", "*")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text, name string) {
		file := filepath.Join(dir, "known")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		known, err := readKnownHosts(file)
		if err != nil {
			t.Fatal(err)
		}
		known.find("", name)
		known.algorithms([]string{name})
		k := knownKey{hosts: strings.Split(text, ",")}
		k.matches(name)
	})
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "", true}, {"", "", true}, {"?", "", false}, {"a*c", "abbc", true}, {"a*c", "abcd", false},
		{"*.example.com", "a.b.example.com", true}, {"*a*b*", "xxaxxbxx", true}, {"a?c", "abc", true}, {"**", "x", true}, {"ab", "a", false}, {"a*", "b", false},
	} {
		if globMatches(c.pattern, c.name) != c.want {
			t.Errorf("%q matches %q: want %v", c.pattern, c.name, c.want)
		}
	}
}
