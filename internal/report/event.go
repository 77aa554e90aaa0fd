// Package report is what a run says and who shows it. The engine makes events;
// reporters render them: Human for people, JSON for programs. Whatever must not
// be seen is masked before an event is made, never by a reporter.
package report

import (
	"time"

	"mageprov/internal/wire"
)

// Type names an event. The list is closed.
type Type string

// All that can be said.
const (
	Version     Type = "version"      // first line of JSON: Format and Program
	RunStart    Type = "run_start"    // Hosts
	PlayStart   Type = "play_start"   // Name, Hosts
	PlayNoHosts Type = "play_nohosts" // Name
	TaskStart   Type = "task_start"   // Name, Module, Place, Handler; Host where each goes at its own pace
	HostStart   Type = "host_start"   // Host: a task begins there (live view)
	HostResult  Type = "host_result"  // Host, Status, Item, Result...
	Progress    Type = "progress"     // Host, Text; Done and Total in bytes for transfers
	Included    Type = "included"     // Name (file or role), Hosts
	NoteEvent   Type = "note"         // Text: a warning or remark; Level
	PlayEnd     Type = "play_end"
	Recap       Type = "recap" // Stats, Elapsed
)

// Status is the outcome of a task on a host.
type Status string

// The outcomes. Changed in check mode means "would change".
const (
	OK          Status = "ok"
	Changed     Status = "changed"
	Skipped     Status = "skipped"
	Failed      Status = "failed"
	Unreachable Status = "unreachable"
)

// Event is one thing that happened. Only the fields of its Type are set.
type Event struct {
	Type  Type      `json:"event"`
	Time  time.Time `json:"time"`
	Name  string    `json:"name,omitempty"`
	Place string    `json:"place,omitempty"`
	Host  string    `json:"host,omitempty"`
	Hosts []string  `json:"hosts,omitempty"`

	Module   string `json:"module,omitempty"`
	Role     string `json:"role,omitempty"`
	Handler  bool   `json:"handler,omitempty"`
	Status   Status `json:"status,omitempty"`
	Delegate string `json:"delegated_to,omitempty"`
	// Item is set on the result of one loop item; Label is what to show for it.
	Item  bool   `json:"loop_item,omitempty"`
	Label string `json:"label,omitempty"`
	// Loop is set on the summary of a loop whose items have been reported: people
	// need to see it only when it failed or was skipped as a whole.
	Loop    bool   `json:"loop,omitempty"`
	Ignored bool   `json:"ignored,omitempty"` // failed, but ignore_errors
	Rescued bool   `json:"rescued,omitempty"`
	NoLog   bool   `json:"no_log,omitempty"`
	Msg     string `json:"msg,omitempty"`  // why it failed or was skipped
	Hint    string `json:"hint,omitempty"` // what to do about it

	Changes []wire.Change  `json:"changes,omitempty"`
	Result  map[string]any `json:"result,omitempty"` // what register: receives
	// Show: Result is the point of the task (debug) and is printed whatever the verbosity.
	Show bool `json:"-"`
	// Attempt and Retries are set on a result that will be tried again (until).
	Attempt int `json:"attempt,omitempty"`
	Retries int `json:"retries,omitempty"`

	Text    string        `json:"text,omitempty"`
	Level   string        `json:"level,omitempty"` // note: "warning", "deprecated", "info"
	Done    int64         `json:"done,omitempty"`
	Total   int64         `json:"total,omitempty"`
	Elapsed time.Duration `json:"elapsed_ns,omitempty"`

	Stats   map[string]*Stats `json:"stats,omitempty"`
	Check   bool              `json:"check,omitempty"`
	Format  int               `json:"format,omitempty"`
	Program string            `json:"program,omitempty"`
}

// Stats counts a host's results, with Ansible's meaning of each column.
type Stats struct {
	OK          int `json:"ok"` // includes changed
	Changed     int `json:"changed"`
	Unreachable int `json:"unreachable"`
	Failed      int `json:"failed"`
	Skipped     int `json:"skipped"`
	Rescued     int `json:"rescued"`
	Ignored     int `json:"ignored"`
}

// Reporter shows events. Calls come from one goroutine at a time.
type Reporter interface {
	Report(e Event)
	// Close ends a live view; nothing is reported after it.
	Close() error
}
