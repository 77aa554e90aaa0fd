package modules

import (
	"strconv"
	"strings"

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
	if err != nil {
		return shadowEntry{}, err
	}
	return findShadow(string(data), name), nil
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
func localGroupsOf(n node.Reader, name string) ([]string, error) {
	data, err := n.ReadFile("/etc/group")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, line := range strings.Split(string(data), "\n") {
		f := strings.Split(line, ":")
		if len(f) < 4 {
			continue
		}
		members := strings.Split(f[3], ",")
		if _, assumed := n.Assumed("group", f[0]); assumed {
			g, err := n.LookupGroup(f[0])
			if err != nil {
				continue
			}
			members = g.Members
		}
		for _, m := range members {
			if m == name {
				names = append(names, f[0])
				break
			}
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
