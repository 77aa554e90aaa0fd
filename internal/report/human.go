package report

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"mageprov/internal/diff"
)

// HumanOptions say how a run is shown.
type HumanOptions struct {
	Width     int  // of banners and live rows; 0 is 80
	Color     bool // ANSI colours
	Live      bool // rows for running hosts at the bottom: only on a terminal
	Verbosity int  // 1: every result; 2: also where tasks stand
	Diff      bool // show what changes in files
	Check     bool // nothing is changed: the recap ends with counts

	HideOK, HideSkipped bool
	// Bare leaves out what Ansible does not print: the count of a check, the time.
	Bare bool
	// Notes takes warnings; nil is the report itself. Ansible writes them to stderr.
	Notes io.Writer

	clock func() time.Time // for tests
}

// NewHuman makes a reporter for people, in the shapes of Ansible's default
// output, so that eyes and scripts that know those find what they look for.
func NewHuman(w io.Writer, o HumanOptions) Reporter {
	if o.Width <= 0 {
		o.Width = 80
	}
	if o.clock == nil {
		o.clock = time.Now
	}
	h := &human{o: o, out: &steady{w: w}, notes: &steady{w: w}, failedIn: map[string]bool{}, ignored: map[string]bool{}, started: map[string]Event{}}
	if o.Notes != nil {
		h.notes.w = o.Notes
	}
	if o.Live {
		h.live = newLive(h.out, o)
		h.live.start()
	}
	return h
}

// human renders events as they come. Its only memory is the current task.
type human struct {
	mu    sync.Mutex // against the live view's clock
	o     HumanOptions
	out   *steady
	notes *steady
	live  *live // nil without a live view

	task     Event            // last TaskStart
	started  map[string]Event // the TaskStart of each host that goes at its own pace
	banner   string
	failedIn map[string]bool // hosts that have shown a failed item of the task
	ignored  map[string]bool // hosts that have shown "...ignoring" for it
	located  string          // place of the task that has been shown with a failure
}

// Report shows an event.
func (h *human) Report(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.live != nil {
		h.live.follow(e)
	}
	switch e.Type {
	case PlayStart:
		clear(h.started)
		h.line(plain, "\n"+h.stars("PLAY ["+e.Name+"]"))
	case PlayNoHosts:
		h.line(plain, "\n"+h.stars("PLAY ["+e.Name+"]"))
		h.line(styleSkipped, "skipping: no hosts matched")
	case TaskStart:
		if e.Host != "" { // its banner stands above its result, whenever that comes
			h.started[e.Host] = e
			return
		}
		h.taskStart(e)
	case HostResult:
		h.resume(e.Host)
		h.result(e)
	case Included:
		if len(e.Hosts) > 0 {
			h.resume(e.Hosts[0])
		}
		h.flushBanner()
		text := "included: " + e.Name + " for " + strings.Join(e.Hosts, ", ")
		if e.Label != "" {
			text += " => (item=" + e.Label + ")"
		}
		h.line(styleSkipped, text)
	case NoteEvent:
		h.note(e)
	case Recap:
		h.recap(e)
	}
}

// Close ends the live view.
func (h *human) Close() error {
	if h.live != nil {
		h.live.stop()
	}
	return nil
}

// line prints text, which may have several lines, above the live rows.
func (h *human) line(s style, text string) {
	text = s.paint(harmless(text), h.o.Color) + "\n"
	if h.live != nil {
		h.live.above(text)
		return
	}
	h.out.print(text)
}

// stars fills a banner up to the width, with three stars at least. Ansible's
// banners are 80 columns wide where there is no terminal.
func (h *human) stars(text string) string {
	n := max(3, h.o.Width-1-columns(text))
	return text + " " + strings.Repeat("*", n)
}

// resume goes back to the task that a host is at, if hosts go at their own pace.
func (h *human) resume(host string) {
	if e, free := h.started[host]; free && (e.Place != h.task.Place || e.Name != h.task.Name) {
		h.taskStart(e)
	}
}

func (h *human) taskStart(e Event) {
	h.task, h.failedIn, h.ignored, h.located = e, map[string]bool{}, map[string]bool{}, ""
	head := "TASK"
	if e.Handler {
		head = "RUNNING HANDLER"
	}
	h.banner = "\n" + h.stars(head+" ["+e.Name+"]")
	if !h.o.HideOK && !h.o.HideSkipped {
		h.flushBanner()
	}
}

// flushBanner prints the banner of the task, which waits for the first line
// below it when some results are hidden.
func (h *human) flushBanner() {
	if h.banner == "" {
		return
	}
	h.line(plain, h.banner)
	h.banner = ""
	if h.o.Verbosity >= 2 && h.task.Place != "" {
		h.line(styleVerbose, "task path: "+withoutColumn(h.task.Place))
	}
}

// withoutColumn shortens file:line:col to what Ansible shows.
func withoutColumn(place string) string {
	if i := strings.LastIndexByte(place, ':'); i > 0 && strings.Contains(place[:i], ":") {
		return place[:i]
	}
	return place
}

func (h *human) note(e Event) {
	mark, s := "WARNING", styleWarning
	switch e.Level {
	case "deprecated":
		mark = "DEPRECATION WARNING"
	case "info":
		h.line(styleVerbose, e.Text)
		return
	}
	text := "[" + mark + "]: " + e.Text
	if e.Place != "" {
		text += " (" + e.Place + ")"
	}
	if h.o.Notes == nil {
		h.line(s, text)
		return
	}
	if h.live != nil {
		h.live.above("") // both writers may be the same terminal
	}
	h.notes.print(s.paint(harmless(text), h.o.Color) + "\n")
}

// diffs prints the changes of a result, each followed by an empty line.
func (h *human) diffs(e Event) {
	for _, c := range e.Changes {
		before, after := "before", "after"
		if c.BeforeName != "" {
			before += ": " + c.BeforeName
		}
		if c.AfterName != "" {
			after += ": " + c.AfterName
		}
		if c.BeforeName == "" && c.AfterName == "" && c.What != "" {
			before, after = before+": "+c.What, after+": "+c.What
		}
		text := diff.Unified(before, after, c.Before, c.After)
		if text == "" {
			continue
		}
		var b strings.Builder
		for l := range strings.Lines(text) {
			l = harmless(strings.TrimSuffix(l, "\n"))
			s := plain
			switch l[0] {
			case '+':
				s = styleOK
			case '-':
				s = styleFailed
			case '@':
				s = styleDiffHead
			}
			fmt.Fprintln(&b, s.paint(l, h.o.Color))
		}
		h.flushBanner()
		h.raw(b.String() + "\n")
	}
}

// raw prints text that is coloured and made harmless already.
func (h *human) raw(text string) {
	if h.live != nil {
		h.live.above(text)
		return
	}
	h.out.print(text)
}
