// Package vault reads and writes Ansible Vault: files and strings encrypted
// with a password, in the formats 1.1 and, with a vault id, 1.2.
//
// The format is text: a header line, and below it, twice in hexadecimal, a salt,
// a checksum and the ciphertext. A password gives two keys by PBKDF2; one
// decrypts (AES-256 in counter mode), the other proves that it is the right one
// and that nothing was changed (HMAC-SHA-256).
package vault

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Header begins every encrypted text.
const Header = "$ANSIBLE_VAULT;"

// DefaultID is the vault id of a password that was given without one. It is not
// written into the header.
const DefaultID = "default"

const (
	cipherName = "AES256"
	saltLen    = 32
	rounds     = 10000
	lineLen    = 80
	indent     = "          " // of the lines below !vault | as Ansible writes them
)

// Encrypted says whether data is an encrypted file or string.
func Encrypted(data []byte) bool { return bytes.HasPrefix(data, []byte(Header)) }

// Envelope is an encrypted text that has been taken apart.
type Envelope struct {
	ID string // vault id of the header, "" in format 1.1

	salt, sum, ciphertext []byte
}

// errPassword says that a password is not the one an Envelope was made with.
var errPassword = errors.New("the password is wrong, or the text was changed")

// Parse takes an encrypted text apart. It needs no password; the error never
// quotes the text.
func Parse(data []byte) (*Envelope, error) {
	head, body, _ := strings.Cut(string(bytes.TrimSpace(data)), "\n")
	fields := strings.Split(strings.TrimSpace(head), ";")
	if fields[0]+";" != Header || len(fields) < 3 {
		return nil, errors.New("not an encrypted text: it does not begin with " + Header + "VERSION;CIPHER")
	}
	e := &Envelope{}
	switch version := fields[1]; {
	case version == "1.0":
		return nil, errors.New("format 1.0 of ansible-vault is not supported: decrypt it with the version that wrote it")
	case version != "1.1" && version != "1.2":
		return nil, fmt.Errorf("format %q is not known", version)
	case version == "1.2" && len(fields) > 3:
		e.ID = fields[3]
	}
	if fields[2] != cipherName {
		return nil, fmt.Errorf("cipher %q is not known", fields[2])
	}
	inner, err := hex.DecodeString(strings.Join(strings.Fields(body), ""))
	if err != nil {
		return nil, errors.New("the lines below the header are not hexadecimal, or some are missing")
	}
	parts := bytes.Split(inner, []byte("\n"))
	if len(parts) != 3 {
		return nil, errors.New("salt, checksum and ciphertext are not all there")
	}
	for i, to := range []*[]byte{&e.salt, &e.sum, &e.ciphertext} {
		if *to, err = hex.DecodeString(string(parts[i])); err != nil || len(*to) == 0 {
			return nil, errors.New("salt, checksum or ciphertext is damaged")
		}
	}
	return e, nil
}

// keys derives from a password the key that encrypts, the one that signs, and
// the counter to begin with.
func keys(password, salt []byte) (secret, sign, counter []byte, err error) {
	k, err := pbkdf2.Key(sha256.New, string(password), salt, rounds, 32+32+aes.BlockSize)
	if err != nil {
		return nil, nil, nil, err
	}
	return k[:32], k[32:64], k[64:], nil
}

func crypt(secret, counter, in []byte) ([]byte, error) {
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(in))
	cipher.NewCTR(block, counter).XORKeyStream(out, in)
	return out, nil
}

func checksum(sign, ciphertext []byte) []byte {
	m := hmac.New(sha256.New, sign)
	m.Write(ciphertext)
	return m.Sum(nil)
}

// Decrypt gives the plaintext, or an error that does not tell a wrong password
// from a changed text: nobody can.
func (e *Envelope) Decrypt(password []byte) ([]byte, error) {
	secret, sign, counter, err := keys(password, e.salt)
	if err != nil {
		return nil, err
	}
	if !hmac.Equal(checksum(sign, e.ciphertext), e.sum) {
		return nil, errPassword
	}
	padded, err := crypt(secret, counter, e.ciphertext)
	if err != nil {
		return nil, err
	}
	n := int(padded[len(padded)-1])
	if n < 1 || n > aes.BlockSize || n > len(padded) || !bytes.Equal(padded[len(padded)-n:], bytes.Repeat([]byte{byte(n)}, n)) {
		return nil, errors.New("the padding is damaged")
	}
	return padded[:len(padded)-n], nil
}

// Encrypt gives the encrypted text, which ends in a newline, in format 1.1 or,
// with an id other than DefaultID, in 1.2. The salt is random: the same text
// never looks the same.
func Encrypt(plaintext, password []byte, id string) ([]byte, error) {
	salt := make([]byte, saltLen)
	if _, err := rand.Read(salt); err != nil {
		return nil, err
	}
	return EncryptSalted(plaintext, password, salt, id)
}

// EncryptSalted is Encrypt with a salt of the caller's choice: the same salt
// gives the same text, so that a file made of it does not change at each run.
func EncryptSalted(plaintext, password, salt []byte, id string) ([]byte, error) {
	if strings.ContainsAny(id, "; \t\r\n") {
		return nil, fmt.Errorf("%q cannot be a vault id: it holds a blank or a semicolon", id)
	}
	secret, sign, counter, err := keys(password, salt)
	if err != nil {
		return nil, err
	}
	n := aes.BlockSize - len(plaintext)%aes.BlockSize
	padded := append(bytes.Clone(plaintext), bytes.Repeat([]byte{byte(n)}, n)...)
	ciphertext, err := crypt(secret, counter, padded)
	if err != nil {
		return nil, err
	}
	head := Header + "1.1;" + cipherName
	if id != "" && id != DefaultID {
		head = Header + "1.2;" + cipherName + ";" + id
	}
	inner := hex.EncodeToString(salt) + "\n" + hex.EncodeToString(checksum(sign, ciphertext)) + "\n" + hex.EncodeToString(ciphertext)
	var b bytes.Buffer
	b.WriteString(head + "\n")
	for text := hex.EncodeToString([]byte(inner)); text != ""; {
		line := text[:min(lineLen, len(text))]
		text = text[len(line):]
		b.WriteString(line + "\n")
	}
	return b.Bytes(), nil
}

// YAML writes an encrypted text as the value of a variable, to be pasted into a
// file of variables; name may be "".
func YAML(name string, encrypted []byte) string {
	var b strings.Builder
	if name != "" {
		b.WriteString(name + ": ")
	}
	b.WriteString("!vault |\n")
	for line := range strings.Lines(string(encrypted)) {
		b.WriteString(indent + line)
	}
	return b.String()
}
