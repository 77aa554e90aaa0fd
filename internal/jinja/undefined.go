package jinja

import (
	"errors"

	"mageprov/internal/fault"
)

// UndefinedError is the cause of an error that came from using an undefined
// value. AsUndefined finds it, so that callers can tell it from other mistakes.
type UndefinedError struct {
	Name string // as in Undefined
	Msg  string
}

// Error gives the message; the place is added by whoever knows it.
func (e *UndefinedError) Error() string { return e.Msg }

// Undefined gives the name. By this method packages that do not know jinja tell
// the error from others.
func (e *UndefinedError) Undefined() string { return e.Name }

// AsUndefined says whether err came from using an undefined value, and which.
func AsUndefined(err error) (*UndefinedError, bool) {
	var e *UndefinedError
	ok := errors.As(err, &e)
	return e, ok
}

// raise gives the error of using u.
func (u *Undefined) raise() error {
	if u.err != nil {
		return u.err
	}
	msg := u.Msg
	if msg == "" {
		msg = "'" + u.Name + "' is undefined"
	}
	return &fault.Error{Place: u.Place, Hint: u.Hint, Err: &UndefinedError{Name: u.Name, Msg: msg}}
}

// Err gives the error of using u.
func (u *Undefined) Err() error { return u.raise() }

// fromUndefinedError turns an error that a lazily computed value died of back
// into an undefined value, so that `default` works on it; nil for other errors.
func fromUndefinedError(err error) *Undefined {
	if e, ok := AsUndefined(err); ok {
		return &Undefined{Name: e.Name, Msg: e.Msg, err: err}
	}
	return nil
}
