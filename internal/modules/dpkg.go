package modules

import (
	"bytes"
	"strings"
	"sync"

	"mageprov/internal/node"
)

const (
	dpkgStatusFile   = "/var/lib/dpkg/status"
	dpkgUpdatesDir   = "/var/lib/dpkg/updates"
	aptExtendedFile  = "/var/lib/apt/extended_states"
	dpkgInterrupted  = "dpkg was interrupted and has left packages half configured"
	dpkgInterruptFix = "run 'dpkg --configure -a' on the node (module command), then try again"
)

// dpkgPackage is an entry of dpkg's status file.
type dpkgPackage struct {
	Name, Version, Arch, Section string
	Want                         string // install, hold, deinstall, purge, unknown
	Flag                         string // ok or reinstreq
	State                        string // installed, config-files, half-configured, ...
	Provides                     []string
}

// Installed says that the package's files and configuration are in place.
func (p *dpkgPackage) Installed() bool {
	return p.State == "installed" || p.State == "triggers-pending" || p.State == "triggers-awaited"
}

// dpkgDB is dpkg's view of the machine.
type dpkgDB struct {
	byName   map[string][]*dpkgPackage // one per architecture
	provided map[string][]string       // virtual name -> installed packages that provide it
	order    []*dpkgPackage
}

// readDpkg gives the status file of the node. It is read and parsed once per
// version of the file: on a converged machine a task costs one stat.
func readDpkg(n node.Reader) (*dpkgDB, error) {
	return cachedParse(n, &dpkgCache, dpkgStatusFile, parseDpkgStatus)
}

// Find gives the entry of "name" or "name:arch". Without an architecture an
// installed entry wins.
func (db *dpkgDB) Find(name string) (*dpkgPackage, bool) {
	base, arch, hasArch := strings.Cut(name, ":")
	var found *dpkgPackage
	for _, p := range db.byName[base] {
		if hasArch && arch != "any" && p.Arch != arch && p.Arch != "all" {
			continue
		}
		if found == nil || !found.Installed() {
			found = p
		}
	}
	return found, found != nil
}

// Providers gives the installed packages that provide a virtual one.
func (db *dpkgDB) Providers(name string) []string { return db.provided[name] }

func parseDpkgStatus(data []byte) *dpkgDB {
	db := &dpkgDB{byName: map[string][]*dpkgPackage{}, provided: map[string][]string{}}
	eachStanza(data, func(get func(string) string) {
		p := &dpkgPackage{Name: get("Package"), Version: get("Version"), Arch: get("Architecture"), Section: get("Section")}
		if p.Name == "" {
			return
		}
		if f := strings.Fields(get("Status")); len(f) == 3 {
			p.Want, p.Flag, p.State = f[0], f[1], f[2]
		}
		for _, s := range strings.Split(get("Provides"), ",") {
			if f := strings.Fields(s); len(f) > 0 {
				p.Provides = append(p.Provides, f[0])
			}
		}
		db.byName[p.Name] = append(db.byName[p.Name], p)
		db.order = append(db.order, p)
		if p.Installed() {
			for _, v := range p.Provides {
				db.provided[v] = append(db.provided[v], p.Name)
			}
		}
	})
	return db
}

// eachStanza calls f for every paragraph of a control file; get gives the value
// of a field, the first line of it only.
func eachStanza(data []byte, f func(get func(string) string)) {
	fields := map[string]string{}
	flush := func() {
		if len(fields) > 0 {
			f(func(k string) string { return fields[k] })
			clear(fields)
		}
	}
	for len(data) > 0 {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte{'\n'})
		if len(bytes.TrimSpace(line)) == 0 {
			flush()
			continue
		}
		if line[0] == ' ' || line[0] == '\t' || line[0] == '#' {
			continue
		}
		if k, v, ok := bytes.Cut(line, []byte{':'}); ok {
			fields[string(k)] = string(bytes.TrimSpace(v))
		}
	}
	flush()
}

// readAutoInstalled gives the packages that apt holds for dependencies only.
// A missing file means that there are none.
func readAutoInstalled(n node.Reader) map[string]bool {
	m, err := cachedParse(n, &extendedCache, aptExtendedFile, parseExtendedStates)
	if err != nil {
		return nil
	}
	return m
}

func parseExtendedStates(data []byte) map[string]bool {
	auto := map[string]bool{}
	eachStanza(data, func(get func(string) string) {
		if get("Auto-Installed") == "1" {
			auto[get("Package")] = true
		}
	})
	return auto
}

// parseCache keeps the last parse of one file. Its key is what changes when the
// file does, so it holds no state that a task could see.
type parseCache[T any] struct {
	mu  sync.Mutex
	key node.Info
	val T
	set bool
}

var (
	dpkgCache     parseCache[*dpkgDB]
	extendedCache parseCache[map[string]bool]
)

func cachedParse[T any](n node.Reader, c *parseCache[T], path string, parse func([]byte) T) (T, error) {
	var zero T
	info, err := n.Stat(path)
	if err != nil {
		return zero, err
	}
	key := node.Info{Path: path, Size: info.Size, MTime: info.MTime.UTC(), CTime: info.CTime.UTC(), Inode: info.Inode, Dev: info.Dev}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.set && c.key == key {
		return c.val, nil
	}
	data, err := n.ReadFile(path)
	if err != nil {
		return zero, err
	}
	c.val, c.key, c.set = parse(data), key, true
	return c.val, nil
}
