package template

import (
	"fmt"
	"strings"
	"time"

	"mageprov/internal/jinja"
)

// timeValue is Python's datetime: what now() and to_datetime give.
type timeValue struct {
	time.Time
	aware bool // it was given with an offset from UTC
}

var (
	_ jinja.Object  = timeValue{}
	_ jinja.Operand = timeValue{}
	_ jinja.Object  = duration(0)
	_ jinja.Operand = duration(0)
)

// String is datetime's str.
func (t timeValue) String() string {
	s := t.Format("2006-01-02 15:04:05")
	if us := t.Nanosecond() / 1000; us > 0 {
		s += "." + pad(us, 6)
	}
	if t.aware {
		s += t.Format("-07:00")
	}
	return s
}

// TypeName is the name of Python's type.
func (t timeValue) TypeName() string { return "datetime" }

// Repr is datetime's repr, as it stands in lists.
func (t timeValue) Repr() string {
	s := fmt.Sprintf("datetime.datetime(%d, %d, %d, %d, %d", t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute())
	if us := t.Nanosecond() / 1000; us > 0 || t.Second() > 0 {
		s += fmt.Sprintf(", %d", t.Second())
		if us > 0 {
			s += fmt.Sprintf(", %d", us)
		}
	}
	return s + ")"
}

// JSON is what to_json writes.
func (t timeValue) JSON() string { return strings.Replace(t.String(), " ", "T", 1) }

// Attr gives the attributes and methods of a datetime that playbooks use.
func (t timeValue) Attr(name string) (any, bool) {
	numbers := map[string]int{
		"year": t.Year(), "month": int(t.Month()), "day": t.Day(), "hour": t.Hour(), "minute": t.Minute(),
		"second": t.Second(), "microsecond": t.Nanosecond() / 1000,
	}
	if n, ok := numbers[name]; ok {
		return int64(n), true
	}
	give := func(v any) (any, bool) {
		return jinja.Func(func(*jinja.Call) (any, error) { return v, nil }), true
	}
	switch name {
	case "strftime":
		return jinja.Func(func(c *jinja.Call) (any, error) {
			a := take(c, "format")
			a.need("format")
			return strftime(a.str("format", ""), t.Time), a.err
		}), true
	case "isoformat":
		return give(t.JSON())
	case "timestamp":
		return give(float64(t.UnixMicro()) / 1e6)
	case "date":
		return give(t.Format("2006-01-02"))
	case "weekday":
		return give(int64(t.Weekday()+6) % 7)
	case "isoweekday":
		return give(int64(t.Weekday()+6)%7 + 1)
	}
	return nil, false
}

// Operate subtracts and compares times, and adds a timespan.
func (t timeValue) Operate(op string, other any, swapped bool) (any, bool, error) {
	switch o := other.(type) {
	case timeValue:
		if swapped {
			t, o = o, t
		}
		if op == "-" {
			return duration(t.Sub(o.Time)), true, nil
		}
		v, ok := compareBy(op, t.Compare(o.Time))
		return v, ok, nil
	case duration:
		if op == "+" {
			return timeValue{t.Add(time.Duration(o)), t.aware}, true, nil
		}
		if op == "-" && !swapped {
			return timeValue{t.Add(-time.Duration(o)), t.aware}, true, nil
		}
	}
	return nil, false, nil
}

// compareBy turns the outcome of a comparison into that of an operator.
func compareBy(op string, n int) (v any, ok bool) {
	switch op {
	case "==":
		return n == 0, true
	case "!=":
		return n != 0, true
	case "<":
		return n < 0, true
	case "<=":
		return n <= 0, true
	case ">":
		return n > 0, true
	case ">=":
		return n >= 0, true
	}
	return nil, false
}

// duration is Python's timedelta: the difference of two times.
type duration time.Duration

// parts are days, which may be negative, and the rest, which may not.
func (d duration) parts() (days, seconds, micros int64) {
	us := time.Duration(d).Microseconds()
	const day = 24 * 60 * 60 * 1e6
	days = us / day
	if us%day < 0 {
		days--
	}
	us -= days * day
	return days, us / 1e6, us % 1e6
}

// String is timedelta's str.
func (d duration) String() string {
	days, s, us := d.parts()
	out := fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	if us > 0 {
		out += fmt.Sprintf(".%06d", us)
	}
	switch days {
	case 0:
		return out
	case 1, -1:
		return fmt.Sprintf("%d day, %s", days, out)
	}
	return fmt.Sprintf("%d days, %s", days, out)
}

// TypeName is the name of Python's type.
func (d duration) TypeName() string { return "timedelta" }

// Attr gives days, seconds, microseconds and total_seconds().
func (d duration) Attr(name string) (any, bool) {
	days, seconds, micros := d.parts()
	switch name {
	case "days":
		return days, true
	case "seconds":
		return seconds, true
	case "microseconds":
		return micros, true
	case "total_seconds":
		return jinja.Func(func(*jinja.Call) (any, error) { return time.Duration(d).Seconds(), nil }), true
	}
	return nil, false
}

// Operate adds, subtracts and compares timespans.
func (d duration) Operate(op string, other any, swapped bool) (any, bool, error) {
	o, ok := other.(duration)
	if !ok {
		return nil, false, nil
	}
	if swapped {
		d, o = o, d
	}
	switch op {
	case "+":
		return d + o, true, nil
	case "-":
		return d - o, true, nil
	}
	n := 0
	if d != o {
		n = compareInts(int(d), int(o))
	}
	v, ok := compareBy(op, n)
	return v, ok, nil
}
