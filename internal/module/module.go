// Package module says what a module is: the contract, the registry, strict
// decoding of arguments, and Run, the only code that knows check mode.
package module

import (
	"context"
	"errors"

	"mageprov/internal/fault"
	"mageprov/internal/node"
	"mageprov/internal/wire"
)

// A Module is the wanted state of one task. Its exported fields are the task's
// arguments (see Decode for the tags).
type Module interface {
	// Check compares the node with the wanted state and returns the changes that
	// would close the gap, in order. It changes nothing.
	Check(ctx context.Context, n node.Reader) (Plan, error)
}

// Validator is a Module whose arguments have rules that types cannot express.
// It is called on the controller, where the arguments are literal, and on the node.
type Validator interface {
	Validate() error
}

// Plan is what a module would do.
type Plan struct {
	Changes []Change
	// Return is what register: receives. Apply may add to it. Keys are Ansible's.
	Return map[string]any
	// Skipped, if not empty, says why the module did nothing (check mode cannot know).
	Skipped string
	// After, if set, runs when all changes are applied, also when there were
	// none: it adds to Return what only the new state can tell.
	After func(ctx context.Context, n node.Reader, ret map[string]any) error
}

// Change is one step from the node's state to the wanted one.
type Change struct {
	What          string // "create /etc/motd", for people
	Before, After string // for --diff; empty when secret or binary
	BeforeName    string // heads of the diff; empty: What
	AfterName     string
	Apply         func(ctx context.Context, n node.Writer) error
	// Quiet: the step is not a change by itself (command with changed by creates).
	Quiet bool
}

// ErrNoChange is what Apply returns when it finds, with what an earlier step of
// the same plan has brought (fresh package lists), that nothing is left to do.
// Run then goes on and does not count the step.
var ErrNoChange = errors.New("nothing to change")

// Failure is an error of a module that carries return values, as a command
// with a non-zero rc does. Return is what register: receives beside failed and msg.
type Failure struct {
	Msg    string
	Hint   string
	Return map[string]any
}

// Error gives the message that the user reads as msg.
func (f *Failure) Error() string { return f.Msg }

// Result is the outcome of one task on one host.
type Result struct {
	Changed bool
	Skipped bool
	Failed  bool
	Msg     string // why it failed or was skipped
	Hint    string
	Changes []wire.Change
	Return  map[string]any // never nil; holds neither changed nor failed
}

// Run checks, and applies the changes. On a real node n is the machine; in
// check mode it is a node.Overlay, so the very same steps change memory only.
// It is the only code that knows how check mode works.
func Run(ctx context.Context, m Module, n node.Writer, diff bool) *Result {
	res := &Result{Return: map[string]any{}}
	plan, err := m.Check(ctx, n)
	if plan.Return != nil {
		res.Return = plan.Return
	}
	if err != nil && n.IsCheck() && errors.Is(err, node.ErrUnknown) {
		res.Skipped, res.Msg = true, err.Error()
		return res
	}
	if err != nil {
		return res.fail(err)
	}
	if plan.Skipped != "" {
		res.Skipped, res.Msg = true, plan.Skipped
		return res
	}
	for _, c := range plan.Changes {
		if err := ctx.Err(); err != nil {
			return res.fail(err)
		}
		if c.Apply != nil {
			err := c.Apply(ctx, n)
			if errors.Is(err, ErrNoChange) {
				continue
			}
			if err != nil {
				return res.fail(err)
			}
		}
		if c.Quiet {
			continue
		}
		res.Changed = true
		wc := wire.Change{What: c.What}
		if diff {
			wc.Before, wc.After, wc.BeforeName, wc.AfterName = c.Before, c.After, c.BeforeName, c.AfterName
		}
		res.Changes = append(res.Changes, wc)
	}
	if plan.After != nil {
		if err := plan.After(ctx, n, res.Return); err != nil {
			return res.fail(err)
		}
	}
	return res
}

func (r *Result) fail(err error) *Result {
	r.Failed, r.Msg, r.Hint = true, err.Error(), fault.HintOf(err)
	var f *Failure
	if errors.As(err, &f) {
		if f.Hint != "" {
			r.Hint = f.Hint
		}
		for k, v := range f.Return {
			r.Return[k] = v
		}
	}
	return r
}
