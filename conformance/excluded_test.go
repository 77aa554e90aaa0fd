//go:build conformance

package conformance_test

import (
	"bytes"
	"os"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// exclusion is something that is not compared, and why.
type exclusion struct {
	Match string
	// Path limits a text to files; Task a key to modules whose results have it.
	Path string
	Why  string

	re, path *regexp.Regexp
}

// exclusions is excluded.yml: regular expressions over whole names; a
// directory stands for all below it; of a text
// what the first group matched is kept.
type exclusions struct {
	Keys  []*exclusion // keys of results, at any depth
	Paths []*exclusion // files and directories
	Texts []*exclusion // parts of texts of files
	Units []*exclusion
}

var excluded = mustExcluded()

func mustExcluded() *exclusions {
	b, err := os.ReadFile("excluded.yml")
	if err != nil {
		panic(err)
	}
	e := &exclusions{}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(e); err != nil {
		panic(err)
	}
	for _, list := range [][]*exclusion{e.Keys, e.Paths, e.Units, e.Texts} {
		for _, x := range list {
			if x.Why == "" {
				panic("excluded.yml: no reason for " + x.Match)
			}
			x.re = regexp.MustCompile("^(?:" + x.Match + ")$")
			x.path = regexp.MustCompile("^(?:" + x.Path + ")$")
		}
	}
	for _, x := range e.Paths {
		x.re = regexp.MustCompile("^(?:" + x.Match + ")(?:/.*)?$")
	}
	for _, x := range e.Texts {
		x.re = regexp.MustCompile("(?m)" + x.Match)
	}
	return e
}

func matches(list []*exclusion, name string) bool {
	for _, x := range list {
		if x.re.MatchString(name) {
			return true
		}
	}
	return false
}

// state leaves out of a state what is not compared.
func (e *exclusions) state(s state) state {
	out := state{}
	for k, v := range s {
		kind, name, _ := strings.Cut(k, " ")
		switch {
		case kind == "file" && matches(e.Paths, name), kind == "unit" && matches(e.Units, name):
			continue
		case kind == "file" && v != gone:
			v = plain(e.text(name, v))
		}
		out[plain(k)] = v
	}
	return out
}

func (e *exclusions) key(name string) bool { return matches(e.Keys, name) }

func (e *exclusions) text(path, text string) string {
	for _, x := range e.Texts {
		if x.path.MatchString(path) {
			text = x.re.ReplaceAllString(text, "$1")
		}
	}
	return text
}
