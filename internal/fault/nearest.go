package fault

import "strings"

// Nearest gives the known name that is closest in spelling to name, or "" if
// none is close enough to be a slip of the pen: at most a third of its letters
// wrong, a swap of two neighbours counting as one.
func Nearest(name string, known []string) string {
	best, bestDist := "", len(name)/3+1
	for _, k := range known {
		d := distance(strings.ToLower(name), strings.ToLower(k))
		if d < bestDist || d == bestDist && best != "" && closer(name, k, best) {
			best, bestDist = k, d
		}
	}
	return best
}

// closer decides between names of one distance: a name that was cut short is
// likelier than one with a wrong letter, and that than one with a letter too many.
func closer(name, k, best string) bool {
	if cut := strings.HasPrefix(k, name); cut != strings.HasPrefix(best, name) {
		return cut
	}
	return len(k) == len(name) && len(best) != len(name)
}

// DidYouMean gives a hint that names the nearest known name, or lists all of
// them when they are few, or "".
func DidYouMean(name string, known []string) string {
	if n := Nearest(name, known); n != "" {
		return "did you mean " + n + "?"
	}
	if len(known) > 0 && len(known) <= 20 {
		return "known: " + strings.Join(known, ", ")
	}
	return ""
}

// distance is the optimal string alignment distance (Damerau-Levenshtein
// without repeated edits of one substring).
func distance(a, b string) int {
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
