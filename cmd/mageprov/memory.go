package main

import (
	"context"
	"runtime/debug"
	"sync"

	"mageprov/internal/connection"
)

// startingGC is the collector's percentage until the first host is connected.
// Reading a playbook keeps nearly all that it allocates, so collecting there
// only costs: a third of the CPU time of a run of controller-side tasks.
const startingGC = 400

// dialer connects, and has the collector save memory from then on: results of
// many hosts are short-lived.
func dialer() func(context.Context, connection.Target) (connection.Conn, error) {
	d := new(connection.Dialer)
	first := sync.OnceFunc(func() { debug.SetGCPercent(100) })
	return func(ctx context.Context, t connection.Target) (connection.Conn, error) {
		first()
		return d.Dial(ctx, t)
	}
}
