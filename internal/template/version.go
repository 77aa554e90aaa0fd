package template

import (
	"fmt"
	"math/big"
	"regexp"
	"strings"
)

// A versionScheme orders two versions: -1, 0 or 1, or an error when they do not fit it.
type versionScheme func(a, b string) (int, error)

var versionSchemes = map[string]versionScheme{
	"loose":    compareLoose,
	"strict":   compareStrict,
	"semver":   compareSemver,
	"semantic": compareSemver,
	"pep440":   comparePEP440,
}

var loosePart = regexp.MustCompile(`[0-9]+|[a-z]+|\.|[^0-9a-z.]+`)

// looseParts cuts a version into numbers and words, as Python's LooseVersion does.
func looseParts(v string) []string {
	var out []string
	for _, p := range loosePart.FindAllString(v, -1) {
		if p != "." {
			out = append(out, p)
		}
	}
	return out
}

func compareLoose(a, b string) (int, error) {
	x, y := looseParts(a), looseParts(b)
	for i := 0; i < len(x) && i < len(y); i++ {
		xNum, yNum := isDigits(x[i]), isDigits(y[i])
		if xNum != yNum {
			return 0, fmt.Errorf("versions %q and %q cannot be compared: %s and %s", a, b, x[i], y[i])
		}
		n := strings.Compare(x[i], y[i])
		if xNum {
			n = compareDigits(x[i], y[i])
		}
		if n != 0 {
			return n, nil
		}
	}
	return compareInts(len(x), len(y)), nil
}

func compareDigits(a, b string) int {
	x, _ := new(big.Int).SetString(a, 10)
	y, _ := new(big.Int).SetString(b, 10)
	return x.Cmp(y)
}

func compareInts(a, b int) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

var strictForm = regexp.MustCompile(`^(\d+)\.(\d+)(?:\.(\d+))?(?:([ab])(\d+))?$`)

func compareStrict(a, b string) (int, error) {
	x, y := strictForm.FindStringSubmatch(a), strictForm.FindStringSubmatch(b)
	for i, m := range [][]string{x, y} {
		if m == nil {
			return 0, fmt.Errorf("invalid version number %q", []string{a, b}[i])
		}
		for j := range m {
			if m[j] == "" && j != 4 {
				m[j] = "0"
			}
		}
	}
	for _, i := range []int{1, 2, 3} {
		if n := compareDigits(x[i], y[i]); n != 0 {
			return n, nil
		}
	}
	if x[4] != y[4] {
		switch {
		case x[4] == "":
			return 1, nil
		case y[4] == "":
			return -1, nil
		}
		return strings.Compare(x[4], y[4]), nil
	}
	return compareDigits(x[5], y[5]), nil
}

var semverForm = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?$`)

func compareSemver(a, b string) (int, error) {
	x, y := semverForm.FindStringSubmatch(a), semverForm.FindStringSubmatch(b)
	if x == nil || y == nil {
		bad := a
		if x != nil {
			bad = b
		}
		return 0, fmt.Errorf("invalid semantic version %q", bad)
	}
	for _, i := range []int{1, 2, 3} {
		if n := compareDigits(x[i], y[i]); n != 0 {
			return n, nil
		}
	}
	switch {
	case x[4] == y[4]:
		return 0, nil
	case x[4] == "":
		return 1, nil
	case y[4] == "":
		return -1, nil
	}
	p, q := strings.Split(x[4], "."), strings.Split(y[4], ".")
	for i := 0; i < len(p) && i < len(q); i++ {
		if n := compareIdentifiers(p[i], q[i]); n != 0 {
			return n, nil
		}
	}
	return compareInts(len(p), len(q)), nil
}

// compareIdentifiers orders parts of a pre-release: numbers before words.
func compareIdentifiers(a, b string) int {
	x, y := isDigits(a), isDigits(b)
	switch {
	case x && y:
		return compareDigits(a, b)
	case x:
		return -1
	case y:
		return 1
	}
	return strings.Compare(a, b)
}

var pep440Form = regexp.MustCompile(`(?i)^\s*v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(a|b|c|rc|alpha|beta|pre|preview)[-_.]?(\d*))?` +
	`(?:-(\d+)|[-_.]?(post|rev|r)[-_.]?(\d*))?(?:[-_.]?(dev)[-_.]?(\d*))?(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?\s*$`)

// pep440 is a version as numbers that compare one by one.
type pep440 struct {
	epoch   string
	release []string
	rest    []string // pre-release, post-release, development release: kind and number
	local   []string
}

func parsePEP440(v string) (pep440, error) {
	m := pep440Form.FindStringSubmatch(v)
	if m == nil {
		return pep440{}, fmt.Errorf("invalid version %q", v)
	}
	or := func(s, def string) string {
		if s == "" {
			return def
		}
		return s
	}
	p := pep440{epoch: or(m[1], "0"), release: strings.Split(m[2], ".")}
	for len(p.release) > 1 && strings.Trim(p.release[len(p.release)-1], "0") == "" {
		p.release = p.release[:len(p.release)-1]
	}
	kinds := map[string]string{"a": "1", "alpha": "1", "b": "2", "beta": "2", "c": "3", "rc": "3", "pre": "3", "preview": "3"}
	pre, post, dev := or(kinds[strings.ToLower(m[3])], "9"), "0", "1"
	if m[3] == "" && m[5] == "" && m[6] == "" && m[8] != "" {
		pre = "0" // 1.0.dev1 stands before 1.0a1
	}
	if m[5] != "" || m[6] != "" {
		post = "1"
	}
	if m[8] != "" {
		dev = "0"
	}
	p.rest = []string{pre, or(m[4], "0"), post, or(m[5]+m[7], "0"), dev, or(m[9], "0")}
	if m[10] != "" {
		p.local = strings.FieldsFunc(strings.ToLower(m[10]), func(r rune) bool { return strings.ContainsRune("-_.", r) })
	}
	return p, nil
}

func comparePEP440(a, b string) (int, error) {
	x, err := parsePEP440(a)
	if err != nil {
		return 0, err
	}
	y, err := parsePEP440(b)
	if err != nil {
		return 0, err
	}
	if n := compareDigits(x.epoch, y.epoch); n != 0 {
		return n, nil
	}
	if n := compareLists(x.release, y.release, compareDigits); n != 0 {
		return n, nil
	}
	if n := compareLists(x.rest, y.rest, compareDigits); n != 0 {
		return n, nil
	}
	// a number in a local version stands behind a word
	return compareLists(x.local, y.local, func(p, q string) int {
		if isDigits(p) != isDigits(q) {
			return -compareIdentifiers(p, q)
		}
		return compareIdentifiers(p, q)
	}), nil
}

func compareLists(x, y []string, compare func(a, b string) int) int {
	for i := 0; i < len(x) && i < len(y); i++ {
		if n := compare(x[i], y[i]); n != 0 {
			return n
		}
	}
	return compareInts(len(x), len(y))
}
