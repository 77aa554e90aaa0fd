package modules

import (
	"testing"

	"mageprov/internal/module"
	"mageprov/internal/modules/moduletest"
	"mageprov/internal/node"
	"mageprov/internal/node/nodetest"
)

// TestCheckAfterAPackage: in check mode a task that needs what an earlier one
// would install must neither fail nor claim to know.
func TestCheckAfterAPackage(t *testing.T) {
	for _, c := range []struct {
		name, module string
		args         module.Args
		changed      bool
	}{
		{"copy", "copy", module.Args{"dest": "/etc/nginx/conf.d/x", "_data": "eA==", "mode": "0600"}, true},
		{"lineinfile", "lineinfile", module.Args{"path": "/etc/nginx/nginx.conf", "line": "x"}, false},
		{"replace", "replace", module.Args{"path": "/etc/nginx/nginx.conf", "regexp": "x"}, false},
		{"file", "file", module.Args{"path": "/etc/nginx/nginx.conf", "mode": "0600"}, false},
		{"owner", "file", module.Args{"path": "/etc", "owner": "nginx"}, false},
		{"link", "file", module.Args{"path": "/etc/l", "src": "/etc/nginx/nginx.conf", "state": "link"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := nodetest.New(t)
			o := node.NewOverlay(n)
			if res := moduletest.RunOn(t.Context(), o, c.module, c.args); !res.Failed {
				t.Errorf("without the package: %+v", res)
			}
			o.Assume("package", "nginx", "present")
			res := moduletest.RunOn(t.Context(), o, c.module, c.args)
			if res.Failed || res.Changed != c.changed || res.Skipped == c.changed {
				t.Errorf("%+v", res)
			}
			if c.changed && len(res.Changes) != 1 {
				t.Errorf("announces %+v", res.Changes)
			}
		})
	}
}
