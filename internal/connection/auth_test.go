package connection

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"mageprov/internal/connection/sshtest"
	"mageprov/internal/fault"
)

func TestEncryptedKey(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	for label, args := range map[string][]string{
		"new format":       {"-t", "ed25519"},
		"rsa":              {"-t", "rsa"},
		"pem with pub":     {"-t", "rsa", "-m", "PEM"},
		"pem without .pub": {"-t", "ecdsa", "-m", "PEM"},
	} {
		t.Run(label, func(t *testing.T) {
			key := filepath.Join(t.TempDir(), "locked")
			sshtest.KeyGen(t, append(args, "-N", "open sesame", "-f", key)...)
			sshtest.Write(t, filepath.Join(s.Dir, "authorized_keys"), sshtest.Read(t, key+".pub"))
			if label == "pem without .pub" {
				os.Remove(key + ".pub")
			}
			tg := target(s)
			tg.KeyFiles = []string{key}
			_, err := Dial(context.Background(), tg)
			fails(t, err, fault.ExitUnreachable, "is encrypted", "ssh-add")
			tg.Passphrase = func(string) (string, error) { return "wrong", nil }
			_, err = Dial(context.Background(), tg)
			fails(t, err, fault.ExitUnreachable, key, "wrong passphrase")
			asked := 0
			tg.Timeout = 500 * time.Millisecond // a slow typist must not run into it
			tg.Passphrase = func(file string) (string, error) {
				if asked++; file != key {
					t.Errorf("asked for %s", file)
				}
				if label == "new format" {
					time.Sleep(handshakeFactor*tg.Timeout + 200*time.Millisecond)
				}
				return "open sesame", nil
			}
			dial(t, tg)
			if asked != 1 {
				t.Errorf("asked %d times", asked)
			}
		})
	}
	tg := target(s) // a key that the server does not want is not opened
	other := filepath.Join(t.TempDir(), "other")
	sshtest.KeyGen(t, "-t", "ed25519", "-N", "x", "-f", other)
	tg.KeyFiles = []string{other}
	tg.Passphrase = func(string) (string, error) { t.Error("asked for a useless key"); return "", errors.New("no") }
	_, err := Dial(context.Background(), tg)
	fails(t, err, fault.ExitUnreachable, "refused: tried key "+other)
}

func TestAgent(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	raw, err := ssh.ParseRawPrivateKey([]byte(sshtest.Read(t, s.Key)))
	if err != nil {
		t.Fatal(err)
	}
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: raw}); err != nil {
		t.Fatal(err)
	}
	sock := filepath.Join(t.TempDir(), "agent")
	l, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go agent.ServeAgent(ring, c)
		}
	}()
	t.Setenv("SSH_AUTH_SOCK", sock)
	t.Setenv("HOME", t.TempDir())
	tg := target(s)
	tg.KeyFiles = nil
	dial(t, tg)
	// The key's file is gone, but its public half names the agent's key.
	if err := os.Remove(s.Key); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(s.Dir, "config")
	sshtest.Write(t, config, "IdentitiesOnly yes\nIdentityFile "+s.Key+"\n")
	tg.SSHConfig = config
	dial(t, tg)
	sshtest.Write(t, config, "IdentityAgent none\n")
	_, err = Dial(context.Background(), tg)
	fails(t, err, fault.ExitUnreachable, "nothing to try")
	t.Setenv("SSH_AUTH_SOCK", sock+".gone")
	tg.SSHConfig = "none"
	_, err = Dial(context.Background(), tg)
	fails(t, err, fault.ExitUnreachable, "no ssh-agent at")
}

func TestUserCertificate(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca")
	sshtest.KeyGen(t, "-t", "ed25519", "-f", ca)
	s := sshtest.Start(t, sshtest.Options{Config: "TrustedUserCAKeys " + ca + ".pub"})
	sshtest.Write(t, filepath.Join(s.Dir, "authorized_keys"), "")
	_, err := Dial(context.Background(), target(s))
	fails(t, err, fault.ExitUnreachable, "refused")
	sshtest.KeyGen(t, "-s", ca, "-I", "me", "-n", s.User, s.Key+".pub")
	dial(t, target(s))
}

func TestPassword(t *testing.T) {
	user := sshtest.NewUser(t)
	for label, config := range map[string]string{
		"password":             "KbdInteractiveAuthentication no",
		"keyboard-interactive": "UsePAM yes\nPasswordAuthentication no\nKbdInteractiveAuthentication yes",
	} {
		t.Run(label, func(t *testing.T) {
			s := sshtest.Start(t, sshtest.Options{Config: config})
			tg := target(s)
			tg.User, tg.KeyFiles, tg.Password = user, []string{filepath.Join(s.Dir, "none")}, sshtest.Password
			dial(t, tg)
			tg.Password = "wrong"
			_, err := Dial(context.Background(), tg)
			fails(t, err, fault.ExitUnreachable, "login as "+user+" refused", label, "check the user (-u) and the password")
			tg.Password = ""
			_, err = Dial(context.Background(), tg)
			fails(t, err, fault.ExitUnreachable, "--ask-pass")
		})
	}
}
