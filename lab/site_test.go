//go:build lab

package lab_test

import (
	"slices"
	"strings"
	"testing"
)

var hosts = []string{"lab1", "lab2", "lab3"}

// unforeseen are tasks that check announces and the run does not do, or the
// other way round, each with the reason.
var unforeseen = map[string]string{
	"base : Start services now and at boot": "the packages that are not there yet enable and start their services",
	"base : Keep time":                      "chrony's package enables and starts it",
}

// fingerprint is every file of the trees that a play may touch, with its
// checksum, owner and mode. Logs, the marks that sudo leaves and the worker's own
// directory are not among them.
const fingerprint = `for d in /etc /usr/local /home /root /var/spool /srv /opt /var/lib/dpkg /var/lib/apt; do
  find "$d" -name mageprov -path '*/.cache/*' -prune -o -path '*/.cache' -o -printf '%p %y %m %u %g %l\n'
  find "$d" -name mageprov -path '*/.cache/*' -prune -o -type f -print0 | xargs -0 -r sha256sum
done | grep -v sudo_as_admin_successful | sort; systemctl list-unit-files --state=enabled --no-legend | sort; crontab -l 2>&1; mount | sort`

func fingerprints(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, h := range hosts {
		all[h] = inside(t, h, fingerprint)
	}
	return all
}

// lines that only one of two texts has.
func difference(a, b string) []string {
	var out []string
	before, after := strings.Split(a, "\n"), strings.Split(b, "\n")
	for _, l := range before {
		if !slices.Contains(after, l) {
			out = append(out, "- "+l)
		}
	}
	for _, l := range after {
		if !slices.Contains(before, l) {
			out = append(out, "+ "+l)
		}
	}
	return out
}

// TestSite holds the promise of the whole: check announces what apply does and
// writes nothing, a second apply changes nothing.
func TestSite(t *testing.T) {
	fresh(t)
	before := fingerprints(t)
	check := run(t, "check", site).want(t, 3)
	for h, after := range fingerprints(t) {
		if d := difference(before[h], after); len(d) > 0 {
			t.Errorf("check wrote on %s:\n%s", h, strings.Join(d, "\n"))
		}
	}
	apply := run(t, "apply", site).want(t, 0)
	for _, h := range hosts {
		announced, done := check.changed(h), apply.changed(h)
		if len(done) < 10 {
			t.Errorf("apply changed only %q on %s", done, h)
		}
		for _, task := range announced {
			if !slices.Contains(done, task) && unforeseen[task] == "" {
				t.Errorf("%s: check announces %q, which apply does not change", h, task)
			}
		}
		for _, task := range done {
			if !slices.Contains(announced, task) && unforeseen[task] == "" {
				t.Errorf("%s: apply changes %q, which check does not announce", h, task)
			}
		}
	}
	for _, again := range []report{run(t, "apply", site).want(t, 0), run(t, "check", site).want(t, 0)} {
		for _, h := range hosts {
			if c := again.changed(h); len(c) > 0 || again.stats(h)["ok"] == 0 {
				t.Errorf("%s: changed again: %q, recap %v", h, c, again.stats(h))
			}
		}
	}
	for _, h := range hosts {
		for _, unit := range []string{"ssh", "chrony", "cron"} {
			if got := inside(t, h, "systemctl is-active "+unit+"; systemctl is-enabled "+unit); got != "active\nenabled" {
				t.Errorf("%s: %s is %q", h, unit, got)
			}
		}
		inside(t, h, "sshd -t && visudo -c && id operator")
	}
}
