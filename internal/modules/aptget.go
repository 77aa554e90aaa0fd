package modules

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"mageprov/internal/module"
	"mageprov/internal/node"
)

// aptEnv keeps apt and the packages' scripts from asking, and their words in English.
func aptEnv() map[string]string {
	return map[string]string{
		"DEBIAN_FRONTEND": "noninteractive", "DEBIAN_PRIORITY": "critical",
		"APT_LISTCHANGES_FRONTEND": "none", "LC_ALL": "C.UTF-8", "LANG": "C.UTF-8",
	}
}

// options are the flags before the operation, for -s and for the real run.
func (t *aptTask) options() []string {
	o := []string{"-y", "-o", "Dpkg::Use-Pty=0"}
	for _, d := range strings.Split(t.DpkgOptions, ",") {
		if d = strings.TrimSpace(d); d != "" {
			o = append(o, "-o", "Dpkg::Options::=--"+d)
		}
	}
	if t.LockTimeout > 0 {
		o = append(o, "-o", "DPkg::Lock::Timeout="+strconv.Itoa(t.LockTimeout))
	}
	flag := func(on bool, f string) {
		if on {
			o = append(o, f)
		}
	}
	flag(t.Autoremove, "--auto-remove")
	flag(t.FailOnAutoremove, "--no-remove")
	flag(t.OnlyUpgrade, "--only-upgrade")
	flag(t.AllowDowngrade || t.Force, "--allow-downgrades")
	flag(t.AllowChangeHeldPackages || t.Force, "--allow-change-held-packages")
	flag(t.AllowUnauthenticated || t.Force, "--allow-unauthenticated")
	flag(t.Force, "--allow-remove-essential")
	flag(t.Purge, "--purge")
	if t.InstallRecommends != nil {
		flag(*t.InstallRecommends, "--install-recommends")
		flag(!*t.InstallRecommends, "--no-install-recommends")
	}
	if t.DefaultRelease != "" {
		o = append(o, "-t", t.DefaultRelease)
	}
	return o
}

// query asks apt-get what an operation would do.
func (t *aptTask) query(ctx context.Context, n node.Reader, op []string) (node.Result, error) {
	argv := append(append([]string{"apt-get", "-s"}, t.options()...), op...)
	return n.Query(ctx, node.Command{Argv: argv, Env: aptEnv()})
}

// run does an operation; a non-zero code is a Failure.
func (t *aptTask) run(ctx context.Context, w node.Writer, op []string) (node.Result, error) {
	argv := append(append([]string{"apt-get"}, t.options()...), op...)
	restore, err := t.policy(ctx, w)
	if err != nil {
		return node.Result{}, err
	}
	res, err := w.Run(ctx, node.Command{Argv: argv, Env: aptEnv()})
	if rerr := restore(); err == nil {
		err = rerr
	}
	if err != nil || res.Unknown {
		return res, err
	}
	setOutput(t.ret, res)
	if res.RC != 0 {
		return res, aptFailure("apt-get "+strings.Join(op, " "), res)
	}
	return res, nil
}

const policyPath = "/usr/sbin/policy-rc.d"

// policy puts a policy-rc.d that answers with the wanted code in place and
// gives the function that restores what was there.
func (t *aptTask) policy(ctx context.Context, w node.Writer) (restore func() error, err error) {
	if t.PolicyRCD == nil {
		return func() error { return nil }, nil
	}
	old, readErr := w.ReadFile(policyPath)
	mode := uint32(0o755)
	opts := node.WriteOptions{Mode: &mode, UID: 0, GID: 0}
	script := fmt.Sprintf("#!/bin/sh\nexit %d\n", *t.PolicyRCD)
	if err := w.WriteFile(ctx, policyPath, strings.NewReader(script), opts); err != nil {
		return nil, err
	}
	return func() error {
		if readErr != nil {
			return w.Remove(policyPath)
		}
		// The task may have been cancelled; the old policy must come back all the same.
		return w.WriteFile(context.WithoutCancel(ctx), policyPath, strings.NewReader(string(old)), node.Keep())
	}, nil
}

