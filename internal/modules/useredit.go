package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"

	"mageprov/internal/module"
	"mageprov/internal/node"
)

// create plans useradd and what it cannot do by itself.
func (t *userTask) create(n node.Reader) error {
	argv := []string{"useradd"}
	flag := func(on bool, words ...string) {
		if on {
			argv = append(argv, words...)
		}
	}
	t.numberFlags(&argv)
	flag(t.Seuser != "", "-Z", t.Seuser)
	_, nameTaken := n.LookupGroup(t.Name)
	flag(t.Group != "", "-g", t.Group)
	flag(t.Group == "" && nameTaken == nil, "-N") // useradd would fail to add the user's own group
	if t.Groups != nil && len(*t.Groups) > 0 {
		flag(true, "-G", strings.Join(*t.Groups, ","))
	}
	flag(t.Comment != nil, "-c", t.want.Gecos)
	flag(t.Home != "", "-d", t.Home)
	flag(t.Shell != "", "-s", t.Shell)
	if t.Expires != nil && !t.System {
		flag(true, "-e", expiryDate(*t.Expires))
	}
	flag(t.CreateHome, "-m")
	flag(!t.CreateHome, "-M")
	flag(t.CreateHome && t.Skeleton != "", "-k", t.Skeleton)
	flag(t.CreateHome && t.Umask != "", "-K", "UMASK="+t.Umask)
	flag(t.System, "-r")
	argv = append(argv, t.Name)
	c := accountChange("add user "+t.Name, "", t.describe(), argv, nil)
	c.Apply = func(ctx context.Context, w node.Writer) error {
		res, err := runAccount(ctx, w, argv, nil)
		if err == nil && res.Unknown {
			return t.assumeNew(ctx, w)
		}
		return err
	}
	t.plan.Changes = append(t.plan.Changes, c)
	if t.Expires != nil && t.System && *t.Expires >= 0 { // useradd -r writes no ages
		t.plan.Changes = append(t.plan.Changes, accountChange("set the expiry of "+t.Name, "", "expires: "+expiryDays(*t.Expires)+"\n",
			[]string{"usermod", "-e", expiryDate(*t.Expires), t.Name}, nil))
	}
	hash := ""
	if t.Password != nil {
		hash = *t.Password
	}
	if t.PasswordLock != nil && *t.PasswordLock && hash != "" && !strings.HasPrefix(hash, "!") {
		hash = "!" + hash
	}
	if hash != "" && hash != "!" { // a new account is locked already
		t.planHash(hash)
	}
	t.planAging(shadowEntry{})
	return nil
}

func (t *userTask) numberFlags(argv *[]string) {
	if t.UID != nil {
		*argv = append(*argv, "-u", itoa(*t.UID))
		if t.NonUnique {
			*argv = append(*argv, "-o")
		}
	}
	if t.UIDMax != nil {
		*argv = append(*argv, "-K", "UID_MAX="+itoa(*t.UIDMax))
	}
	if t.UIDMin != nil {
		*argv = append(*argv, "-K", "UID_MIN="+itoa(*t.UIDMin))
	}
}

// describe shows a new account in a diff.
func (t *userTask) describe() string {
	lines := []string{"name: " + t.Name}
	if t.UID != nil {
		lines = append(lines, "uid: "+itoa(*t.UID))
	}
	if t.Group != "" {
		lines = append(lines, "group: "+t.Group)
	}
	if t.Groups != nil {
		lines = append(lines, "groups: "+strings.Join(*t.Groups, ","))
	}
	return joinLines(append(lines, "home: "+t.want.Home, "shell: "+t.want.Shell))
}

// assumeNew tells check mode of the account, its own group and its home.
func (t *userTask) assumeNew(ctx context.Context, w node.Writer) error {
	u := t.want
	if u.UID < 0 {
		u.UID = freeUID(w, t.System)
	}
	if u.GID < 0 {
		g, err := w.LookupGroup(t.Name)
		if err != nil {
			g = &node.Group{Name: t.Name, GID: freeGID(w, t.System)}
			w.AssumeGroup(*g)
		}
		u.GID = g.GID
	}
	w.AssumeUser(u)
	if t.Groups != nil {
		assumeMember(w, t.Name, *t.Groups)
	}
	if _, err := w.Lstat(u.Home); t.CreateHome && errors.Is(err, fs.ErrNotExist) {
		return t.makeHome(ctx, w, u)
	}
	return nil
}

