package modules

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

// gitRepo runs git for one task.
type gitRepo struct {
	*git
	program string
	url     string
	env     map[string]string
}

// open finds git and prepares its environment.
func (m *git) open(n node.Reader) (*gitRepo, error) {
	g := &gitRepo{git: m, program: m.Executable, url: m.Repo}
	m.Dest = cleanPath(expandWord(n, m.Dest))
	m.Archive, m.Reference = expandWord(n, m.Archive), expandWord(n, m.Reference)
	m.KeyFile, m.SeparateGitDir = expandWord(n, m.KeyFile), expandWord(n, m.SeparateGitDir)
	if g.program == "" {
		p, err := n.LookPath("git")
		if err != nil {
			return nil, notSure(n, fault.New("Failed to find required executable \"git\" in paths: %s", n.Getenv("PATH")).
				WithHint("install git before"))
		}
		g.program = p
	}
	if strings.HasPrefix(g.url, "/") {
		g.url = "file://" + g.url
	}
	ssh := n.Getenv("GIT_SSH_COMMAND")
	if ssh == "" {
		ssh = "ssh"
	}
	if m.SSHOpts != "" {
		ssh += " " + m.SSHOpts
	}
	if m.AcceptHostkey && !strings.Contains(ssh, "StrictHostKeyChecking=no") {
		ssh += " -o StrictHostKeyChecking=no"
	}
	if m.AcceptNewHostkey && !strings.Contains(ssh, "StrictHostKeyChecking") {
		ssh += " -o StrictHostKeyChecking=accept-new"
	}
	if !strings.Contains(ssh, "BatchMode=yes") {
		ssh += " -o BatchMode=yes"
	}
	if m.KeyFile != "" {
		ssh += " -i " + shellWord(m.KeyFile) + " -o IdentitiesOnly=yes"
	}
	g.env = map[string]string{"GIT_SSH_COMMAND": ssh, "LC_ALL": "C"}
	return g, nil
}

// shellWord quotes a word for a shell where that is needed.
func shellWord(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-") == "" {
		return s
	}
	return shellQuote(s)
}

// command runs in the checkout, or in the worker's directory for a clone.
func (g *gitRepo) command(args []string) node.Command {
	c := node.Command{Argv: append([]string{g.program}, args...), Env: g.env}
	if args[0] != "clone" && g.Dest != "" {
		c.Argv = append([]string{g.program, "-C", g.Dest}, args...)
	}
	if args[0] == "ls-remote" && args[1] != "--get-url" {
		c.Argv = append([]string{g.program}, args...) // also where there is no checkout yet
	}
	c.Argv = umasked(g.Umask, c.Argv)
	return c
}

func (g *gitRepo) query(ctx context.Context, n node.Reader, args ...string) (string, error) {
	c := g.command(args)
	res, err := n.Query(ctx, c)
	if err != nil {
		return "", startFailure(err, c)
	}
	if res.RC != 0 {
		return "", gitFailure(c, res)
	}
	return strings.TrimRight(cleanText(res.Stdout), "\n"), nil
}

func (g *gitRepo) run(ctx context.Context, w node.Writer, args ...string) error {
	c := g.command(args)
	res, err := w.Run(ctx, c)
	if err != nil {
		return startFailure(err, c)
	}
	if !res.Unknown && res.RC != 0 {
		return gitFailure(c, res)
	}
	return nil
}

func gitFailure(c node.Command, res node.Result) error {
	stderr := cleanText(res.Stderr)
	return &module.Failure{Msg: strings.TrimSpace(stderr), Return: map[string]any{
		"cmd": strings.Join(c.Argv, " "), "rc": res.RC, "stdout": cleanText(res.Stdout), "stderr": stderr,
		"stdout_lines": splitLines(cleanText(res.Stdout)), "stderr_lines": splitLines(stderr),
	}}
}

// exists says whether there is a repository at dest, of whatever state.
func (g *gitRepo) exists(n node.Reader) bool {
	if g.Dest == "" {
		return false
	}
	if g.Bare {
		_, err := n.Stat(path.Join(g.Dest, "config"))
		return err == nil
	}
	i, err := n.Stat(path.Join(g.Dest, ".git"))
	if err != nil {
		return false
	}
	if i.IsDir() {
		_, err = n.Stat(path.Join(g.Dest, ".git", "config"))
	}
	return err == nil
}