// aptSim is what apt-get -s says it would do.
type aptSim struct {
	install, remove []aptPackage
}

// aptPackage is a line of a simulation: old is "" for a new package, new is ""
// for one that goes.
type aptPackage struct{ name, old, new string }

func (s aptSim) empty() bool { return len(s.install)+len(s.remove) == 0 }

// parseAptSim reads lines such as "Inst name [old] (new Origin [arch])",
// "Remv name [old]" and "Purg name [old]".
func parseAptSim(out string) aptSim {
	var s aptSim
	for _, line := range strings.Split(out, "\n") {
		verb, rest, _ := strings.Cut(line, " ")
		name, rest, _ := strings.Cut(rest, " ")
		if name == "" {
			continue
		}
		p := aptPackage{name: name}
		if strings.HasPrefix(rest, "[") {
			p.old, rest, _ = strings.Cut(rest[1:], "]")
		}
		switch verb {
		case "Inst":
			if i := strings.IndexByte(rest, '('); i >= 0 {
				if f := strings.Fields(rest[i+1:]); len(f) > 0 {
					p.new = strings.TrimRight(f[0], ")")
				}
			}
			s.install = append(s.install, p)
		case "Remv", "Purg":
			s.remove = append(s.remove, p)
		}
	}
	return s
}

// diff gives the packages with their versions before and after.
func (s aptSim) diff() (before, after string) {
	var b, a []string
	for _, p := range append(append([]aptPackage(nil), s.install...), s.remove...) {
		if p.old != "" {
			b = append(b, p.name+" "+p.old)
		} else if p.new == "" {
			b = append(b, p.name+" (configuration files)")
		}
		if p.new != "" {
			a = append(a, p.name+" "+p.new)
		}
	}
	sort.Strings(b)
	sort.Strings(a)
	return joinLines(b), joinLines(a)
}

// assume tells later tasks of a check run what would be there.
func (s aptSim) assume(w node.Writer) {
	for _, p := range s.install {
		assumePackage(w, p.name, p.new)
	}
	for _, p := range s.remove {
		w.Assume("package", p.name, "absent")
	}
}

// assumePackage also leaves the mark, under the empty name, that some package
// would come: its units and files cannot be known.
func assumePackage(w node.Writer, name, version string) {
	w.Assume("package", name, "present")
	w.Assume("package", "", "present")
	if version != "" {
		w.Assume("package-version", name, version)
	}
}

type updateOptions struct{ retries, maxDelay, lockTimeout int }

// aptUpdate refreshes the package lists. A fetch that failed is tried again
// with growing pauses, a lock that is held is waited for.
func aptUpdate(ctx context.Context, w node.Writer, o updateOptions) (unknown bool, err error) {
	cmd := node.Command{Argv: []string{"apt-get", "-o", "APT::Update::Error-Mode=any", "update"}, Env: aptEnv()}
	delay, waited := 1, 0
	for try := 0; ; {
		res, err := w.Run(ctx, cmd)
		if err != nil {
			return false, err
		}
		if res.Unknown {
			w.Assume("apt-lists", "", "updated")
		} else if res.RC != 0 {
			text := string(res.Stderr)
			locked := strings.Contains(text, "Could not get lock") || strings.Contains(text, "Unable to lock")
			if locked && waited < o.lockTimeout {
				waited++
				if err := waitSeconds(ctx, 1); err != nil {
					return false, err
				}
				continue
			}
			if locked || !passing(text) || try >= o.retries {
				return false, aptFailure("failed to update apt cache", res)
			}
			try++
			if err := waitSeconds(ctx, min(delay, o.maxDelay)); err != nil {
				return false, err
			}
			delay *= 2
			continue
		}
		// Ubuntu's update-notifier leaves this stamp; on Debian nothing would
		// tell later runs how old the lists are.
		if info, err := w.Stat(aptPeriodicDir); err == nil && info.IsDir() {
			opts := node.Keep()
			opts.MTime = w.Now()
			if err := w.WriteFile(ctx, aptSuccessStamp, strings.NewReader(""), opts); err != nil {
				return false, err
			}
		}
		return res.Unknown, nil
	}
}

