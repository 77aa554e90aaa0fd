package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"
)

// recap prints the table of hosts, in check mode what would change, and on a
// terminal how long it took.
func (h *human) recap(e Event) {
	h.banner = ""
	h.line(plain, "\n"+h.stars("PLAY RECAP"))
	hosts := make([]string, 0, len(e.Stats))
	for host, s := range e.Stats {
		if s != nil {
			hosts = append(hosts, host)
		}
	}
	sort.Strings(hosts)
	var total Stats
	for _, host := range hosts {
		s := e.Stats[host]
		h.raw(h.recapLine(host, s) + "\n")
		total.OK += s.OK
		total.Changed += s.Changed
		total.Skipped += s.Skipped
		total.Failed += s.Failed
		total.Unreachable += s.Unreachable
	}
	h.line(plain, "")
	h.customStats(e.Result)
	if h.o.Bare {
		return
	}
	if e.Check || h.o.Check {
		h.line(plain, checkSummary(total))
	}
	if h.o.Live && e.Elapsed > 0 {
		h.line(plain, "finished in "+duration(e.Elapsed))
	}
}

// customStats prints what set_stats has collected, as Ansible does with
// show_custom_stats: per host, then for the run.
func (h *human) customStats(stats map[string]any) {
	if len(stats) == 0 {
		return
	}
	flat := func(v any) string {
		b, err := json.MarshalIndent(portable(v), "", " ")
		if err != nil {
			return err.Error()
		}
		return strings.ReplaceAll(string(b), "\n", "")
	}
	h.line(plain, "\n"+h.stars("CUSTOM STATS:"))
	hosts, _ := stats["hosts"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(hosts)) {
		h.raw("\t" + harmless(name+": "+flat(hosts[name])) + "\n")
	}
	if run, ok := stats["run"]; ok {
		h.raw("\n\t" + harmless("RUN: "+flat(run)) + "\n")
	}
	h.line(plain, "")
}

func (h *human) recapLine(host string, s *Stats) string {
	hostStyle := styleOK
	switch {
	case s.Failed > 0 || s.Unreachable > 0:
		hostStyle = styleFailed
	case s.Changed > 0:
		hostStyle = styleChanged
	}
	host = harmless(host)
	var b strings.Builder
	b.WriteString(hostStyle.paint(host, h.o.Color))
	b.WriteString(strings.Repeat(" ", max(0, 26-columns(host))))
	b.WriteString(" :")
	for _, c := range []struct {
		name string
		n    int
		s    style
	}{
		{"ok", s.OK, styleOK}, {"changed", s.Changed, styleChanged}, {"unreachable", s.Unreachable, styleLost},
		{"failed", s.Failed, styleFailed}, {"skipped", s.Skipped, styleSkipped}, {"rescued", s.Rescued, styleOK}, {"ignored", s.Ignored, styleWarning},
	} {
		text := fmt.Sprintf("%s=%-4d", c.name, c.n)
		if c.n == 0 {
			c.s = plain
		}
		b.WriteString(" " + c.s.paint(text, h.o.Color))
	}
	return b.String()
}

// checkSummary is the last line of a check.
func checkSummary(t Stats) string {
	text := fmt.Sprintf("check: %d would change, %d unchanged, %d skipped", t.Changed, t.OK-t.Changed, t.Skipped)
	if t.Failed > 0 {
		text += fmt.Sprintf(", %d failed", t.Failed)
	}
	if t.Unreachable > 0 {
		text += fmt.Sprintf(", %d unreachable", t.Unreachable)
	}
	return text
}

// duration is short and steady in width: 0.4s, 12s, 3m05s, 1h02m.
func duration(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}
