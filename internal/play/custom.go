package play

import (
	"context"

	"mageprov/internal/report"
)

// PushProgram puts an executable of the site where the task's user can run it,
// once per connection.
func (c *controller) PushProgram(ctx context.Context, name string, content []byte) (string, error) {
	session, err := c.x.session(ctx, c.s)
	if err != nil {
		return "", err
	}
	return session.Program(ctx, content, name, func(done, total int64) {
		c.x.b.emit(report.Event{Type: report.Progress, Host: c.x.h.name, Text: c.x.secretive(name), Done: done, Total: total})
	})
}

// NoLog says whether the task's arguments are secret.
func (c *controller) NoLog() bool { return c.x.noLog }
