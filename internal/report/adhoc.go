package report

import (
	"fmt"
	"io"
	"strings"

	"mageprov/internal/jinja"
)

// NewAdHoc makes a reporter for one module on some hosts, in the shapes of
// Ansible's ad-hoc command: a block per host, no banners and no recap.
func NewAdHoc(w io.Writer, o HumanOptions) Reporter {
	return &adHoc{NewHuman(w, o).(*human)}
}

// adHoc shares the writer, the live rows and the diffs with human.
type adHoc struct{ *human }

// Report shows results and warnings; what else happens is of no interest here.
func (a *adHoc) Report(e Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.live != nil {
		a.live.follow(e)
	}
	switch e.Type {
	case TaskStart:
		a.task = e
	case HostResult:
		if e.Retries == 0 {
			a.result(e)
		}
	case PlayNoHosts:
		a.note(Event{Level: "warning", Text: "No hosts matched, nothing to do"})
	case NoteEvent:
		a.note(e)
	}
}

// printsText are the modules whose result is a program's output and not JSON.
var printsText = map[string]bool{"command": true, "shell": true, "raw": true}

func (a *adHoc) result(e Event) {
	a.warnings(e)
	if a.o.Diff {
		a.diffs(e)
	}
	text := printsText[shortName(a.task.Module)] && !e.NoLog
	word, s := "SUCCESS", styleOK
	switch e.Status {
	case Unreachable:
		word, s, text = "UNREACHABLE!", styleLost, false
	case Failed:
		word, s = "FAILED!", styleFailed
		if text {
			word = "FAILED"
		}
	case Skipped:
		a.line(styleSkipped, who(e)+" | SKIPPED")
		return
	case Changed:
		word, s = "CHANGED", styleChanged
	}
	if text {
		a.line(s, fmt.Sprintf("%s | %s | rc=%s >>\n%s", who(e), word, code(e), output(e)))
	} else {
		e.Show = true
		a.line(s, who(e)+" | "+word+" => "+a.json(e))
	}
	if e.Hint != "" {
		a.line(styleWarning, "  hint: "+strings.ReplaceAll(e.Hint, "\n", "\n        "))
	}
	if e.Status == Changed {
		a.announce(e)
	}
}

// code is the exit code of the program, -1 where it has not run.
func code(e Event) string {
	if rc, ok := e.Result["rc"]; ok {
		return jinja.Str(jinja.FromGo(rc))
	}
	return "-1"
}

// output is what the program said and what the module says of it, each from the
// beginning of a line.
func output(e Event) string {
	var b strings.Builder
	for _, key := range []string{"stdout", "stderr", "msg"} {
		part, _ := e.Result[key].(string)
		if key == "msg" && part == "" && e.Status == Failed {
			part = e.Msg
		}
		if part == "" {
			continue
		}
		if b.Len() > 0 && !strings.HasSuffix(b.String(), "\n") {
			b.WriteByte('\n')
		}
		b.WriteString(part)
	}
	return b.String()
}
