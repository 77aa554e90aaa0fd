package worker

import (
	"sync"
	"time"
	"unicode/utf8"

	"mageprov/internal/wire"
)

const (
	progressEvery = 100 * time.Millisecond
	progressMax   = 8 << 10 // bytes between two messages; older ones are dropped
)

// progress sends live output, at most ten messages a second and never more
// than progressMax bytes in one. Output of a task that ends before the first
// message is due is not sent: the reply holds it anyway.
type progress struct {
	out *wire.Writer
	id  uint64

	mu      sync.Mutex
	pending []byte
	timer   *time.Timer
	closed  bool
}

func newProgress(out *wire.Writer, id uint64) *progress { return &progress{out: out, id: id} }

func (p *progress) write(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.pending = append(p.pending, b...)
	if over := len(p.pending) - progressMax; over > 0 {
		p.pending = append(p.pending[:0], p.pending[over:]...)
	}
	if p.timer == nil {
		p.timer = time.AfterFunc(progressEvery, p.flush)
	}
}

// flush holds the lock while it writes, so that no progress of a task can
// follow its reply.
func (p *progress) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = nil
	if p.closed || len(p.pending) == 0 {
		return
	}
	cut := wholeRunes(p.pending)
	text := string(p.pending[:cut])
	p.pending = append(p.pending[:0], p.pending[cut:]...)
	if text != "" {
		// Live output is a courtesy: a cut connection shows when the reply is sent.
		_ = p.out.Write(wire.KindProgress, wire.Progress{ID: p.id, Text: text})
	}
}

func (p *progress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
}

// wholeRunes is the length of b without a character that is cut at its end.
func wholeRunes(b []byte) int {
	for back := 1; back <= utf8.UTFMax && back <= len(b); back++ {
		if i := len(b) - back; utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				return i
			}
			break
		}
	}
	return len(b)
}
