// Package fault holds errors that a user can act on: where in which file, what
// was found, what to do next, and with which code the process ends.
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Exit codes of the process. The first six are Ansible's, the last two our own.
const (
	ExitOK          = 0
	ExitError       = 1   // bad usage, bad input
	ExitFailed      = 2   // a task failed on at least one host
	ExitPending     = 3   // check and audit: something would change
	ExitUnreachable = 4   // at least one host could not be reached
	ExitBroken      = 8   // a play was broken off (any_errors_fatal, max_fail_percentage)
	ExitInterrupted = 130 // Ctrl-C
	ExitUnexpected  = 250 // a bug in mageprov
)

// Place is a position in a source file. Line and Col count from 1; zero means unknown.
type Place struct {
	File string
	Line int
	Col  int
}

// String gives file:line:col and leaves out what is unknown.
func (p Place) String() string {
	switch {
	case p.File == "" && p.Line == 0:
		return ""
	case p.Line == 0:
		return p.File
	case p.Col == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// IsZero says that nothing is known about the place.
func (p Place) IsZero() bool { return p == Place{} }

// Error is an error with a place, a hint and an exit code, each of them optional.
type Error struct {
	Place Place
	Msg   string // lower case, no full stop
	Hint  string // the next step, shown on a line of its own
	Code  int    // exit code; 0 means ExitError
	Err   error  // cause, shown after Msg
}

// Error gives "place: message: cause" without the hint.
func (e *Error) Error() string {
	parts := make([]string, 0, 3)
	if p := e.Place.String(); p != "" {
		parts = append(parts, p)
	}
	if e.Msg != "" {
		parts = append(parts, e.Msg)
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return strings.Join(parts, ": ")
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// At makes an error about a place in a file.
func At(p Place, format string, args ...any) *Error {
	return &Error{Place: p, Msg: fmt.Sprintf(format, args...)}
}

// New makes an error without a place.
func New(format string, args ...any) *Error {
	return &Error{Msg: fmt.Sprintf(format, args...)}
}

// Wrap says what was being done when err happened. A nil err gives nil.
func Wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &Error{Msg: fmt.Sprintf(format, args...), Err: err}
}

// WithHint sets the hint and returns e.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// WithCode sets the exit code and returns e.
func (e *Error) WithCode(code int) *Error {
	e.Code = code
	return e
}

// Because sets the cause and returns e.
func (e *Error) Because(err error) *Error {
	e.Err = err
	return e
}

// HintOf gives the first hint found in err's chain, or "".
func HintOf(err error) string {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Err
	}
	return ""
}

// CodeOf gives the first exit code found in err's chain, or ExitError; ExitOK for nil.
func CodeOf(err error) int {
	if err == nil {
		return ExitOK
	}
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			break
		}
		if e.Code != 0 {
			return e.Code
		}
		err = e.Err
	}
	return ExitError
}
