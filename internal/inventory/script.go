package inventory

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-multierror"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// scriptTimeout bounds one call of an inventory script, which may ask a cloud.
const scriptTimeout = 5 * time.Minute

// isScript says whether a file of the disk is an inventory script: a program,
// not an inventory that has the executable bit by chance.
func isScript(file string, data []byte) bool {
	if bytes.HasPrefix(data, []byte("#!")) {
		return true
	}
	i, err := os.Stat(filepath.FromSlash(file))
	return err == nil && i.Mode()&0o111 != 0 && bytes.HasPrefix(data, []byte("\x7fELF"))
}

// scriptReader reads what one inventory script prints.
type scriptReader struct {
	inv   *Inventory
	src   source
	hosts []*Host // of all groups, in order
	errs  *multierror.Error
}

func (inv *Inventory) readScript(ctx context.Context, src source) error {
	r := &scriptReader{inv: inv, src: src}
	root, err := r.call(ctx, "--list")
	if err != nil {
		return err
	}
	if root.IsNull() {
		return nil
	}
	var meta *document.Node
	for i := range root.Pairs {
		p := &root.Pairs[i]
		if p.Key == "_meta" {
			meta = p.Val
			continue
		}
		r.group(p.Key, p.Val)
	}
	for _, h := range r.hosts {
		if r.errs != nil {
			break
		}
		var vars *document.Node
		if meta == nil {
			if vars, err = r.call(ctx, "--host", h.Name); err != nil {
				return err
			}
		} else if all := meta.Get("hostvars"); all != nil {
			vars = all.Get(h.Name)
		}
		r.hostVars(h, vars)
	}
	return r.errs.ErrorOrNil()
}

// call runs the script and reads the dictionary that it prints. Places in it
// mean lines of the output.
func (r *scriptReader) call(ctx context.Context, args ...string) (*document.Node, error) {
	shown := r.src.file + " " + strings.Join(args, " ")
	file := filepath.FromSlash(r.src.file)
	if !strings.ContainsRune(file, filepath.Separator) {
		file = "." + string(filepath.Separator) + file
	}
	limited, cancel := context.WithTimeout(ctx, scriptTimeout)
	defer cancel()
	cmd := exec.CommandContext(limited, file, args...)
	// What the script has started may hold its output open: end the whole group.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	said := strings.TrimSpace(stderr.String())
	switch {
	case ctx.Err() != nil:
		return nil, fault.New("interrupted while the inventory script %s ran", shown).WithCode(fault.ExitInterrupted)
	case limited.Err() != nil:
		return nil, scriptFault(said, "the inventory script %s has not answered within %s", shown, scriptTimeout)
	case errors.Is(err, os.ErrPermission):
		return nil, fault.New("the inventory script %s is not executable", r.src.file).WithHint("chmod +x %s", r.src.file)
	case err != nil:
		return nil, scriptFault(said, "the inventory script %s failed: %v", shown, err)
	case said != "":
		r.inv.Warnings = append(r.inv.Warnings, shown+": "+said)
	}
	root, err := document.LoadSealed("output of "+shown, stdout.Bytes(), r.inv.vault)
	if err != nil {
		return nil, err
	}
	if !root.IsNull() && root.Kind != document.Map {
		return nil, fault.At(root.Place, "an inventory script prints a JSON object of groups, not %s", root.Kind)
	}
	return root, nil
}

func scriptFault(said, format string, args ...any) error {
	e := fault.New(format, args...)
	if said != "" {
		e.WithHint("it said: %s", said)
	}
	return e
}

func (r *scriptReader) fail(at fault.Place, format string, args ...any) {
	r.errs = multierror.Append(r.errs, fault.At(at, format, args...))
}

// group reads one group: hosts, vars and children, or, in the forms of old, a
// mere list of hosts, or the variables of one host.
func (r *scriptReader) group(name string, body *document.Node) {
	g := r.inv.group(name)
	switch {
	case body.Kind == document.Seq:
		r.members(g, body)
		return
	case body.Kind != document.Map:
		r.fail(body.Place, "group %s must be a dictionary or a list of hosts, not %s", name, body.Kind)
		return
	case body.Get("hosts") == nil && body.Get("vars") == nil && body.Get("children") == nil:
		r.add(g, name)
		r.groupVars(g, body)
		return
	}
	if hosts := body.Get("hosts"); hosts != nil {
		r.members(g, hosts)
	}
	if vars := body.Get("vars"); vars != nil {
		r.groupVars(g, vars)
	}
	children := body.Get("children")
	if children == nil {
		return
	}
	if children.Kind != document.Seq {
		r.fail(children.Place, "children of group %s must be a list, not %s", name, children.Kind)
		return
	}
	for _, c := range children.Items {
		if err := g.addChild(r.inv.group(jinja.Str(c.Value)), c.Place); err != nil {
			r.errs = multierror.Append(r.errs, err)
		}
	}
}

func (r *scriptReader) members(g *Group, hosts *document.Node) {
	if hosts.Kind != document.Seq {
		r.fail(hosts.Place, "hosts of group %s must be a list, not %s", g.Name, hosts.Kind)
		return
	}
	for _, h := range hosts.Items {
		if h.Kind != document.Scalar {
			r.fail(h.Place, "a host of group %s must be a name, not %s", g.Name, h.Kind)
			continue
		}
		r.add(g, h.Raw)
	}
}

func (r *scriptReader) add(g *Group, name string) {
	_, known := r.inv.hosts[name]
	h := r.inv.host(name, r.src)
	joined := g.join(h)
	if !known || joined {
		r.hosts = append(r.hosts, h)
	}
}

func (r *scriptReader) groupVars(g *Group, vars *document.Node) {
	if vars.Kind != document.Map {
		r.fail(vars.Place, "variables of group %s must be a dictionary, not %s", g.Name, vars.Kind)
		return
	}
	for _, p := range vars.Pairs {
		if err := g.setVar(r.src.file, p.Key, p.Val.ToValue(), p.KeyPlace); err != nil {
			r.errs = multierror.Append(r.errs, err)
		}
	}
}

func (r *scriptReader) hostVars(h *Host, vars *document.Node) {
	if vars.IsNull() {
		return
	}
	if vars.Kind != document.Map {
		r.fail(vars.Place, "variables of host %s must be a dictionary, not %s", h.Name, vars.Kind)
		return
	}
	for _, p := range vars.Pairs {
		h.vars = set(h.vars, r.src.file, p.Key, p.Val.ToValue(), p.KeyPlace)
	}
}
