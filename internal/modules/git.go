package modules

import (
	"context"
	"path"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
	"mageprov/internal/pyre"
)

func init() {
	module.Register(module.Spec{
		Name: "ansible.builtin.git",
		New:  func() any { return &git{Version: "HEAD", Remote: "origin", Clone: true, Update: true, Recursive: true} },
	})
}

// git is a checkout of a repository at a version.
type git struct {
	Repo             string      `arg:"repo,required" alias:"name"`
	Dest             string      `arg:"dest"`
	Version          string      `arg:"version"`
	Remote           string      `arg:"remote"`
	Refspec          string      `arg:"refspec"`
	Reference        string      `arg:"reference"`
	Force            bool        `arg:"force"`
	Depth            int         `arg:"depth"`
	SingleBranch     bool        `arg:"single_branch"`
	Clone            bool        `arg:"clone"`
	Update           bool        `arg:"update"`
	Bare             bool        `arg:"bare"`
	Recursive        bool        `arg:"recursive"`
	TrackSubmodules  bool        `arg:"track_submodules"`
	SeparateGitDir   string      `arg:"separate_git_dir"`
	Archive          string      `arg:"archive"`
	ArchivePrefix    string      `arg:"archive_prefix"`
	VerifyCommit     bool        `arg:"verify_commit"`
	GPGWhitelist     []string    `arg:"gpg_whitelist" alias:"gpg_allowlist"`
	KeyFile          string      `arg:"key_file"`
	SSHOpts          string      `arg:"ssh_opts"`
	AcceptHostkey    bool        `arg:"accept_hostkey"`
	AcceptNewHostkey bool        `arg:"accept_newhostkey"`
	Executable       string      `arg:"executable"`
	Umask            module.Mode `arg:"umask"`
}

var hexName = pyre.MustCompile(`^[0-9a-f]{4,40}\Z|^[0-9a-f]{64}\Z`)

// Validate refuses what cannot go together, and words that git would take for flags.
func (m *git) Validate() error {
	for name, v := range map[string]string{"repo": m.Repo, "version": m.Version, "remote": m.Remote, "refspec": m.Refspec} {
		if strings.HasPrefix(v, "-") {
			return fault.New("%s does not begin with a dash: %q", name, v)
		}
	}
	switch {
	case m.Dest == "" && m.Clone:
		return fault.New("the destination directory must be specified unless clone=no")
	case m.SeparateGitDir != "" && m.Bare:
		return fault.New("parameters are mutually exclusive: separate_git_dir|bare")
	case m.AcceptHostkey && m.AcceptNewHostkey:
		return fault.New("parameters are mutually exclusive: accept_hostkey|accept_newhostkey")
	case m.ArchivePrefix != "" && m.Archive == "":
		return fault.New("missing parameter(s) required by 'archive_prefix': archive")
	case m.Archive != "" && archiveFormat(m.Archive) == "":
		return fault.New("Unable to get file extension from archive file name : %s", m.Archive).
			WithHint("its name ends in .zip, .tar, .tar.gz or .tgz")
	}
	return nil
}

func archiveFormat(name string) string {
	for _, f := range []string{"zip", "tar.gz", "tgz", "tar"} {
		if strings.HasSuffix(name, "."+f) {
			return f
		}
	}
	return ""
}

// target is what is asked for, as far as the remote side knows it.
type target struct {
	branch string // empty: a tag or a commit
	tag    bool
	commit string // empty: cannot be known before a fetch
}

