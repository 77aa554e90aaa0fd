package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

// FileArgs are the arguments that every module which puts files in place takes.
type FileArgs struct {
	Mode         module.Mode `arg:"mode"`
	Owner        string      `arg:"owner"`
	Group        string      `arg:"group"`
	Attributes   string      `arg:"attributes" alias:"attr"`
	UnsafeWrites bool        `arg:"unsafe_writes"`
	SEUser       string      `arg:"seuser"`
	SERole       string      `arg:"serole"`
	SEType       string      `arg:"setype"`
	SELevel      string      `arg:"selevel"`
}

// fileWish is FileArgs looked up on a node, for one path.
type fileWish struct {
	mode     *uint32 // nil: keep
	uid, gid int     // -1: keep
}

// wish looks up names and works out a symbolic mode against what the file has,
// or would have when new: i.Mode.
func (a FileArgs) wish(n node.Reader, i node.Info) (fileWish, error) {
	w := fileWish{uid: -1, gid: -1}
	if a.Mode != "" && !i.IsLink() {
		m, err := applyMode(a.Mode, i.Mode, i.IsDir(), n.Umask())
		if err != nil {
			return w, err
		}
		w.mode = &m
	}
	var err error
	if w.uid, err = lookupUID(n, a.Owner); err != nil {
		return w, err
	}
	if w.gid, err = lookupGID(n, a.Group); err != nil {
		return w, err
	}
	if a.SEUser+a.SERole+a.SEType+a.SELevel != "" && selinuxOn(n) {
		return w, fault.New("SELinux labels cannot be set").WithHint("leave out seuser, serole, setype and selevel, and run restorecon")
	}
	return w, nil
}

// mayCome says whether what is missing may have come by then: an earlier task of
// this check run would install packages or run commands. Never so on a real node.
func mayCome(n node.Reader) bool {
	_, packages := n.Assumed(node.AnyOf, "package")
	_, commands := n.Assumed(node.AnyOf, "command")
	return packages || commands
}

// notSure makes an error about something missing one that check mode cannot
// be sure of, where that is so.
func notSure(n node.Reader, err error) error {
	if err != nil && mayCome(n) {
		return fmt.Errorf("%w, an earlier task may bring it: %w", node.ErrUnknown, err)
	}
	return err
}

// selinuxOn says whether labels mean anything here. Where they do not, Ansible
// ignores them too.
func selinuxOn(n node.Reader) bool {
	_, err := n.Stat("/sys/fs/selinux/enforce")
	return err == nil
}

func lookupUID(n node.Reader, name string) (int, error) {
	if name == "" {
		return -1, nil
	}
	if u, err := n.LookupUser(name); err == nil {
		return u.UID, nil
	}
	if id, err := strconv.Atoi(name); err == nil && id >= 0 {
		return id, nil
	}
	return -1, notSure(n, fmt.Errorf("chown failed: failed to look up user %s", name))
}

func lookupGID(n node.Reader, name string) (int, error) {
	if name == "" {
		return -1, nil
	}
	if g, err := n.LookupGroup(name); err == nil {
		return g.GID, nil
	}
	if id, err := strconv.Atoi(name); err == nil && id >= 0 {
		return id, nil
	}
	return -1, notSure(n, fmt.Errorf("chgrp failed: failed to look up group %s", name))
}

// writeOptions are for a file that is written with these arguments.
func (a FileArgs) writeOptions(w fileWish) node.WriteOptions {
	return node.WriteOptions{Mode: w.mode, UID: w.uid, GID: w.gid, Unsafe: a.UnsafeWrites}
}

// newFile is what a file that is not there yet would be without any arguments.
func newFile(n node.Reader, p string) node.Info {
	return node.Info{Path: p, Mode: 0o666 &^ n.Umask(), UID: -1, GID: -1}
}

// changes are the steps that give an existing path its mode, owner and
// attributes. i is what the path has.
func (a FileArgs) changes(n node.Reader, p string, i node.Info) ([]module.Change, error) {
	w, err := a.wish(n, i)
	if err != nil {
		return nil, err
	}
	var out []module.Change
	if w.uid >= 0 && w.uid != i.UID {
		out = append(out, attrChange(p, "owner", userLabel(n, i.UID), userLabel(n, w.uid),
			func(_ context.Context, nw node.Writer) error { return nw.Chown(p, w.uid, -1) }))
	}
	if w.gid >= 0 && w.gid != i.GID {
		out = append(out, attrChange(p, "group", groupLabel(n, i.GID), groupLabel(n, w.gid),
			func(_ context.Context, nw node.Writer) error { return nw.Chown(p, -1, w.gid) }))
	}
	if w.mode != nil && *w.mode != i.Mode {
		out = append(out, attrChange(p, "mode", modeString(i.Mode), modeString(*w.mode),
			func(_ context.Context, nw node.Writer) error { return nw.Chmod(p, *w.mode) }))
	} else if w.mode != nil && len(out) > 0 && *w.mode&0o6000 != 0 {
		// a change of owner drops setuid and setgid
		out = append(out, module.Change{Quiet: true, What: "set the mode of " + p + " again",
			Apply: func(_ context.Context, nw node.Writer) error { return nw.Chmod(p, *w.mode) }})
	}
	attr, err := a.attrChanges(n, p, i)
	return append(out, attr...), err
}

