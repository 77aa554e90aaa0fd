package play

import (
	"context"
	"time"

	"github.com/charmbracelet/log"

	"mageprov/internal/connection"
	"mageprov/internal/document"
	"mageprov/internal/inventory"
	"mageprov/internal/jinja"
	"mageprov/internal/playbook"
	"mageprov/internal/report"
	"mageprov/internal/template"
)

// Options are the settings of a run, as flags and configuration give them.
type Options struct {
	Inventory *inventory.Inventory
	Loader    *playbook.Loader
	Templates *template.Engine
	Files     document.Files
	Reporter  report.Reporter // must be safe for concurrent use

	Forks    int    // hosts at a time; 0 is DefaultForks
	Limit    string // pattern of --limit; "" is no limit
	Tags     []string
	SkipTags []string
	StartAt  string // --start-at-task: name or glob
	Extra    *jinja.Dict

	Check bool
	Diff  bool
	// ForceHandlers runs handlers also on hosts that failed.
	ForceHandlers bool
	Verbosity     int

	// Defaults of keywords that no play sets, as ansible.cfg gives them.
	GatherExplicit bool // gathering = explicit: no facts unless a play asks for them
	AnyErrorsFatal bool
	NoLog          bool

	Connection Login
	Ask        func(question string, private bool) (string, error) // vars_prompt, pause; nil: no terminal
}

// DefaultForks is how many hosts are worked on at a time. Ansible's default of
// 5 pays for a process per host; a goroutine costs next to nothing.
const DefaultForks = 50

// Login holds what the command line says about connecting. Variables of the
// inventory (ansible_user and so on) are stronger, as with Ansible.
type Login struct {
	User, Password, KeyFile string
	Port                    int // 0: ssh's own
	// SSHArgs, SSHCommonArgs and SSHExtraArgs stand where a host has no variable
	// ansible_ssh_args and so on.
	SSHArgs, SSHCommonArgs, SSHExtraArgs string
	Kind                                 string // ssh, local; "" is ssh
	Timeout                              time.Duration
	HostKey                              connection.HostKeyPolicy
	KnownHosts                           []string
	SSHConfig                            string
	AskHostKey                           func(question string) (bool, error)
	Passphrase                           func(keyFile string) (string, error)

	Become         bool
	BecomeUser     string
	BecomeMethod   string
	BecomeExe      string
	BecomeFlags    string
	BecomePassword string

	// Log hears of connections: what was tried, and how long it took. nil: nobody does.
	Log *log.Logger

	// Dial opens a connection; nil is connection.Dial.
	Dial func(ctx context.Context, t connection.Target) (connection.Conn, error)
}