// state gives the commit that is checked out, "" after an interrupted clone,
// and whether files under version control were modified.
func (g *gitRepo) state(ctx context.Context, n node.Reader) (head string, modified bool, err error) {
	head, err = g.query(ctx, n, "rev-parse", "--verify", "-q", "HEAD")
	var failed *module.Failure
	if errors.As(err, &failed) {
		if rc, _ := failed.Return["rc"].(int); rc == 1 {
			return "", false, nil
		}
	}
	if err != nil || g.Bare {
		return head, false, err
	}
	args := []string{"status", "--porcelain"}
	if g.TrackSubmodules { // they are elsewhere than the commit says, as was asked for
		args = append(args, "--ignore-submodules=all")
	}
	out, err := g.query(ctx, n, args...)
	for _, line := range strings.Split(out, "\n") {
		modified = modified || line != "" && !strings.HasPrefix(line, "??")
	}
	return head, modified, err
}

// resolve asks the remote side what the version is. current is the branch of the
// checkout: HEAD then means the remote's branch of that name, where it has one.
func (g *gitRepo) resolve(ctx context.Context, n node.Reader, remote, current string) (target, error) {
	v := g.Version
	patterns := []string{"HEAD"}
	if v != "HEAD" {
		patterns = []string{"refs/heads/" + v, "refs/tags/" + v, "refs/tags/" + v + "^{}"}
		if strings.HasPrefix(v, "refs/") {
			patterns = []string{v}
		}
	} else if current != "" {
		patterns = append(patterns, "refs/heads/"+current)
	}
	if len(v) >= 40 && hexName.MatchString(v) {
		return target{commit: v}, nil
	}
	out, err := g.query(ctx, n, append([]string{"ls-remote", "--symref", remote}, patterns...)...)
	if err != nil {
		return target{}, err
	}
	refs := map[string]string{}
	t := target{}
	for _, line := range strings.Split(out, "\n") {
		left, name, ok := strings.Cut(line, "\t")
		if head, isRef := strings.CutPrefix(left, "ref: refs/heads/"); isRef && name == "HEAD" {
			t.branch = head
		} else if ok {
			refs[name] = left
		}
	}
	switch {
	case v == "HEAD" && current != "" && refs["refs/heads/"+current] != "":
		return target{branch: current, commit: refs["refs/heads/"+current]}, nil
	case v == "HEAD" && refs["HEAD"] != "":
		t.commit = refs["HEAD"]
	case refs["refs/heads/"+v] != "":
		t = target{branch: v, commit: refs["refs/heads/"+v]}
	case refs["refs/tags/"+v+"^{}"] != "":
		t = target{tag: true, commit: refs["refs/tags/"+v+"^{}"]}
	case refs["refs/tags/"+v] != "":
		t = target{tag: true, commit: refs["refs/tags/"+v]}
	case refs[v] != "":
		t = target{commit: refs[v]}
	case g.Refspec != "" || hexName.MatchString(v):
		t = target{}
	default:
		return t, fault.New("Could not determine remote revision for %s", v).
			WithHint("%s has neither a branch nor a tag of that name", g.Repo)
	}
	return t, nil
}

// staleSubmodules says whether a submodule is not at the commit it should be at.
func (g *gitRepo) staleSubmodules(ctx context.Context, n node.Reader) (bool, error) {
	if !g.Recursive || g.Bare {
		return false, nil
	}
	if _, err := n.Stat(path.Join(g.Dest, ".gitmodules")); err != nil {
		return false, nil
	}
	out, err := g.query(ctx, n, "submodule", "status", "--recursive")
	if err != nil {
		return false, err
	}
	for _, line := range strings.Split(out, "\n") {
		if line == "" {
			continue
		}
		if line[0] == '-' || !g.TrackSubmodules && line[0] != ' ' {
			return true, nil
		}
		if f := strings.Fields(line[1:]); g.TrackSubmodules && len(f) > 1 {
			sub := path.Join(g.Dest, f[1])
			branch, _ := g.query(ctx, n, "config", "-f", ".gitmodules", "submodule."+f[1]+".branch")
			if branch == "" {
				branch = "HEAD"
			}
			url, err := g.query(ctx, n, "-C", sub, "ls-remote", "--get-url")
			if err != nil {
				return false, err
			}
			heads, err := g.query(ctx, n, "ls-remote", url, branch)
			if err != nil {
				return false, err
			}
			if head, _, _ := strings.Cut(heads, "\t"); head != f[0] {
				return true, nil
			}
		}
	}
	return false, nil
}

