package report

import (
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-runewidth"
)

const (
	liveAfter = 300 * time.Millisecond // a host that runs longer gets a row
	liveEvery = 100 * time.Millisecond // redrawn no more often
	liveRows  = 12                     // more hosts are counted in the last row
)

// live keeps rows at the bottom of a terminal: one for each host whose task
// takes its time. Report lines are printed above them.
type live struct {
	mu    sync.Mutex
	out   *steady
	width int
	color bool
	clock func() time.Time

	task    string
	running map[string]*row
	drawn   int    // rows on the screen
	last    string // what they show
	done    chan struct{}
	ended   chan struct{}
}

// row is one running host.
type row struct {
	task        string
	since       time.Time
	text        string
	done, total int64
}

func newLive(out *steady, o HumanOptions) *live {
	return &live{out: out, width: o.Width, color: o.Color, clock: o.clock, running: map[string]*row{}}
}

// start redraws until stop.
func (l *live) start() {
	l.done, l.ended = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(l.ended)
		t := time.NewTicker(liveEvery)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				l.tick()
			case <-l.done:
				return
			}
		}
	}()
}

// stop clears the rows for good. It may be called again.
func (l *live) stop() {
	l.mu.Lock()
	select {
	case <-l.done:
		l.mu.Unlock()
		return
	default:
		close(l.done)
	}
	l.clear()
	l.mu.Unlock()
	<-l.ended
}

// follow keeps track of who runs what.
func (l *live) follow(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e.Type {
	case TaskStart:
		l.task = e.Name
	case HostStart:
		name := e.Name
		if name == "" {
			name = l.task
		}
		l.running[e.Host] = &row{task: name, since: l.clock()}
	case Progress:
		r := l.running[e.Host]
		if r == nil {
			r = &row{task: l.task, since: l.clock()}
			l.running[e.Host] = r
		}
		if e.Text != "" {
			r.text = lastLine(e.Text)
		}
		r.done, r.total = e.Done, e.Total
	case HostResult:
		if r := l.running[e.Host]; r != nil && (e.Item || e.Retries > 0) {
			r.text, r.done, r.total = "", 0, 0
			return
		}
		delete(l.running, e.Host)
	case PlayEnd, Recap:
		clear(l.running)
	}
}

// lastLine is the last line of output that says anything.
func lastLine(text string) string {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	for i := len(lines) - 1; i >= 0; i-- {
		if s := strings.TrimSpace(lines[i]); s != "" {
			return s
		}
	}
	return ""
}

// above prints text where the rows stand and draws them again below it on the
// next tick, so that a burst of lines does not flicker.
func (l *live) above(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clear()
	l.out.print(text)
}

// clear takes the rows off the screen.
func (l *live) clear() {
	if l.drawn > 0 {
		l.out.print(fmt.Sprintf("\x1b[%dA\r\x1b[J", l.drawn))
	}
	l.drawn, l.last = 0, ""
}

// tick draws the rows if they have changed.
func (l *live) tick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	rows := l.rows(l.clock())
	text := ""
	for _, r := range rows {
		text += styleVerbose.paint(r, l.color) + "\n"
	}
	if text == l.last {
		return
	}
	l.clear()
	if len(rows) > 0 {
		l.out.print(text)
		l.drawn, l.last = len(rows), text
	}
}

// rows makes the lines, the longest running host first.
func (l *live) rows(now time.Time) []string {
	var hosts []string
	wide := 0
	for h, r := range l.running {
		if now.Sub(r.since) >= liveAfter {
			hosts = append(hosts, h)
			wide = max(wide, columns(h))
		}
	}
	sort.Slice(hosts, func(i, j int) bool {
		a, b := l.running[hosts[i]].since, l.running[hosts[j]].since
		if a.Equal(b) {
			return hosts[i] < hosts[j]
		}
		return a.Before(b)
	})
	more := 0
	if len(hosts) > liveRows {
		more = len(hosts) - liveRows + 1
		hosts = hosts[:liveRows-1]
	}
	wide = min(wide, max(8, l.width/4))
	var out []string
	for _, h := range hosts {
		r := l.running[h]
		text := fmt.Sprintf("  %s  %5s  %s", runewidth.FillRight(cut(h, wide), wide), duration(now.Sub(r.since).Round(time.Second/2)), r.task)
		switch {
		case r.total > 0:
			b := "  " + bar(r.done, r.total, max(0, min(24, l.width/6)))
			text = cut(text, max(l.width/3, l.width-1-columns(b))) + b
			if r.text != "" {
				text += "  " + r.text
			}
		case r.text != "":
			text = cut(text, l.width*2/3) + "  " + r.text
		}
		out = append(out, cut(text, l.width-1))
	}
	if more > 0 {
		out = append(out, cut(fmt.Sprintf("  and %d more", more), l.width-1))
	}
	return out
}

// bar draws how much of a transfer is done.
func bar(done, total int64, width int) string {
	done = min(max(done, 0), total)
	full := int(float64(width) * float64(done) / float64(total))
	return fmt.Sprintf("[%s%s] %3d%% of %s", strings.Repeat("#", full), strings.Repeat("-", width-full),
		int(float64(done)*100/float64(total)), size(total))
}

// size is a number of bytes for people.
func size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	f, i := float64(n), 0
	for f >= 1024 && i < len(units)-1 {
		f /= 1024
		i++
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}

// columns is the width of text on a terminal.
func columns(text string) int {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return runewidth.StringWidth(text)
		}
	}
	return len(text)
}

// cut shortens text to a width and takes out what would move the cursor.
func cut(text string, width int) string {
	text = strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' {
			return ' '
		}
		return r
	}, harmless(text))
	if width <= 0 {
		return ""
	}
	if columns(text) <= width {
		return text
	}
	return runewidth.Truncate(text, width, "…")
}
