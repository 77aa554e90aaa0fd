package template

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"

	// password_hash for /etc/shadow: no package of the Go project makes crypt(3) hashes.
	"github.com/GehirnInc/crypt"
	"github.com/GehirnInc/crypt/md5_crypt"
	"github.com/GehirnInc/crypt/sha256_crypt"
	"github.com/GehirnInc/crypt/sha512_crypt"
	//lint:ignore SA1019 bcrypt is made of it, and x/crypto/bcrypt takes no salt
	"golang.org/x/crypto/blowfish"
)

// cryptOptions choose how a password is hashed for /etc/shadow; zero values
// mean passlib's defaults, which are Ansible's.
type cryptOptions struct {
	Scheme string // sha512, sha256, md5, blowfish or bcrypt; with or without _crypt
	Salt   string
	Size   int
	Rounds int
	Ident  string
}

// cryptScheme is one kind of hash in crypt(3)'s notation.
type cryptScheme struct {
	prefix        string
	saltSize      int
	rounds        int // used when none are asked for
	implicit      int // rounds that go without saying in the hash
	least, most   int
	algorithm     func() crypt.Crypter
	fixedSaltSize bool
}

var cryptSchemes = map[string]cryptScheme{
	"sha512": {prefix: "6", saltSize: 16, rounds: 656000, implicit: 5000, least: 1000, most: 999999999, algorithm: sha512_crypt.New},
	"sha256": {prefix: "5", saltSize: 16, rounds: 535000, implicit: 5000, least: 1000, most: 999999999, algorithm: sha256_crypt.New},
	"md5":    {prefix: "1", saltSize: 8, algorithm: md5_crypt.New},
	"bcrypt": {prefix: "2b", saltSize: 22, rounds: 12, least: 4, most: 31, fixedSaltSize: true},
}

const saltAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// cryptPassword hashes a password.
func cryptPassword(password string, o cryptOptions) (string, error) {
	name := strings.TrimSuffix(strings.ToLower(o.Scheme), "_crypt")
	if name == "blowfish" {
		name = "bcrypt"
	}
	sc, ok := cryptSchemes[name]
	if !ok {
		return "", fmt.Errorf("unknown hash %q (known: sha512, sha256, md5, bcrypt)", o.Scheme)
	}
	salt, err := sc.salt(o)
	if err != nil {
		return "", err
	}
	rounds := o.Rounds
	if rounds == 0 {
		rounds = sc.rounds
	}
	if sc.rounds > 0 && (rounds < sc.least || rounds > sc.most) {
		return "", fmt.Errorf("rounds must be from %d to %d, not %d", sc.least, sc.most, rounds)
	}
	if sc.algorithm == nil {
		ident := o.Ident
		if ident == "" {
			ident = sc.prefix
		}
		return bcryptHash(password, salt, ident, rounds)
	}
	setting := "$" + sc.prefix + "$" + salt
	if rounds != sc.implicit && sc.rounds > 0 {
		setting = fmt.Sprintf("$%s$rounds=%d$%s", sc.prefix, rounds, salt)
	}
	return sc.algorithm().Generate([]byte(password), []byte(setting))
}

func (sc cryptScheme) salt(o cryptOptions) (string, error) {
	salt := o.Salt
	if salt == "" {
		n := o.Size
		if n == 0 || sc.fixedSaltSize {
			n = sc.saltSize
		}
		return randomText(n, saltAlphabet)
	}
	if i := strings.IndexFunc(salt, func(r rune) bool { return !strings.ContainsRune(saltAlphabet, r) }); i >= 0 {
		return "", fmt.Errorf("invalid characters in salt (known: %s)", "./0-9A-Za-z")
	}
	if sc.fixedSaltSize && len(salt) != sc.saltSize {
		return "", fmt.Errorf("the salt must have %d characters, not %d", sc.saltSize, len(salt))
	}
	if len(salt) > sc.saltSize {
		return "", fmt.Errorf("the salt must have at most %d characters, not %d", sc.saltSize, len(salt))
	}
	return salt, nil
}

// randomText draws n characters of alphabet, fit for secrets.
func randomText(n int, alphabet string) (string, error) {
	letters := []rune(alphabet)
	if n > 0 && len(letters) == 0 {
		return "", fmt.Errorf("no characters to choose from")
	}
	var b strings.Builder
	for range n {
		i, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			return "", err
		}
		b.WriteRune(letters[i.Int64()])
	}
	return b.String(), nil
}

var bcryptBase64 = base64.NewEncoding("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789").WithPadding(base64.NoPadding)

// bcryptHash is bcrypt with a salt of the caller's choice, which x/crypto/bcrypt
// does not offer.
func bcryptHash(password, salt, ident string, cost int) (string, error) {
	switch ident {
	case "2", "2a", "2b", "2y":
	default:
		return "", fmt.Errorf("unknown bcrypt ident %q (known: 2, 2a, 2b, 2y)", ident)
	}
	raw, err := bcryptBase64.DecodeString(salt)
	if err != nil || len(raw) != 16 {
		return "", fmt.Errorf("the salt is not valid for bcrypt")
	}
	key := append([]byte(password), 0)
	if len(key) > 72 {
		key = key[:72]
	}
	ci, err := blowfish.NewSaltedCipher(key, raw)
	if err != nil {
		return "", err
	}
	for range uint64(1) << cost {
		blowfish.ExpandKey(key, ci)
		blowfish.ExpandKey(raw, ci)
	}
	text := []byte("OrpheanBeholderScryDoubt")
	for i := 0; i < len(text); i += 8 {
		for range 64 {
			ci.Encrypt(text[i:i+8], text[i:i+8])
		}
	}
	return fmt.Sprintf("$%s$%02d$%s%s", ident, cost, bcryptBase64.EncodeToString(raw), bcryptBase64.EncodeToString(text[:23])), nil
}