// attrChange is one step whose diff is what changes about the path.
func attrChange(p, key, before, after string, apply func(context.Context, node.Writer) error) module.Change {
	show := func(v string) string {
		return fmt.Sprintf("{\n    %q: %q,\n    \"path\": %q\n}\n", key, v, p)
	}
	return module.Change{
		What: fmt.Sprintf("set the %s of %s to %s", key, p, after), Before: show(before), After: show(after),
		BeforeName: p, AfterName: p, Apply: apply,
	}
}

func modeString(m uint32) string { return fmt.Sprintf("0%03o", m) }

func userLabel(n node.Reader, uid int) string {
	if u, err := n.LookupUID(uid); err == nil {
		return u.Name
	}
	return strconv.Itoa(uid)
}

func groupLabel(n node.Reader, gid int) string {
	if g, err := n.LookupGID(gid); err == nil {
		return g.Name
	}
	return strconv.Itoa(gid)
}

// addPathInfo adds what Ansible returns about a path: owner, mode, size, state.
func addPathInfo(n node.Reader, p string, ret map[string]any) {
	i, err := n.Lstat(p)
	if errors.Is(err, fs.ErrNotExist) {
		ret["state"] = "absent"
		return
	}
	if err != nil {
		return
	}
	ret["uid"], ret["gid"], ret["owner"], ret["group"] = int64(i.UID), int64(i.GID), i.Owner, i.Group
	ret["mode"], ret["size"] = modeString(i.Mode), i.Size
	switch {
	case i.IsLink():
		ret["state"] = "link"
	case i.IsDir():
		ret["state"] = "directory"
	case i.NLink > 1:
		ret["state"] = "hard"
	default:
		ret["state"] = "file"
	}
}

// lstatOrNil gives nil for what is not there.
func lstatOrNil(n node.Reader, p string) (*node.Info, error) {
	return orNil(n.Lstat(p))
}

// statOrNil gives nil for what is not there, a link to nowhere included.
func statOrNil(n node.Reader, p string) (*node.Info, error) {
	return orNil(n.Stat(p))
}

func orNil(i node.Info, err error) (*node.Info, error) {
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &i, nil
}

// realPath follows links at the end of p as far as they lead.
func realPath(n node.Reader, p string) string {
	if real, err := n.EvalSymlinks(p); err == nil {
		return real
	}
	return p
}

// backupName is Ansible's: process and time. A worker is one process for many
// tasks, so it counts on where two fall into one second.
func backupName(n node.Reader, p string) string {
	for id := os.Getpid(); ; id++ {
		name := fmt.Sprintf("%s.%d.%s~", p, id, n.Now().Format("2006-01-02@15:04:05"))
		if _, err := n.Lstat(name); err != nil {
			return name
		}
	}
}

// backup copies a file beside itself, with its mode, owner and time.
func backup(ctx context.Context, w node.Writer, p, to string) error {
	i, err := w.Stat(p)
	if err != nil {
		return err
	}
	f, err := w.Open(p)
	if err != nil {
		return err
	}
	defer f.Close()
	err = w.WriteFile(ctx, to, f, node.WriteOptions{Mode: &i.Mode, UID: i.UID, GID: i.GID, MTime: i.MTime})
	return fault.Wrap(err, "backing up %s", p)
}

// validation splits a validate argument and demands its %s.
func validation(line string) ([]string, error) {
	if line == "" {
		return nil, nil
	}
	argv, err := splitArgv(line)
	if err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	for _, a := range argv {
		if containsPercentS(a) {
			return argv, nil
		}
	}
	return nil, fault.New("validate must contain %%s: %s", line).WithHint("%%s stands for the file that is to be checked")
}

func containsPercentS(s string) bool {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '%' && s[i+1] == 's' {
			return true
		}
	}
	return false
}

// mkdirs gives the steps that make dir and what is missing above it.
func mkdirs(n node.Reader, dir string, mode uint32) ([]module.Change, error) {
	var missing []string
	for d := path.Clean(dir); ; d = path.Dir(d) {
		i, err := statOrNil(n, d)
		if err != nil {
			return nil, err
		}
		if i != nil {
			if !i.IsDir() {
				return nil, fmt.Errorf("%s is not a directory", d)
			}
			break
		}
		missing = append(missing, d)
		if d == "/" || d == "." {
			break
		}
	}
	var out []module.Change
	for k := len(missing) - 1; k >= 0; k-- {
		d := missing[k]
		out = append(out, module.Change{What: "create directory " + d,
			Apply: func(_ context.Context, w node.Writer) error { return w.Mkdir(d, mode) }})
	}
	return out, nil
}
