package connection

import (
	"context"

	"mageprov/internal/fault"
)

// Dial connects one target that shares no jump host with others; see Dialer.
func Dial(ctx context.Context, t Target) (Conn, error) { return new(Dialer).Dial(ctx, t) }

// Dial connects. Whatever makes the host unreachable is a fault of code
// ExitUnreachable that says what to do; ctx bounds the connecting only.
func (d *Dialer) Dial(ctx context.Context, t Target) (Conn, error) {
	switch t.Kind {
	case "local":
		return newLocal()
	case "ssh", "":
		return d.dialSSH(ctx, t)
	}
	return nil, fault.New("unknown connection %q", t.Kind).
		WithHint("%s", fault.DidYouMean(t.Kind, []string{"ssh", "local"}))
}