// Check asks the remote side for the wanted commit and compares it with the checkout.
func (m *git) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	g, err := m.open(n)
	if err != nil {
		return module.Plan{}, err
	}
	p := module.Plan{Return: map[string]any{"before": nil, "after": nil}}
	if !g.exists(n) {
		return m.fresh(ctx, n, g, p)
	}
	before, mods, err := g.state(ctx, n)
	if err != nil {
		return p, err
	}
	p.Return["before"], p.Return["after"] = orNull(before), orNull(before)
	if mods && !m.Force {
		delete(p.Return, "after")
		return p, fault.New("Local modifications exist in the destination: %s (force=no).", m.Dest).
			WithHint("force: true throws them away")
	}
	if !m.Update {
		return m.archive(ctx, n, g, p)
	}
	url, err := g.query(ctx, n, "ls-remote", "--get-url", m.Remote)
	if err != nil {
		return p, err
	}
	moved := url != g.url
	p.Return["remote_url_changed"] = moved
	if moved {
		p.Changes = append(p.Changes, m.setURL(g, url))
	}
	current, _ := g.query(ctx, n, "symbolic-ref", "-q", "--short", "HEAD")
	t, err := g.resolve(ctx, n, g.url, current)
	if err != nil {
		return p, err
	}
	if mods {
		p.Return["msg"] = "Local modifications exist in the destination: " + m.Dest
	}
	if err := m.move(ctx, n, g, &p, t, before, mods, current); err != nil {
		return p, err
	}
	if m.VerifyCommit && len(p.Changes) == 0 {
		if err := g.verify(ctx, n.Query, t); err != nil {
			return p, err
		}
	}
	return m.archive(ctx, n, g, p)
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// fresh plans the clone where there is nothing yet.
func (m *git) fresh(ctx context.Context, n node.Reader, g *gitRepo, p module.Plan) (module.Plan, error) {
	t, err := g.resolve(ctx, n, g.url, "")
	if err != nil {
		clear(p.Return) // nothing is known of either side
		return p, err
	}
	p.Return["after"] = orNull(t.commit)
	if !m.Clone {
		// what could be had: Ansible calls that changed, and roles ask for it
		p.Changes = []module.Change{{What: "find " + m.Repo + " not cloned"}}
		return p, nil
	}
	if entries, err := n.ReadDir(m.Dest); err == nil && len(entries) > 0 {
		return p, fault.New("fatal: destination path '%s' already exists and is not an empty directory.", m.Dest)
	}
	what := "clone " + m.Repo + " to " + m.Dest
	ret := p.Return
	p.Changes = []module.Change{{What: what, AfterName: m.Dest, BeforeName: m.Dest, After: t.commit + "\n",
		Apply: func(ctx context.Context, w node.Writer) error {
			if err := g.clone(ctx, w, t); err != nil {
				return err
			}
			return g.settle(ctx, w, t, ret)
		}}}
	return m.archive(ctx, n, g, p)
}

func (m *git) setURL(g *gitRepo, old string) module.Change {
	argv := []string{"remote", "set-url", m.Remote, g.url}
	if old == m.Remote { // git gives the name back for a remote it does not know
		argv = []string{"remote", "add", m.Remote, g.url}
	}
	return module.Change{What: "set the remote " + m.Remote + " to " + g.url, Before: old + "\n", After: g.url + "\n",
		Apply: func(ctx context.Context, w node.Writer) error { return g.run(ctx, w, argv...) }}
}

// move plans the way from one commit to another, submodules included.
func (m *git) move(ctx context.Context, n node.Reader, g *gitRepo, p *module.Plan, t target, before string, mods bool, current string) error {
	ret := p.Return
	c := module.Change{What: "update " + m.Dest + " to " + m.Version, BeforeName: m.Dest, AfterName: m.Dest,
		Before: before + "\n", After: t.commit + "\n",
		Apply: func(ctx context.Context, w node.Writer) error {
			if err := g.fetch(ctx, w, t); err != nil {
				return err
			}
			if err := g.settle(ctx, w, t, ret); err != nil {
				return err
			}
			if t.commit == "" && !mods && ret["after"] == before && before != "" {
				return module.ErrNoChange
			}
			return nil
		}}
	ret["after"] = orNull(t.commit)
	stale, err := g.staleSubmodules(ctx, n)
	if err != nil {
		return err
	}
	switch {
	case t.commit == "" || t.commit != before || mods:
		p.Changes = append(p.Changes, c)
	case stale:
		c.What, c.Before, c.After = "update the submodules of "+m.Dest, "", ""
		p.Changes = append(p.Changes, c)
	case !m.Bare && t.branch != current:
		// the commit is right, the branch is not: Ansible does not call that changed
		c.Quiet = true
		p.Changes = append(p.Changes, c)
	}
	return nil
}

// archive plans the archive file, after what else is planned.
func (m *git) archive(ctx context.Context, n node.Reader, g *gitRepo, p module.Plan) (module.Plan, error) {
	if m.Archive == "" {
		return p, nil
	}
	argv := []string{"archive", "--format=" + archiveFormat(m.Archive)}
	if m.ArchivePrefix != "" {
		argv = append(argv, "--prefix="+m.ArchivePrefix)
	}
	argv = append(argv, "HEAD")
	old, err := statOrNil(n, m.Archive)
	if err != nil {
		return p, err
	}
	if old != nil && len(p.Changes) == 0 {
		res, err := n.Query(ctx, g.command(argv))
		if err != nil {
			return p, err
		}
		if res.RC == 0 && bytesSource(res.Stdout).sha1 == sha1OrEmpty(n, m.Archive) {
			return p, nil
		}
	}
	if i, err := statOrNil(n, path.Dir(m.Archive)); err != nil || i == nil {
		return p, notSure(n, fault.New("Failed to perform archive: there is no directory %s", path.Dir(m.Archive)))
	}
	p.Changes = append(p.Changes, module.Change{What: "archive to " + m.Archive,
		Apply: func(ctx context.Context, w node.Writer) error { return g.writeArchive(ctx, w, argv, m.Archive) }})
	return p, nil
}

func sha1OrEmpty(n node.Reader, p string) string {
	sum, err := fileSHA1(n, p)
	if err != nil {
		return ""
	}
	return sum
}
