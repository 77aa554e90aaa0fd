//go:build conformance

package conformance_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"
)

// state describes a host: "file /etc/motd" is its kind, mode, owner and text,
// "package tree" its version, "unit cron.service" whether it is enabled and runs.
type state map[string]string

// trees are the directories that are compared. What else playbooks may change is
// seen through packages and units.
var trees = []string{"/etc", "/srv", "/opt", "/var/spool/cron", "/usr/local", "/home", "/root", "/var/www"}

// gone is the description of what a playbook has removed.
const gone = "(gone)"

// look describes the host as it is now.
func (w *twin) look(t *testing.T) state {
	t.Helper()
	s := state{}
	root := w.lab.Root(w.host.Name)
	for _, top := range trees {
		err := filepath.WalkDir(filepath.Join(root, top), func(p string, d fs.DirEntry, err error) error {
			if os.IsNotExist(err) {
				return nil
			}
			if err != nil {
				return err
			}
			name := strings.TrimPrefix(p, root)
			text, err := describe(p)
			if err != nil && !os.IsNotExist(err) {
				return err
			}
			s["file "+name] = text
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	w.packages(t, s)
	w.units(t, s)
	return s
}

func describe(path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	st := info.Sys().(*syscall.Stat_t)
	head := fmt.Sprintf("%s %d:%d", info.Mode(), st.Uid, st.Gid)
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		to, err := os.Readlink(path)
		return head + " -> " + to, err
	case !info.Mode().IsRegular():
		return head, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if len(b) > 64<<10 || !utf8.Valid(b) {
		return fmt.Sprintf("%s sha256:%x", head, sha256.Sum256(b)), nil
	}
	return head + "\n" + privateKey.ReplaceAllString(string(b), "$1 (random)"), nil
}

// privateKey is the text of a key, which is random and is not for keeping.
var privateKey = regexp.MustCompile(`(-----BEGIN [A-Z ]*PRIVATE KEY-----)[^-]+`)

// packages reads dpkg's own list, and which packages apt regards as installed
// for others' sake.
func (w *twin) packages(t *testing.T, s state) {
	t.Helper()
	root := w.lab.Root(w.host.Name)
	read := func(name string) []map[string]string {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		var out []map[string]string
		for _, stanza := range strings.Split(string(b), "\n\n") {
			fields := map[string]string{}
			for line := range strings.Lines(stanza) {
				if k, v, ok := strings.Cut(line, ": "); ok && k != "" && k[0] != ' ' {
					fields[k] = strings.TrimSpace(v)
				}
			}
			if fields["Package"] != "" {
				out = append(out, fields)
			}
		}
		return out
	}
	auto := map[string]bool{}
	for _, f := range read("var/lib/apt/extended_states") {
		auto[f["Package"]] = f["Auto-Installed"] == "1"
	}
	for _, f := range read("var/lib/dpkg/status") {
		s["package "+f["Package"]] = fmt.Sprintf("%s %s auto=%v", f["Status"], f["Version"], auto[f["Package"]])
	}
}

// units asks systemd which units are enabled and which run.
func (w *twin) units(t *testing.T, s state) {
	t.Helper()
	out, err := w.inside(t, "systemctl list-unit-files --no-legend --no-pager; echo ==; systemctl list-units --all --plain --no-legend --no-pager")
	if err != nil {
		t.Fatal(err)
	}
	files, units, _ := strings.Cut(out, "==\n")
	for line := range strings.Lines(files) {
		if f := strings.Fields(line); len(f) > 1 {
			s["unit "+f[0]] = f[1]
		}
	}
	for line := range strings.Lines(units) {
		if f := strings.Fields(line); len(f) > 3 {
			s["unit "+f[0]] += " " + strings.Join(f[1:4], " ")
		}
	}
}

// changes lists what of the state is new, other or gone.
func changes(before, after state) state {
	out := state{}
	for k, v := range after {
		if before[k] != v {
			out[k] = v
		}
	}
	for k := range maps.Keys(before) {
		if _, ok := after[k]; !ok {
			out[k] = gone
		}
	}
	return out
}

// What differs from run to run in any text.
var (
	cronHead   = regexp.MustCompile(`(?m)^# \(.* installed on .*\)$`)
	backupName = regexp.MustCompile(`\.\d+\.\d{4}-\d\d-\d\d@\d\d:\d\d:\d\d~`)
	clock      = regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?`)
	fetched    = regexp.MustCompile(`Fetched [\d.,]+ k?M?B in [\dhmins ]+ \(.*?/s\)`)
	progress   = regexp.MustCompile(`\(Reading database \.\.\. (\d+%)?\r`)
	scratch    = regexp.MustCompile(`(/home/admin|/root)/\.ansible/tmp/ansible-(tmp-|moduletmp-|local-)[^\s"']*|/tmp/ansible[.\w-]*|/tmp/mageprov[.\w-]*`)
)

// isApt is whether a text is what apt printed while it installed or removed:
// dpkg shows its progress where it thinks that somebody watches.
func isApt(s string) bool {
	return strings.Contains(s, "(Reading database ... ") || strings.Contains(s, "\nFetched ")
}

// plain takes out of a text what differs from run to run.
func plain(s string) string {
	if isApt(s) {
		s = strings.ReplaceAll(progress.ReplaceAllString(s, ""), "\r", "")
		s = fetched.ReplaceAllString(s, "Fetched")
	}
	s = cronHead.ReplaceAllString(s, "# (installed)")
	s = backupName.ReplaceAllString(s, ".BACKUP~")
	s = scratch.ReplaceAllString(s, "TMP")
	return clock.ReplaceAllString(s, "TIME")
}
