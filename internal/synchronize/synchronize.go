// Package synchronize is the module ansible.posix.synchronize. rsync speaks to
// rsync by a connection of its own, so the module lives on the controller
// alone; it makes rsync's command line of what is known about the host.
package synchronize

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
)

func init() {
	module.Register(module.Spec{Name: "ansible.posix.synchronize", New: func() any { return defaults() }, Action: action})
}

// synchronize is a directory or file that is the same in two places.
type synchronize struct {
	Src                       string   `arg:"src,required"`
	Dest                      string   `arg:"dest,required"`
	Mode                      string   `arg:"mode" choices:"pull,push"`
	DestPort                  int      `arg:"dest_port"`
	Delete                    bool     `arg:"delete"`
	Archive                   bool     `arg:"archive"`
	Checksum                  bool     `arg:"checksum"`
	Compress                  bool     `arg:"compress"`
	ExistingOnly              bool     `arg:"existing_only"`
	Dirs                      bool     `arg:"dirs"`
	Recursive                 *bool    `arg:"recursive"`
	Links                     *bool    `arg:"links"`
	CopyLinks                 bool     `arg:"copy_links"`
	Perms                     *bool    `arg:"perms"`
	Times                     *bool    `arg:"times"`
	Owner                     *bool    `arg:"owner"`
	Group                     *bool    `arg:"group"`
	RsyncPath                 string   `arg:"rsync_path"`
	RsyncTimeout              int      `arg:"rsync_timeout"`
	RsyncOpts                 []string `arg:"rsync_opts"`
	SetRemoteUser             bool     `arg:"set_remote_user"`
	UseSSHArgs                bool     `arg:"use_ssh_args"`
	SSHConnectionMultiplexing bool     `arg:"ssh_connection_multiplexing"`
	Partial                   bool     `arg:"partial"`
	VerifyHost                bool     `arg:"verify_host"`
	PrivateKey                string   `arg:"private_key"`
	LinkDest                  []string `arg:"link_dest"`
	DelayUpdates              bool     `arg:"delay_updates"`
}

func defaults() *synchronize {
	return &synchronize{Mode: "push", Archive: true, Compress: true, SetRemoteUser: true, DelayUpdates: true}
}

// Validate refuses what rsync would refuse on the first host.
func (m *synchronize) Validate() error {
	if m.Delete && !m.recurses() {
		return fault.New("delete needs recursive").WithHint("archive: true or recursive: true")
	}
	return nil
}

func (m *synchronize) recurses() bool {
	if m.Recursive != nil {
		return *m.Recursive
	}
	return m.Archive || m.Dirs
}

// action runs rsync where the task originates.
func action(ctx context.Context, c module.Controller, args module.Args) (*module.Result, error) {
	m := defaults()
	if err := module.Decode(m, args); err != nil {
		return nil, err
	}
	r, ok := c.(module.Reacher)
	if !ok {
		return nil, fault.New("there is no way to reach the host by ssh")
	}
	login, err := r.Login(ctx)
	if err != nil {
		return nil, err
	}
	if err := m.places(ctx, c, login); err != nil {
		return nil, err
	}
	rsync := "rsync"
	if v, err := c.Var(ctx, "ansible_rsync_path"); err == nil && module.Text(v) != "" {
		rsync = module.Text(v)
	}
	argv := append([]string{rsync}, m.options(login)...)
	if c.Check() {
		argv = append(argv, "--dry-run")
	}
	argv = append(argv, "--out-format="+marker+"%i %n%L", "--", m.Src, m.Dest)
	out, err := run(ctx, c, login, argv)
	if err != nil {
		return nil, err
	}
	return result(c, login, argv, out), nil
}

// places makes full paths of src and dest: the controller's own are looked for
// as files of the role, the host's get its name before them.
func (m *synchronize) places(ctx context.Context, c module.Controller, login module.Login) error {
	here, there := &m.Src, &m.Dest
	if m.Mode == "pull" {
		here, there = &m.Dest, &m.Src
	}
	if !login.Local && !daemon(*there) {
		*there = m.host(login) + ":" + *there
	}
	if login.OnNode {
		return nil
	}
	if login.Local {
		*there = home(*there)
	}
	if *here = home(*here); daemon(*here) || filepath.IsAbs(*here) {
		return nil
	}
	slash := ""
	if strings.HasSuffix(*here, "/") {
		slash = "/"
	}
	full := ""
	if m.Mode == "push" {
		found, err := c.Find("files", strings.TrimRight(*here, "/"))
		if err != nil {
			return err
		}
		full = found
	} else if dir, err := c.Var(ctx, "playbook_dir"); err == nil {
		full = filepath.Join(module.Text(dir), *here)
	} else if full, err = filepath.Abs(*here); err != nil {
		return err
	}
	*here = strings.TrimRight(full, "/") + slash
	return nil
}

func (m *synchronize) host(login module.Login) string {
	host := login.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if login.User != "" && m.SetRemoteUser {
		return login.User + "@" + host
	}
	return host
}

// home puts the controller's own home directory in place of ~, which no shell does here.
func home(p string) string {
	if dir, err := os.UserHomeDir(); err == nil && (p == "~" || strings.HasPrefix(p, "~/")) {
		return dir + p[1:]
	}
	return p
}

// daemon says whether a place is one of an rsync daemon, which is reached without ssh.
func daemon(p string) bool {
	before, _, found := strings.Cut(p, "::")
	return strings.HasPrefix(p, "rsync://") || found && !strings.ContainsAny(before, "/[")
}
