//go:build !worker

package modules

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mageprov/internal/fault"
	"mageprov/internal/module"
)

func init() {
	module.Register(module.Spec{
		Name:   "ansible.builtin.reboot",
		New:    func() any { return newReboot() },
		Action: runReboot,
	})
}

// reboot restarts the node and waits until it is back.
type reboot struct {
	RebootTimeout   int      `arg:"reboot_timeout" alias:"reboot_timeout_sec"`
	ConnectTimeout  int      `arg:"connect_timeout" alias:"connect_timeout_sec"`
	PreRebootDelay  int      `arg:"pre_reboot_delay" alias:"pre_reboot_delay_sec"`
	PostRebootDelay int      `arg:"post_reboot_delay" alias:"post_reboot_delay_sec"`
	TestCommand     string   `arg:"test_command"`
	Msg             string   `arg:"msg"`
	RebootCommand   string   `arg:"reboot_command"`
	BootTimeCommand string   `arg:"boot_time_command"`
	SearchPaths     []string `arg:"search_paths"`
}

func newReboot() *reboot {
	return &reboot{
		RebootTimeout: 600, ConnectTimeout: 5, TestCommand: "whoami", Msg: "Reboot initiated by mageprov",
		BootTimeCommand: "cat /proc/sys/kernel/random/boot_id",
		SearchPaths:     []string{"/sbin", "/bin", "/usr/sbin", "/usr/bin", "/usr/local/sbin"},
	}
}

func runReboot(ctx context.Context, c module.Controller, args module.Args) (*module.Result, error) {
	m := newReboot()
	if err := module.Decode(m, args); err != nil {
		return nil, err
	}
	res := &module.Result{Changed: true, Return: map[string]any{"rebooted": true, "elapsed": int64(0)}}
	if c.Check() {
		return res, nil
	}
	before, err := m.bootID(ctx, c)
	if err != nil {
		return nil, fault.Wrap(err, "reading the boot id of %s", c.Host())
	}
	start := time.Now()
	c.Progress("rebooting " + c.Host())
	if err := m.restart(ctx, c); err != nil {
		return nil, err
	}
	err = m.waitBack(ctx, c, before, start)
	res.Return["elapsed"] = int64(time.Since(start) / time.Second)
	if err != nil {
		res.Changed, res.Return["rebooted"] = true, false
		res.Failed, res.Msg = true, err.Error()
		res.Hint = "look at the node's console; raise reboot_timeout if it only needs longer"
	}
	return res, ctx.Err()
}

// bootID changes with every boot, and never otherwise: a clock can jump.
func (m *reboot) bootID(ctx context.Context, c module.Controller) (string, error) {
	rc, out, stderr, err := c.Exec(ctx, m.BootTimeCommand)
	if err != nil {
		return "", err
	}
	id := strings.TrimSpace(string(out))
	if rc != 0 || id == "" {
		return "", fmt.Errorf("%s gave code %d: %s", m.BootTimeCommand, rc, strings.TrimSpace(cleanText(stderr)))
	}
	return id, nil
}

// restart gives the order. The connection may break before the answer comes,
// which is what was asked for; a refused order comes with an answer.
func (m *reboot) restart(ctx context.Context, c module.Controller) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second+time.Duration(m.PreRebootDelay)*time.Second)
	defer cancel()
	rc, out, stderr, err := c.Exec(ctx, m.commandLine())
	if err != nil || rc == 0 || rc < 0 || rc == 255 || rc > 128 {
		return nil
	}
	said := strings.TrimSpace(cleanText(stderr) + "\n" + cleanText(out))
	return fault.New("the reboot command failed with code %d: %s", rc, said)
}

// commandLine waits in the background so that the shell can answer before the
// network goes down.
func (m *reboot) commandLine() string {
	order := m.RebootCommand
	if order == "" {
		order = fmt.Sprintf("if [ -d /run/systemd/system ] && command -v systemctl >/dev/null; then systemctl reboot --message=%[1]s; else shutdown -r now %[1]s; fi",
			shellQuote(m.Msg))
	} else if !strings.HasPrefix(order, "/") {
		order = "PATH=$PATH:" + shellQuote(strings.Join(m.SearchPaths, ":")) + "; " + order
	}
	if m.PreRebootDelay > 0 {
		order = fmt.Sprintf("sleep %d; %s", m.PreRebootDelay, order)
	}
	return order
}

// waitBack waits for another boot id, then for the test command.
func (m *reboot) waitBack(ctx context.Context, c module.Controller, before string, start time.Time) error {
	timeout := time.Duration(m.RebootTimeout) * time.Second
	if err := pauseFor(ctx, min(3*time.Second, timeout)); err != nil {
		return err
	}
	same := fmt.Errorf("the node still runs the same boot")
	err := untilReached(ctx, c, timeout-time.Since(start), attempt{
		sleep: 2 * time.Second, limit: time.Duration(m.ConnectTimeout) * time.Second,
		test: func(ctx context.Context) error {
			now, err := m.bootID(ctx, c)
			if err == nil && now == before {
				err = same
			}
			return err
		},
	})
	if err != nil {
		return fmt.Errorf("timed out after %d seconds waiting for %s to reboot: %w", m.RebootTimeout, c.Host(), err)
	}
	c.Progress(c.Host() + " is back")
	if err := pauseFor(ctx, time.Duration(m.PostRebootDelay)*time.Second); err != nil {
		return err
	}
	return m.testBack(ctx, c, timeout)
}

func (m *reboot) testBack(ctx context.Context, c module.Controller, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		rc, _, stderr, err := c.Exec(ctx, m.TestCommand)
		if err == nil && rc == 0 {
			return nil
		}
		if err == nil {
			err = fmt.Errorf("code %d: %s", rc, strings.TrimSpace(cleanText(stderr)))
		}
		if pauseFor(ctx, 2*time.Second) != nil {
			return fmt.Errorf("timed out waiting for the test command %q after the reboot: %w", m.TestCommand, err)
		}
	}
}
