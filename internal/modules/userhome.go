package modules

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func (t *userTask) movesHome(n node.Reader) bool {
	if t.have == nil || !t.MoveHome || t.want.Home == t.have.Home {
		return false
	}
	_, oldErr := n.Lstat(t.have.Home)
	_, newErr := n.Lstat(t.want.Home)
	return oldErr == nil && errors.Is(newErr, fs.ErrNotExist)
}

// planHome makes a home that an existing account lacks; for a new one useradd does.
func (t *userTask) planHome(n node.Reader) error {
	if t.have == nil || !t.CreateHome || t.movesHome(n) {
		return nil
	}
	_, err := n.Stat(t.want.Home)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	t.plan.Changes = append(t.plan.Changes, module.Change{What: "create " + t.want.Home, After: t.want.Home + "\n", Apply: func(ctx context.Context, w node.Writer) error {
		return t.makeHome(ctx, w, t.want)
	}})
	return nil
}

// makeHome makes the directory with the skeleton's files, all of it the user's.
func (t *userTask) makeHome(ctx context.Context, w node.Writer, u node.User) error {
	if err := makeHomeParents(w, path.Dir(u.Home)); err != nil {
		return err
	}
	if err := w.Mkdir(u.Home, t.homeMode(w)); err != nil {
		return err
	}
	skel := t.Skeleton
	if skel == "" {
		skel = "/etc/skel"
	}
	if err := copySkeleton(ctx, w, skel, u.Home, u); err != nil {
		return err
	}
	return w.Chown(u.Home, u.UID, u.GID)
}

func makeHomeParents(w node.Writer, dir string) error {
	if _, err := w.Stat(dir); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := makeHomeParents(w, path.Dir(dir)); err != nil {
		return err
	}
	return w.Mkdir(dir, 0o755)
}

// homeMode is the mode of a new home: from umask, else as /etc/login.defs says.
func (t *userTask) homeMode(n node.Reader) uint32 {
	umask := t.Umask
	if umask == "" {
		data, _ := n.ReadFile("/etc/login.defs")
		defs := map[string]string{}
		for _, line := range strings.Split(string(data), "\n") {
			if f := strings.Fields(line); len(f) >= 2 && f[0][0] != '#' {
				defs[f[0]] = f[1]
			}
		}
		if m, err := strconv.ParseUint(defs["HOME_MODE"], 8, 12); err == nil {
			return uint32(m)
		}
		umask = defs["UMASK"]
	}
	if m, err := strconv.ParseUint(umask, 8, 12); err == nil {
		return 0o777 &^ uint32(m)
	}
	return 0o755
}

func copySkeleton(ctx context.Context, w node.Writer, from, to string, u node.User) error {
	infos, err := w.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, i := range infos {
		src, dst := path.Join(from, path.Base(i.Path)), path.Join(to, path.Base(i.Path))
		switch {
		case i.IsDir():
			if err = w.Mkdir(dst, i.Mode); err == nil {
				err = copySkeleton(ctx, w, src, dst, u)
			}
		case i.IsLink():
			err = w.Symlink(i.Target, dst)
		case i.IsRegular():
			err = copySkeletonFile(ctx, w, src, dst, i.Mode)
		default:
			continue
		}
		if err == nil {
			err = w.Chown(dst, u.UID, u.GID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func copySkeletonFile(ctx context.Context, w node.Writer, src, dst string, mode uint32) error {
	f, err := w.Open(src)
	if err != nil {
		return err
	}
	defer f.Close()
	opts := node.Keep()
	opts.Mode = &mode
	return w.WriteFile(ctx, dst, f, opts)
}

func (t *userTask) sshKeyPath(home string) string {
	file := t.SSHKeyFile
	if file == "" {
		file = ".ssh/id_" + t.SSHKeyType
	}
	if !path.IsAbs(file) {
		file = path.Join(home, file)
	}
	return file
}

// planSSHKey makes a key pair that is not there yet.
func (t *userTask) planSSHKey(n node.Reader) error {
	file := t.sshKeyPath(t.want.Home)
	if _, err := n.Lstat(file); err == nil && !t.Force {
		return nil
	}
	comment := t.SSHKeyComment
	if comment == "" {
		host, _ := n.ReadFile("/etc/hostname")
		comment = "ansible-generated on " + strings.TrimSpace(string(host))
	}
	argv := []string{"ssh-keygen", "-q", "-t", t.SSHKeyType}
	if t.SSHKeyBits > 0 {
		argv = append(argv, "-b", itoa(t.SSHKeyBits))
	}
	argv = append(argv, "-C", comment, "-f", file)
	t.plan.Changes = append(t.plan.Changes, module.Change{What: "generate the SSH key " + file, After: file + "\n", Apply: func(ctx context.Context, w node.Writer) error {
		return t.generateKey(ctx, w, file, argv)
	}})
	return nil
}

func (t *userTask) generateKey(ctx context.Context, w node.Writer, file string, argv []string) error {
	u, err := w.LookupUser(t.Name)
	if err != nil {
		return err
	}
	dir := path.Dir(file)
	if _, err := w.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := w.Mkdir(dir, 0o700); err != nil {
			return err
		}
		if err := w.Chown(dir, u.UID, u.GID); err != nil {
			return err
		}
	}
	for _, p := range []string{file, file + ".pub"} {
		if err := w.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	cmd := node.Command{Argv: append(argv, "-N", "")}
	if t.SSHKeyPassphrase != "" {
		restore, err := t.askpass(ctx, w, &cmd, argv)
		if err != nil {
			return err
		}
		defer restore()
	}
	res, err := w.Run(ctx, cmd)
	switch {
	case err != nil:
		return err
	case res.Unknown:
		return nil
	case res.RC != 0:
		return fault.New("ssh-keygen: %s", strings.TrimSpace(cleanText(res.Stderr)+cleanText(res.Stdout)))
	}
	for _, p := range []string{file, file + ".pub"} {
		if err := w.Chown(p, u.UID, u.GID); err != nil {
			return err
		}
	}
	return nil
}

// askpass hands the passphrase to ssh-keygen by a program that prints it from
// the environment: an argument would show it to every user of the node.
func (t *userTask) askpass(ctx context.Context, w node.Writer, cmd *node.Command, argv []string) (restore func(), err error) {
	script := path.Join(path.Dir(t.sshKeyPath(t.want.Home)), ".askpass-mageprov")
	mode := uint32(0o700)
	body := "#!/bin/sh\nprintf '%s\\n' \"$MAGEPROV_PASSPHRASE\"\n"
	if err := w.WriteFile(ctx, script, strings.NewReader(body), node.WriteOptions{Mode: &mode, UID: -1, GID: -1}); err != nil {
		return nil, err
	}
	cmd.Argv = argv
	cmd.Env = map[string]string{"SSH_ASKPASS": script, "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": "none:0", "MAGEPROV_PASSPHRASE": t.SSHKeyPassphrase}
	return func() { _ = w.Remove(script) }, nil
}

// reportSSHKey adds the public key and its fingerprint. In check mode a new key is not known.
func (t *userTask) reportSSHKey(ctx context.Context, n node.Reader, home string) error {
	file := t.sshKeyPath(home)
	t.ret["ssh_key_file"] = file
	pub, err := n.ReadFile(file + ".pub")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	t.ret["ssh_public_key"] = strings.TrimSpace(string(pub))
	res, err := n.Query(ctx, node.Command{Argv: []string{"ssh-keygen", "-l", "-f", file}})
	if err == nil && res.RC == 0 {
		t.ret["ssh_fingerprint"] = strings.TrimSpace(cleanText(res.Stdout))
	}
	return nil
}
