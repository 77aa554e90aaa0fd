package module

import (
	"context"

	"mageprov/internal/fault"
)

// Args are the arguments of a task, templated, by the names the user wrote.
// Values are JSON's: nil, bool, int64, float64, string, []any, map[string]any.
type Args map[string]any

// Action is the part of a module that runs on the controller: all of it
// (debug, set_fact), or what must happen before or around the part on the node
// (template renders, copy reads the source, reboot waits).
type Action func(ctx context.Context, c Controller, args Args) (*Result, error)

// Controller is what an Action may use.
type Controller interface {
	// Run runs the part of a module that lives on the task's node; for a module
	// without such a part, its action.
	Run(ctx context.Context, name string, args Args) (*Result, error)
	// Raw gives an argument as it was written, before templating: conditions
	// (assert.that) are evaluated, not rendered.
	Raw(arg string) any
	// Condition evaluates a raw value as `when:` would.
	Condition(ctx context.Context, v any) (bool, error)
	// Var gives the value of a variable path or expression (debug: var=x.y).
	Var(ctx context.Context, expr string) (any, error)
	// SetVars adds variables to the host: facts (set_fact, cacheable) or included variables.
	SetVars(ctx context.Context, kind VarKind, vars map[string]any) error
	// IncludeVars loads a YAML or JSON file or directory, with its templates kept, into the
	// host's include_vars layer, and returns what was loaded.
	IncludeVars(ctx context.Context, args Args) (*Result, error)
	// ValidateArguments holds variables and provided_arguments against the task's argument_spec.
	ValidateArguments(ctx context.Context) (*Result, error)

	// Find resolves a relative source name along Ansible's search path: kind is
	// "files", "templates", "vars" or "tasks". It fails with the places tried.
	Find(kind, name string) (string, error)
	// ReadFile reads a file of the controller or of the embedded content.
	ReadFile(path string) ([]byte, error)
	// RenderFile renders a template file with the task's variables; opts holds
	// the template module's own settings.
	RenderFile(ctx context.Context, path string, opts TemplateOptions) (string, error)
	// Upload puts a controller file where the node's worker can read it and gives that path.
	Upload(ctx context.Context, path string) (string, error)
	// Download fetches a file of the node to a controller path; atomic.
	Download(ctx context.Context, remote, local string) error
	// Exec runs a command on the node without the worker (raw, bootstrap), with
	// the task's become.
	Exec(ctx context.Context, line string) (rc int, stdout, stderr []byte, err error)
	// Reconnect drops the connection and makes a new one; it fails when the node does not answer.
	Reconnect(ctx context.Context) error

	Check() bool
	Diff() bool
	Verbosity() int
	Host() string
	Place() fault.Place // of the task
	// Progress shows a line of live output.
	Progress(text string)
}

// VarKind is a layer of a host's variables that a task can write.
type VarKind int

// The layers.
const (
	VarFacts    VarKind = iota // set_fact
	VarInclude                 // include_vars
	VarCached                  // set_fact cacheable: also an ansible_fact
	VarGathered                // ansible_facts returned by a module
)

// TemplateOptions are the settings of the template module and lookup.
type TemplateOptions struct {
	TrimBlocks, LstripBlocks, KeepTrailingNewline                              *bool // nil: true, false, true
	NewlineSequence                                                            string
	Dest                                                                       string // the variable template_destpath; "" for none
	BlockStart, BlockEnd, VariableStart, VariableEnd, CommentStart, CommentEnd string
}
