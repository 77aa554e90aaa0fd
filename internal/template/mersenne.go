package template

import (
	"crypto/rand"
	"crypto/sha512"
	"math"
	"math/big"
	"math/bits"
	"slices"

	"mageprov/internal/jinja"
)

// mersenne is Python's generator of random numbers, so that a seed picks the
// minute, the port or the password that it picks under Ansible. It is no
// source of secrets.
type mersenne struct {
	state [624]uint32
	at    int
}

// randomFrom gives a generator for a seed of a playbook; nil means no seed.
func randomFrom(seed any) *mersenne {
	var key []byte // big endian
	switch v := seed.(type) {
	case nil:
		key = make([]byte, 64)
		rand.Read(key) // never fails
	case bool:
		if v {
			key = []byte{1}
		}
	case int64:
		key = new(big.Int).Abs(big.NewInt(v)).Bytes()
	case *big.Int:
		key = v.Bytes()
	case float64:
		key = new(big.Int).SetUint64(floatHash(v)).Bytes()
	default:
		text := jinja.Str(v)
		sum := sha512.Sum512([]byte(text))
		key = append([]byte(text), sum[:]...)
	}
	slices.Reverse(key)
	words := []uint32{0}
	for i, b := range key {
		if i/4 == len(words) {
			words = append(words, 0)
		}
		words[i/4] |= uint32(b) << (i % 4 * 8)
	}
	for len(words) > 1 && words[len(words)-1] == 0 {
		words = words[:len(words)-1]
	}
	m := &mersenne{}
	m.seed(words)
	return m
}

// floatHash is what Python's hash gives for a float, as an unsigned number.
func floatHash(f float64) uint64 {
	const prime = 1<<61 - 1
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return 314159
	}
	frac, exp := math.Frexp(math.Abs(f))
	var h uint64
	for frac != 0 {
		h = h<<28&prime | h>>(61-28)
		frac *= 1 << 28
		exp -= 28
		whole := uint64(frac)
		frac -= float64(whole)
		if h += whole; h >= prime {
			h -= prime
		}
	}
	shift := ((exp % 61) + 61) % 61
	h = h<<shift&prime | h>>(61-shift)
	if f < 0 {
		return -h
	}
	return h
}

// seed is init_by_array of the reference implementation.
func (m *mersenne) seed(key []uint32) {
	s := &m.state
	s[0] = 19650218
	for i := 1; i < len(s); i++ {
		s[i] = 1812433253*(s[i-1]^s[i-1]>>30) + uint32(i)
	}
	i, j := 1, 0
	next := func() {
		if i++; i == len(s) {
			s[0], i = s[len(s)-1], 1
		}
	}
	for range max(len(s), len(key)) {
		s[i] = (s[i] ^ (s[i-1]^s[i-1]>>30)*1664525) + key[j] + uint32(j)
		next()
		j = (j + 1) % len(key)
	}
	for range len(s) - 1 {
		s[i] = (s[i] ^ (s[i-1]^s[i-1]>>30)*1566083941) - uint32(i)
		next()
	}
	s[0], m.at = 1<<31, len(s)
}

func (m *mersenne) word() uint32 {
	if m.at == len(m.state) {
		s := &m.state
		for i := range s {
			y := s[i]&(1<<31) | s[(i+1)%len(s)]&(1<<31-1)
			s[i] = s[(i+397)%len(s)] ^ y>>1 ^ -(y&1)&0x9908b0df
		}
		m.at = 0
	}
	y := m.state[m.at]
	m.at++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// bits gives a number of n bits, at most 64.
func (m *mersenne) bits(n int) uint64 {
	if n <= 32 {
		return uint64(m.word() >> (32 - n))
	}
	low := uint64(m.word())
	return low | uint64(m.word()>>(64-n))<<32
}

// below gives a number from 0 to n-1; n must be positive.
func (m *mersenne) below(n int64) int64 {
	k := bits.Len64(uint64(n))
	for {
		if r := m.bits(k); r < uint64(n) {
			return int64(r)
		}
	}
}

// shuffle mixes the elements in place.
func (m *mersenne) shuffle(items []any) {
	for i := len(items) - 1; i > 0; i-- {
		j := m.below(int64(i) + 1)
		items[i], items[j] = items[j], items[i]
	}
}

// text draws n characters of an alphabet, predictable by the seed.
func (m *mersenne) text(n int, alphabet []rune) string {
	out := make([]rune, n)
	for i := range out {
		out[i] = alphabet[m.below(int64(len(alphabet)))]
	}
	return string(out)
}

// random takes one element of a list, or a number of a range.
func random(c *jinja.Call, in any) (any, error) {
	a := take(c, "start", "step", "seed")
	start, step := int64(a.num("start", 0)), int64(a.num("step", 1))
	if a.err != nil {
		return nil, a.err
	}
	r := randomFrom(a.value("seed", nil))
	if end, ok := in.(int64); ok {
		if step == 0 {
			return nil, refuse(c, "step must not be 0")
		}
		n := (end - start + step - 1) / step
		if step < 0 {
			n = (start - end - step - 1) / -step
		}
		if n <= 0 {
			return nil, refuse(c, "the range from %d to %d is empty", start, end)
		}
		return start + step*r.below(n), nil
	}
	if a.has("start") || a.has("step") {
		return nil, refuse(c, "start and step can only be used with integer values")
	}
	lists, err := allElements(c, in, nil)
	if err != nil {
		return nil, err
	}
	if len(lists[0]) == 0 {
		return nil, refuse(c, "cannot choose from an empty list")
	}
	return lists[0][r.below(int64(len(lists[0])))], nil
}

// shuffle mixes a list; what is no list stays as it is.
func shuffle(c *jinja.Call, in any) (any, error) {
	a := take(c, "seed")
	if a.err != nil {
		return nil, a.err
	}
	lists, err := allElements(c, in, nil)
	if err != nil {
		return in, nil
	}
	out := slices.Clone(lists[0])
	randomFrom(a.value("seed", nil)).shuffle(out)
	return &jinja.List{Items: out}, nil
}
