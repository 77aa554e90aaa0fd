//go:build !worker

package modules

import (
	"context"

	"mageprov/internal/module"
)

// uploadURISource brings src to the node, unless it is there already.
func uploadURISource(ctx context.Context, c module.Controller, args module.Args) (*module.Result, error) {
	m := newURI()
	if err := module.Decode(m, args); err != nil {
		return nil, err
	}
	if m.Src == "" || m.RemoteSrc || c.Check() {
		return c.Run(ctx, "ansible.builtin.uri", args)
	}
	local, err := c.Find("files", m.Src)
	if err != nil {
		return nil, err
	}
	remote, err := c.Upload(ctx, local)
	if err != nil {
		return nil, err
	}
	sent := module.Args{}
	for k, v := range args {
		sent[k] = v
	}
	sent["src"], sent["remote_src"] = remote, true
	return c.Run(ctx, "ansible.builtin.uri", sent)
}
