package vault

import (
	"crypto/sha256"
	"strings"
	"sync"

	"mageprov/internal/fault"
)

// Secret is a vault password and where it came from.
type Secret struct {
	ID     string // vault id, DefaultID where none was given
	Source string // for messages: "file ~/.vault", "prompt"

	password []byte
}

// NewSecret makes a Secret of a password.
func NewSecret(id, source string, password []byte) Secret {
	if id == "" {
		id = DefaultID
	}
	return Secret{ID: id, Source: source, password: password}
}

func (s Secret) String() string { return s.ID + " (" + s.Source + ")" }

// Encrypt encrypts with this password and names its vault id in the header.
func (s Secret) Encrypt(plaintext []byte) ([]byte, error) {
	out, err := Encrypt(plaintext, s.password, s.ID)
	return out, fault.Wrap(err, "encrypting")
}

// Keyring holds the vault passwords of a run. A nil Keyring holds none. It is
// safe for concurrent use.
type Keyring struct {
	secrets []Secret

	mu     sync.Mutex
	opened map[[sha256.Size]byte]opened
}

// opened is a text that has been decrypted: deriving a key takes a while, and
// a thousand hosts may read one template.
type opened struct {
	plaintext []byte
	by        Secret
}

// NewKeyring makes a Keyring of passwords, in the order in which they are tried.
func NewKeyring(secrets ...Secret) *Keyring {
	return &Keyring{secrets: secrets, opened: map[[sha256.Size]byte]opened{}}
}

// Empty says that there is no password.
func (k *Keyring) Empty() bool { return k == nil || len(k.secrets) == 0 }

// Open decrypts an encrypted text that stands at place. The result is shared:
// do not change it.
func (k *Keyring) Open(data []byte, place fault.Place) ([]byte, error) {
	plaintext, _, err := k.OpenBy(data, place)
	return plaintext, err
}

// OpenBy also gives the Secret that fitted. The password of the vault id in the
// header is tried first, then, as an id is but a hint, all others.
func (k *Keyring) OpenBy(data []byte, place fault.Place) ([]byte, Secret, error) {
	e, err := Parse(data)
	if err != nil {
		return nil, Secret{}, fault.At(place, "encrypted text").Because(err)
	}
	if k.Empty() {
		return nil, Secret{}, NoPassword(place, e.ID)
	}
	key := sha256.Sum256(data)
	k.mu.Lock()
	was, ok := k.opened[key]
	k.mu.Unlock()
	if ok {
		return was.plaintext, was.by, nil
	}
	for _, s := range k.order(e.ID) {
		plaintext, err := e.Decrypt(s.password)
		if err != nil {
			continue
		}
		k.mu.Lock()
		k.opened[key] = opened{plaintext, s}
		k.mu.Unlock()
		return plaintext, s, nil
	}
	return nil, Secret{}, k.noneFits(place, e.ID)
}

// order puts the secrets of a vault id first.
func (k *Keyring) order(id string) []Secret {
	if id == "" {
		id = DefaultID
	}
	var first, rest []Secret
	for _, s := range k.secrets {
		if s.ID == id {
			first = append(first, s)
		} else {
			rest = append(rest, s)
		}
	}
	return append(first, rest...)
}

// NoPassword is the error for something encrypted where no password was given;
// id is the vault id it names, or "".
func NoPassword(place fault.Place, id string) error {
	if id == "" || id == DefaultID {
		return fault.At(place, "encrypted with ansible-vault, and no vault password was given").
			WithHint("give --vault-password-file FILE or --ask-vault-pass")
	}
	return fault.At(place, "encrypted with ansible-vault for vault id %s, and no vault password was given", id).
		WithHint("give --vault-id %s@FILE or --vault-id %s@prompt", id, id)
}

func (k *Keyring) noneFits(place fault.Place, id string) error {
	var tried []string
	known := false
	for _, s := range k.secrets {
		tried = append(tried, s.String())
		known = known || s.ID == id
	}
	of := ""
	if id != "" {
		of = " for vault id " + id
	}
	e := fault.At(place, "encrypted%s, and no vault password decrypts it; tried %s", of, strings.Join(tried, ", "))
	if id != "" && !known {
		return e.WithHint("give the password of %s: --vault-id %s@FILE", id, id)
	}
	return e.WithHint("the password is wrong, or the encrypted text was changed")
}

// ForEncryption gives the Secret to encrypt with: that of a vault id, or the
// only one there is.
func (k *Keyring) ForEncryption(id string) (Secret, error) {
	if k.Empty() {
		return Secret{}, fault.New("no vault password was given to encrypt with").
			WithHint("give --vault-password-file FILE, --vault-id LABEL@SOURCE or --ask-vault-pass")
	}
	var ids []string
	for _, s := range k.secrets {
		if s.ID == id {
			return s, nil
		}
		ids = append(ids, s.ID)
	}
	if id != "" {
		return Secret{}, fault.New("no password was given for the vault id %s to encrypt with", id).WithHint("%s", fault.DidYouMean(id, ids))
	}
	if len(k.secrets) > 1 {
		return Secret{}, fault.New("the vault ids %s are available to encrypt", strings.Join(ids, ",")).
			WithHint("choose one with --encrypt-vault-id")
	}
	return k.secrets[0], nil
}
