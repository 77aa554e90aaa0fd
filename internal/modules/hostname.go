package modules

import (
	"context"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "ansible.builtin.hostname",
		New:  func() any { return &hostname{} },
	})
}

// hostname is the node's name, in the kernel and in /etc/hostname.
type hostname struct {
	Name string `arg:"name,required"`
	Use  string `arg:"use" choices:"alpine,debian,freebsd,generic,macos,macosx,darwin,openbsd,openrc,redhat,sles,solaris,systemd"`
}

// Validate asks for a name that the kernel takes.
func (m *hostname) Validate() error {
	switch {
	case m.Name == "" || strings.ContainsAny(m.Name, " \t\n/"):
		return fault.New("name: %q is no host name", m.Name)
	case len(m.Name) > 64:
		return fault.New("name cannot be longer than 64 characters on Linux, this one has %d", len(m.Name))
	}
	switch m.Use {
	case "", "systemd", "debian", "generic", "redhat", "sles", "alpine", "openrc":
		return nil
	}
	return fault.New("use: %s is no strategy for Linux", m.Use)
}

// Check compares both names. Both are set in the same way under every strategy:
// systemd reads /etc/hostname too, and needs no running bus for it.
func (m *hostname) Check(_ context.Context, n node.Reader) (module.Plan, error) {
	host, domain, dotted := strings.Cut(m.Name, ".")
	facts := map[string]any{"ansible_hostname": host, "ansible_nodename": m.Name, "ansible_domain": domain, "ansible_fqdn": m.Name}
	if !dotted {
		g := &gathering{node: n}
		if fqdn := fqdnFromHosts(g, m.Name); fqdn != "" {
			facts["ansible_fqdn"] = fqdn
			_, facts["ansible_domain"], _ = strings.Cut(fqdn, ".")
		}
	}
	p := module.Plan{Return: map[string]any{"name": m.Name, "ansible_facts": facts}}
	text, exists, err := readText(n, "/etc/hostname")
	if err != nil {
		return p, err
	}
	if staticName(text) != m.Name {
		p.Changes = append(p.Changes, rewriteText("/etc/hostname", text, m.Name+"\n", exists, 0o644))
	}
	kernel, _ := n.Assumed("hostname", "kernel")
	if kernel == "" {
		b, err := n.ReadFile("/proc/sys/kernel/hostname")
		if err != nil {
			return p, err
		}
		kernel = strings.TrimSpace(string(b))
	}
	if kernel != m.Name {
		p.Changes = append(p.Changes, module.Change{
			What: "set the host name " + m.Name, Before: "hostname = " + kernel + "\n", After: "hostname = " + m.Name + "\n",
			BeforeName: "host name", AfterName: "host name",
			Apply: func(ctx context.Context, w node.Writer) error {
				if err := mustRun(ctx, w, node.Command{Argv: []string{"hostname", m.Name}}); err != nil {
					return err
				}
				w.Assume("hostname", "kernel", m.Name)
				return nil
			},
		})
	}
	return p, nil
}

// staticName reads /etc/hostname as systemd does: the first line that is no comment.
func staticName(text string) string {
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return line
		}
	}
	return ""
}
