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

func init() {
	module.Register(module.Spec{
		Name: "ansible.builtin.user",
		New: func() any {
			return &userModule{State: "present", CreateHome: true, UpdatePassword: "always", SSHKeyType: "rsa"}
		},
	})
}

// userModule manages an account. Password hashes go through the standard input of
// chpasswd: useradd -p would show them in the list of processes.
type userModule struct {
	Name      string    `arg:"name,required" alias:"user"`
	State     string    `arg:"state" choices:"absent,present"`
	UID       *int      `arg:"uid"`
	NonUnique bool      `arg:"non_unique"`
	Group     string    `arg:"group"`
	Groups    *[]string `arg:"groups"`
	Append    bool      `arg:"append"`
	Comment   *string   `arg:"comment"`
	Shell     string    `arg:"shell"`
	System    bool      `arg:"system"`
	Local     bool      `arg:"local"`
	Seuser    string    `arg:"seuser"`
	UIDMin    *int      `arg:"uid_min"`
	UIDMax    *int      `arg:"uid_max"`

	Home       string `arg:"home"`
	CreateHome bool   `arg:"create_home" alias:"createhome"`
	MoveHome   bool   `arg:"move_home"`
	Skeleton   string `arg:"skeleton"`
	Umask      string `arg:"umask"`

	Password                     *string  `arg:"password" secret:"true"`
	UpdatePassword               string   `arg:"update_password" choices:"always,on_create"`
	PasswordLock                 *bool    `arg:"password_lock"`
	Expires                      *float64 `arg:"expires"`
	PasswordExpireMax            *int     `arg:"password_expire_max"`
	PasswordExpireMin            *int     `arg:"password_expire_min"`
	PasswordExpireWarn           *int     `arg:"password_expire_warn"`
	PasswordExpireAccountDisable *int     `arg:"password_expire_account_disable"`

	Remove bool `arg:"remove"`
	Force  bool `arg:"force"`

	GenerateSSHKey   bool   `arg:"generate_ssh_key"`
	SSHKeyBits       int    `arg:"ssh_key_bits"`
	SSHKeyType       string `arg:"ssh_key_type"`
	SSHKeyFile       string `arg:"ssh_key_file"`
	SSHKeyComment    string `arg:"ssh_key_comment"`
	SSHKeyPassphrase string `arg:"ssh_key_passphrase" secret:"true"`

	// These are for systems that this program does not manage; they do nothing,
	// as in Ansible on Linux.
	Authorization string `arg:"authorization"`
	Hidden        *bool  `arg:"hidden"`
	LoginClass    string `arg:"login_class"`
	Profile       string `arg:"profile"`
	Role          string `arg:"role"`
}

// Validate holds what types cannot say.
func (m *userModule) Validate() error {
	if m.Password != nil && strings.ContainsAny(*m.Password, ":\n") {
		return fault.New("password holds a colon or a line end, so it is no hash").WithHint("hash it: {{ secret | password_hash('sha512') }}")
	}
	if strings.ContainsAny(m.Home+m.Shell, ":\n") {
		return fault.New("home and shell hold no colon")
	}
	return checkAccountName("user", m.Name)
}

// userTask is one run: the account as it is, and as it will be.
type userTask struct {
	*userModule
	have *node.User // nil: does not exist
	want node.User
	plan module.Plan
	ret  map[string]any
}

// Check compares the account with what is wanted.
func (m *userModule) Check(_ context.Context, n node.Reader) (module.Plan, error) {
	t := &userTask{userModule: m, ret: map[string]any{"name": m.Name, "state": m.State}}
	t.plan.Return = t.ret
	u, err := n.LookupUser(m.Name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return t.plan, err
	}
	if err == nil {
		t.have = u
	}
	if m.State == "absent" {
		t.remove()
		return t.plan, nil
	}
	if err := t.identity(n); err != nil {
		return t.plan, err
	}
	if t.have == nil {
		err = t.create(n)
	} else {
		err = t.modify(n)
	}
	if err == nil {
		err = t.planHome(n)
	}
	if err == nil && m.GenerateSSHKey {
		err = t.planSSHKey(n)
	}
	t.plan.After = t.after
	return t.plan, err
}

