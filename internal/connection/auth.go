package connection

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"mageprov/internal/fault"
)

// auth collects the ways to log in to one server and remembers what was tried,
// for the message when none is accepted.
type auth struct {
	e          *endpoint
	password   string
	passphrase func(keyFile string) (string, error)
	pause      func() func() // stops the clock while a person types
	agentConn  net.Conn
	tried      []string // in the user's words
	notes      []string // why something could not be tried
}

func (a *auth) close() {
	if a.agentConn != nil {
		a.agentConn.Close()
	}
}

// methods gives them in OpenSSH's order: keys, then questions, then the password.
func (a *auth) methods() []ssh.AuthMethod {
	var out []ssh.AuthMethod
	if signers := a.signers(); len(signers) > 0 {
		out = append(out, ssh.PublicKeys(signers...))
	}
	if a.password == "" {
		return out
	}
	asked := false
	return append(out,
		ssh.KeyboardInteractive(func(_, _ string, questions []string, echos []bool) ([]string, error) {
			answers := make([]string, len(questions))
			for i := range questions {
				if echos[i] || asked {
					return nil, fmt.Errorf("the server asks %q", questions[i])
				}
				answers[i] = a.password
			}
			if len(questions) > 0 {
				asked = true
				a.tried = append(a.tried, "keyboard-interactive")
			}
			return answers, nil
		}),
		ssh.PasswordCallback(func() (string, error) {
			a.tried = append(a.tried, "password")
			return a.password, nil
		}))
}

// signers lists the keys to offer: those that were named, then the agent's,
// then the usual ones. A key that the agent holds is signed for by the agent,
// which needs no passphrase.
func (a *auth) signers() []ssh.Signer {
	fromAgent := a.agentSigners()
	var out []ssh.Signer
	seen := map[string]bool{}
	add := func(s ssh.Signer, name string) {
		blob := string(s.PublicKey().Marshal())
		if !seen[blob] {
			seen[blob] = true
			out = append(out, s)
			a.tried = append(a.tried, "key "+name)
		}
	}
	files := func() {
		for _, f := range a.e.keyFiles {
			s, err := a.load(f, fromAgent)
			if err != nil {
				if !a.e.defaultKeys || !errors.Is(err, os.ErrNotExist) {
					a.notes = append(a.notes, err.Error())
				}
				continue
			}
			for _, cert := range a.certificates(f, s) {
				add(cert, f+" with its certificate")
			}
			add(s, f)
		}
	}
	if !a.e.defaultKeys {
		files()
	}
	if !a.e.agentOnly {
		for _, s := range fromAgent {
			add(s, "of the agent "+ssh.FingerprintSHA256(s.PublicKey()))
		}
	}
	if a.e.defaultKeys {
		files()
	}
	return out
}

func (a *auth) agentSigners() []ssh.Signer {
	if a.e.agent == "" {
		return nil
	}
	conn, err := net.Dial("unix", a.e.agent)
	if err != nil {
		a.notes = append(a.notes, fmt.Sprintf("no ssh-agent at %s", a.e.agent))
		return nil
	}
	a.agentConn = conn
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		a.notes = append(a.notes, fmt.Sprintf("ssh-agent: %v", err))
	}
	return signers
}

