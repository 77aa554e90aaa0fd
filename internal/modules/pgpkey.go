package modules

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// pgpKey is an OpenPGP key as it stands in a keyring: its own fingerprint, those
// of its subkeys, and all its packets.
type pgpKey struct {
	fingerprints []string
	packets      []byte
}

func (k pgpKey) fingerprint() string { return k.fingerprints[0] }

func (k pgpKey) longID() string { return shortKeyID(k.fingerprint(), 16) }

// has says whether id, in any length, is that of the key or a subkey.
func (k pgpKey) has(id string) bool {
	return slices.ContainsFunc(k.fingerprints, func(fp string) bool {
		return strings.HasSuffix(fp, id) || len(fp) == 64 && strings.HasPrefix(fp, id)
	})
}

// shortKeyID gives the id that goes with a fingerprint: of SHA-1 ones the end,
// of newer ones the beginning.
func shortKeyID(fingerprint string, digits int) string {
	if len(fingerprint) == 64 {
		fingerprint = fingerprint[:16]
	}
	return fingerprint[len(fingerprint)-digits:]
}

const (
	pgpBegin = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
	pgpEnd   = "-----END PGP PUBLIC KEY BLOCK-----"
)

// dearmor gives the bytes of all blocks of keys in a text, and anything else as it is.
func dearmor(data []byte) ([]byte, error) {
	if !bytes.Contains(data, []byte(pgpBegin)) {
		return data, nil
	}
	var out []byte
	for rest := string(data); ; {
		_, block, ok := strings.Cut(rest, pgpBegin)
		if !ok {
			return out, nil
		}
		if block, rest, ok = strings.Cut(block, pgpEnd); !ok {
			return nil, errors.New("a block of keys has no end")
		}
		var text strings.Builder
		for _, line := range strings.Split(block, "\n") {
			line = strings.TrimSpace(line)
			if strings.Contains(line, ":") || strings.HasPrefix(line, "=") { // a header, the checksum
				continue
			}
			text.WriteString(line)
		}
		b, err := base64.StdEncoding.DecodeString(text.String())
		if err != nil {
			return nil, fmt.Errorf("a block of keys is damaged: %w", err)
		}
		out = append(out, b...)
	}
}

// Tags of the packets that matter.
const (
	pgpPublicKey    = 6
	pgpPublicSubkey = 14
)

// parsePGP reads the public keys of a keyring, armored or not.
func parsePGP(data []byte) ([]pgpKey, error) {
	data, err := dearmor(data)
	if err != nil {
		return nil, err
	}
	var keys []pgpKey
	for len(data) > 0 {
		tag, body, size, err := pgpPacket(data)
		if err != nil {
			return nil, err
		}
		packet := data[:size]
		data = data[size:]
		if tag == pgpPublicKey {
			keys = append(keys, pgpKey{})
		}
		if len(keys) == 0 {
			return nil, errors.New("it does not begin with a public key")
		}
		k := &keys[len(keys)-1]
		k.packets = append(k.packets, packet...)
		if tag == pgpPublicKey || tag == pgpPublicSubkey {
			fp, err := pgpFingerprint(body)
			if err != nil {
				return nil, err
			}
			k.fingerprints = append(k.fingerprints, fp)
		}
	}
	return keys, nil
}

var errPGPShort = errors.New("it is no OpenPGP key, or cut off")

// pgpPacket reads the packet that data begins with; size counts its header.
func pgpPacket(data []byte) (tag byte, body []byte, size int, err error) {
	if data[0]&0x80 == 0 || len(data) < 2 {
		return 0, nil, 0, errPGPShort
	}
	head, length := 2, uint64(0)
	if data[0]&0x40 != 0 {
		tag = data[0] & 0x3f
		switch l := data[1]; {
		case l < 192:
			length = uint64(l)
		case l < 224 && len(data) > 2:
			head, length = 3, uint64(l-192)<<8+uint64(data[2])+192
		case l == 255 && len(data) > 5:
			head, length = 6, uint64(binary.BigEndian.Uint32(data[2:]))
		default:
			return 0, nil, 0, errPGPShort // keys have no parts of unknown length
		}
	} else {
		tag = data[0] >> 2 & 0xf
		bytesOfLength := map[byte]int{0: 1, 1: 2, 2: 4}[data[0]&3]
		if head = 1 + bytesOfLength; bytesOfLength == 0 || len(data) < head {
			return 0, nil, 0, errPGPShort
		}
		for _, b := range data[1:head] {
			length = length<<8 | uint64(b)
		}
	}
	if uint64(len(data)-head) < length {
		return 0, nil, 0, errPGPShort
	}
	size = head + int(length)
	return tag, data[head:size], size, nil
}

// pgpFingerprint hashes the body of a key's packet.
func pgpFingerprint(body []byte) (string, error) {
	if len(body) == 0 {
		return "", errPGPShort
	}
	switch body[0] {
	case 4:
		if len(body) > 0xffff {
			return "", errPGPShort
		}
		sum := sha1.Sum(append(binary.BigEndian.AppendUint16([]byte{0x99}, uint16(len(body))), body...))
		return strings.ToUpper(hex.EncodeToString(sum[:])), nil
	case 5, 6:
		lead := map[byte]byte{5: 0x9a, 6: 0x9b}[body[0]]
		sum := sha256.Sum256(append(binary.BigEndian.AppendUint32([]byte{lead}, uint32(len(body))), body...))
		return strings.ToUpper(hex.EncodeToString(sum[:])), nil
	}
	return "", fmt.Errorf("keys of version %d are not understood", body[0])
}
