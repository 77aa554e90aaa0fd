//go:build conformance

package conformance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"

	"mageprov/internal/diff"
)

// difference is one thing that the engines did differently: where, and what
// each has there.
type difference struct{ Where, Oracle, Ours string }

func (d difference) String() string {
	if strings.Contains(d.Oracle+d.Ours, "\n") {
		text := diff.Unified("ansible", "mageprov", d.Oracle+"\n", d.Ours+"\n")
		if lines := strings.SplitAfter(text, "\n"); len(lines) > 40 {
			text = strings.Join(lines[:40], "") + "...\n"
		}
		return d.Where + "\n" + text
	}
	return fmt.Sprintf("%s: ansible %s, mageprov %s", d.Where, d.Oracle, d.Ours)
}

// compare lists all differences of two answers.
func compare(oracle, ours *answer) []difference {
	var out []difference
	note := func(where string, a, b any) { out = append(out, difference{where, show(a), show(b)}) }
	if len(oracle.Recap) > 0 && len(ours.Recap) == 0 {
		return []difference{{"refused", fmt.Sprintf("ran, exit code %d", oracle.Code), strings.TrimSpace(ours.Errors)}}
	}
	if oracle.Code != ours.Code {
		note("exit code", oracle.Code, ours.Code)
	}
	for _, host := range names(oracle.Recap, ours.Recap) {
		a, b := oracle.Recap[host], ours.Recap[host]
		for _, k := range names(a, b) {
			if a[k] != b[k] {
				note("recap "+host+" "+k, a[k], b[k])
			}
		}
	}
	for _, host := range names(oracle.Results, ours.Results) {
		a, b := oracle.Results[host], ours.Results[host]
		if x, y := tasks(a), tasks(b); x != y {
			note("tasks "+host, x, y)
		}
		if len(a) != len(b) {
			continue
		}
		for i := range a {
			out = append(out, inside(fmt.Sprintf("result %s [%s]", host, a[i].Task), clean(a[i].Result), clean(b[i].Result))...)
		}
	}
	return append(out, differ(oracle.Changes, ours.Changes)...)
}

// differ compares two states.
func differ(oracle, ours state) []difference {
	oracle, ours = excluded.state(oracle), excluded.state(ours)
	var out []difference
	for _, k := range names(oracle, ours) {
		a, b := oracle[k], ours[k]
		if a == b {
			continue
		}
		if a == "" {
			a = "(untouched)"
		}
		if b == "" {
			b = "(untouched)"
		}
		out = append(out, difference{k, a, b})
	}
	return out
}

// inside compares two values of results, down to the leaves.
func inside(where string, a, b any) []difference {
	if m, ok := a.(map[string]any); ok {
		if n, ok := b.(map[string]any); ok {
			var out []difference
			for _, k := range names(m, n) {
				x, inA := m[k]
				y, inB := n[k]
				switch {
				case !inA:
					out = append(out, difference{where + "." + k, "(no such key)", show(y)})
				case !inB:
					out = append(out, difference{where + "." + k, show(x), "(no such key)"})
				default:
					out = append(out, inside(where+"."+k, x, y)...)
				}
			}
			return out
		}
	}
	if m, ok := a.([]any); ok {
		if n, ok := b.([]any); ok && len(m) == len(n) {
			var out []difference
			for i := range m {
				out = append(out, inside(fmt.Sprintf("%s.%d", where, i), m[i], n[i])...)
			}
			return out
		}
	}
	if x, y := show(a), show(b); x != y {
		return []difference{{where, x, y}}
	}
	return nil
}

func show(v any) string {
	if s, ok := v.(string); ok && strings.Contains(s, "\n") {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

func names[V any](a, b map[string]V) []string {
	all := slices.Collect(maps.Keys(a))
	for k := range b {
		if _, ok := a[k]; !ok {
			all = append(all, k)
		}
	}
	slices.Sort(all)
	return all
}

// wanted is an entry of differences.yml: where mageprov differs on purpose.
type wanted struct {
	Cases string // a glob over group/name
	Where string // a regular expression over the whole place
	Why   string

	re   *regexp.Regexp
	used bool
}

type wantedList struct {
	sync.Mutex
	list []*wanted
}

func readWanted() (*wantedList, error) {
	b, err := os.ReadFile("differences.yml")
	if err != nil {
		return nil, err
	}
	w := &wantedList{}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&w.list); err != nil {
		return nil, fmt.Errorf("differences.yml: %w", err)
	}
	for _, e := range w.list {
		if e.Why == "" || e.Cases == "" || e.Where == "" {
			return nil, fmt.Errorf("differences.yml: an entry needs cases, where and why: %+v", *e)
		}
		if e.re, err = regexp.Compile("^(?:" + e.Where + ")$"); err != nil {
			return nil, fmt.Errorf("differences.yml: %w", err)
		}
	}
	return w, nil
}

// sort parts differences into wanted ones and others.
func (w *wantedList) sort(name string, all []difference) (yes, no []difference) {
	w.Lock()
	defer w.Unlock()
	for _, d := range all {
		found := false
		for _, e := range w.list {
			if ok, err := path.Match(e.Cases, name); err == nil && ok && e.re.MatchString(d.Where) {
				e.used, found = true, true
			}
		}
		if found {
			yes = append(yes, d)
		} else {
			no = append(no, d)
		}
	}
	return yes, no
}

func (w *wantedList) unused() []*wanted {
	var out []*wanted
	for _, e := range w.list {
		if !e.used {
			out = append(out, e)
		}
	}
	return out
}
