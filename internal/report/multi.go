package report

import (
	"errors"
	"sync"
)

// NewMulti makes a reporter that shows every event on all of rs.
func NewMulti(rs ...Reporter) Reporter { return multi(rs) }

type multi []Reporter

// Report passes e on.
func (m multi) Report(e Event) {
	for _, r := range m {
		r.Report(e)
	}
}

// Close closes all.
func (m multi) Close() error {
	var errs []error
	for _, r := range m {
		errs = append(errs, r.Close())
	}
	return errors.Join(errs...)
}

// NewSerial makes r safe for use by many goroutines at once. Events after Close
// are dropped.
func NewSerial(r Reporter) Reporter { return &serial{r: r} }

type serial struct {
	mu     sync.Mutex
	r      Reporter
	closed bool
}

// Report waits for its turn.
func (s *serial) Report(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.r.Report(e)
	}
}

// Close closes once.
func (s *serial) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.r.Close()
}