func (g *gitRepo) clone(ctx context.Context, w node.Writer, t target) error {
	args := []string{"clone"}
	if g.Bare {
		args = append(args, "--bare")
	} else {
		args = append(args, "--origin", g.Remote)
	}
	named := t.branch != "" && g.Version != "HEAD" || t.tag
	if g.Depth > 0 && (named || g.Version == "HEAD") {
		args = append(args, "--depth", strconv.Itoa(g.Depth))
	}
	if g.SingleBranch {
		args = append(args, "--single-branch")
	}
	if named && (g.SingleBranch || g.Depth > 0) {
		args = append(args, "--branch", g.Version)
	}
	if g.Reference != "" {
		args = append(args, "--reference", g.Reference)
	}
	if g.SeparateGitDir != "" {
		args = append(args, "--separate-git-dir="+g.SeparateGitDir)
	}
	if err := g.run(ctx, w, append(args, g.url, g.Dest)...); err != nil {
		return err
	}
	if w.IsCheck() {
		return makeAll(ctx, w, g.Dest)
	}
	if g.Bare && g.Remote != "origin" {
		if err := g.run(ctx, w, "remote", "add", g.Remote, g.url); err != nil {
			return err
		}
	}
	if g.Refspec != "" {
		return g.run(ctx, w, "fetch", g.Remote, g.Refspec)
	}
	return nil
}

// makeAll makes a directory and those above it.
func makeAll(ctx context.Context, w node.Writer, dir string) error {
	steps, err := mkdirs(w, dir, 0o777&^w.Umask())
	for _, s := range steps {
		if err == nil {
			err = s.Apply(ctx, w)
		}
	}
	return err
}

