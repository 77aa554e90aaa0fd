package template

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// spanFilters turn texts such as "1h 30m" into numbers of one unit of time.
var spanFilters = map[string]jinja.Filter{
	"to_time_unit":    toTimeUnit(""),
	"to_milliseconds": toTimeUnit("ms"),
	"to_seconds":      toTimeUnit("s"),
	"to_minutes":      toTimeUnit("m"),
	"to_hours":        toTimeUnit("h"),
	"to_days":         toTimeUnit("d"),
	"to_weeks":        toTimeUnit("w"),
	"to_months":       toTimeUnit("mo"),
	"to_years":        toTimeUnit("y"),
}

// unitNames are the words for units of time, in the singular.
var unitNames = map[string]string{"ms": "ms", "millisecond": "ms", "msec": "ms", "msecond": "ms", "s": "s", "sec": "s", "second": "s",
	"m": "m", "min": "m", "minute": "m", "h": "h", "hour": "h", "d": "d", "day": "d", "w": "w", "week": "w", "mo": "mo", "month": "mo",
	"y": "y", "year": "y"}

var spanPart = regexp.MustCompile(`^(-?\d+)([a-z]+)$`)

// unitOf finds a unit by its short or long name; long names may be plurals.
func unitOf(name string) (string, bool) {
	unit, ok := unitNames[name]
	if !ok && len(name) > 3 {
		unit, ok = unitNames[strings.TrimSuffix(name, "s")]
	}
	return unit, ok
}

// toTimeUnit makes the filter for one unit; "" takes it from the argument.
func toTimeUnit(to string) jinja.Filter {
	return func(c *jinja.Call, in any) (any, error) {
		names := []string{"*", "year", "month"}
		if to == "" {
			names = []string{"unit", "*", "year", "month"}
		}
		a := take(c, names...)
		year, okYear := number(a.value("year", int64(365)))
		month, okMonth := number(a.value("month", int64(30)))
		name := to
		if to == "" {
			name = a.str("unit", "ms")
		}
		text, isText := in.(string)
		switch {
		case a.err != nil:
			return nil, a.err
		case !okYear || !okMonth:
			return nil, refuse(c, "year and month must be numbers of days")
		case !isText:
			return nil, refuse(c, "needs text, not %s", jinja.TypeName(in))
		case text == "0":
			return int64(0), nil
		}
		days := map[string]float64{"ms": 1 / 86400e3, "s": 1. / 86400, "m": 1. / 1440, "h": 1. / 24, "d": 1, "w": 7, "mo": month, "y": year}
		unit, ok := unitOf(name)
		if !ok {
			known := make([]string, 0, len(unitNames))
			for n := range unitNames {
				known = append(known, n)
			}
			return nil, refuse(c, "no unit of time %q", name).(*fault.Error).WithHint("%s", fault.DidYouMean(name, known))
		}
		sum := 0.
		for _, part := range strings.Fields(text) {
			m := spanPart.FindStringSubmatch(part)
			if m == nil {
				return nil, refuse(c, "cannot interpret %s as a span of time", short(text))
			}
			n, err := strconv.ParseFloat(m[1], 64)
			from, ok := unitOf(m[2])
			if err != nil || !ok {
				return nil, refuse(c, "cannot interpret %s as a span of time", short(text))
			}
			sum += n * days[from] * 86400e3
		}
		return math.Round(sum/(days[unit]*86400e3)*1e12) / 1e12, nil
	}
}
