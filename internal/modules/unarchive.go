package modules

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "ansible.builtin.unarchive", Action: unarchiveAction,
		New: func() any { return &unarchive{Copy: true} },
	})
}

// unarchive unpacks an archive.
type unarchive struct {
	FileArgs
	Src           string   `arg:"src,required"`
	Dest          string   `arg:"dest,required"`
	RemoteSrc     bool     `arg:"remote_src"`
	Copy          bool     `arg:"copy"`
	Creates       string   `arg:"creates"`
	ListFiles     bool     `arg:"list_files"`
	Exclude       []string `arg:"exclude"`
	Include       []string `arg:"include"`
	KeepNewer     bool     `arg:"keep_newer"`
	ExtraOpts     []string `arg:"extra_opts"`
	IOBufferSize  int      `arg:"io_buffer_size"`
	ValidateCerts *bool    `arg:"validate_certs"`
	Decrypt       *bool    `arg:"decrypt"`

	// from the Action
	Upload   string `arg:"_upload"`   // the node's copy of a controller archive
	Manifest string `arg:"_manifest"` // or what is in it, as JSON, to compare alone
	Kind     string `arg:"_kind"`     // of the archive that Manifest describes
	Compare  bool   `arg:"_compare"`  // say what differs, and do nothing about it
}

// Validate refuses what Ansible refuses.
func (u *unarchive) Validate() error {
	switch {
	case len(u.Include) > 0 && len(u.Exclude) > 0:
		return fault.New("parameters are mutually exclusive: include|exclude")
	case strings.Contains(u.Src, "://"):
		return fault.New("src cannot be a URL").WithHint("get_url fetches it, with a checksum")
	}
	return nil
}

// unpacker is an unarchive under way.
type unpacker struct {
	*unarchive
	n      node.Reader
	file   string // on the node; "" where only the manifest is known
	kind   string
	size   int64
	sel    selection
	noOwn  bool // --no-same-owner
	root   string
	names  []any
	differ map[string]bool
	items  []item
}

// item is an entry with its place on the node.
type item struct {
	member
	at string
}

// Check compares the archive with the destination.
func (u *unarchive) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	u.Dest, u.Creates = expandWord(n, u.Dest), expandWord(n, u.Creates)
	if u.Creates != "" {
		if _, err := n.Lstat(u.Creates); err == nil {
			return module.Plan{Skipped: fmt.Sprintf("skipped, since %s exists", u.Creates)}, nil
		}
	}
	x := &unpacker{unarchive: u, n: n, file: u.Upload, kind: u.Kind, differ: map[string]bool{}}
	if u.Upload == "" && u.Manifest == "" {
		x.file = expandWord(n, u.Src)
	}
	if err := x.identify(); err != nil {
		if errors.Is(err, node.ErrUnknown) {
			return x.unknown(), nil
		}
		return module.Plan{}, err
	}
	i, err := statOrNil(n, u.Dest)
	if err != nil {
		return module.Plan{}, err
	}
	if i == nil || !i.IsDir() {
		return module.Plan{}, notSure(n, fault.New("dest '%s' must be an existing dir", u.Dest))
	}
	if x.root, err = n.EvalSymlinks(u.Dest); err != nil {
		return module.Plan{}, err
	}
	handled, err := x.options()
	if err != nil {
		return module.Plan{}, err
	}
	if !handled || !native(x.kind) {
		return x.withTar(ctx)
	}
	return x.plan(ctx)
}

// identify finds out what kind of archive it is.
func (x *unpacker) identify() error {
	if x.file == "" {
		return nil
	}
	i, err := x.n.Stat(x.file)
	if errors.Is(err, fs.ErrNotExist) {
		//lint:ignore ST1005 the words of Ansible, which playbooks look for
		return notSure(x.n, fmt.Errorf("Source '%s' does not exist", x.Src))
	}
	if err != nil {
		return err
	}
	x.size = i.Size
	f, err := x.n.Open(x.file)
	if err != nil {
		return err
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, 512))
	if err != nil {
		return err
	}
	if x.kind = archiveKind(head); x.kind == "" {
		return fault.New("failed to find handler for %q", x.Src).WithHint("known: zip, tar, and tar with gzip, bzip2, xz or zstd")
	}
	return nil
}

