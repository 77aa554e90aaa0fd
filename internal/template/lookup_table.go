package template

import (
	"encoding/csv"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"mageprov/internal/jinja"
)

// termOptions splits "key file=x.csv col=1", the old way to give options, into
// the key and sets the options that were not given otherwise.
func (a *args) termOptions(term string) string {
	var key []string
	for _, word := range strings.Fields(term) {
		name, val, ok := strings.Cut(word, "=")
		known := false
		for _, n := range a.names {
			known = known || n == name
		}
		if ok && known {
			if !a.has(name) {
				a.vals[name] = val
			}
			continue
		}
		key = append(key, word)
	}
	return strings.Join(key, " ")
}

// lookINI gives values of an ini file or a properties file.
func lookINI(l *lookup) ([]any, error) {
	var out []any
	for _, t := range l.terms {
		a := l.options("type", "file", "section", "re", "encoding", "default", "case_sensitive", "allow_no_value", "allow_none", "interpolation")
		key := a.termOptions(jinja.Str(t))
		section := a.str("section", "global")
		if a.str("type", "ini") == "properties" {
			section = ""
		}
		useRE, caseful := a.flag("re", false), a.flag("case_sensitive", false)
		if a.err != nil {
			return nil, a.err
		}
		text, err := l.read(a.str("file", "ansible.ini"))
		if err != nil {
			return nil, err
		}
		sections := readINI(text)
		entries, known := sections[section]
		if !known && section != "" {
			return nil, refuse(l.c, "no section %q in %s", section, a.str("file", "ansible.ini"))
		}
		entries = append(slices.Clone(sections["DEFAULT"]), entries...)
		found := false
		for _, e := range entries {
			hit := e[0] == key || !caseful && strings.EqualFold(e[0], key)
			if useRE {
				p, err := regexOf(l.c, key, !caseful, false)
				if err != nil {
					return nil, err
				}
				m, _ := p.Match(e[0])
				hit = m != nil
			}
			if hit {
				v, err := interpolate(e[1], entries, a.flag("interpolation", true), 0)
				if err != nil {
					return nil, refuse(l.c, "%s: %v", e[0], err)
				}
				if found && !useRE {
					out = out[:len(out)-1] // the last one counts
				}
				found = true
				out = append(out, v)
			}
		}
		if !found && !useRE {
			out = append(out, a.str("default", ""))
		}
	}
	return out, nil
}

var placeholder = regexp.MustCompile(`%(?:%|\(([^)]*)\)s|)`)

// interpolate puts other values of the section in for %(name)s, and % for %%.
func interpolate(text string, entries [][2]string, on bool, depth int) (string, error) {
	if !on || !strings.Contains(text, "%") {
		return text, nil
	}
	if depth > 10 {
		return "", errors.New("values refer to each other in a circle")
	}
	var err error
	out := placeholder.ReplaceAllStringFunc(text, func(m string) string {
		if m == "%%" {
			return "%"
		}
		if m == "%" {
			err = errors.New("'%' must be followed by '%' or '('")
			return m
		}
		name := m[2 : len(m)-2]
		i := slices.IndexFunc(entries, func(e [2]string) bool { return strings.EqualFold(e[0], name) })
		if i < 0 {
			err = fmt.Errorf("%q is not there to put in", name)
			return m
		}
		v, inner := interpolate(entries[i][1], entries, true, depth+1)
		err = firstError(err, inner)
		return v
	})
	return out, err
}

// readINI gives the entries of each section; those before the first are in "".
// A continued value is indented.
func readINI(text string) map[string][][2]string {
	sections := map[string][][2]string{}
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		trimmed := strings.TrimSpace(line)
		entries := sections[section]
		switch {
		case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
		case line[0] == '[' && strings.HasSuffix(line, "]"):
			section = line[1 : len(line)-1]
			if sections[section] == nil {
				sections[section] = [][2]string{}
			}
		case line != trimmed && len(line) > len(trimmed) && len(entries) > 0:
			entries[len(entries)-1][1] += "\n" + trimmed
		default:
			end := strings.IndexAny(trimmed, "=:")
			if end < 0 {
				end = len(trimmed)
			}
			val := ""
			if end < len(trimmed) {
				val = strings.TrimSpace(trimmed[end+1:])
			}
			sections[section] = append(entries, [2]string{strings.TrimSpace(trimmed[:end]), val})
		}
	}
	return sections
}

// lookCSV finds the row whose key column has the wanted text.
func lookCSV(l *lookup) ([]any, error) {
	var out []any
	for _, t := range l.terms {
		a := l.options("file", "delimiter", "col", "keycol", "default", "encoding")
		key := a.termOptions(jinja.Str(t))
		col, keycol, delimiter := a.num("col", 1), a.num("keycol", 0), a.str("delimiter", "\t")
		if delimiter == "TAB" || delimiter == `\t` {
			delimiter = "\t"
		}
		if a.err != nil {
			return nil, a.err
		}
		text, err := l.read(a.str("file", "ansible.csv"))
		if err != nil {
			return nil, err
		}
		r := csv.NewReader(strings.NewReader(text))
		r.Comma, r.FieldsPerRecord, r.LazyQuotes = []rune(delimiter)[0], -1, true
		rows, err := r.ReadAll()
		if err != nil {
			return nil, refuse(l.c, "%v", err)
		}
		val, ok := a.value("default", nil), a.has("default")
		for _, row := range rows {
			if keycol < len(row) && row[keycol] == key {
				if col >= len(row) {
					return nil, refuse(l.c, "the row of %q has no column %d", key, col)
				}
				val, ok = row[col], true
				break
			}
		}
		if ok {
			out = append(out, val)
		}
	}
	return out, nil
}

var patternMarks = regexp.MustCompile(`[:,]`)

func splitPatterns(s string) []string {
	var out []string
	for _, p := range patternMarks.Split(s, -1) {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}

// hostsOf gives the hosts of a group, or of the host names that match name.
func hostsOf(groups *jinja.Dict, name string) []any {
	if name == "*" {
		name = "all"
	}
	if v, ok := groups.Get(name); ok {
		return oneOrMany(v)
	}
	all, _ := groups.Get("all")
	pattern := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(name), `\*`, ".*") + "$")
	var out []any
	for k, v := range groups.All() {
		if pattern.MatchString(jinja.Str(k)) {
			out = append(out, oneOrMany(v)...)
		}
	}
	for _, h := range oneOrMany(all) {
		if pattern.MatchString(jinja.Str(h)) {
			out = append(out, h)
		}
	}
	return out
}
