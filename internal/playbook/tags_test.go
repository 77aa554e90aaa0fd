package playbook

import (
	"strings"
	"testing"
)

// The answers are those of ansible-core 2.14.
func TestTagged(t *testing.T) {
	tasks := []struct{ name, tags string }{
		{"none", ""}, {"a", "a"}, {"b", "b"}, {"ab", "a,b"}, {"always", "always"}, {"always a", "always,a"},
		{"never", "never"}, {"never a", "never,a"}, {"untagged", "untagged"}, {"never always", "never,always"},
	}
	for _, c := range []struct{ only, skip, want string }{
		{"", "", "none|a|b|ab|always|always a|untagged|never always"},
		{"all", "", "none|a|b|ab|always|always a|untagged|never always"},
		{"a", "", "a|ab|always|always a|never a|never always"},
		{"tagged", "", "a|b|ab|always|always a|never always"},
		{"untagged", "", "none|always|always a|untagged|never always"},
		{"never", "", "always|always a|never|never a|never always"},
		{"", "a", "none|b|always|untagged|never always"},
		{"", "always", "none|a|b|ab|untagged"},
		{"", "tagged", "none|untagged"},
		{"", "untagged", "a|b|ab|always|always a|never always"},
		{"", "all", "always|always a|never always"},
		{"all,never", "", "none|a|b|ab|always|always a|never|never a|untagged|never always"},
		{"a", "b", "a|always|always a|never a|never always"},
		{"", "all,always", ""},
	} {
		var got []string
		for _, task := range tasks {
			if Tagged(cut(task.tags), cut(c.only), cut(c.skip)) {
				got = append(got, task.name)
			}
		}
		if s := strings.Join(got, "|"); s != c.want {
			t.Errorf("--tags %q --skip-tags %q:\n got %s\nwant %s", c.only, c.skip, s, c.want)
		}
	}
}

func cut(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}
