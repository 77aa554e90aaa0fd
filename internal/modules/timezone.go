package modules

import (
	"context"
	"errors"
	"io/fs"
	"strconv"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "community.general.timezone",
		New:  func() any { return &timezone{} },
	})
}

// timezone keeps the time zone, and what time the hardware clock shows.
type timezone struct {
	Name    string `arg:"name"`
	HWClock string `arg:"hwclock" alias:"rtc" choices:",UTC,local"`
}

// Validate asks for one of them, and keeps the name within the zones' directory.
func (m *timezone) Validate() error {
	switch {
	case m.Name == "" && m.HWClock == "":
		return fault.New("one of the following is required: hwclock, name")
	case strings.HasPrefix(m.Name, "/") || strings.Contains(m.Name, ".."):
		return fault.New("name %q is no time zone", m.Name).WithHint("such as Europe/Berlin, or UTC")
	}
	return nil
}

const (
	localtimeFile = "/etc/localtime"
	timezoneFile  = "/etc/timezone"
	adjtimeFile   = "/etc/adjtime"
	zoneinfoDir   = "/usr/share/zoneinfo/"
)

// Check compares the files with the wanted zone and clock.
func (m *timezone) Check(_ context.Context, n node.Reader) (module.Plan, error) {
	before, after := map[string]any{}, map[string]any{}
	p := module.Plan{Return: map[string]any{"diff": map[string]any{"before": before, "after": after}}}
	_, err := n.Stat("/run/systemd/system")
	systemd := err == nil
	if m.Name != "" {
		if i, err := statOrNil(n, zoneinfoDir+m.Name); err != nil || i == nil || i.IsDir() {
			return p, notSure(n, fault.New("given timezone \"%s\" is not available", m.Name).WithHint("the package tzdata has the zones; those of former names are in tzdata-legacy"))
		}
		have, err := currentZone(n)
		if err != nil {
			return p, err
		}
		before["name"], after["name"] = have, m.Name
		if have != m.Name {
			p.Changes = append(p.Changes, m.zoneChange(systemd, have))
			if argv, err := n.LookPath("timedatectl"); systemd && err == nil {
				p.Return["msg"] = "executed `" + argv + " set-timezone " + m.Name + "`"
			}
		}
	}
	if m.HWClock != "" {
		have, err := hardwareClock(n)
		if err != nil {
			return p, err
		}
		before["hwclock"], after["hwclock"] = have, m.HWClock
		if have != m.HWClock {
			p.Changes = append(p.Changes, m.clockChange(systemd, have))
		}
	}
	return p, nil
}

// currentZone reads where /etc/localtime leads to; a file of its own has no
// name but that of /etc/timezone.
func currentZone(n node.Reader) (string, error) {
	if s, ok := n.Assumed("timezone", ""); ok {
		return s, nil
	}
	i, err := lstatOrNil(n, localtimeFile)
	if err != nil {
		return "", err
	}
	if i != nil && i.IsLink() {
		if _, name, ok := strings.Cut(i.Target, "zoneinfo/"); ok {
			return name, nil
		}
	}
	if i == nil {
		return "n/a", nil
	}
	text, exists, err := readText(n, timezoneFile)
	if !exists {
		return "n/a", err
	}
	return strings.TrimSpace(text), err
}

// zoneChange sets the zone through systemd where it runs, else in its files.
func (m *timezone) zoneChange(systemd bool, have string) module.Change {
	return module.Change{What: "set the time zone to " + m.Name, Before: have + "\n", After: m.Name + "\n", Apply: func(ctx context.Context, w node.Writer) error {
		w.Assume("timezone", "", m.Name)
		if systemd {
			return mustRun(ctx, w, node.Command{Argv: []string{"timedatectl", "set-timezone", m.Name}})
		}
		tmp := localtimeFile + ".new"
		if err := w.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := w.Symlink(zoneinfoDir+m.Name, tmp); err != nil {
			return err
		}
		if err := w.Rename(tmp, localtimeFile); err != nil {
			return err
		}
		mode := uint32(0o644)
		err := w.WriteFile(ctx, timezoneFile, strings.NewReader(m.Name+"\n"), node.WriteOptions{UID: -1, GID: -1, Mode: &mode})
		return fault.Wrap(err, "writing %s", timezoneFile)
	}}
}

// hardwareClock reads the third line of adjtime; without one the clock shows UTC.
func hardwareClock(n node.Reader) (string, error) {
	if s, ok := n.Assumed("hwclock", ""); ok {
		return s, nil
	}
	text, _, err := readText(n, adjtimeFile)
	if lines := textLines(text); len(lines) > 2 && strings.TrimSpace(lines[2]) == "LOCAL" {
		return "local", err
	}
	return "UTC", err
}

// clockChange sets the clock anew, too: what it shows must fit what is said of it.
func (m *timezone) clockChange(systemd bool, have string) module.Change {
	argv := []string{"hwclock", "--systohc", map[string]string{"UTC": "--utc", "local": "--localtime"}[m.HWClock]}
	if systemd {
		argv = []string{"timedatectl", "set-local-rtc", strconv.FormatBool(m.HWClock == "local")}
	}
	return module.Change{What: "keep the hardware clock in " + m.HWClock, Before: have + "\n", After: m.HWClock + "\n", Apply: func(ctx context.Context, w node.Writer) error {
		w.Assume("hwclock", "", m.HWClock)
		return mustRun(ctx, w, node.Command{Argv: argv})
	}}
}
