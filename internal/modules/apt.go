package modules

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "ansible.builtin.apt",
		New:  func() any { return newApt() },
	})
}

// apt manages Debian packages. What is installed is read from dpkg's status
// file; what a change would bring, apt-get itself is asked with -s.
type apt struct {
	Name        []string `arg:"name" alias:"package,pkg"`
	State       string   `arg:"state" choices:"absent,build-dep,fixed,latest,present"`
	Deb         string   `arg:"deb"`
	Upgrade     any      `arg:"upgrade"`
	OnlyUpgrade bool     `arg:"only_upgrade"`

	UpdateCache              *bool `arg:"update_cache" alias:"update-cache"`
	CacheValidTime           int   `arg:"cache_valid_time"`
	UpdateCacheRetries       int   `arg:"update_cache_retries"`
	UpdateCacheRetryMaxDelay int   `arg:"update_cache_retry_max_delay"`

	Purge             bool   `arg:"purge"`
	Autoremove        bool   `arg:"autoremove"`
	Autoclean         bool   `arg:"autoclean"`
	Clean             bool   `arg:"clean"`
	FailOnAutoremove  bool   `arg:"fail_on_autoremove"`
	InstallRecommends *bool  `arg:"install_recommends" alias:"install-recommends"`
	DefaultRelease    string `arg:"default_release" alias:"default-release"`
	DpkgOptions       string `arg:"dpkg_options"`

	Force                   bool `arg:"force"`
	AllowDowngrade          bool `arg:"allow_downgrade" alias:"allow-downgrade,allow_downgrades,allow-downgrades"`
	AllowUnauthenticated    bool `arg:"allow_unauthenticated" alias:"allow-unauthenticated"`
	AllowChangeHeldPackages bool `arg:"allow_change_held_packages"`
	PolicyRCD               *int `arg:"policy_rc_d"`
	LockTimeout             int  `arg:"lock_timeout"`
	// These two chose between tools that are not used here.
	ForceAptGet           bool  `arg:"force_apt_get"`
	AutoInstallModuleDeps *bool `arg:"auto_install_module_deps"`
}

func newApt() *apt {
	return &apt{
		State: "present", DpkgOptions: "force-confdef,force-confold", LockTimeout: 60,
		UpdateCacheRetries: 5, UpdateCacheRetryMaxDelay: 12,
	}
}

// Validate holds the rules that join several arguments.
func (m *apt) Validate() error {
	names := m.Name[:0]
	for _, s := range m.Name {
		if s = strings.TrimSpace(s); s != "" {
			names = append(names, s)
		}
	}
	m.Name = names
	up, err := m.upgradeMode()
	if err != nil {
		return err
	}
	given := 0
	for _, b := range []bool{len(m.Name) > 0, m.Deb != "", up != ""} {
		if b {
			given++
		}
	}
	switch {
	case given > 1:
		return fault.New("parameters are mutually exclusive: deb, name, upgrade")
	case m.Deb != "" && m.State != "present":
		return fault.New("deb only supports state=present").WithHint("to remove the package, give its name")
	}
	for _, s := range m.Name {
		if strings.HasPrefix(s, "-") || strings.ContainsAny(s, " \t\n") {
			return fault.New("%q is not a package name", s).WithHint("write packages as a list, or separated by commas")
		}
	}
	return nil
}

// upgradeMode gives "", "safe" or "dist". YAML has read a bare yes and no as booleans.
func (m *apt) upgradeMode() (string, error) {
	switch v := strings.ToLower(fmt.Sprint(m.Upgrade)); v {
	case "<nil>", "no", "false", "":
		return "", nil
	case "yes", "true", "safe":
		return "safe", nil
	case "full", "dist":
		return "dist", nil
	default:
		return "", fault.New("argument upgrade: %q is not one of: dist, full, no, safe, yes", v)
	}
}

// aptTask is one run of the module: what Check found and its changes share.
type aptTask struct {
	*apt
	db   *dpkgDB
	auto map[string]bool
	ret  map[string]any
	// lists says whether the package lists may change before packages do.
	lists struct {
		refresh bool // this task has a step that refreshes them
		unknown bool // check mode: they would be other ones than those on the node
	}
	plan module.Plan
	// provided holds virtual names that an installed package stands for.
	provided map[string]bool
}

// Check plans, in Ansible's order: clean, refresh the lists, then packages.
func (m *apt) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	db, err := readDpkg(n)
	if err != nil {
		return module.Plan{}, fault.New("this node has no dpkg").Because(err).WithHint("the module apt is for Debian and Ubuntu")
	}
	t := &aptTask{apt: m, db: db, auto: readAutoInstalled(n), ret: map[string]any{}}
	t.plan.Return = t.ret
	_, t.lists.unknown = n.Assumed("apt-lists", "")
	if m.Clean {
		t.planClean(n)
	}
	t.planRefresh(n)
	err = t.planPackages(ctx, n)
	return t.plan, err
}

