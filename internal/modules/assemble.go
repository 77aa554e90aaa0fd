package modules

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"path"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
	"mageprov/internal/pyre"
)

func init() {
	module.Register(module.Spec{
		Name: "ansible.builtin.assemble", Action: assembleAction,
		New: func() any { return &assemble{RemoteSrc: true} },
	})
}

// assemble makes one file of the fragments in a directory.
type assemble struct {
	FileArgs
	Src          string `arg:"src,required"`
	Dest         string `arg:"dest,required"`
	Delimiter    string `arg:"delimiter"`
	Regexp       string `arg:"regexp"`
	IgnoreHidden bool   `arg:"ignore_hidden"`
	RemoteSrc    bool   `arg:"remote_src"`
	Backup       bool   `arg:"backup"`
	ValidateCmd  string `arg:"validate"`
	Decrypt      *bool  `arg:"decrypt"`
}

// Validate compiles the pattern.
func (m *assemble) Validate() error {
	_, err := m.wanted()
	return err
}

// wanted gives the test that a fragment's name must pass.
func (m *assemble) wanted() (func(name string) (bool, error), error) {
	var re *pyre.Regexp
	if m.Regexp != "" {
		var err error
		if re, err = pyre.Compile(m.Regexp, 0); err != nil {
			return nil, err
		}
	}
	return func(name string) (bool, error) {
		if m.IgnoreHidden && strings.HasPrefix(name, ".") || re == nil {
			return !(m.IgnoreHidden && strings.HasPrefix(name, ".")), nil
		}
		match, err := re.Search(name)
		return match != nil, err
	}, nil
}

// join puts the fragments after each other, each on a line of its own.
func (m *assemble) join(fragments [][]byte) []byte {
	delimiter := strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t", `\r`, "\r").Replace(m.Delimiter)
	if delimiter != "" && !strings.HasSuffix(delimiter, "\n") {
		delimiter += "\n"
	}
	out := []byte{}
	for i, f := range fragments {
		if i > 0 {
			if last := fragments[i-1]; len(last) == 0 || last[len(last)-1] != '\n' {
				out = append(out, '\n')
			}
			out = append(out, delimiter...)
		}
		out = append(out, f...)
	}
	return out
}

// Check joins fragments of the node.
func (m *assemble) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	m.Src, m.Dest = expandWord(n, m.Src), cleanPath(expandWord(n, m.Dest))
	data, err := m.read(ctx, n)
	if err != nil {
		return module.Plan{}, err
	}
	if i, err := statOrNil(n, m.Dest); err == nil && i != nil && i.IsDir() {
		return module.Plan{}, fmt.Errorf("attempted to take checksum of directory: %s", m.Dest)
	}
	if i, err := statOrNil(n, path.Dir(m.Dest)); err == nil && i == nil {
		return module.Plan{}, notSure(n, fault.New("Destination directory %s does not exist", path.Dir(m.Dest)).WithHint("make it before"))
	}
	p := put{args: m.FileArgs, src: bytesSource(data), dest: m.Dest, force: true, backup: m.Backup, validate: m.ValidateCmd}
	plan, err := p.plan(n, false)
	if plan.Return != nil {
		sum := md5.Sum(data)
		delete(plan.Return, "path")
		plan.Return["msg"], plan.Return["src"], plan.Return["md5sum"] = "OK", m.Src, hex.EncodeToString(sum[:])
	}
	return plan, err
}

// read gives the text that the fragments make together.
func (m *assemble) read(ctx context.Context, n node.Reader) ([]byte, error) {
	switch i, err := statOrNil(n, m.Src); {
	case err != nil:
		return nil, err
	case i == nil:
		//lint:ignore ST1005 the words of Ansible, which playbooks look for
		return nil, notSure(n, fmt.Errorf("Source (%s) does not exist", m.Src))
	case !i.IsDir():
		//lint:ignore ST1005 the words of Ansible, which playbooks look for
		return nil, fmt.Errorf("Source (%s) is not a directory", m.Src)
	}
	wanted, err := m.wanted()
	if err != nil {
		return nil, err
	}
	infos, err := n.ReadDir(m.Src)
	if err != nil {
		return nil, err
	}
	var fragments [][]byte
	for _, i := range infos {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		ok, err := wanted(path.Base(i.Path))
		if err != nil {
			return nil, err
		}
		if target, serr := statOrNil(n, i.Path); !ok || serr != nil || target == nil || !target.IsRegular() {
			continue
		}
		b, err := n.ReadFile(i.Path)
		if err != nil {
			return nil, err
		}
		fragments = append(fragments, b)
	}
	return m.join(fragments), nil
}
