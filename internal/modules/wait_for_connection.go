//go:build !worker

package modules

import (
	"context"
	"fmt"
	"time"

	"mageprov/internal/module"
)

func init() {
	module.Register(module.Spec{
		Name:   "ansible.builtin.wait_for_connection",
		New:    func() any { return newWaitForConnection() },
		Action: runWaitForConnection,
	})
}

// waitForConnection waits until the node can be reached and runs the worker.
type waitForConnection struct {
	Timeout        int `arg:"timeout"`
	Delay          int `arg:"delay"`
	Sleep          int `arg:"sleep"`
	ConnectTimeout int `arg:"connect_timeout"`
}

func newWaitForConnection() *waitForConnection {
	return &waitForConnection{Timeout: 600, Sleep: 1, ConnectTimeout: 5}
}

func runWaitForConnection(ctx context.Context, c module.Controller, args module.Args) (*module.Result, error) {
	m := newWaitForConnection()
	if err := module.Decode(m, args); err != nil {
		return nil, err
	}
	if c.Check() {
		return &module.Result{Skipped: true, Msg: "check mode does not wait", Return: map[string]any{}}, nil
	}
	start := time.Now()
	if err := pauseFor(ctx, time.Duration(m.Delay)*time.Second); err != nil {
		return nil, err
	}
	err := untilReached(ctx, c, time.Duration(m.Timeout)*time.Second-time.Since(start), m.attempt())
	res := &module.Result{Return: map[string]any{"elapsed": int64(time.Since(start) / time.Second)}}
	if err != nil {
		res.Failed = true
		res.Msg = fmt.Sprintf("timed out waiting for ping module test: %v", err)
	}
	return res, ctx.Err()
}

func (m *waitForConnection) attempt() attempt {
	return attempt{sleep: time.Duration(max(m.Sleep, 1)) * time.Second, limit: time.Duration(m.ConnectTimeout) * time.Second}
}

// attempt says how one try to reach a node goes.
type attempt struct {
	sleep, limit time.Duration
	// test, if set, must hold beside an answer to ping.
	test func(ctx context.Context) error
}

// untilReached reconnects again and again until the node answers. It gives the
// last error when the time is over.
func untilReached(ctx context.Context, c module.Controller, timeout time.Duration, a attempt) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var last error
	for {
		err := reachOnce(ctx, c, a)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		if pauseFor(ctx, a.sleep) != nil {
			return last
		}
	}
}

func reachOnce(ctx context.Context, c module.Controller, a attempt) error {
	// A new connection takes longer than its TCP part: keys, become, the worker.
	ctx, cancel := context.WithTimeout(ctx, a.limit+15*time.Second)
	defer cancel()
	if err := c.Reconnect(ctx); err != nil {
		return err
	}
	res, err := c.Run(ctx, "ansible.builtin.ping", module.Args{})
	if err != nil {
		return err
	}
	if res.Failed {
		return fmt.Errorf("ping: %s", res.Msg)
	}
	if a.test != nil {
		return a.test(ctx)
	}
	return nil
}
