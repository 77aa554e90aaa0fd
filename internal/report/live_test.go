package report

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// screen is a terminal that knows what the live view uses: newline, carriage
// return, cursor up, clear to the end; colours are dropped.
type screen struct {
	t     *testing.T
	width int
	lines []string
	y     int
}

func (s *screen) Write(p []byte) (int, error) {
	text := string(p)
	for i := 0; i < len(text); {
		switch {
		case strings.HasPrefix(text[i:], "\x1b["):
			j := i + 2
			for text[j] < '@' {
				j++
			}
			s.control(text[i+2:j], text[j])
			i = j + 1
		case text[i] == '\n':
			s.y++
			s.line()
			i++
		case text[i] == '\r':
			i++
		default:
			j := i
			for j < len(text) && text[j] != '\n' && text[j] != '\r' && text[j] != 0x1b {
				j++
			}
			s.line()
			s.lines[s.y] += text[i:j]
			i = j
		}
	}
	return len(p), nil
}

func (s *screen) line() {
	for len(s.lines) <= s.y {
		s.lines = append(s.lines, "")
	}
}

func (s *screen) control(arg string, c byte) {
	switch c {
	case 'A':
		n, _ := strconv.Atoi(arg)
		if s.y -= n; s.y < 0 {
			s.t.Error("the cursor went above the screen")
			s.y = 0
		}
	case 'J':
		s.lines = s.lines[:s.y]
		s.line()
	}
}

func (s *screen) text() string { return strings.TrimRight(strings.Join(s.lines, "\n"), "\n") }

// stage is a live view without its own clock.
func stage(t *testing.T, width int) (h *human, s *screen, pass func(time.Duration)) {
	s = &screen{t: t, width: width}
	now := time.Unix(0, 0)
	o := HumanOptions{Width: width, Live: true, Color: true, clock: func() time.Time { return now }}
	out := &steady{w: s}
	h = &human{o: o, out: out, notes: out, live: newLive(out, o), failedIn: map[string]bool{}, ignored: map[string]bool{}}
	return h, s, func(d time.Duration) {
		now = now.Add(d)
		h.live.tick()
	}
}

func TestLive(t *testing.T) {
	h, s, pass := stage(t, 60)
	expect := func(want string) {
		t.Helper()
		if got := s.text(); got != want {
			t.Errorf("screen shows\n%s\nwant\n%s", got, want)
		}
	}
	banner := "\nTASK [install things] " + strings.Repeat("*", 38)
	h.Report(Event{Type: TaskStart, Name: "install things"})
	h.Report(Event{Type: HostStart, Host: "web1"})
	h.Report(Event{Type: HostStart, Host: "db-long"})
	pass(100 * time.Millisecond)
	expect(banner)
	pass(400 * time.Millisecond)
	expect(banner + "\n  db-long   0.5s  install things\n  web1      0.5s  install things")
	h.Report(Event{Type: Progress, Host: "web1", Text: "fetching\nunpacking \x1b[31m3\n\n"})
	h.Report(Event{Type: Progress, Host: "db-long", Done: 512 << 10, Total: 2 << 20})
	pass(time.Second)
	expect(banner + "\n  db-long   1.5s  install th…  [##--------]  25% of 2.0 MiB\n  web1      1.5s  install things  unpacking \\x1b[31m3")
	h.Report(Event{Type: HostResult, Host: "web1", Status: Changed})
	expect(banner + "\nchanged: [web1]")
	pass(12 * time.Second)
	expect(banner + "\nchanged: [web1]\n  db-long    14s  install th…  [##--------]  25% of 2.0 MiB")
	h.Report(Event{Type: HostResult, Host: "db-long", Status: OK, Item: true, Label: "a"})
	pass(time.Second)
	expect(banner + "\nchanged: [web1]\nok: [db-long] => (item=a)\n  db-long    14s  install things")
	h.Report(Event{Type: HostResult, Host: "db-long", Status: OK, Loop: true})
	h.Report(Event{Type: Recap, Elapsed: 14500 * time.Millisecond})
	pass(time.Second)
	if got := s.text(); strings.Contains(got, "install thi…") || !strings.HasSuffix(got, "finished in 14s") {
		t.Errorf("rows are left over:\n%s", got)
	}
}