func (t *userTask) remove() {
	if t.have == nil {
		return
	}
	t.ret["force"], t.ret["remove"] = t.Force, t.Remove
	argv := []string{"userdel"}
	if t.Force {
		argv = append(argv, "-f")
	}
	if t.Remove {
		argv = append(argv, "-r")
	}
	argv = append(argv, t.Name)
	before := t.Name + "\n"
	if t.Remove {
		before += t.have.Home + "\n"
	}
	home := t.have.Home
	t.plan.Changes = append(t.plan.Changes, module.Change{What: "remove user " + t.Name, Before: before, Apply: func(ctx context.Context, w node.Writer) error {
		res, err := runAccount(ctx, w, argv, nil)
		if err != nil {
			return err
		}
		if res.Unknown {
			w.Assume("user", t.Name, "absent")
			if t.Remove && path.Clean(home) != "/" {
				return w.RemoveAll(home)
			}
			return nil
		}
		if len(res.Stderr) > 0 {
			setOutput(t.ret, res)
			if len(res.Stdout) == 0 { // Ansible reports what there is to read
				delete(t.ret, "stdout")
				delete(t.ret, "stdout_lines")
			}
		}
		return nil
	}})
}

// identity works out the account that is wanted.
func (t *userTask) identity(n node.Reader) error {
	t.want = node.User{Name: t.Name, Passwd: "x", UID: -1, GID: -1, Shell: "/bin/sh", Home: "/home/" + t.Name}
	if t.have != nil {
		t.want = *t.have
	}
	if t.UID != nil {
		t.want.UID = *t.UID
	}
	if t.Group != "" {
		g, err := lookupGroupAny(n, t.Group)
		if err != nil {
			return noGroup(n, t.Group)
		}
		t.want.GID = g.GID
	}
	if t.Groups != nil {
		for _, name := range *t.Groups {
			if _, err := lookupGroupAny(n, name); err != nil {
				return noGroup(n, name)
			}
		}
	}
	if t.Comment != nil {
		t.want.Gecos = *t.Comment
	}
	if t.Home != "" {
		t.want.Home = t.Home
	}
	if t.Shell != "" {
		t.want.Shell = t.Shell
	}
	return nil
}

func noGroup(n node.Reader, name string) error {
	var known []string
	if data, err := n.ReadFile("/etc/group"); err == nil {
		for _, line := range strings.Split(string(data), "\n") {
			if g, _, ok := strings.Cut(line, ":"); ok {
				known = append(known, g)
			}
		}
	}
	hint := "add it first with the module group"
	if near := fault.Nearest(name, known); near != "" {
		hint = "did you mean " + near + "? Otherwise " + hint
	}
	return fault.New("Group %s does not exist", name).WithHint("%s", hint)
}

// after reports the account as it has become.
func (t *userTask) after(ctx context.Context, n node.Reader, ret map[string]any) error {
	u, err := n.LookupUser(t.Name)
	if err != nil {
		return fault.New("user %s does not exist after it was added", t.Name).Because(err)
	}
	ret["uid"], ret["group"] = int64(u.UID), int64(u.GID)
	ret["home"], ret["shell"], ret["comment"] = u.Home, u.Shell, u.Gecos
	if t.Groups != nil {
		ret["groups"] = strings.Join(*t.Groups, ",")
	}
	if t.Password != nil {
		ret["password"] = "NOT_LOGGING_PASSWORD"
	}
	if t.have == nil {
		ret["create_home"], ret["system"] = t.CreateHome, t.System
	} else {
		ret["append"], ret["move_home"] = t.Append, t.MoveHome
	}
	if t.GenerateSSHKey {
		return t.reportSSHKey(ctx, n, u.Home)
	}
	return nil
}

// runAccount runs one of the shadow tools and explains its refusal.
func runAccount(ctx context.Context, w node.Writer, argv []string, stdin []byte) (node.Result, error) {
	res, err := w.Run(ctx, node.Command{Argv: argv, Stdin: stdin, Env: map[string]string{"LC_ALL": "C.UTF-8"}})
	if err != nil || res.Unknown || res.RC == 0 {
		return res, err
	}
	if argv[0] == "userdel" && res.RC == 12 { // the account is gone, its home could not be removed
		return res, nil
	}
	text := strings.TrimSpace(cleanText(res.Stderr))
	hint := ""
	switch {
	case strings.Contains(text, "currently used by process"):
		hint = "end the user's processes first, or set force: true"
	case strings.Contains(text, "cannot lock"):
		hint = "another program is changing the accounts; a lock that was left behind lies in /etc/passwd.lock or /etc/group.lock"
	case strings.Contains(text, "already exists") || strings.Contains(text, "is not unique"):
		hint = "the number is taken; non_unique: true allows to share it"
	case strings.Contains(text, "Permission denied"):
		hint = "this needs root: set become: true"
	case strings.Contains(text, "passwordless account"):
		hint = "the account has no password that could be unlocked: give one with password"
	}
	ret := map[string]any{"rc": int64(res.RC)}
	setOutput(ret, res)
	return res, &module.Failure{Msg: argv[0] + ": " + strings.TrimPrefix(text, argv[0]+": "), Hint: hint, Return: ret}
}

func itoa(i int) string { return strconv.Itoa(i) }