func (g *gitRepo) fetch(ctx context.Context, w node.Writer, t target) error {
	args := []string{"fetch"}
	shallow := g.Depth > 0 && (t.branch != "" || t.tag)
	switch {
	case g.Bare:
		args = append(args, g.Remote, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
	case shallow && t.branch != "":
		args = append(args, "--depth", strconv.Itoa(g.Depth), g.Remote, "+refs/heads/"+t.branch+":refs/remotes/"+g.Remote+"/"+t.branch)
	case shallow:
		args = append(args, "--depth", strconv.Itoa(g.Depth), g.Remote, "+refs/tags/"+g.Version+":refs/tags/"+g.Version)
	default:
		args = append(args, "--tags")
		if g.Force {
			args = append(args, "--force")
		}
		args = append(args, g.Remote)
		if t.branch != "" {
			// also where the clone was of another single branch
			args = append(args, "+refs/heads/*:refs/remotes/"+g.Remote+"/*")
		}
		if t.branch == "" && strings.HasPrefix(g.Version, "refs/") {
			args = append(args, "+"+g.Version+":"+g.Version)
		}
	}
	if g.Refspec != "" { // may name the branch that is checked out
		args = append(slices.Insert(args, 1, "--update-head-ok"), g.Refspec)
	}
	return g.run(ctx, w, args...)
}

// settle checks the version out, with submodules, and tells the commit.
func (g *gitRepo) settle(ctx context.Context, w node.Writer, t target, ret map[string]any) error {
	if w.IsCheck() {
		return nil
	}
	if g.VerifyCommit {
		if err := g.verify(ctx, w.Run, t); err != nil {
			return err
		}
	}
	if !g.Bare {
		if err := g.checkout(ctx, w, t); err != nil {
			return err
		}
		if err := g.updateSubmodules(ctx, w); err != nil {
			return err
		}
	}
	head, err := g.query(ctx, w, "rev-parse", "HEAD")
	ret["after"] = orNull(head)
	return err
}

func (g *gitRepo) checkout(ctx context.Context, w node.Writer, t target) error {
	name, reset := g.Version, []string{"reset", "--hard"}
	args := []string{"checkout", "--force", name}
	if t.branch != "" {
		name = t.branch
		upstream := g.Remote + "/" + name
		args = []string{"checkout", "--force", name}
		if g.query1(ctx, w, "rev-parse", "-q", "--verify", "refs/heads/"+name) == "" {
			args = []string{"checkout", "--force", "--track", "-b", name, upstream}
		}
		reset = append(reset, upstream)
	}
	if err := g.run(ctx, w, args...); err != nil {
		return checkoutFailure(err, "Failed to checkout "+name)
	}
	return checkoutFailure(g.run(ctx, w, reset...), "Failed to checkout branch "+name)
}

// query1 is query for answers that may be missing.
func (g *gitRepo) query1(ctx context.Context, n node.Reader, args ...string) string {
	out, _ := g.query(ctx, n, args...)
	return out
}

// checkoutFailure gives git's failure Ansible's message and keeps what git said.
func checkoutFailure(err error, msg string) error {
	var f *module.Failure
	if errors.As(err, &f) {
		return &module.Failure{Msg: msg, Hint: f.Msg, Return: f.Return}
	}
	return err
}

func (g *gitRepo) updateSubmodules(ctx context.Context, w node.Writer) error {
	if !g.Recursive {
		return nil
	}
	if _, err := w.Stat(path.Join(g.Dest, ".gitmodules")); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := g.run(ctx, w, "submodule", "sync", "--recursive"); err != nil {
		return err
	}
	args := []string{"submodule", "update", "--init", "--recursive", "--force"}
	if g.TrackSubmodules {
		args = append(args, "--remote")
	}
	return checkoutFailure(g.run(ctx, w, args...), "Failed to init/update submodules")
}

// verify asks git whether the commit, or the tag, is signed by a key that is
// known, and by one of gpg_whitelist where that is given.
func (g *gitRepo) verify(ctx context.Context, do func(context.Context, node.Command) (node.Result, error), t target) error {
	args := []string{"verify-commit", "--raw", t.commit}
	if t.commit == "" {
		args[2] = g.Version
	}
	if t.tag {
		kind, err := do(ctx, g.command([]string{"cat-file", "-t", "refs/tags/" + g.Version}))
		if err != nil {
			return err
		}
		if strings.TrimSpace(string(kind.Stdout)) == "tag" {
			args = []string{"verify-tag", "--raw", g.Version}
		}
	}
	res, err := do(ctx, g.command(args))
	if err != nil {
		return err
	}
	if res.RC != 0 {
		return &module.Failure{Msg: "Failed to verify GPG signature of commit/tag \"" + g.Version + "\"",
			Hint:   "the signing key must be in the keyring of the user that runs the task",
			Return: map[string]any{"rc": res.RC, "stdout": cleanText(res.Stdout), "stderr": cleanText(res.Stderr)}}
	}
	if len(g.GPGWhitelist) == 0 {
		return nil
	}
	key := ""
	for _, line := range strings.Split(cleanText(res.Stderr), "\n") {
		if f := strings.Fields(line); len(f) > 2 && f[0] == "[GNUPG:]" && f[1] == "VALIDSIG" {
			key = f[len(f)-1]
		}
	}
	if !slices.Contains(g.GPGWhitelist, key) {
		return fault.New("The gpg_whitelist does not include the public key %q for this commit", key)
	}
	return nil
}

// writeArchive puts an archive of HEAD in place.
func (g *gitRepo) writeArchive(ctx context.Context, w node.Writer, args []string, to string) error {
	c := g.command(args)
	res, err := w.Run(ctx, c)
	if err != nil {
		return startFailure(err, c)
	}
	content := io.Reader(bytes.NewReader(res.Stdout))
	if res.Unknown {
		content = node.UnknownContent
	} else if res.RC != 0 {
		return checkoutFailure(gitFailure(c, res), "Failed to perform archive operation")
	}
	return w.WriteFile(ctx, to, content, node.Keep())
}