func (t *aptTask) planPackages(ctx context.Context, n node.Reader) error {
	up, err := t.upgradeMode()
	switch {
	case err != nil:
		return err
	case up == "dist":
		return t.transaction(ctx, n, "upgrade the system", []string{"dist-upgrade"}, nil)
	case up == "safe" || t.State == "latest" && len(t.Name) == 1 && t.Name[0] == "*":
		return t.transaction(ctx, n, "upgrade all packages", []string{"upgrade", "--with-new-pkgs"}, nil)
	case t.Deb != "":
		return t.planDeb(ctx, n)
	case t.State == "fixed":
		return t.transaction(ctx, n, "correct broken dependencies", append([]string{"--fix-broken", "install"}, t.Name...), nil)
	case len(t.Name) > 0 && t.State == "absent":
		return t.planAbsent(ctx, n)
	case len(t.Name) > 0 && t.State == "build-dep":
		return t.transaction(ctx, n, "install the build dependencies of "+strings.Join(t.Name, ", "), append([]string{"build-dep"}, t.Name...), nil)
	case len(t.Name) > 0:
		return t.planInstall(ctx, n)
	}
	if t.Autoclean {
		if err := t.planAutoclean(ctx, n); err != nil {
			return err
		}
	}
	if t.Autoremove {
		return t.transaction(ctx, n, "remove packages that nothing needs", []string{"autoremove"}, nil)
	}
	return nil
}

const (
	aptListsDir     = "/var/lib/apt/lists"
	aptArchivesDir  = "/var/cache/apt/archives"
	aptPeriodicDir  = "/var/lib/apt/periodic"
	aptSuccessStamp = aptPeriodicDir + "/update-success-stamp"
)

// listsTime is when the package lists were last refreshed, zero if never.
func listsTime(n node.Reader) time.Time {
	for _, p := range []string{aptSuccessStamp, aptListsDir} {
		if info, err := n.Stat(p); err == nil {
			return info.MTime
		}
	}
	return time.Time{}
}

// setListsTime tells how old the lists are, where Ansible does: not where
// packages go.
func (t *aptTask) setListsTime(n node.Reader, updated bool) {
	if len(t.Name) > 0 && t.State == "absent" || len(t.Name) == 0 && (t.Autoclean || t.Autoremove) {
		return
	}
	t.ret["cache_updated"] = updated
	t.ret["cache_update_time"] = int64(0)
	if at := listsTime(n); !at.IsZero() {
		t.ret["cache_update_time"] = at.Unix()
	}
}

// planRefresh plans `apt-get update` where the lists are older than asked for.
func (t *aptTask) planRefresh(n node.Reader) {
	t.setListsTime(n, false)
	wanted := t.UpdateCache != nil && *t.UpdateCache || t.UpdateCache == nil && t.CacheValidTime > 0
	if !wanted {
		return
	}
	age := n.Now().Sub(listsTime(n))
	// A host that never had lists has an empty directory of a recent date: it is
	// not a valid cache, whatever its age.
	if t.CacheValidTime > 0 && age < time.Duration(t.CacheValidTime)*time.Second && listsPrint(n) != "" {
		return
	}
	t.lists.refresh = true
	up, _ := t.upgradeMode()
	alone := len(t.Name) == 0 && t.Deb == "" && up == "" && t.State != "fixed"
	t.plan.Changes = append(t.plan.Changes, module.Change{
		What: "refresh the package lists",
		// Beside packages it is a means; alone it is a change if the lists came out different.
		Quiet: !alone,
		Apply: t.refresh,
	})
}

func (t *aptTask) refresh(ctx context.Context, w node.Writer) error {
	before := listsPrint(w)
	unknown, err := aptUpdate(ctx, w, updateOptions{retries: t.UpdateCacheRetries, maxDelay: t.UpdateCacheRetryMaxDelay, lockTimeout: t.LockTimeout})
	if err != nil {
		return err
	}
	t.lists.unknown = t.lists.unknown || unknown
	// Check mode cannot know; it announces a change only where there are no lists at all.
	changed := unknown && before == "" || !unknown && listsPrint(w) != before
	t.setListsTime(w, changed)
	if changed {
		return nil
	}
	return module.ErrNoChange
}

// listsPrint tells two states of the package lists apart; "" is none at all.
func listsPrint(n node.Reader) string {
	var b strings.Builder
	infos, _ := n.ReadDir(aptListsDir)
	for _, i := range infos {
		if i.IsRegular() && path.Base(i.Path) != "lock" {
			fmt.Fprintf(&b, "%s %d %d\n", i.Path, i.Size, i.MTime.UnixNano())
		}
	}
	return b.String()
}

func (t *aptTask) planClean(n node.Reader) {
	infos, _ := n.ReadDir(aptArchivesDir)
	for _, i := range infos {
		if i.IsRegular() && strings.HasSuffix(i.Path, ".deb") {
			t.plan.Changes = append(t.plan.Changes, module.Change{
				What: "empty " + aptArchivesDir, Quiet: true,
				Apply: func(ctx context.Context, w node.Writer) error {
					_, err := t.run(ctx, w, []string{"clean"})
					return err
				},
			})
			return
		}
	}
}

func (t *aptTask) planAutoclean(ctx context.Context, n node.Reader) error {
	res, err := t.query(ctx, n, []string{"autoclean"})
	if err != nil {
		return err
	}
	var gone []string
	for _, line := range strings.Split(string(res.Stdout), "\n") {
		if f := strings.Fields(line); len(f) > 2 && f[0] == "Del" {
			gone = append(gone, f[1]+" "+f[2])
		}
	}
	setOutput(t.ret, res)
	if len(gone) == 0 {
		return nil
	}
	t.plan.Changes = append(t.plan.Changes, module.Change{
		What: "delete outdated package files", Before: joinLines(gone),
		Apply: func(ctx context.Context, w node.Writer) error {
			_, err := t.run(ctx, w, []string{"autoclean"})
			return err
		},
	})
	return nil
}
