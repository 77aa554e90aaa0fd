package document

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/vault"
)

// Sealed is the value of a !vault string: encrypted until a template or a task
// reads it, because a file may hold values that nobody here can or need decrypt.
// Its plaintext is data and never rendered. It is safe for concurrent use.
type Sealed struct {
	Text  string      // as it stands in the file, without indentation
	Place fault.Place // of Text

	keys *vault.Keyring
	once sync.Once
	val  any
	err  error
}

// Force decrypts the value: it is a jinja.Deferred.
func (s *Sealed) Force(context.Context) (any, error) {
	s.once.Do(func() {
		plaintext, err := s.keys.Open([]byte(s.Text), s.Place)
		s.val, s.err = string(plaintext), err
	})
	return s.val, s.err
}

// String gives the encrypted text: whoever prints a value that nobody has read
// prints no secret.
func (s *Sealed) String() string { return s.Text }

// Shown is the value as Ansible shows it in results and inventories that hold
// it undecrypted.
func (s *Sealed) Shown() *jinja.Dict { return jinja.NewDict("__ansible_vault", s.Text) }

// seal makes the value of a !vault scalar. What is no vault at all, or cannot
// be decrypted because there is no password, is a mistake of the file.
func (c *converter) seal(n *Node) {
	s := &Sealed{Text: n.Raw, Place: n.Place, keys: c.keys}
	n.Value = s
	e, err := vault.Parse([]byte(s.Text))
	switch {
	case err != nil:
		c.fail(n.Place, "!vault: %v", err)
	case c.keys == nil:
		c.add(vault.NoPassword(n.Place, e.ID))
	}
}

// exported makes a value of the form in which Ansible writes one as JSON when it
// is more than its text: encrypted (see Shown), or never to be rendered.
func (c *converter) exported(n *Node) {
	if len(n.Pairs) != 1 || n.Pairs[0].Val.Kind != Scalar {
		return
	}
	v := n.Pairs[0].Val
	switch n.Pairs[0].Key {
	case "__ansible_vault":
		*n = Node{Place: v.Place, Raw: v.Raw, Tag: "!vault"}
		c.seal(n)
	case "__ansible_unsafe":
		*n = Node{Place: v.Place, Raw: v.Raw, Tag: "!unsafe", Value: v.Raw}
	}
}

// unsealFile decrypts a file that is encrypted as a whole and gives others as
// they are.
func unsealFile(p string, data []byte, keys *vault.Keyring) ([]byte, error) {
	if !vault.Encrypted(data) {
		return data, nil
	}
	return keys.Open(data, fault.Place{File: p, Line: 1, Col: 1})
}

// Reading says that a file could not be read, unless err names it already. what
// may be "".
func Reading(err error, what, p string) error {
	var e *fault.Error
	if errors.As(err, &e) && e.Place.File != "" {
		return err
	}
	return fault.Wrap(err, "%s", strings.TrimSpace("reading "+what)+" "+p)
}

// EncryptedFile says whether a file of the disk is encrypted as a whole.
func EncryptedFile(p string) bool {
	f, err := os.Open(filepath.FromSlash(p))
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, len(vault.Header))
	_, err = io.ReadFull(f, head)
	return err == nil && vault.Encrypted(head)
}
