package play

import (
	"context"
	"strconv"
	"strings"

	"mageprov/internal/connection"
	"mageprov/internal/fault"
	"mageprov/internal/module"
)

var _ module.Reacher = (*controller)(nil)

// Login says how ssh reaches the task's own host, wherever the task runs. A
// password is no part of it: ssh takes none from a program.
func (c *controller) Login(ctx context.Context) (module.Login, error) {
	there := *c.x
	there.delegate = nil
	t, err := there.reach(ctx, c.s)
	if err != nil {
		return module.Login{}, err
	}
	l, err := there.login(ctx, c, t)
	if err != nil || c.x.delegate == nil {
		return l, err
	}
	from, err := c.x.reach(ctx, c.s)
	l.OnNode = from.Kind != "local"
	if l.OnNode {
		l.Local = c.x.delegate == c.x.h || from.Kind == t.Kind && from.Host == t.Host && from.Port == t.Port
	}
	return l, err
}

func (x *execution) login(ctx context.Context, c *controller, t connection.Target) (module.Login, error) {
	l := module.Login{Local: t.Kind == "local", Host: t.Host, User: t.User, Port: t.Port, SSH: sshOptions(t)}
	b, err := x.become(ctx, c.s)
	switch {
	case err != nil || l.Local || b.Method == "" || b.User == t.User && t.User != "":
		return l, err
	case b.Method != "sudo":
		return l, fault.New("become_method %s cannot be used here", b.Method).WithHint("only sudo without a password works with rsync")
	}
	l.Become = []string{"sudo", "-n"}
	if b.Exe != "" {
		l.Become[0] = b.Exe
	}
	if b.User != "" && b.User != "root" {
		l.Become = append(l.Become, "-u", b.User)
	}
	return l, nil
}

// sshOptions says in ssh's words how a target is reached.
func sshOptions(t connection.Target) []string {
	out := []string{"-o", "BatchMode=yes"}
	option := func(name, value string) { out = append(out, "-o", name+"="+value) }
	if t.SSHConfig != "" {
		out = append(out, "-F", t.SSHConfig)
	}
	for _, key := range t.KeyFiles {
		out = append(out, "-i", key)
	}
	if t.ProxyJump != "" {
		option("ProxyJump", t.ProxyJump)
	}
	switch t.HostKey {
	case connection.HostKeyStrict:
		option("StrictHostKeyChecking", "yes")
	case connection.HostKeyAcceptNew:
		option("StrictHostKeyChecking", "accept-new")
	}
	if len(t.KnownHosts) > 0 {
		option("UserKnownHostsFile", strings.Join(t.KnownHosts, " "))
		option("GlobalKnownHostsFile", "/dev/null")
	}
	if t.Timeout > 0 {
		option("ConnectTimeout", strconv.Itoa(max(1, int(t.Timeout.Seconds()))))
	}
	return out
}