func assumeMember(w node.Writer, user string, groups []string) {
	for _, name := range groups {
		if g, err := lookupGroupAny(w, name); err == nil {
			g.Members = append(append([]string(nil), g.Members...), user)
			w.AssumeGroup(*g)
		}
	}
}

// modify plans one usermod for all that differs, and the tools beside it.
func (t *userTask) modify(n node.Reader) error {
	var argv, before, after []string
	differ := func(key, old, new string, flags ...string) {
		argv = append(argv, flags...)
		before, after = append(before, key+": "+old), append(after, key+": "+new)
	}
	have, want := t.have, t.want
	if want.UID != have.UID {
		flags := []string{"-u", itoa(want.UID)}
		if t.NonUnique {
			flags = append(flags, "-o")
		}
		differ("uid", itoa(have.UID), itoa(want.UID), flags...)
	}
	if want.GID != have.GID {
		differ("group", itoa(have.GID), itoa(want.GID), "-g", itoa(want.GID))
	}
	missing, err := t.groupChange(n, differ)
	if err != nil {
		return err
	}
	if want.Gecos != have.Gecos {
		differ("comment", have.Gecos, want.Gecos, "-c", want.Gecos)
	}
	if want.Home != have.Home {
		flags := []string{"-d", want.Home}
		if t.MoveHome {
			flags = append(flags, "-m")
		}
		differ("home", have.Home, want.Home, flags...)
	}
	if want.Shell != have.Shell {
		differ("shell", have.Shell, want.Shell, "-s", want.Shell)
	}
	shadow, err := t.shadow(n)
	if err != nil {
		return err
	}
	if t.Expires != nil {
		days, date := expiryDays(*t.Expires), expiryDate(*t.Expires)
		if days != shadow.expires {
			differ("expires", shadow.expires, days, "-e", date)
		}
	}
	locking := ""
	if t.PasswordLock != nil && *t.PasswordLock != shadow.locked() {
		locking = map[bool]string{true: "-L", false: "-U"}[*t.PasswordLock]
	}
	if locking == "-U" && strings.Trim(shadow.hash, "!") == "" {
		locking = "" // there is no password below the lock: usermod -U would refuse
	}
	hash := t.newHash(shadow)
	if locking != "" && hash == "" {
		differ("password_lock", fmt.Sprint(!*t.PasswordLock), fmt.Sprint(*t.PasswordLock), locking)
	}
	if len(argv) > 0 {
		argv = append(append([]string{"usermod"}, argv...), t.Name)
		t.plan.Changes = append(t.plan.Changes, t.usermod(argv, joinLines(before), joinLines(after), missing))
	}
	if hash != "" {
		t.planHash(hash)
	}
	t.planAging(shadow)
	return nil
}

func (t *userTask) usermod(argv []string, before, after string, joined []string) module.Change {
	return module.Change{What: "modify user " + t.Name, Before: before, After: after, Apply: func(ctx context.Context, w node.Writer) error {
		res, err := runAccount(ctx, w, argv, nil)
		if err != nil || !res.Unknown {
			return err
		}
		w.AssumeUser(t.want)
		assumeMember(w, t.Name, joined)
		if t.movesHome(w) {
			return w.Rename(t.have.Home, t.want.Home)
		}
		return nil
	}}
}

