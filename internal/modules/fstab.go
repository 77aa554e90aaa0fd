package modules

import (
	"strings"
)

// fstabEntry is one line of fstab, unescaped.
type fstabEntry struct {
	Src, Path, FSType, Opts, Dump, Passno string
}

// String escapes blanks as getmntent(3) wants it.
func (e fstabEntry) String() string {
	return strings.Join([]string{escapeBlank(e.Src), escapeBlank(e.Path), e.FSType, escapeBlank(e.Opts), e.Dump, e.Passno}, " ")
}

func escapeBlank(s string) string {
	return strings.NewReplacer(`\`, `\134`, " ", `\040`, "\t", `\011`).Replace(s)
}

// parseFstabLine reads a line; ok is false for comments and what is no entry.
func parseFstabLine(line string) (e fstabEntry, ok bool) {
	w := strings.Fields(line)
	if len(w) < 3 || len(w) > 6 && !strings.HasPrefix(w[6], "#") || strings.HasPrefix(w[0], "#") {
		return e, false
	}
	w = w[:min(len(w), 6)]
	w = append(w, []string{"defaults", "0", "0"}[len(w)-3:]...)
	return fstabEntry{unescapeOctal(w[0]), unescapeOctal(w[1]), w[2], unescapeOctal(w[3]), w[4], w[5]}, true
}

// same says whether two entries are for the same place: swap areas, and mounts
// of several kinds that have no place, are told apart by their source.
func (e fstabEntry) same(o fstabEntry) bool {
	if e.Path == "none" || e.FSType == "swap" {
		return e.Path == o.Path && e.Src == o.Src
	}
	return e.Path == o.Path
}

// setFstab puts e into the text in the place of the entry it replaces, and
// drops further ones. A text that has it already stays as it is.
func setFstab(text string, e fstabEntry) string {
	var out []string
	seen, differs := false, false
	for _, line := range textLines(text) {
		have, ok := parseFstabLine(line)
		if !ok || !have.same(e) {
			out = append(out, line)
			continue
		}
		if seen {
			differs = true
			continue
		}
		seen = true
		differs = differs || have != e
		out = append(out, e.String())
	}
	if seen && !differs {
		return text
	}
	if !seen {
		out = append(out, e.String())
	}
	return linesText(out)
}

// unsetFstab drops the entry for a place.
func unsetFstab(text, path, src string) string {
	var out []string
	found := false
	for _, line := range textLines(text) {
		have, ok := parseFstabLine(line)
		if ok && have.Path == path && (path != "none" || src == "" || have.Src == src) {
			found = true
			continue
		}
		out = append(out, line)
	}
	if !found {
		return text
	}
	return linesText(out)
}
