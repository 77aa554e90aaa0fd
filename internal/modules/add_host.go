//go:build !worker

package modules

import (
	"context"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
)

func init() {
	module.Register(module.Spec{
		Name:     "ansible.builtin.add_host",
		New:      func() any { return &addHost{} },
		Action:   runAddHost,
		Local:    true,
		OpenArgs: true,
	})
}

// addHost adds a host to the inventory of this run; further arguments are its variables.
type addHost struct {
	Name   string   `arg:"name,required" alias:"host,hostname"`
	Groups []string `arg:"groups" alias:"group,groupname"`
}

// runAddHost returns what the engine has to add under the key add_host.
func runAddHost(_ context.Context, _ module.Controller, args module.Args) (*module.Result, error) {
	known, vars := module.Args{}, map[string]any{}
	for name, v := range args {
		switch name {
		case "name", "host", "hostname", "groups", "group", "groupname":
			known[name] = v
		default:
			vars[name] = v
		}
	}
	var m addHost
	if err := module.Decode(&m, known); err != nil {
		return nil, err
	}
	if m.Name == "" {
		return nil, fault.New("name is empty")
	}
	host := m.Name
	if h, port, ok := splitHostPort(host); ok {
		host, vars["ansible_port"] = h, port
	}
	groups := []any{}
	for _, g := range m.Groups {
		if g = strings.TrimSpace(g); g != "" {
			groups = append(groups, g)
		}
	}
	return &module.Result{
		Changed: true,
		Return: map[string]any{"add_host": map[string]any{
			"host_name": host, "groups": groups, "host_vars": vars,
		}},
	}, nil
}

// splitHostPort splits name:port and [v6]:port; a bare IPv6 address has no port.
func splitHostPort(s string) (host string, port int64, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.Count(s, ":") > 1 && !strings.HasSuffix(s[:i], "]") {
		return s, 0, false
	}
	for _, c := range s[i+1:] {
		if c < '0' || c > '9' || port > 65535 {
			return s, 0, false
		}
		port = port*10 + int64(c-'0')
	}
	return strings.Trim(s[:i], "[]"), port, port > 0
}
