package modules_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mageprov/internal/module"
	"mageprov/internal/modules/moduletest"
	"mageprov/internal/node"
)

// gitEnv keeps the user's configuration out, and allows submodules from files.
var gitEnv = map[string]string{
	"PATH": os.Getenv("PATH"), "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1",
	"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com",
	"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "protocol.file.allow", "GIT_CONFIG_VALUE_0": "always",
}

// shIn runs a shell line in a directory.
func shIn(t *testing.T, dir, line string) string {
	t.Helper()
	c := exec.Command("sh", "-ec", line)
	c.Dir = dir
	for k, v := range gitEnv {
		c.Env = append(c.Env, k+"="+v)
	}
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return strings.TrimSpace(string(out))
}

// TestGitWithGit runs the module with the real git: each step is checked, run,
// and run again without a change.
func TestGitWithGit(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	shIn(t, root, `git init -q -b main sub; cd sub; echo s >s; git add s; git commit -qm s; cd ..
git init -q -b main src; cd src; echo 1 >f; git add f; git commit -qm 1; git tag v1; echo 2 >f; git commit -qam 2
git tag -am v2 v2; git checkout -qb dev; echo dev >f; git commit -qam dev; git checkout -q main; git clone -q --bare . ../moved.git`)
	v1, v2, dev := shIn(t, root+"/src", "git rev-parse v1"), shIn(t, root+"/src", "git rev-parse main"), shIn(t, root+"/src", "git rev-parse dev")
	for _, s := range []struct {
		name    string
		prepare string // in root
		args    module.Args
		want    string // the commit; empty: unchanged and whatever it was
		same    bool   // nothing changes
		fails   string
		after   string // a shell test in root
	}{
		{name: "unknown version", args: module.Args{"dest": "d", "version": "nope"}, fails: "Could not determine remote revision for nope", after: "! test -e d"},
		{name: "no repository", args: module.Args{"dest": "d", "repo": "$ROOT/none"}, fails: "does not appear to be a git repository"},
		{name: "clone a tag", args: module.Args{"dest": "d", "version": "v1"}, want: v1, after: "test $(cat d/f) = 1"},
		{name: "to a branch", args: module.Args{"dest": "d", "version": "dev"}, want: dev, after: "cd d; test $(git symbolic-ref --short HEAD) = dev"},
		{name: "to an annotated tag", args: module.Args{"dest": "d", "version": "v2"}, want: v2},
		{name: "same commit, but the branch", args: module.Args{"dest": "d", "version": "main"}, want: v2, same: true, after: "cd d; test $(git symbolic-ref --short HEAD) = main"},
		{name: "to a commit", args: module.Args{"dest": "d", "version": v1}, want: v1},
		{name: "to an abbreviated commit", args: module.Args{"dest": "d", "version": dev[:9]}, want: dev},
		{name: "back to HEAD", args: module.Args{"dest": "d"}, want: v2},
		{name: "local changes", prepare: "echo x >d/f; echo u >d/u", args: module.Args{"dest": "d"}, fails: "Local modifications exist in the destination"},
		{name: "local changes thrown away", args: module.Args{"dest": "d", "force": true}, want: v2, after: "test $(cat d/f) = 2; test -e d/u"},
		{name: "no update", args: module.Args{"dest": "d", "version": "v1", "update": false}, same: true, want: v2},
		{name: "another URL", args: module.Args{"dest": "d", "repo": "$ROOT/moved.git"}, want: v2, after: "cd d; git remote get-url origin | grep -q moved"},
		{name: "an interrupted clone", prepare: "git init -q half", args: module.Args{"dest": "half", "version": "v1"}, want: v1},
		{name: "shallow", args: module.Args{"dest": "low", "version": "dev", "depth": 1}, want: dev, after: "cd low; test $(git rev-list --count HEAD) = 1"},
		{name: "shallow moves", prepare: "cd src; git checkout -q dev; git commit -q --allow-empty -m x; git checkout -q main",
			args: module.Args{"dest": "low", "version": "dev", "depth": 1}, after: "cd low; test $(git rev-list --count HEAD) = 1"},
		{name: "shallow to a tag", args: module.Args{"dest": "low", "version": "v1", "depth": 1}, want: v1},
		{name: "single branch", args: module.Args{"dest": "one", "version": "v1", "single_branch": true}, want: v1},
		{name: "bare", args: module.Args{"dest": "b.git", "bare": true}, want: v2},
		{name: "bare moves", prepare: "cd src; echo 3 >f; git commit -qam 3; git tag v3", args: module.Args{"dest": "b.git", "bare": true}, after: "git -C b.git rev-parse v3"},
		{name: "separate directory", args: module.Args{"dest": "s", "separate_git_dir": "$ROOT/s.git", "umask": "077"}, after: "test -f s/.git; test $(stat -c %a s/f) = 600"},
		{name: "another remote", args: module.Args{"dest": "r", "remote": "up", "reference": "$ROOT/src"}, after: "git -C r remote | grep -qx up"},
		{name: "refspec", args: module.Args{"dest": "r", "remote": "up", "refspec": "+refs/heads/dev:refs/heads/mine", "version": "mine"}},
		{name: "full ref", args: module.Args{"dest": "r", "remote": "up", "version": "refs/tags/v1"}, want: v1},
		{name: "archive", args: module.Args{"dest": "r", "remote": "up", "version": "v1", "archive": "$ROOT/a.tgz", "archive_prefix": "p/"}, want: v1, after: "tar tzf a.tgz | grep -qx p/f"},
		{name: "archive moves", args: module.Args{"dest": "r", "remote": "up", "version": "v2", "archive": "$ROOT/a.tgz"}, want: v2, after: "tar xzOf a.tgz f | grep -qx 2"},
		{name: "submodule", prepare: "cd src; git submodule -q add $ROOT/sub sub; git commit -qm sub", args: module.Args{"dest": "d"}, after: "test -e d/sub/s"},
		{name: "submodule lost", prepare: "cd d; git submodule -q deinit -f sub", args: module.Args{"dest": "d"}, after: "test -e d/sub/s"},
		{name: "submodule followed", prepare: "cd sub; echo 2 >s; git commit -qam 2", args: module.Args{"dest": "d", "track_submodules": true}, after: "test $(cat d/sub/s) = 2"},
		{name: "not empty", prepare: "mkdir full; touch full/x", args: module.Args{"dest": "full"}, fails: "already exists and is not an empty directory"},
		{name: "unsigned", args: module.Args{"dest": "un", "verify_commit": true}, fails: "Failed to verify GPG signature"},
	} {
		ok := t.Run(s.name, func(t *testing.T) {
			shIn(t, root, strings.ReplaceAll(s.prepare, "$ROOT", root))
			args := module.Args{"repo": root + "/src"}
			for k, v := range s.args {
				if text, isText := v.(string); isText {
					v = strings.ReplaceAll(text, "$ROOT", root)
				}
				args[k] = v
			}
			args["dest"] = filepath.Join(root, s.args["dest"].(string))
			local := node.NewLocal(node.LocalOptions{Env: gitEnv, Umask: 0o022})
			listing := shIn(t, root, "find . -type f ! -name index | sort | xargs cat | cksum")
			checked := moduletest.RunOn(t.Context(), node.NewOverlay(local), "git", args)
			if now := shIn(t, root, "find . -type f ! -name index | sort | xargs cat | cksum"); now != listing {
				t.Error("check wrote")
			}
			ran := moduletest.RunOn(t.Context(), local, "git", args)
			if ran.Failed != (s.fails != "") || !strings.Contains(ran.Msg, s.fails) {
				t.Fatalf("failed=%v: %s %v", ran.Failed, ran.Msg, ran.Return)
			}
			if checked.Failed != ran.Failed && s.name != "unsigned" {
				t.Errorf("check failed=%v: %s", checked.Failed, checked.Msg)
			}
			if !ran.Failed {
				if ran.Changed != !s.same || checked.Changed != ran.Changed {
					t.Errorf("changed=%v, in check %v", ran.Changed, checked.Changed)
				}
				if s.want != "" && ran.Return["after"] != s.want {
					t.Errorf("after is %v, want %s", ran.Return["after"], s.want)
				}
				again := moduletest.RunOn(t.Context(), local, "git", args)
				if again.Failed || again.Changed {
					t.Errorf("again: changed=%v %s %+v", again.Changed, again.Msg, again.Changes)
				}
			}
			shIn(t, root, "set -e; "+s.after)
		})
		if !ok {
			break
		}
	}
}