// passing says whether a failed refresh may go well in a moment.
func passing(stderr string) bool {
	for _, s := range []string{"NO_PUBKEY", "is not signed", "does not have a Release file", "404  Not Found", "Conflicting values", "Malformed", "could not be read", "Permission denied"} {
		if strings.Contains(stderr, s) {
			return false
		}
	}
	return true
}

func waitSeconds(ctx context.Context, seconds int) error {
	t := time.NewTimer(time.Duration(seconds) * time.Second)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// aptFailure makes apt's own words the message, and adds what to do.
func aptFailure(what string, res node.Result) error {
	var lines []string
	for _, l := range strings.Split(cleanText(res.Stderr), "\n") {
		if strings.HasPrefix(l, "E: ") {
			lines = append(lines, l)
		}
	}
	text := strings.Join(lines, "; ")
	if text == "" {
		text = strings.TrimSpace(cleanText(res.Stderr))
	}
	ret := map[string]any{"rc": int64(res.RC)}
	setOutput(ret, res)
	return &module.Failure{Msg: what + ": " + text, Hint: aptHint(string(res.Stderr)), Return: ret}
}

func aptHint(stderr string) string {
	for _, h := range []struct{ sign, hint string }{
		{"dpkg was interrupted", dpkgInterruptFix},
		{"Could not get lock", "another apt or dpkg is running on the node; lock_timeout says how long to wait for it"},
		{"Unable to acquire the dpkg frontend lock", "another apt or dpkg is running on the node; lock_timeout says how long to wait for it"},
		{"NO_PUBKEY", "the repository's key is missing: give it with signed_by (deb822_repository) or signed-by= in the source"},
		{"is not signed", "give the repository a signature, or mark its source trusted"},
		{"without --allow-downgrades", "set allow_downgrade: true if the older version is wanted"},
		{"without --allow-change-held-packages", "a package is on hold: set allow_change_held_packages: true, or release it with dpkg_selections"},
		{"without --allow-remove-essential", "an essential package would go; only force: true does that"},
		{"but remove is disabled", "packages would be removed and fail_on_autoremove forbids it"},
		{"unauthenticated", "the repository is not signed by a known key; allow_unauthenticated: true installs all the same"},
		{"Unable to fetch some archives", "the package lists are out of date or the repository does not answer: update_cache: true"},
		{"APT::Default-Release", "no source on the node has that release: see apt-cache policy"},
		{"E: Release '", "no source on the node has that release of the package: see apt-cache policy"},
		{"deb-src", "build-dep needs a deb-src source"},
		{"unmet dependencies", "the versions that the repositories offer do not fit together"},
		{"held broken packages", "the versions that the repositories offer do not fit together"},
		{"Failed to fetch", "the repository does not answer: check its address and the network of the node"},
		{"No space left", "the disk of the node is full"},
		{"Permission denied", "this needs root: set become: true"},
		{"are you root", "this needs root: set become: true"},
	} {
		if strings.Contains(stderr, h.sign) {
			return h.hint
		}
	}
	return ""
}

func joinLines(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

// setOutput adds what register: holds of a command that ran.
func setOutput(ret map[string]any, res node.Result) {
	out, errOut := cleanText(res.Stdout), cleanText(res.Stderr)
	ret["stdout"], ret["stdout_lines"] = out, splitLines(out)
	ret["stderr"], ret["stderr_lines"] = errOut, splitLines(errOut)
}
