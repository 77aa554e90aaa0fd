//go:build !worker

package modules

import (
	"context"
	"maps"
	"os"
	"path/filepath"

	"mageprov/internal/fault"
	"mageprov/internal/module"
)

// assembleAction joins fragments of the controller and lets copy put them in place.
func assembleAction(ctx context.Context, c module.Controller, args module.Args) (*module.Result, error) {
	m := &assemble{RemoteSrc: true}
	if err := module.Decode(m, args); err != nil {
		return nil, err
	}
	if m.RemoteSrc {
		return c.Run(ctx, "ansible.builtin.assemble", args)
	}
	src, err := c.Find("files", m.Src)
	if err != nil {
		return nil, err
	}
	wanted, err := m.wanted()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(src) // sorted
	if err != nil {
		return nil, fault.New("Source (%s) is not a directory", src).Because(err)
	}
	var fragments [][]byte
	for _, e := range entries {
		p := filepath.Join(src, e.Name())
		if ok, err := wanted(e.Name()); err != nil {
			return nil, err
		} else if i, serr := os.Stat(p); !ok || serr != nil || !i.Mode().IsRegular() {
			continue
		}
		b, err := c.ReadFile(p)
		if err != nil {
			return nil, err
		}
		fragments = append(fragments, b)
	}
	rest := maps.Clone(args)
	for _, name := range []string{"src", "delimiter", "regexp", "ignore_hidden", "remote_src", "decrypt"} {
		delete(rest, name)
	}
	res, err := c.Run(ctx, "ansible.builtin.copy", withData(rest, m.join(fragments), filepath.Base(src)))
	if err == nil && res.Return != nil {
		res.Return["src"] = src
	}
	return res, err
}
