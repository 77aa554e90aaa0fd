package modules

import (
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/node"
)

const shadowFile = "/etc/shadow"

// shadowEntry is a line of /etc/shadow. Empty fields are "".
type shadowEntry struct {
	hash                    string
	min, max, warn, expires string
	inactive                string
	found                   bool
}

// readShadow gives a user's entry. A user that only check mode knows has none.
func readShadow(n node.Reader, name string) (shadowEntry, error) {
	data, err := n.ReadFile(shadowFile)
	if errors.Is(err, fs.ErrPermission) {
		return shadowEntry{}, fault.New("the password of %s cannot be compared", name).Because(err).WithHint("this needs root: set become: true")
	}
	if err != nil {
		return shadowEntry{}, err
	}
	s := findShadow(string(data), name)
	if hash, ok := n.Assumed("password", name); ok {
		s.hash, s.found = hash, true
	}
	return s, nil
}

func findShadow(data, name string) shadowEntry {
	for _, line := range strings.Split(data, "\n") {
		f := strings.Split(line, ":")
		if f[0] != name || len(f) < 8 {
			continue
		}
		return shadowEntry{hash: f[1], min: f[3], max: f[4], warn: f[5], inactive: f[6], expires: f[7], found: true}
	}
	return shadowEntry{}
}

// locked says that no password fits.
func (s shadowEntry) locked() bool { return strings.HasPrefix(s.hash, "!") }

// localGroupsOf lists the groups of /etc/group that name the user as a member,
// seen through what earlier tasks of a check run would have done.
// more are groups to ask for that only such a task knows.
func localGroupsOf(n node.Reader, name string, more []string) ([]string, error) {
	data, err := n.ReadFile("/etc/group")
	if err != nil {
		return nil, err
	}
	var names []string
	inFile := map[string]bool{}
	for _, line := range strings.Split(string(data), "\n") {
		f := strings.Split(line, ":")
		if len(f) < 4 {
			continue
		}
		inFile[f[0]] = true
		members := strings.Split(f[3], ",")
		if _, assumed := n.Assumed("group", f[0]); assumed {
			g, err := n.LookupGroup(f[0])
			if err != nil {
				continue
			}
			members = g.Members
		}
		if slices.Contains(members, name) {
			names = append(names, f[0])
		}
	}
	for _, wanted := range more {
		if g, err := n.LookupGroup(wanted); err == nil && !inFile[wanted] && slices.Contains(g.Members, name) {
			names = append(names, wanted)
		}
	}
	return names, nil
}

// lookupGroupAny finds a group by name or by number.
func lookupGroupAny(n node.Reader, name string) (*node.Group, error) {
	g, err := n.LookupGroup(name)
	if err == nil {
		return g, nil
	}
	if gid, nerr := strconv.Atoi(name); nerr == nil {
		return n.LookupGID(gid)
	}
	return nil, err
}

// freeUID and freeGID guess the number that useradd and groupadd would take: it
// is shown in check mode and never used for real.
func freeUID(n node.Reader, system bool) int {
	return freeID(system, func(id int) bool { _, err := n.LookupUID(id); return err != nil })
}

func freeGID(n node.Reader, system bool) int {
	return freeID(system, func(id int) bool { _, err := n.LookupGID(id); return err != nil })
}

func freeID(system bool, free func(int) bool) int {
	first, last, step := 1000, 60000, 1
	if system {
		first, last, step = 999, 100, -1
	}
	for id := first; id != last; id += step {
		if free(id) {
			return id
		}
	}
	return last
}
