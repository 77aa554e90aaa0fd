package config

import (
	"strings"

	"mageprov/internal/fault"
)

// entry is one key of the file.
type entry struct {
	section, key, value string
	place               fault.Place
}

// parse reads the dialect of Python's configparser as Ansible sets it up:
// sections, key = value or key: value, whole lines of comment after # or ;, a
// comment behind " ;", values that go on in indented lines.
func parse(file, text string) ([]entry, error) {
	var out []entry
	section := ""
	seen := map[string]fault.Place{}
	last := -1 // entry that an indented line continues
	n := 0
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		n++
		raw := strings.TrimRight(line, "\r\n \t")
		trimmed := strings.TrimLeft(raw, " \t")
		place := fault.Place{File: file, Line: n, Col: 1 + len(raw) - len(trimmed)}
		switch {
		case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
			continue
		case len(trimmed) < len(raw) && last >= 0:
			out[last].value = strings.TrimSpace(out[last].value + "\n" + withoutComment(trimmed))
			continue
		case trimmed[0] == '[':
			end := strings.IndexByte(trimmed, ']')
			if end < 0 {
				return nil, fault.At(place, "the section is not closed").WithHint("write [defaults]")
			}
			section, last = strings.TrimSpace(trimmed[1:end]), -1
			continue
		}
		key, value, ok := keyAndValue(trimmed)
		switch {
		case !ok:
			return nil, fault.At(place, "expected key = value, found %q", trimmed)
		case section == "":
			return nil, fault.At(place, "%s stands before any section", key).WithHint("most settings belong below [defaults]")
		}
		full := section + "." + key
		if first, twice := seen[full]; twice {
			return nil, fault.At(place, "%s is set twice, first at %s", key, first).WithHint("keep one of the two")
		}
		seen[full] = place
		out = append(out, entry{section, key, value, place})
		last = len(out) - 1
	}
	return out, nil
}

func keyAndValue(line string) (key, value string, ok bool) {
	i := strings.IndexAny(line, "=:")
	if i <= 0 {
		return "", "", false
	}
	key = strings.ToLower(strings.TrimSpace(line[:i]))
	value = strings.TrimSpace(withoutComment(line[i+1:]))
	if len(value) > 1 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0] && strings.Count(value, value[:1]) == 2 {
		value = value[1 : len(value)-1]
	}
	return key, value, key != ""
}

// withoutComment cuts what follows a blank and a semicolon.
func withoutComment(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] == ';' && (i == 0 || s[i-1] == ' ' || s[i-1] == '\t') {
			return strings.TrimRight(s[:i], " \t")
		}
	}
	return s
}