// load reads a private key file. An encrypted key is opened only when the
// server has said that it would take it.
func (a *auth) load(file string, fromAgent []ssh.Signer) (ssh.Signer, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			// Only the public half is here: the private one may be in the agent.
			if pub, perr := readPublic(file); perr == nil {
				if s := holding(fromAgent, pub); s != nil {
					return s, nil
				}
			}
		}
		return nil, err
	}
	s, err := ssh.ParsePrivateKey(pem)
	if err == nil {
		return s, nil
	}
	if pub, _, _, _, perr := ssh.ParseAuthorizedKey(pem); perr == nil { // a .pub file was named
		if s := holding(fromAgent, pub); s != nil {
			return s, nil
		}
		return nil, fmt.Errorf("%s is a public key and the agent does not hold its private half", file)
	}
	var locked *ssh.PassphraseMissingError
	if !errors.As(err, &locked) {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	pub := locked.PublicKey
	if pub == nil {
		pub, _ = readPublic(file)
	}
	if pub != nil {
		if s := holding(fromAgent, pub); s != nil {
			return s, nil
		}
	}
	if a.passphrase == nil {
		return nil, fmt.Errorf("%s is encrypted and its passphrase cannot be asked for; ssh-add it to an agent", file)
	}
	l := &lockedKey{a: a, file: file, pem: pem, pub: pub}
	if pub == nil { // an old format that hides even the public key
		if err := l.open(); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func readPublic(file string) (ssh.PublicKey, error) {
	text, err := os.ReadFile(strings.TrimSuffix(file, ".pub") + ".pub")
	if err != nil {
		return nil, err
	}
	pub, _, _, _, err := ssh.ParseAuthorizedKey(text)
	return pub, err
}

func holding(signers []ssh.Signer, pub ssh.PublicKey) ssh.Signer {
	for _, s := range signers {
		if string(s.PublicKey().Marshal()) == string(pub.Marshal()) {
			return s
		}
	}
	return nil
}

// certificates finds the certificates that belong to a key: beside it, or named.
func (a *auth) certificates(file string, s ssh.Signer) (out []ssh.Signer) {
	for _, f := range append([]string{file + "-cert.pub"}, a.e.certFiles...) {
		text, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		pub, _, _, _, err := ssh.ParseAuthorizedKey(text)
		if cert, ok := pub.(*ssh.Certificate); err == nil && ok {
			if c, err := ssh.NewCertSigner(cert, s); err == nil {
				out = append(out, c)
			}
		}
	}
	return out
}

// failed is the error when the server took nothing.
func (a *auth) failed(text string) error {
	tried := "nothing to try"
	if len(a.tried) > 0 {
		tried = "tried " + strings.Join(a.tried, ", ")
	}
	f := unreachable("login as %s refused: %s", a.e.user, tried)
	if len(a.notes) > 0 {
		f.Msg += " (" + strings.Join(a.notes, "; ") + ")"
	}
	switch {
	case strings.Contains(text, "Too many authentication failures"):
		return f.WithHint("the server ended it after too many keys: name the right one with --private-key and set IdentitiesOnly yes")
	case a.password == "":
		return f.WithHint("check the user (-u) and the key (--private-key); -k (--ask-pass) logs in with a password")
	}
	return f.WithHint("check the user (-u) and the password")
}

// lockedKey is an encrypted private key whose public half is known.
type lockedKey struct {
	a    *auth
	file string
	pem  []byte
	pub  ssh.PublicKey
	s    ssh.Signer
}

func (l *lockedKey) PublicKey() ssh.PublicKey { return l.pub }

func (l *lockedKey) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return l.SignWithAlgorithm(rand, data, "")
}

func (l *lockedKey) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	if err := l.open(); err != nil {
		return nil, unreachable("opening a private key").Because(err).WithHint("check the passphrase, or ssh-add the key to an agent")
	}
	if as, ok := l.s.(ssh.AlgorithmSigner); ok && algorithm != "" {
		return as.SignWithAlgorithm(rand, data, algorithm)
	}
	return l.s.Sign(rand, data)
}

// open asks for the passphrase, once.
func (l *lockedKey) open() error {
	if l.s != nil {
		return nil
	}
	resume := l.a.pause()
	defer resume()
	phrase, err := l.a.passphrase(l.file)
	if err != nil {
		return fault.Wrap(err, "asking for the passphrase of %s", l.file)
	}
	s, err := ssh.ParsePrivateKeyWithPassphrase(l.pem, []byte(phrase))
	if err != nil {
		return fmt.Errorf("%s: wrong passphrase", l.file)
	}
	l.s, l.pub = s, s.PublicKey()
	return nil
}
