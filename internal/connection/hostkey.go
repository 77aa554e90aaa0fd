package connection

import (
	"bytes"
	"fmt"
	"net"

	"golang.org/x/crypto/ssh"

	"mageprov/internal/fault"
)

// hostKeyCheck decides about the key that one server shows.
type hostKeyCheck struct {
	e     *endpoint
	known knownHosts
	names []string
	ask   func(question string) (bool, error)
}

func newHostKeyCheck(e *endpoint, ask func(string) (bool, error)) (*hostKeyCheck, error) {
	known, err := readKnownHosts(append(append([]string(nil), e.knownHosts...), e.systemHosts...)...)
	if err != nil {
		return nil, fault.Wrap(err, "reading known hosts")
	}
	return &hostKeyCheck{e: e, known: known, names: hostKeyNames(e), ask: ask}, nil
}

// check is the ssh.HostKeyCallback.
func (c *hostKeyCheck) check(_ string, _ net.Addr, key ssh.PublicKey) error {
	if c.known.revoked(key) {
		return c.refuse("the host key of %s is revoked in known hosts (%s)", c.e.alias, ssh.FingerprintSHA256(key)).
			WithHint("give the node a new host key, then learn that one")
	}
	if cert, ok := key.(*ssh.Certificate); ok {
		return c.certificate(cert)
	}
	var others []knownKey
	for i, name := range c.names {
		for _, k := range c.known.find("", name) {
			if bytes.Equal(k.key.Marshal(), key.Marshal()) {
				return nil
			}
			if i == 0 { // a key without port says nothing against another port
				others = append(others, k)
			}
		}
	}
	if len(others) > 0 {
		return c.changed(key, others)
	}
	return c.unknown(key)
}

func (c *hostKeyCheck) certificate(cert *ssh.Certificate) error {
	var authorities []knownKey
	for _, name := range c.names {
		authorities = append(authorities, c.known.find("cert-authority", name)...)
	}
	checker := ssh.CertChecker{
		IsHostAuthority: func(auth ssh.PublicKey, _ string) bool {
			for _, a := range authorities {
				if bytes.Equal(a.key.Marshal(), auth.Marshal()) {
					return true
				}
			}
			return false
		},
		IsRevoked: func(cert *ssh.Certificate) bool {
			return c.known.revoked(cert.Key) || c.known.revoked(cert.SignatureKey)
		},
	}
	name := c.e.host
	if c.e.hostKeyName != "" {
		name = c.e.hostKeyName
	}
	if err := checker.CheckHostKey(net.JoinHostPort(name, "22"), nil, cert); err != nil {
		return c.refuse("the host certificate of %s is not good", c.e.alias).Because(err).
			WithHint("its authority has the fingerprint %s", ssh.FingerprintSHA256(cert.SignatureKey))
	}
	return nil
}

func (c *hostKeyCheck) changed(key ssh.PublicKey, known []knownKey) error {
	k := known[0]
	for _, o := range known {
		if o.key.Type() == key.Type() {
			k = o
			break
		}
	}
	return c.refuse("the host key of %s has changed: it shows %s %s, but %s:%d has %s %s: either the node was installed anew or someone is in between",
		c.e.alias, key.Type(), ssh.FingerprintSHA256(key), k.file, k.line, k.key.Type(), ssh.FingerprintSHA256(k.key)).
		WithHint("compare with `ssh-keygen -lf /etc/ssh/ssh_host_%s_key.pub` on the node's console; if it is right: ssh-keygen -R %s -f %s",
			shortType(key), Quote(c.names[0]), Quote(k.file))
}

func (c *hostKeyCheck) unknown(key ssh.PublicKey) error {
	finger := fmt.Sprintf("%s %s", key.Type(), ssh.FingerprintSHA256(key))
	switch c.e.policy {
	case HostKeyAcceptNew:
	case HostKeyAsk:
		if c.ask == nil {
			return c.unknownError(finger)
		}
		yes, err := c.ask(fmt.Sprintf("the host key of %s (%s) is not known: %s. Accept and remember it?", c.e.alias, c.e.address(), finger))
		if err != nil {
			return c.refuse("asking about the host key of %s", c.e.alias).Because(err)
		}
		if !yes {
			return c.refuse("the host key of %s was not accepted (%s)", c.e.alias, finger)
		}
	default:
		return c.unknownError(finger)
	}
	if len(c.e.knownHosts) == 0 {
		return nil
	}
	if err := learn(c.e.knownHosts[0], c.names[0], key); err != nil {
		return c.refuse("remembering the host key of %s", c.e.alias).Because(err)
	}
	return nil
}

func (c *hostKeyCheck) unknownError(finger string) error {
	return c.refuse("the host key of %s is not known: %s", c.e.alias, finger).
		WithHint("compare the fingerprint with the node's console, then use --host-key=ask, or --host-key=accept-new for hosts that were just installed")
}

func (c *hostKeyCheck) refuse(format string, args ...any) *fault.Error {
	return unreachable(format, args...)
}

func shortType(k ssh.PublicKey) string {
	switch k.Type() {
	case ssh.KeyAlgoED25519:
		return "ed25519"
	case ssh.KeyAlgoRSA:
		return "rsa"
	}
	return "ecdsa"
}
