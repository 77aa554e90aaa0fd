package report

import (
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"
)

// A style is the parameters of an ANSI colour sequence; "" is plain. They are
// Ansible's defaults.
type style string

const (
	plain         style = ""
	styleOK       style = "0;32"
	styleChanged  style = "0;33"
	styleSkipped  style = "0;36"
	styleFailed   style = "0;31"
	styleLost     style = "1;31"
	styleRetry    style = "1;30"
	styleWarning  style = "1;35"
	styleVerbose  style = "0;34"
	styleDiffHead style = "0;36"
)

// paint colours text line by line, so that a pager or a cut line cannot leave a
// colour on.
func (s style) paint(text string, color bool) string {
	if s == plain || !color || text == "" {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if l != "" {
			lines[i] = "\x1b[" + string(s) + "m" + l + "\x1b[0m"
		}
	}
	return strings.Join(lines, "\n")
}

// harmless makes control characters visible: what comes from a host must not
// steer the terminal. Newlines and tabs stay.
func harmless(s string) string {
	bad := func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 }
	if strings.IndexFunc(s, bad) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if bad(r) {
			b.WriteString(`\x` + hex(byte(r)))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func hex(c byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[c>>4], digits[c&15]})
}

// Terminal says what can be shown on f: its width, whether it takes colours and
// a live view. NO_COLOR, TERM=dumb and Ansible's ANSIBLE_FORCE_COLOR and
// ANSIBLE_NOCOLOR are honoured. A file or pipe is 80 columns wide.
func Terminal(f *os.File, getenv func(string) string) (width int, color, live bool) {
	width = 80
	isTerm := term.IsTerminal(int(f.Fd()))
	dumb := getenv("TERM") == "dumb" || getenv("TERM") == ""
	if isTerm {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			width = w
		}
	}
	color = isTerm && !dumb
	if getenv("NO_COLOR") != "" || truth(getenv("ANSIBLE_NOCOLOR")) {
		color = false
	}
	if truth(getenv("ANSIBLE_FORCE_COLOR")) {
		color = true
	}
	return width, color, isTerm && !dumb
}

func truth(s string) bool {
	switch strings.ToLower(s) {
	case "yes", "y", "on", "t":
		return true
	}
	b, err := strconv.ParseBool(s)
	return err == nil && b
}

// steady is a writer that stops at the first error: a reader that went away
// (`| head`) must not end a run in the middle.
type steady struct {
	w      io.Writer
	broken bool
}

func (s *steady) print(text string) {
	if s.broken {
		return
	}
	if _, err := io.WriteString(s.w, text); err != nil {
		s.broken = true
	}
}
