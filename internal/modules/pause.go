//go:build !worker

package modules

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"mageprov/internal/fault"
	"mageprov/internal/module"
)

func init() {
	module.Register(module.Spec{
		Name:   "ansible.builtin.pause",
		New:    func() any { return &pause{Echo: true} },
		Action: runPause,
		Local:  true,
	})
}

// pause waits for a time, or for a person.
type pause struct {
	Seconds *float64 `arg:"seconds"`
	Minutes *float64 `arg:"minutes"`
	Prompt  string   `arg:"prompt"`
	Echo    bool     `arg:"echo"`
}

// Validate refuses seconds together with minutes.
func (m *pause) Validate() error {
	if m.Seconds != nil && m.Minutes != nil {
		return fault.New("only one of seconds and minutes can be given")
	}
	return nil
}

func runPause(ctx context.Context, c module.Controller, args module.Args) (*module.Result, error) {
	m := pause{Echo: true}
	if err := module.Decode(&m, args); err != nil {
		return nil, err
	}
	start := time.Now()
	res := &module.Result{Return: map[string]any{"user_input": "", "echo": m.Echo, "rc": 0, "stderr": ""}}
	if c.Check() {
		res.Skipped, res.Msg = true, "check mode does not wait"
		return res, nil
	}
	if m.Prompt != "" {
		c.Progress(m.Prompt)
	}
	var err error
	switch {
	case m.Seconds != nil:
		err = pauseFor(ctx, time.Duration(max(*m.Seconds, 1)*float64(time.Second)))
	case m.Minutes != nil:
		err = pauseFor(ctx, time.Duration(*m.Minutes*float64(time.Minute)))
	default:
		var said string
		if said, err = m.ask(ctx, c); err == nil {
			res.Return["user_input"] = said
		}
	}
	if err != nil {
		return nil, err
	}
	took := time.Since(start)
	unit, amount := "seconds", took.Seconds()
	if m.Minutes != nil {
		unit, amount = "minutes", took.Minutes()
	}
	res.Return["stdout"] = fmt.Sprintf("Paused for %.2f %s", amount, unit)
	res.Return["delta"] = int64(took / time.Second)
	res.Return["start"] = start.Format("2006-01-02 15:04:05.000000")
	res.Return["stop"] = time.Now().Format("2006-01-02 15:04:05.000000")
	return res, nil
}

// ask reads a line from the terminal. Without one nobody can answer, and the
// play goes on, as in Ansible.
func (m *pause) ask(ctx context.Context, c module.Controller) (string, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		c.Progress("not waiting for a key: there is no terminal")
		return "", nil
	}
	defer tty.Close()
	prompt := m.Prompt
	if prompt == "" {
		prompt = "Press enter to continue, Ctrl+C to interrupt"
	}
	if !m.Echo {
		restore, err := hideInput(tty)
		if err == nil {
			defer restore()
		}
	}
	fmt.Fprintf(tty, "%s: ", prompt)
	type answer struct {
		line string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		line, err := bufio.NewReader(tty).ReadString('\n')
		got <- answer{strings.TrimRight(line, "\r\n"), err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case a := <-got:
		if a.err != nil {
			return "", fmt.Errorf("reading the answer: %w", a.err)
		}
		return a.line, nil
	}
}