func TestLiveNarrowAndMany(t *testing.T) {
	for _, width := range []int{1, 2, 5, 10, 20, 80} {
		h, s, pass := stage(t, width)
		for i := range 30 {
			h.Report(Event{Type: HostStart, Host: fmt.Sprintf("host%02d.example.com", i), Name: "a task with 日本語 in it"})
			h.Report(Event{Type: Progress, Host: fmt.Sprintf("host%02d.example.com", i), Text: "some text", Done: int64(i), Total: 29})
		}
		pass(time.Minute)
		pass(time.Second)
		rows := strings.Split(s.text(), "\n")
		if len(rows) > liveRows {
			t.Errorf("width %d: %d rows", width, len(rows))
		}
		for _, r := range rows {
			if columns(r) >= max(width, 2) {
				t.Errorf("width %d: row %q is too wide", width, r)
			}
		}
		if width == 80 && rows[len(rows)-1] != "  and 19 more" {
			t.Errorf("last row is %q", rows[len(rows)-1])
		}
	}
}

// TestLiveTogether runs the real clock under the race detector.
func TestLiveTogether(t *testing.T) {
	var b bytes.Buffer
	r := NewSerial(NewHuman(&b, HumanOptions{Live: true}))
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			host := fmt.Sprint("h", i)
			r.Report(Event{Type: HostStart, Host: host, Name: "t"})
			time.Sleep(liveAfter + 2*liveEvery)
			r.Report(Event{Type: HostResult, Host: host, Status: OK})
		})
	}
	wg.Wait()
	if err := errorsOf(r.Close(), r.Close()); err != nil {
		t.Error(err)
	}
	if n := strings.Count(b.String(), "ok: [h"); n != 4 {
		t.Errorf("%d results, want 4", n)
	}
}

func errorsOf(errs ...error) error {
	for _, e := range errs {
		if e != nil {
			return e
		}
	}
	return nil
}

func TestReadableFailure(t *testing.T) {
	h, s, _ := stage(t, 80)
	h.Report(Event{Type: HostResult, Host: "h", Status: Failed, Result: map[string]any{"msg": "no", "stderr": "one\ntwo\n"}})
	if got := s.text(); !strings.HasSuffix(got, "  stderr:\n    one\n    two") {
		t.Error(got)
	}
}

func TestBarAndSize(t *testing.T) {
	for want, got := range map[string]string{
		"[#####-----]  50% of 10 B":    bar(5, 10, 10),
		"[##########] 100% of 1.0 KiB": bar(4096, 1024, 10),
		"[----------]   0% of 3.5 GiB": bar(-1, 7<<29, 10),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		400 * time.Millisecond: "0.4s", 12 * time.Second: "12s", 185 * time.Second: "3m05s", 3725 * time.Second: "1h02m",
	} {
		if got := duration(d); got != want {
			t.Errorf("%v gives %s, want %s", d, got, want)
		}
	}
}

func TestTerminal(t *testing.T) {
	f, err := newFile(t)
	if err != nil {
		t.Fatal(err)
	}
	for env, want := range map[string]bool{"": false, "ANSIBLE_FORCE_COLOR=1": true, "ANSIBLE_FORCE_COLOR=yes": true, "ANSIBLE_FORCE_COLOR=0": false} {
		width, color, live := Terminal(f, func(k string) string {
			if name, val, _ := strings.Cut(env, "="); name == k {
				return val
			}
			return ""
		})
		if width != 80 || color != want || live {
			t.Errorf("%s: width %d color %v live %v", env, width, color, live)
		}
	}
}
