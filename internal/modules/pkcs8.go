package modules

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"
)

// Encrypted PKCS #8 (RFC 8018, PBES2), which the standard library lacks: the
// form for keys that have no older one, such as Ed25519.

var (
	oidPBES2      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidHMACSHA1   = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 7}
	oidHMACSHA256 = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
	oidHMACSHA512 = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 11}
	oidAES128CBC  = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 2}
	oidAES192CBC  = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 22}
	oidAES256CBC  = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
)

type encryptedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

type pbes2Params struct {
	KDF, Cipher pkix.AlgorithmIdentifier
}

type pbkdf2Params struct {
	Salt      []byte
	Rounds    int
	KeyLength int                      `asn1:"optional"`
	PRF       pkix.AlgorithmIdentifier `asn1:"optional"`
}

// maxRounds keeps a foreign file from keeping the worker busy.
const maxRounds = 10_000_000

// openPKCS8 decrypts a key.
func openPKCS8(der []byte, passphrase string) ([]byte, error) {
	var e encryptedKey
	var p pbes2Params
	var k pbkdf2Params
	var iv []byte
	if _, err := asn1.Unmarshal(der, &e); err != nil {
		return nil, fmt.Errorf("unable to load a private key: %w", err)
	}
	if !e.Algorithm.Algorithm.Equal(oidPBES2) {
		return nil, fmt.Errorf("unable to load a private key: it is encrypted by %v, which is not supported", e.Algorithm.Algorithm)
	}
	_, err := asn1.Unmarshal(e.Algorithm.Parameters.FullBytes, &p)
	if err == nil && !p.KDF.Algorithm.Equal(oidPBKDF2) {
		err = errors.New("its passphrase is not hashed by PBKDF2")
	}
	if err == nil {
		_, err = asn1.Unmarshal(p.KDF.Parameters.FullBytes, &k)
	}
	if err == nil {
		_, err = asn1.Unmarshal(p.Cipher.Parameters.FullBytes, &iv)
	}
	prf, size := prfOf(k.PRF.Algorithm), cipherSize(p.Cipher.Algorithm)
	if err == nil && (prf == nil || size == 0 || len(iv) != aes.BlockSize || k.Rounds < 1 || k.Rounds > maxRounds) {
		err = errors.New("its encryption is not supported")
	}
	if err != nil {
		return nil, fmt.Errorf("unable to load a private key: %w", err)
	}
	secret, err := pbkdf2.Key(prf, passphrase, k.Salt, k.Rounds, size)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(secret)
	if err != nil || len(e.Data) == 0 || len(e.Data)%aes.BlockSize != 0 {
		return nil, errPassphrase
	}
	out := make([]byte, len(e.Data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(out, e.Data)
	pad := int(out[len(out)-1])
	if pad < 1 || pad > aes.BlockSize {
		return nil, errPassphrase
	}
	for _, b := range out[len(out)-pad:] {
		if int(b) != pad {
			return nil, errPassphrase
		}
	}
	return out[:len(out)-pad], nil
}

func prfOf(oid asn1.ObjectIdentifier) func() hash.Hash {
	switch {
	case len(oid) == 0, oid.Equal(oidHMACSHA1):
		return sha1.New
	case oid.Equal(oidHMACSHA256):
		return sha256.New
	case oid.Equal(oidHMACSHA512):
		return sha512.New
	}
	return nil
}

func cipherSize(oid asn1.ObjectIdentifier) int {
	switch {
	case oid.Equal(oidAES128CBC):
		return 16
	case oid.Equal(oidAES192CBC):
		return 24
	case oid.Equal(oidAES256CBC):
		return 32
	}
	return 0
}

// sealPKCS8 encrypts a key with AES-256.
func sealPKCS8(der []byte, passphrase string) ([]byte, error) {
	salt, iv := make([]byte, 16), make([]byte, aes.BlockSize)
	rand.Read(salt)
	rand.Read(iv)
	k := pbkdf2Params{Salt: salt, Rounds: 600_000, PRF: pkix.AlgorithmIdentifier{Algorithm: oidHMACSHA256, Parameters: asn1.NullRawValue}}
	secret, err := pbkdf2.Key(sha256.New, passphrase, salt, k.Rounds, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	pad := aes.BlockSize - len(der)%aes.BlockSize
	for i := 0; i < pad; i++ {
		der = append(der, byte(pad))
	}
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(der, der)
	kdf, err := asn1.Marshal(k)
	if err != nil {
		return nil, err
	}
	rawIV, err := asn1.Marshal(iv)
	if err != nil {
		return nil, err
	}
	params, err := asn1.Marshal(pbes2Params{
		KDF:    pkix.AlgorithmIdentifier{Algorithm: oidPBKDF2, Parameters: asn1.RawValue{FullBytes: kdf}},
		Cipher: pkix.AlgorithmIdentifier{Algorithm: oidAES256CBC, Parameters: asn1.RawValue{FullBytes: rawIV}},
	})
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(encryptedKey{Algorithm: pkix.AlgorithmIdentifier{Algorithm: oidPBES2, Parameters: asn1.RawValue{FullBytes: params}}, Data: der})
}