// options reads extra_opts. ok is false where only the tar program knows them.
func (x *unpacker) options() (ok bool, err error) {
	x.sel = selection{include: x.Include, exclude: x.Exclude}
	for i := 0; i < len(x.ExtraOpts); i++ {
		name, value, has := strings.Cut(strings.TrimSpace(x.ExtraOpts[i]), "=")
		if at := strings.IndexByte(name, ' '); at > 0 {
			name, value, has = name[:at], strings.TrimSpace(name[at:]), true
		}
		next := func() {
			if !has && i+1 < len(x.ExtraOpts) {
				i++
				value = x.ExtraOpts[i]
			}
		}
		switch name {
		case "", "--overwrite", "--same-owner", "-p", "--same-permissions", "--preserve-permissions", "-z", "-j", "--gzip", "--bzip2":
		case "--strip-components", "--strip":
			next()
			if x.sel.strip, err = strconv.Atoi(value); err != nil {
				return false, fault.New("extra_opts: --strip-components needs a number")
			}
		case "--exclude":
			next()
			x.sel.exclude = append(x.sel.exclude, value)
		case "--no-same-owner", "-o":
			x.noOwn = true
		default:
			return false, nil
		}
	}
	return true, x.sel.compile()
}

// unknown is the plan for an archive that an earlier task of a check run would bring.
func (x *unpacker) unknown() module.Plan {
	return module.Plan{
		Changes: []module.Change{{What: "unpack " + x.Src + " into " + x.Dest}},
		Return:  map[string]any{"src": x.Src, "dest": x.Dest},
	}
}

// walk visits the entries, from the archive or the manifest.
func (x *unpacker) walk(n node.Reader, visit func(m member, content io.Reader) error) error {
	if x.file == "" {
		var members []member
		if err := json.Unmarshal([]byte(x.Manifest), &members); err != nil {
			return err
		}
		for _, m := range members {
			content := io.Reader(nil)
			if m.Kind == 'f' {
				content = node.UnknownContent
			}
			if err := visit(m, content); err != nil {
				return err
			}
		}
		return nil
	}
	f, err := n.Open(x.file)
	if err != nil {
		return err
	}
	defer f.Close()
	return fault.Wrap(walkArchive(f, x.size, x.kind, visit), "reading %s", x.Src)
}

func (x *unpacker) plan(ctx context.Context) (module.Plan, error) {
	last := map[string]int{}
	err := x.walk(x.n, func(m member, _ io.Reader) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		name, ok, err := x.sel.place(m)
		if err != nil || !ok {
			return err
		}
		x.names = append(x.names, m.Name)
		at := path.Join(x.root, name)
		last[at] = len(x.items)
		x.items = append(x.items, item{m, at})
		return nil
	})
	if err != nil {
		return module.Plan{}, err
	}
	count := 0
	for k, it := range x.items {
		if last[it.at] != k {
			continue // a later entry of the same name wins
		}
		differs, err := x.differs(it)
		if err != nil {
			return module.Plan{}, err
		}
		if differs {
			x.differ[it.at] = true
			count++
		}
	}
	p := module.Plan{Return: x.result(), After: x.after}
	if count > 0 {
		extract := x.extract
		if x.Compare {
			extract = nil
		}
		p.Changes = append(p.Changes, module.Change{
			What:  fmt.Sprintf("unpack %s into %s: %d of %d entries", x.Src, x.Dest, count, len(last)),
			After: x.preview(last), BeforeName: x.Dest, AfterName: x.Dest, Apply: extract,
		})
	}
	return p, nil
}

// preview lists what will be written, for the diff.
func (x *unpacker) preview(last map[string]int) string {
	var b strings.Builder
	for k, it := range x.items {
		if x.differ[it.at] && last[it.at] == k && b.Len() < maxDiff {
			b.WriteString(it.at + "\n")
		}
	}
	return b.String()
}

func (x *unpacker) result() map[string]any {
	ret := map[string]any{"src": x.Src, "dest": x.Dest, "handler": handlers[x.kind]}
	if x.ListFiles {
		if ret["files"] = x.names; x.names == nil {
			ret["files"] = []any{}
		}
	}
	return ret
}

func (x *unpacker) after(_ context.Context, n node.Reader, ret map[string]any) error {
	addPathInfo(n, x.Dest, ret)
	return nil
}
