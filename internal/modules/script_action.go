//go:build !worker

package modules

import (
	"context"

	"mageprov/internal/fault"
	"mageprov/internal/module"
)

func runScript(ctx context.Context, c module.Controller, args module.Args) (*module.Result, error) {
	m := script{runOptions: runDefaults()}
	if err := module.Decode(&m, args); err != nil {
		return nil, err
	}
	words, err := splitArgv(m.Cmd)
	if err != nil {
		return nil, fault.At(c.Place(), "splitting %q", m.Cmd).Because(err)
	}
	local, err := c.Find("files", words[0])
	if err != nil {
		return nil, err
	}
	sent := module.Args{}
	for k, v := range args {
		sent[k] = v
	}
	if !c.Check() {
		remote, err := c.Upload(ctx, local)
		if err != nil {
			return nil, err
		}
		sent["_uploaded"] = remote
	}
	res, err := c.Run(ctx, "ansible.builtin.script", sent)
	if err != nil {
		return nil, err
	}
	for _, k := range []string{"cmd", "start", "end", "delta"} { // of command, not of script
		delete(res.Return, k)
	}
	if res.Return["msg"] == "" {
		delete(res.Return, "msg")
	}
	return res, nil
}
