package lab

import (
	"context"
	"strings"
)

// makeNetwork makes the namespace with the bridge. Nothing is added to the
// machine's own network.
func (l *Lab) makeNetwork(ctx context.Context) error {
	if l.hasNS(ctx, l.Switch()) {
		return nil
	}
	for _, argv := range [][]string{
		{"netns", "add", l.Switch()},
		{"-n", l.Switch(), "link", "add", bridge, "type", "bridge"},
		{"-n", l.Switch(), "addr", "add", gateway + "/24", "dev", bridge},
		{"-n", l.Switch(), "link", "set", bridge, "up"},
		{"-n", l.Switch(), "link", "set", "lo", "up"},
	} {
		if _, err := run(ctx, append([]string{"ip"}, argv...)...); err != nil {
			return err
		}
	}
	return nil
}

func (l *Lab) hasNS(ctx context.Context, name string) bool {
	out, err := run(ctx, "ip", "netns", "list")
	if err != nil {
		return false
	}
	for _, line := range strings.Split(out, "\n") {
		if f := strings.Fields(line); len(f) > 0 && f[0] == name {
			return true
		}
	}
	return false
}

// addNode makes a namespace with one leg on the bridge, and no way out: there
// is no default route.
func (l *Lab) addNode(ctx context.Context, name, ip string) error {
	ns := l.prefix() + name
	if l.hasNS(ctx, ns) {
		return nil
	}
	for _, argv := range [][]string{
		{"netns", "add", ns},
		{"-n", l.Switch(), "link", "add", "v-" + name, "type", "veth", "peer", "name", "host0", "netns", ns},
		{"-n", l.Switch(), "link", "set", "v-" + name, "master", bridge, "up"},
		{"-n", ns, "addr", "add", ip + "/24", "dev", "host0"},
		{"-n", ns, "link", "set", "host0", "up"},
		{"-n", ns, "link", "set", "lo", "up"},
	} {
		if _, err := run(ctx, append([]string{"ip"}, argv...)...); err != nil {
			return err
		}
	}
	return nil
}

// removeNetwork removes every namespace of the lab.
func (l *Lab) removeNetwork(ctx context.Context) {
	out, err := run(ctx, "ip", "netns", "list")
	if err != nil {
		l.Log("listing network namespaces: %v", err)
		return
	}
	for _, line := range strings.Split(out, "\n") {
		if f := strings.Fields(line); len(f) > 0 && strings.HasPrefix(f[0], l.prefix()) {
			if _, err := run(ctx, "ip", "netns", "del", f[0]); err != nil {
				l.Log("removing network namespace %s: %v", f[0], err)
			}
		}
	}
}
