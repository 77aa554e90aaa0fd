package connection

import (
	"context"

	"mageprov/internal/fault"
)

// Dial connects. Whatever makes the host unreachable is a fault of code
// ExitUnreachable that says what to do; ctx bounds the connecting only.
func Dial(ctx context.Context, t Target) (Conn, error) {
	switch t.Kind {
	case "local":
		return newLocal()
	case "ssh", "":
		return dialSSH(ctx, t)
	}
	return nil, fault.New("unknown connection %q", t.Kind).
		WithHint("%s", fault.DidYouMean(t.Kind, []string{"ssh", "local"}))
}
