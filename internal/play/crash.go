package play

import "sync"

// crash carries a panic of a host's goroutine to the one that waits for it, so
// that the command can end with a message instead of a stack.
type crash struct {
	once sync.Once
	what any
}

// guard runs f and keeps its panic.
func (c *crash) guard(f func()) {
	defer func() {
		if p := recover(); p != nil {
			c.once.Do(func() { c.what = p })
		}
	}()
	f()
}

// raise panics again, after all goroutines have ended.
func (c *crash) raise() {
	if c.what != nil {
		panic(c.what)
	}
}
