package modules

import (
	"testing"

	"mageprov/internal/module"
	"mageprov/internal/node"
	"mageprov/internal/node/nodetest"
)

// TestCheckRunRemembersTools holds what later tasks of a check run know of
// commands that earlier ones would have run.
func TestCheckRunRemembersTools(t *testing.T) {
	n := nodetest.New(t,
		nodetest.Command{Query: []string{"update-alternatives", "--query", "tool"}, RC: 2},
		nodetest.Command{Query: []string{"locale", "-a"}, Stdout: "C\n"},
	)
	n.Programs = []string{"dpkg-divert"}
	n.Put("/opt/v1", "x\n")
	n.Put("/opt/v2", "x\n")
	n.Put("/etc/locale.gen", "# de_DE.UTF-8 UTF-8\n")
	n.Put("/usr/share/zoneinfo/Europe/Berlin", "TZif\n")
	n.Put("/run/systemd/system/x", "")
	o := node.NewOverlay(n)
	for i, step := range []struct {
		module  string
		args    module.Args
		changed bool
	}{
		{"alternatives", module.Args{"name": "tool", "path": "/opt/v1", "link": "/usr/bin/tool"}, true},
		{"alternatives", module.Args{"name": "tool", "path": "/opt/v1"}, false},
		{"alternatives", module.Args{"name": "tool", "path": "/opt/v2", "state": "present"}, true},
		{"dpkg_divert", module.Args{"path": "/usr/bin/f"}, true},
		{"dpkg_divert", module.Args{"path": "/usr/bin/f"}, false},
		{"dpkg_divert", module.Args{"path": "/usr/bin/f", "state": "absent"}, true},
		{"locale_gen", module.Args{"name": "de_DE.UTF-8"}, true},
		{"locale_gen", module.Args{"name": "de_DE.UTF-8"}, false},
		{"timezone", module.Args{"name": "Europe/Berlin"}, true},
		{"timezone", module.Args{"name": "Europe/Berlin"}, false},
	} {
		res := checkTask(t, o, step.module, step.args)
		if res.Failed || res.Changed != step.changed {
			t.Errorf("step %d, %s %v: changed=%v failed=%v %s %v", i, step.module, step.args, res.Changed, res.Failed, res.Msg, res.Changes)
		}
	}
	if w := n.Writes(); len(w) > 0 {
		t.Errorf("the check wrote: %q", w)
	}
}
