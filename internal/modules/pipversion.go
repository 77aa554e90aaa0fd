package modules

import (
	"strconv"
	"strings"

	"mageprov/internal/pyre"
)

// pipSatisfies compares a version with a list such as ">=1,<2", by the rules of
// Python's versions. It says no where it is not sure: pip then decides.
func pipSatisfies(version, specs string) bool {
	have, ok := parsePipVersion(version)
	for _, spec := range strings.Split(specs, ",") {
		spec = strings.TrimSpace(spec)
		if spec == "" {
			continue
		}
		op := spec[:len(spec)-len(strings.TrimLeft(spec, "<>=!~"))]
		text := strings.TrimSpace(spec[len(op):])
		if op == "===" || op == "==" && text == version {
			if text != version {
				return false
			}
			continue
		}
		prefix, wild := strings.CutSuffix(text, ".*")
		want, wantOK := parsePipVersion(prefix)
		if !ok || !wantOK || !holds(have, op, want, wild) {
			return false
		}
	}
	return true
}

func holds(have pipVersion, op string, want pipVersion, wild bool) bool {
	starts := len(have.release) >= len(want.release)
	for i := 0; starts && i < len(want.release); i++ {
		starts = have.release[i] == want.release[i]
	}
	c := have.compare(want)
	switch op {
	case "==":
		return wild && starts || !wild && c == 0
	case "!=":
		return wild && !starts || !wild && c != 0
	case ">=":
		return c >= 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	case "<":
		return c < 0
	case "~=":
		if len(want.release) < 2 || c < 0 {
			return false
		}
		return holds(have, "==", pipVersion{release: want.release[:len(want.release)-1]}, true)
	}
	return false
}

// pipVersion is a version whose parts compare as numbers.
type pipVersion struct {
	release []int
	stage   int // -4 development, -3 alpha, -2 beta, -1 candidate, 0 final, 1 later
	number  int
}

var pipVersionText = pyre.MustCompile(`^v?([0-9]+(?:\.[0-9]+)*)(?:[-_.]?(a|alpha|b|beta|c|rc|pre|preview|post|rev|r|dev)[-_.]?([0-9]*))?\Z`)

func parsePipVersion(s string) (v pipVersion, ok bool) {
	s, _, _ = strings.Cut(strings.ToLower(s), "+")
	g := pipVersionText.Groups(s)
	if g == nil {
		return v, false
	}
	for _, part := range strings.Split(g[1], ".") {
		i, err := strconv.Atoi(part)
		if err != nil {
			return v, false
		}
		v.release = append(v.release, i)
	}
	v.stage = map[string]int{"dev": -4, "a": -3, "alpha": -3, "b": -2, "beta": -2, "c": -1, "rc": -1, "pre": -1, "preview": -1, "post": 1, "rev": 1, "r": 1}[g[2]]
	v.number, _ = strconv.Atoi(g[3])
	return v, true
}

func (v pipVersion) compare(w pipVersion) int {
	for i := 0; i < max(len(v.release), len(w.release)); i++ {
		a, b := 0, 0
		if i < len(v.release) {
			a = v.release[i]
		}
		if i < len(w.release) {
			b = w.release[i]
		}
		if a != b {
			return a - b
		}
	}
	if v.stage != w.stage {
		return v.stage - w.stage
	}
	return v.number - w.number
}
