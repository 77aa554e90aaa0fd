package node

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// accounts reads /etc/passwd and /etc/group, and asks getent for names they
// lack where nsswitch.conf knows further sources. The files are read again when
// they have changed: a module may have just added a user.
// fileStamp tells one state of a file from the next.
type fileStamp struct {
	known bool // a file was looked for
	inode uint64
	size  int64
	mtime syscall.Timespec
}

type accounts struct {
	l      *Local
	mu     sync.Mutex
	users  table[User]
	groups table[Group]
}

// table is one parsed database.
type table[T any] struct {
	file   string // "/etc/passwd"
	db     string // "passwd"
	stamp  fileStamp
	byName map[string]*T
	byID   map[int]*T
	asked  map[string]*T // answers of getent by key; nil: unknown
	more   bool          // other sources than files
	parse  func(line string) (name string, id int, v *T)
}

func newAccounts(l *Local) *accounts {
	return &accounts{
		l:      l,
		users:  table[User]{file: "/etc/passwd", db: "passwd", parse: parseUser},
		groups: table[Group]{file: "/etc/group", db: "group", parse: parseGroup},
	}
}

func parseUser(line string) (string, int, *User) {
	f := strings.Split(line, ":")
	if len(f) < 7 {
		return "", 0, nil
	}
	uid, err1 := strconv.Atoi(f[2])
	gid, err2 := strconv.Atoi(f[3])
	if err1 != nil || err2 != nil {
		return "", 0, nil
	}
	return f[0], uid, &User{Name: f[0], Passwd: f[1], UID: uid, GID: gid, Gecos: f[4], Home: f[5], Shell: f[6]}
}

func parseGroup(line string) (string, int, *Group) {
	f := strings.Split(line, ":")
	if len(f) < 4 {
		return "", 0, nil
	}
	gid, err := strconv.Atoi(f[2])
	if err != nil {
		return "", 0, nil
	}
	g := &Group{Name: f[0], GID: gid}
	for _, m := range strings.Split(f[3], ",") {
		if m != "" {
			g.Members = append(g.Members, m)
		}
	}
	return f[0], gid, g
}

// load reads the file if it is not the one read before.
func (t *table[T]) load(l *Local) {
	real, err := l.real(t.file, true)
	if err != nil {
		return
	}
	var st syscall.Stat_t
	stamp := fileStamp{known: true}
	if syscall.Stat(real, &st) == nil {
		stamp.inode, stamp.size, stamp.mtime = st.Ino, st.Size, st.Mtim
	}
	if stamp == t.stamp {
		return
	}
	t.stamp, t.byName, t.byID, t.asked = stamp, map[string]*T{}, map[int]*T{}, map[string]*T{}
	b, _ := os.ReadFile(real)
	for _, line := range strings.Split(string(b), "\n") {
		name, id, v := t.parse(line)
		if v == nil {
			continue
		}
		if _, dup := t.byName[name]; !dup {
			t.byName[name] = v
		}
		if _, dup := t.byID[id]; !dup {
			t.byID[id] = v
		}
	}
	t.more = l.opts.Root == "" && hasMoreSources(t.db)
}

// hasMoreSources says whether nsswitch.conf names a source beside the files.
func hasMoreSources(db string) bool {
	b, err := os.ReadFile("/etc/nsswitch.conf")
	if err != nil {
		return false
	}
	for _, line := range strings.Split(string(b), "\n") {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), db+":")
		if !ok {
			continue
		}
		for _, source := range strings.Fields(rest) {
			if source != "files" && source != "compat" && !strings.HasPrefix(source, "[") {
				return true
			}
		}
	}
	return false
}

// ask looks a name or number up with getent.
func (t *table[T]) ask(key string) *T {
	if !t.more {
		return nil
	}
	if v, ok := t.asked[key]; ok {
		return v
	}
	t.asked[key] = nil
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "getent", t.db, "--", key).Output()
	if err == nil {
		_, _, t.asked[key] = t.parse(string(bytes.TrimSpace(out)))
	}
	return t.asked[key]
}

func (a *accounts) user(key string, id int) (*User, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return find(&a.users, a.l, key, id)
}

func (a *accounts) group(key string, id int) (*Group, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return find(&a.groups, a.l, key, id)
}

// find looks up by name, or by id where key is "".
func find[T any](t *table[T], l *Local, key string, id int) (*T, error) {
	t.load(l)
	v := t.byName[key]
	if key == "" {
		v = t.byID[id]
		key = strconv.Itoa(id)
	} else if _, err := strconv.Atoi(key); v == nil && err == nil {
		return nil, fs.ErrNotExist // getent would take it for a number
	}
	if v == nil {
		v = t.ask(key)
	}
	if v == nil {
		return nil, fs.ErrNotExist
	}
	c := *v
	return &c, nil
}

func (a *accounts) userName(uid int) string {
	if u, err := a.user("", uid); err == nil {
		return u.Name
	}
	return strconv.Itoa(uid)
}

func (a *accounts) groupName(gid int) string {
	if g, err := a.group("", gid); err == nil {
		return g.Name
	}
	return strconv.Itoa(gid)
}

// LookupUser finds a user by name.
func (l *Local) LookupUser(name string) (*User, error) { return l.accounts.user(name, 0) }

// LookupGroup finds a group by name.
func (l *Local) LookupGroup(name string) (*Group, error) { return l.accounts.group(name, 0) }

// LookupUID finds a user by number.
func (l *Local) LookupUID(uid int) (*User, error) { return l.accounts.user("", uid) }

// LookupGID finds a group by number.
func (l *Local) LookupGID(gid int) (*Group, error) { return l.accounts.group("", gid) }
