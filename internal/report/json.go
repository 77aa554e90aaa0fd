package report

import (
	"encoding/json"
	"io"
	"math"
	"math/big"
	"time"

	"mageprov/internal/jinja"
)

// Format is the version of the JSON lines. It grows when a field changes its
// meaning or goes away; new fields may come at any time.
const Format = 1

// NewJSON makes a reporter for programs: one object per line, as docs/json.md
// says. The first line, written at once, is the version; program names the
// program and its version.
func NewJSON(w io.Writer, program string) Reporter {
	j := &jsonLines{out: &steady{w: w}}
	j.Report(Event{Type: Version, Format: Format, Program: program})
	return j
}

type jsonLines struct{ out *steady }

// jsonEvent is an Event with what has another shape in JSON.
type jsonEvent struct {
	Event
	Changes []jsonChange   `json:"changes,omitempty"`
	Result  map[string]any `json:"result,omitempty"`
}

type jsonChange struct {
	What       string `json:"what"`
	BeforeName string `json:"before_name,omitempty"`
	AfterName  string `json:"after_name,omitempty"`
	Before     string `json:"before,omitempty"`
	After      string `json:"after,omitempty"`
}

// Report writes an event as one line.
func (j *jsonLines) Report(e Event) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.Time = e.Time.UTC()
	out := jsonEvent{Event: e}
	for _, c := range e.Changes {
		out.Changes = append(out.Changes, jsonChange{c.What, c.BeforeName, c.AfterName, c.Before, c.After})
	}
	if e.Result != nil {
		out.Result = make(map[string]any, len(e.Result))
		for k, v := range e.Result {
			out.Result[k] = portable(v)
		}
	}
	line, err := json.Marshal(out)
	if err != nil { // portable leaves nothing that could fail; say so rather than say nothing
		line, _ = json.Marshal(Event{Type: NoteEvent, Time: e.Time, Level: "warning", Text: "an event could not be written: " + err.Error()})
	}
	j.out.print(string(line) + "\n")
}

// Close does nothing: every line is written when it is reported.
func (j *jsonLines) Close() error { return nil }

// portable makes a value that every JSON reader takes.
func portable(v any) any {
	switch v := jinja.ToGo(jinja.FromGo(v)).(type) {
	case nil, bool, int64, string:
		return v
	case *big.Int:
		return json.Number(v.String())
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return jinja.Str(v)
		}
		return v
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = portable(x)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = portable(x)
		}
		return out
	case *jinja.Text:
		return v.Source
	case *jinja.Undefined:
		return nil
	default:
		return jinja.Str(v)
	}
}
