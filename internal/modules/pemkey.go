package modules

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"mageprov/internal/fault"
)

// errPassphrase is a key that the passphrase given, or none, does not open.
var errPassphrase = errors.New("wrong or empty passphrase provided for private key")

// pemKey is a private key with the form it has in a file.
type pemKey struct {
	key       crypto.PrivateKey
	format    string // pkcs1, pkcs8
	encrypted bool
}

// keyCurves are the curves by Ansible's names.
var keyCurves = map[string]elliptic.Curve{
	"secp224r1": elliptic.P224(), "secp256r1": elliptic.P256(), "secp384r1": elliptic.P384(), "secp521r1": elliptic.P521(),
}

// readKey reads a private key in PEM. A passphrase for a key that has none is
// an error as much as the other way round, as for Ansible.
func readKey(data []byte, passphrase string) (pemKey, error) {
	var k pemKey
	block, _ := pem.Decode(data)
	for block != nil && !strings.HasSuffix(block.Type, "PRIVATE KEY") { // EC PARAMETERS come before
		block, data = pem.Decode(data)
	}
	if block == nil {
		return k, errors.New("unable to load a private key: it is not in PEM")
	}
	der := block.Bytes
	var err error
	switch {
	case block.Headers["DEK-Info"] != "":
		k.encrypted = true
		//lint:ignore SA1019 it is the form that OpenSSL and Ansible write
		if der, err = x509.DecryptPEMBlock(block, []byte(passphrase)); err != nil {
			return k, errPassphrase
		}
	case block.Type == "ENCRYPTED PRIVATE KEY":
		k.encrypted = true
		if der, err = openPKCS8(der, passphrase); err != nil {
			return k, err
		}
	}
	if k.encrypted != (passphrase != "") {
		return k, errPassphrase
	}
	switch block.Type {
	case "RSA PRIVATE KEY":
		k.format = "pkcs1"
		k.key, err = x509.ParsePKCS1PrivateKey(der)
	case "EC PRIVATE KEY":
		k.format = "pkcs1"
		k.key, err = x509.ParseECPrivateKey(der)
	default:
		k.format = "pkcs8"
		k.key, err = x509.ParsePKCS8PrivateKey(der)
	}
	if err != nil {
		return k, fmt.Errorf("unable to load a private key: %w", err)
	}
	return k, nil
}

// pem writes the key, encrypted where there is a passphrase.
func (k pemKey) pem(passphrase string) ([]byte, error) {
	block := &pem.Block{Type: "PRIVATE KEY"}
	var err error
	switch key := k.key.(type) {
	case *rsa.PrivateKey:
		if k.format == "pkcs1" {
			block.Type, block.Bytes = "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)
		}
	case *ecdsa.PrivateKey:
		if k.format == "pkcs1" {
			block.Type = "EC PRIVATE KEY"
			block.Bytes, err = x509.MarshalECPrivateKey(key)
		}
	}
	if block.Bytes == nil && err == nil {
		block.Bytes, err = x509.MarshalPKCS8PrivateKey(k.key)
	}
	if err != nil {
		return nil, err
	}
	switch {
	case passphrase != "" && block.Type == "PRIVATE KEY":
		block.Type = "ENCRYPTED PRIVATE KEY"
		block.Bytes, err = sealPKCS8(block.Bytes, passphrase)
	case passphrase != "":
		//lint:ignore SA1019 it is the form that OpenSSL and Ansible write
		block, err = x509.EncryptPEMBlock(rand.Reader, block.Type, block.Bytes, []byte(passphrase), x509.PEMCipherAES256)
	}
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(block), nil
}

// generateKey makes a key of Ansible's type.
func generateKey(kind string, size int, curve string) (crypto.PrivateKey, error) {
	switch kind {
	case "RSA":
		return rsa.GenerateKey(rand.Reader, size)
	case "ECC":
		return ecdsa.GenerateKey(keyCurves[curve], rand.Reader)
	case "Ed25519":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case "X25519":
		return ecdh.X25519().GenerateKey(rand.Reader)
	}
	return nil, fault.New("keys of type %s cannot be made", kind)
}

// describeKey gives Ansible's words for a key: type, bits and curve.
func describeKey(key crypto.PrivateKey) (kind string, size int, curve string) {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return "RSA", key.N.BitLen(), ""
	case *ecdsa.PrivateKey:
		for name, c := range keyCurves {
			if c == key.Curve {
				curve = name
			}
		}
		return "ECC", key.Params().BitSize, curve
	case ed25519.PrivateKey:
		return "Ed25519", 0, ""
	case *ecdh.PrivateKey:
		return "X25519", 0, ""
	}
	return "", 0, ""
}

// publicOf gives the public half, in the form x509 knows it.
func publicOf(key crypto.PrivateKey) crypto.PublicKey {
	switch key := key.(type) {
	case crypto.Signer:
		return key.Public()
	case *ecdh.PrivateKey:
		return key.PublicKey()
	}
	return nil
}

// fingerprints are Ansible's, of the public key.
func fingerprints(key crypto.PrivateKey) map[string]any {
	der, err := x509.MarshalPKIXPublicKey(publicOf(key))
	if err != nil {
		return nil
	}
	m5, s1, s224, s256 := md5.Sum(der), sha1.Sum(der), sha256.Sum224(der), sha256.Sum256(der)
	s384, s512 := sha512.Sum384(der), sha512.Sum512(der)
	return map[string]any{
		"md5": colons(m5[:]), "sha1": colons(s1[:]), "sha224": colons(s224[:]), "sha256": colons(s256[:]),
		"sha384": colons(s384[:]), "sha512": colons(s512[:]),
	}
}

// colons writes bytes as 00:11:22.
func colons(b []byte) string {
	return strings.ReplaceAll(strings.TrimSpace(fmt.Sprintf("% x", b)), " ", ":")
}
