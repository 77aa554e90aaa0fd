package modules

import "strings"

// compareDebVersions orders two Debian versions as dpkg does: negative when a
// is older than b, zero when they are equal, positive when a is newer. It never
// fails: what is no version at all is ordered like one.
func compareDebVersions(a, b string) int {
	ea, ua, ra := splitDebVersion(a)
	eb, ub, rb := splitDebVersion(b)
	if c := compareDigits(ea, eb); c != 0 {
		return c
	}
	if c := compareDebPart(ua, ub); c != 0 {
		return c
	}
	return compareDebPart(ra, rb)
}

// splitDebVersion cuts [epoch:]upstream[-revision].
func splitDebVersion(v string) (epoch, upstream, revision string) {
	upstream = v
	if i := strings.IndexByte(v, ':'); i >= 0 {
		epoch, upstream = v[:i], v[i+1:]
	}
	if i := strings.LastIndexByte(upstream, '-'); i >= 0 {
		upstream, revision = upstream[:i], upstream[i+1:]
	}
	return epoch, upstream, revision
}

// compareDebPart walks both strings in turns: what is no digit by the order of
// debCharOrder, then digits by their value.
func compareDebPart(a, b string) int {
	for a != "" || b != "" {
		for a != "" && !isDigit(a[0]) || b != "" && !isDigit(b[0]) {
			if c := debCharOrder(a) - debCharOrder(b); c != 0 {
				return c
			}
			// Equal orders mean that both have a character here: an end orders
			// like a digit, and a digit on one side only is never equal to the
			// character on the other.
			a, b = a[1:], b[1:]
		}
		na, nb := digitsLen(a), digitsLen(b)
		if c := compareDigits(a[:na], b[:nb]); c != 0 {
			return c
		}
		a, b = a[na:], b[nb:]
	}
	return 0
}

// debCharOrder gives the rank of the first character: ~ before the end and
// digits, then letters, then all others.
func debCharOrder(s string) int {
	switch {
	case s == "" || isDigit(s[0]):
		return 0
	case s[0] == '~':
		return -1
	case s[0] >= 'a' && s[0] <= 'z', s[0] >= 'A' && s[0] <= 'Z':
		return int(s[0])
	}
	return int(s[0]) + 256
}

// compareDigits compares whole numbers of any length.
func compareDigits(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func digitsLen(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}
