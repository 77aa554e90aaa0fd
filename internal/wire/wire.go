// Package wire holds the messages that controller and worker exchange, and
// their frames: a length of four bytes, big endian, then one byte of kind and a
// JSON body. Both ends are built from one source: Hello carries the build id,
// and on a mismatch the controller pushes its own worker, so there are no
// versions to negotiate.
package wire

import "encoding/json"

// MaxFrame is the largest body that is accepted, in bytes. Files that are
// larger travel by SFTP.
const MaxFrame = 16 << 20

// Kind tells the messages apart.
type Kind byte

// The kinds of message, and who sends them.
const (
	KindHello    Kind = iota + 1 // worker, once, first
	KindTask                     // controller
	KindProgress                 // worker, any number per task
	KindReply                    // worker, one per task
	KindCancel                   // controller
	KindBye                      // controller: end after what is running
	KindFile                     // controller: a small file for the session's directory; answered by a Reply
	kindEnd
)

func (k Kind) known() bool { return k > 0 && k < kindEnd }

// String names the kind, for errors.
func (k Kind) String() string {
	if !k.known() {
		return "unknown message"
	}
	return [...]string{"hello", "task", "progress", "reply", "cancel", "bye", "file"}[k-1]
}

// Hello is the first message of a worker.
type Hello struct {
	Build string // build id: the name of the worker's program, which holds its SHA-256
	Size  int64  // of that program: one that was cut short on the node is noticed
	OS    string // GOOS
	Arch  string // GOARCH
	User  string // effective user name
	UID   int
	Home  string
	PID   int
	Tmp   string // directory of this session, 0700, removed when the worker ends
}

// Task asks the worker to run a module.
type Task struct {
	ID     uint64
	Module string // full name, "ansible.builtin.copy"
	Args   json.RawMessage
	Check  bool              // change nothing but the overlay
	Diff   bool              // fill Change.Before and After
	Env    map[string]string `json:",omitempty"` // environment: of the task
	Async  *Async            `json:",omitempty"` // start it and do not wait
}

// Async makes a task a job, which goes on without worker and connection. The
// reply says only where its state is kept.
type Async struct {
	Limit int // seconds; then the job is ended with all its processes
}

// Progress is live output of a running task.
type Progress struct {
	ID   uint64
	Text string // raw output or a line for people
}

// Change is one difference between the node and the wanted state.
type Change struct {
	What   string
	Before string `json:",omitempty"`
	After  string `json:",omitempty"`
	// BeforeName and AfterName head the diff ("/etc/motd"); empty: What.
	BeforeName string `json:",omitempty"`
	AfterName  string `json:",omitempty"`
}

// Reply is the outcome of a task.
type Reply struct {
	ID      uint64
	Changed bool
	Skipped bool            `json:",omitempty"` // the module does not apply (e.g. check mode cannot know)
	Changes []Change        `json:",omitempty"`
	Return  json.RawMessage `json:",omitempty"` // object; what register: receives
	Failed  bool            `json:",omitempty"`
	Msg     string          `json:",omitempty"` // why it failed
	Hint    string          `json:",omitempty"`
}

// Cancel asks the worker to end a task and all its processes.
type Cancel struct {
	ID uint64
}

// File puts a small file into the session's directory (Hello.Tmp). Larger ones
// go through the connection.
type File struct {
	ID   uint64
	Name string // base name
	Mode uint32
	Data []byte
}
