package modules

import (
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "community.general.pam_limits",
		New:  func() any { return &pamLimits{Dest: "/etc/security/limits.conf"} },
	})
}

// pamLimits keeps a limit for a user or group.
type pamLimits struct {
	Domain    string `arg:"domain,required"`
	LimitType string `arg:"limit_type,required" choices:"hard,soft,-"`
	LimitItem string `arg:"limit_item,required" choices:"core,data,fsize,memlock,nofile,rss,stack,cpu,nproc,as,maxlogins,maxsyslogins,priority,locks,sigpending,msgqueue,nice,rtprio,chroot"`
	Value     string `arg:"value,required"`
	UseMax    bool   `arg:"use_max"`
	UseMin    bool   `arg:"use_min"`
	Backup    bool   `arg:"backup"`
	Dest      string `arg:"dest"`
	Comment   string `arg:"comment"`
}

// Validate refuses what pam_limits could not read.
func (m *pamLimits) Validate() error {
	switch {
	case m.UseMax && m.UseMin:
		return fault.New("Cannot use use_min and use_max at the same time.")
	case len(strings.Fields(m.Domain)) != 1:
		return fault.New("domain %q is no single word", m.Domain)
	case strings.ContainsAny(m.Comment, "\r\n"):
		return fault.New("comment must be one line")
	}
	if why := m.invalid(m.Value); why != "" {
		return fault.New("%s", why)
	}
	return nil
}

// invalid says why a value is none for the item, "" if it is one.
func (m *pamLimits) invalid(value string) string {
	const manual = "Refer to the limits.conf(5) manual pages for more details."
	v, err := strconv.Atoi(value)
	if m.LimitItem == "nice" || m.LimitItem == "priority" {
		if err == nil && v >= -20 && v <= 19 {
			return ""
		}
		return fmt.Sprintf("Value of '%s' for item '%s' is invalid. Value must be a number in the range -20 to 19 inclusive. %s", value, m.LimitItem, manual)
	}
	if err == nil && v >= 0 || noLimit(value) {
		return ""
	}
	return fmt.Sprintf("Value of '%s' for item '%s' is invalid. Value must either be 'unlimited', 'infinity' or -1, all of which indicate no limit, or a limit of 0 or larger. %s",
		value, m.LimitItem, manual)
}

func noLimit(value string) bool {
	return value == "unlimited" || value == "infinity" || value == "-1"
}

// Check compares the lines for the limit.
func (m *pamLimits) Check(_ context.Context, n node.Reader) (module.Plan, error) {
	p := module.Plan{Return: map[string]any{}}
	if dir, err := statOrNil(n, path.Dir(m.Dest)); err != nil || dir == nil || !dir.IsDir() {
		return p, notSure(n, fault.New("directory %s is not writable (check presence, access rights, use sudo)", path.Dir(m.Dest)))
	}
	before, exists, err := readText(n, m.Dest)
	if err != nil {
		return p, err
	}
	lines := textLines(before)
	changed, found := !exists, false
	for i, line := range lines {
		value, comment, ok := m.read(line)
		if !ok {
			continue
		}
		found = true
		value, err := m.choose(value)
		if err != nil {
			return p, err
		}
		p.Return["msg"] = line + "\n"
		if value == "" {
			continue
		}
		if m.Comment != "" {
			comment = "#" + m.Comment
		}
		lines[i], changed = m.line(value, comment), true
		p.Return["msg"] = lines[i] + "\n"
	}
	if !found {
		comment := ""
		if m.Comment != "" {
			comment = "#" + m.Comment
		}
		lines, changed = append(lines, m.line(m.Value, comment)), true
		p.Return["msg"] = lines[len(lines)-1] + "\n"
	}
	if !changed {
		return p, nil
	}
	if m.Backup && exists {
		name, step := keepCopy(n, m.Dest)
		p.Changes, p.Return["backup_file"] = append(p.Changes, step), name
	}
	p.Changes = append(p.Changes, rewriteText(m.Dest, before, linesText(lines), exists, 0o644))
	return p, nil
}

// read gives value and comment of a line for this limit.
func (m *pamLimits) read(line string) (value, comment string, ok bool) {
	text, comment, found := strings.Cut(line, "#")
	if found {
		comment = "#" + strings.TrimRight(comment, " \t\r")
	}
	f := strings.Fields(text)
	if len(f) != 4 || f[0] != m.Domain || f[1] != m.LimitType || f[2] != m.LimitItem {
		return "", "", false
	}
	return f[3], comment, true
}

// choose gives the value that shall stand in place of have, "" where have may stay.
func (m *pamLimits) choose(have string) (string, error) {
	if have == m.Value {
		return "", nil
	}
	if !m.UseMax && !m.UseMin {
		return m.Value, nil
	}
	if why := m.invalid(have); why != "" {
		return "", fault.New("Invalid configuration found in '%s'. %s", m.Dest, why)
	}
	if m.UseMax == m.larger(m.Value, have) {
		return m.Value, nil
	}
	return "", nil
}

// larger compares limits; none is the largest, but for nice and priority, where
// -1 is a number.
func (m *pamLimits) larger(a, b string) bool {
	if m.LimitItem != "nice" && m.LimitItem != "priority" && (noLimit(a) || noLimit(b)) {
		return noLimit(a) && !noLimit(b) || noLimit(a) == noLimit(b) && m.UseMin
	}
	x, _ := strconv.Atoi(a) // invalid has seen both
	y, _ := strconv.Atoi(b)
	return x > y || x == y && m.UseMin
}

func (m *pamLimits) line(value, comment string) string {
	line := strings.Join([]string{m.Domain, m.LimitType, m.LimitItem, value}, "\t")
	if comment != "" {
		line += "\t" + comment
	}
	return line
}
