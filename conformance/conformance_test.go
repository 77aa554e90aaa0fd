//go:build conformance

package conformance_test

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// verdict is a line of the table.
type verdict struct {
	name         string
	oracle, ours float64 // seconds
	wanted       int     // differences that differences.yml explains
	wrong        []difference
	cached       bool
}

// TestConformance runs every case with both engines, the groups side by side on
// as many pairs of twins as SHARDS says.
func TestConformance(t *testing.T) {
	all, chosen := groups(t)
	known, err := readWanted()
	if err != nil {
		t.Fatal(err)
	}
	shards := 2
	if n, err := strconv.Atoi(os.Getenv("SHARDS")); err == nil && n > 0 {
		shards = n
	}
	shards = min(shards, len(all))
	pairs := twins(t, shards)
	cache := newCache(t)
	dirs := slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		return cmp.Or(cmp.Compare(weight(all[b]), weight(all[a])), strings.Compare(a, b))
	})
	var verdicts []verdict
	done, next := make(chan verdict), make(chan string)
	var wg sync.WaitGroup
	for _, p := range pairs {
		wg.Go(func() {
			for dir := range next {
				t.Run(dir, func(t *testing.T) { p.group(t, all[dir], cache, known, done) })
			}
		})
	}
	go func() {
		for _, dir := range dirs {
			next <- dir
		}
		close(next)
		wg.Wait()
		close(done)
	}()
	for v := range done {
		verdicts = append(verdicts, v)
		fmt.Println(v)
	}
	table(verdicts)
	if !chosen {
		for _, e := range known.unused() {
			t.Errorf("differences.yml: no difference is left in %s at %s (%s)", e.Cases, e.Where, e.Why)
		}
	}
}

// weight guesses how long a group takes, so that the longest begin first: a role
// is as long as a dozen cases.
func weight(cases []*testCase) int {
	n := 0
	for _, c := range cases {
		n += len(c.runs)
		if c.dir == "roles" {
			n += 12
		}
	}
	return n
}

// group runs the cases of a directory one after the other on fresh hosts.
func (p *pair) group(t *testing.T, cases []*testCase, cache *answers, known *wantedList, done chan<- verdict) {
	dir := cases[0].dir
	oracleDir, ourDir := lay(t, dir), lay(t, dir)
	stale := true
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if stale || c.fresh {
				p.oracle.fresh = false
				p.ours.fresh = false
				stale = false
			}
			p.ours.begin(t)
			v := verdict{name: c.name, cached: true}
			key := cache.key(t, dir, c)
			oracle := cache.read(t, c, key)
			if oracle == nil {
				v.cached = false
				p.oracle.begin(t)
				for _, args := range c.runs {
					oracle = append(oracle, p.oracle.play(t, &run{c, args}, oracleDir))
				}
				cache.write(t, c, key, oracle)
			}
			var all []difference
			for i, args := range c.runs {
				ours := p.ours.play(t, &run{c, args}, ourDir)
				found := compare(oracle[i], ours)
				if len(differ(oracle[i].Changes, ours.Changes)) > 0 {
					stale = true
				}
				if i > 0 {
					for j := range found {
						found[j].Where = fmt.Sprintf("run %d: %s", i+1, found[j].Where)
					}
				}
				all = append(all, found...)
				v.oracle += oracle[i].Seconds
				v.ours += ours.Seconds
				if len(found) > 0 && (ours.Errors != "" || oracle[i].Errors != "") {
					t.Logf("ansible's stderr:\n%s\nmageprov's stderr:\n%s", end(oracle[i].Errors), end(ours.Errors))
				}
			}
			explained, wrong := known.sort(c.name, all)
			v.wanted, v.wrong = len(explained), wrong
			for _, d := range wrong {
				t.Error(d)
			}
			done <- v
		})
	}
}

func end(s string) string { return s[max(0, len(s)-1500):] }

func (v verdict) String() string {
	word := "same"
	if v.wanted > 0 {
		word = fmt.Sprintf("%d wanted differences", v.wanted)
	}
	if len(v.wrong) > 0 {
		word = fmt.Sprintf("%d DIFFERENCES", len(v.wrong))
	}
	note := ""
	if v.cached {
		note = " (ansible's answer kept)"
	}
	return fmt.Sprintf("%-44s %7.1fs %6.1fs %6.1fx  %s%s", v.name, v.oracle, v.ours, v.oracle/max(v.ours, 0.001), word, note)
}

// table prints all cases by name, and the sums.
func table(all []verdict) {
	slices.SortFunc(all, func(a, b verdict) int { return strings.Compare(a.name, b.name) })
	var sum verdict
	same, wanted, wrong := 0, 0, 0
	fmt.Printf("\n%-44s %8s %7s %7s\n", "case", "ansible", "ours", "ratio")
	for _, v := range all {
		fmt.Println(v)
		sum.oracle += v.oracle
		sum.ours += v.ours
		switch {
		case len(v.wrong) > 0:
			wrong++
		case v.wanted > 0:
			wanted++
		default:
			same++
		}
	}
	fmt.Printf("\n%d cases: %d the same, %d with wanted differences only, %d with others\n", len(all), same, wanted, wrong)
	fmt.Printf("wall time: ansible %.0f s, mageprov %.0f s, ratio %.1f\n", sum.oracle, sum.ours, sum.oracle/max(sum.ours, 0.001))
}
