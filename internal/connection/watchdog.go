package connection

import (
	"context"
	"sync"
	"time"
)

// watchdog closes a connection when logging in takes too long or is cancelled.
// The clock stands while a person is asked something.
type watchdog struct {
	limit time.Duration
	close func()

	mu     sync.Mutex
	timer  *time.Timer
	asking int
	err    error
	stop   func() bool
}

func newWatchdog(ctx context.Context, limit time.Duration, close func()) *watchdog {
	w := &watchdog{limit: limit, close: close}
	w.timer = time.AfterFunc(limit, func() { w.bite(context.DeadlineExceeded) })
	w.stop = context.AfterFunc(ctx, func() { w.bite(ctx.Err()) })
	return w
}

func (w *watchdog) bite(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil && (w.asking == 0 || err != context.DeadlineExceeded) {
		w.err = err
		w.close()
	}
}

// pause stops the clock; the function that it gives winds it up again.
func (w *watchdog) pause() func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asking++
	w.timer.Stop()
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.asking--; w.asking == 0 {
			w.timer.Reset(w.limit)
		}
	}
}

// cause says why the connection was closed, nil if it was not.
func (w *watchdog) cause() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

func (w *watchdog) end() {
	w.timer.Stop()
	w.stop()
}
