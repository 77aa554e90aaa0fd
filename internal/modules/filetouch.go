package modules

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

// stampFormat is the default of access_time_format and modification_time_format.
const stampFormat = "%Y%m%d%H%M.%S"

// touch makes an empty file, or sets the times of what is there.
func (f *file) touch(n node.Reader, i *node.Info) (module.Plan, error) {
	at, t, err := f.target(n, i)
	if err != nil {
		return module.Plan{}, err
	}
	if t != nil {
		changes, err := f.changes(n, at, *t)
		if err != nil {
			return module.Plan{}, err
		}
		times, err := f.times(n, at, *t, "now")
		return f.done(module.Plan{Changes: append(changes, times...)}, "dest"), err
	}
	w, err := f.wish(n, newFile(n, at))
	if err != nil {
		return module.Plan{}, err
	}
	atime, mtime, err := f.wanted(n, "now")
	if err != nil {
		return module.Plan{}, err
	}
	create := stateChange("create file "+f.Path, f.Path, "absent", "touch", func(ctx context.Context, nw node.Writer) error {
		if err := nw.WriteFile(ctx, at, bytes.NewReader(nil), f.writeOptions(w)); err != nil {
			return err
		}
		if err := f.setAttrs(ctx, nw, at); err != nil {
			return err
		}
		return nw.Chtimes(at, atime, mtime)
	})
	return f.done(module.Plan{Changes: []module.Change{create}}, "dest"), nil
}

// times is the step that sets access and modification time of what is there.
func (f *file) times(n node.Reader, at string, i node.Info, unset string) ([]module.Change, error) {
	atime, mtime, err := f.wanted(n, unset)
	if err != nil || sameTime(atime, i.ATime) && sameTime(mtime, i.MTime) {
		return nil, err
	}
	show := func(a, m time.Time) string {
		return fmt.Sprintf("{\n    \"atime\": %q,\n    \"mtime\": %q,\n    \"path\": %q\n}\n", a.Format(time.RFC3339Nano), m.Format(time.RFC3339Nano), f.Path)
	}
	keep := func(t, old time.Time) time.Time {
		if t.IsZero() {
			return old
		}
		return t
	}
	return []module.Change{{
		What: "set the times of " + f.Path, Before: show(i.ATime, i.MTime), After: show(keep(atime, i.ATime), keep(mtime, i.MTime)),
		BeforeName: f.Path, AfterName: f.Path,
		Apply: func(_ context.Context, w node.Writer) error { return w.Chtimes(at, atime, mtime) },
	}}, nil
}

// sameTime: zero is what shall be kept.
func sameTime(want, have time.Time) bool {
	return want.IsZero() || want.Equal(have)
}

func (f *file) wanted(n node.Reader, unset string) (atime, mtime time.Time, err error) {
	if atime, err = timeOf(n, f.AccessTime, f.AccessTimeFormat, unset); err != nil {
		return atime, mtime, fault.New("access_time: %v", err)
	}
	if mtime, err = timeOf(n, f.ModificationTime, f.ModificationTimeFormat, unset); err != nil {
		return atime, mtime, fault.New("modification_time: %v", err)
	}
	return atime, mtime, nil
}

// timeOf reads "preserve" (zero), "now" or a stamp in the node's time zone.
func timeOf(n node.Reader, s, format, unset string) (time.Time, error) {
	if s == "" {
		s = unset
	}
	switch s {
	case "preserve":
		return time.Time{}, nil
	case "now":
		return n.Now(), nil
	}
	return strptime(s, format)
}

// strptime reads a time by a format of Python's, with the directives that have
// digits: %Y %m %d %H %M %S %y, and %%.
func strptime(s, format string) (time.Time, error) {
	v := map[byte]int{'Y': 1900, 'm': 1, 'd': 1}
	rest := s
	bad := fmt.Errorf("time data %q does not match format %q", s, format)
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			if !strings.HasPrefix(rest, format[i:i+1]) {
				return time.Time{}, bad
			}
			rest = rest[1:]
			continue
		}
		i++
		width := strings.IndexByte("%mdHMSy", format[i])
		switch {
		case width == 0:
			if !strings.HasPrefix(rest, "%") {
				return time.Time{}, bad
			}
			rest = rest[1:]
			continue
		case format[i] == 'Y':
			width = 4
		case width > 0:
			width = 2
		default:
			return time.Time{}, fmt.Errorf("format %q: %%%c is not supported", format, format[i])
		}
		if len(rest) < width {
			return time.Time{}, bad
		}
		num, err := strconv.Atoi(rest[:width])
		if err != nil {
			return time.Time{}, bad
		}
		v[format[i]], rest = num, rest[width:]
	}
	if y, ok := v['y']; ok {
		if v['Y'] = 2000 + y; y >= 69 {
			v['Y'] = 1900 + y
		}
	}
	if rest != "" || v['m'] < 1 || v['m'] > 12 || v['d'] < 1 || v['d'] > 31 || v['H'] > 23 || v['M'] > 59 || v['S'] > 61 {
		return time.Time{}, bad
	}
	return time.Date(v['Y'], time.Month(v['m']), v['d'], v['H'], v['M'], v['S'], 0, time.Local), nil
}