// groupChange compares the supplementary groups; the primary one never counts.
func (t *userTask) groupChange(n node.Reader, differ func(key, old, new string, flags ...string)) (joined []string, err error) {
	if t.Groups == nil {
		return nil, nil
	}
	current, err := localGroupsOf(n, t.Name, *t.Groups)
	if err != nil {
		return nil, err
	}
	primary := ""
	if g, err := n.LookupGID(t.want.GID); err == nil {
		primary = g.Name
	}
	have, want := map[string]bool{}, map[string]bool{}
	for _, g := range current {
		have[g] = g != primary
	}
	for _, name := range *t.Groups {
		if g, err := lookupGroupAny(n, name); err == nil && g.Name != primary {
			want[g.Name] = true
		}
	}
	var extra bool
	for g, in := range have {
		extra = extra || in && !want[g]
	}
	for g := range want {
		if !have[g] {
			joined = append(joined, g)
		}
	}
	sort.Strings(joined)
	list := func(m map[string]bool) string {
		var names []string
		for g, in := range m {
			if in {
				names = append(names, g)
			}
		}
		sort.Strings(names)
		return strings.Join(names, ",")
	}
	switch {
	case t.Append && len(joined) > 0:
		old := list(have)
		for _, g := range joined {
			have[g] = true
		}
		differ("groups", old, list(have), "-a", "-G", strings.Join(joined, ","))
	case !t.Append && (extra || len(joined) > 0):
		differ("groups", list(have), list(want), "-G", list(want))
	}
	return joined, nil
}

// shadow reads the user's entry where an argument needs it.
func (t *userTask) shadow(n node.Reader) (shadowEntry, error) {
	aging := t.PasswordExpireMax != nil || t.PasswordExpireMin != nil || t.PasswordExpireWarn != nil || t.PasswordExpireAccountDisable != nil
	password := t.Password != nil && t.UpdatePassword == "always"
	if !aging && !password && t.PasswordLock == nil && t.Expires == nil {
		return shadowEntry{}, nil
	}
	return readShadow(n, t.Name)
}

// newHash is the hash to set, "" for none. A lock in front of it is no difference.
func (t *userTask) newHash(s shadowEntry) string {
	if t.Password == nil || t.UpdatePassword != "always" {
		return ""
	}
	want := *t.Password
	if s.found && strings.TrimLeft(want, "!") == strings.TrimLeft(s.hash, "!") {
		return ""
	}
	if t.PasswordLock != nil && *t.PasswordLock && !strings.HasPrefix(want, "!") {
		want = "!" + want
	}
	return want
}

func (t *userTask) planHash(hash string) {
	t.plan.Changes = append(t.plan.Changes, module.Change{What: "set the password of " + t.Name, Apply: func(ctx context.Context, w node.Writer) error {
		res, err := runAccount(ctx, w, []string{"chpasswd", "-e"}, []byte(t.Name+":"+hash+"\n"))
		if err == nil && res.Unknown {
			w.Assume("password", t.Name, hash)
		}
		return err
	}})
}

// planAging plans chage for the ages that differ.
func (t *userTask) planAging(s shadowEntry) {
	var argv, before, after []string
	for _, a := range []struct {
		key, flag, have string
		want            *int
	}{
		{"password_expire_max", "-M", s.max, t.PasswordExpireMax},
		{"password_expire_min", "-m", s.min, t.PasswordExpireMin},
		{"password_expire_warn", "-W", s.warn, t.PasswordExpireWarn},
		{"password_expire_account_disable", "-I", s.inactive, t.PasswordExpireAccountDisable},
	} {
		if a.want == nil || itoa(*a.want) == a.have || *a.want < 0 && a.have == "" {
			continue
		}
		argv = append(argv, a.flag, itoa(*a.want))
		before, after = append(before, a.key+": "+a.have), append(after, a.key+": "+itoa(*a.want))
	}
	if len(argv) > 0 {
		t.plan.Changes = append(t.plan.Changes, accountChange("set the password ages of "+t.Name, joinLines(before), joinLines(after),
			append(append([]string{"chage"}, argv...), t.Name), nil))
	}
}

// expiryDays is what shadow holds for a time in epoch seconds: days, or "" for never.
func expiryDays(epoch float64) string {
	if epoch < 0 {
		return ""
	}
	return strconv.FormatInt(int64(math.Floor(epoch/86400)), 10)
}

// expiryDate is the same for useradd and usermod.
func expiryDate(epoch float64) string {
	if epoch < 0 {
		return ""
	}
	return time.Unix(int64(epoch), 0).UTC().Format("2006-01-02")
}
