package modules

import "testing"

// FuzzParsePGP feeds the reader of keyrings with anything: it must end, and
// what it gives must be whole.
func FuzzParsePGP(f *testing.F) {
	f.Add([]byte(pgpBegin + "\n\nxjMEAA==\n=abcd\n" + pgpEnd + "\n"))
	f.Add([]byte{0x98, 0x02, 4, 1, 0xb4, 1, 'x'})
	f.Add([]byte{0xc6, 0x02, 4, 1, 0xce, 0xc0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := parsePGP(data)
		if err != nil && keys != nil {
			t.Fatal("keys beside an error")
		}
		for _, k := range keys {
			if len(k.fingerprints) == 0 || len(k.longID()) != 16 || !k.has(k.fingerprint()) {
				t.Fatalf("a key without its fingerprint: %q", k.fingerprints)
			}
		}
	})
}
