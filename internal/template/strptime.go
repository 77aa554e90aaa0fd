package template

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// timePatterns are what the directives of strptime match; each is one group.
var timePatterns = map[byte]string{
	'd': `3[01]|[12]\d|0[1-9]|[1-9]| [1-9]`, 'e': `3[01]|[12]\d|0[1-9]|[1-9]| [1-9]`, 'm': `1[0-2]|0[1-9]|[1-9]`, 'H': `2[0-3]|[01]\d|\d`,
	'I': `1[0-2]|0[1-9]|[1-9]`, 'M': `[0-5]\d|\d`, 'S': `6[01]|[0-5]\d|\d`, 'f': `\d{1,6}`, 'Y': `\d{4}`, 'y': `\d{2}`,
	'j': `36[0-6]|3[0-5]\d|[12]\d\d|0[1-9]\d|00[1-9]|[1-9]\d|0[1-9]|[1-9]`, 'p': `am|pm`, 'z': `[+-]\d\d:?[0-5]\d(?::?[0-5]\d)?|z`,
	'Z': `utc|gmt`, 'w': `[0-6]`, 'u': `[1-7]`, 'U': `5[0-3]|[0-4]\d|\d`, 'W': `5[0-3]|[0-4]\d|\d`,
	'a': `mon|tue|wed|thu|fri|sat|sun`, 'A': `monday|tuesday|wednesday|thursday|friday|saturday|sunday`,
	'b': monthNames(3), 'h': monthNames(3), 'B': monthNames(9),
}

// shortForms are directives that stand for several.
var shortForms = strings.NewReplacer("%%", "%%", "%T", "%H:%M:%S", "%R", "%H:%M", "%D", "%m/%d/%y", "%F", "%Y-%m-%d",
	"%c", "%a %b %d %H:%M:%S %Y", "%x", "%m/%d/%y", "%X", "%H:%M:%S")

func monthNames(length int) string {
	var names []string
	for m := time.January; m <= time.December; m++ {
		names = append(names, strings.ToLower(m.String()[:min(length, len(m.String()))]))
	}
	return strings.Join(names, "|")
}

// strptime reads a time as Python's datetime.strptime does: what the format
// leaves out is that of the first of January 1900.
func strptime(text, format string) (timeValue, error) {
	pattern, fields, err := timePattern(shortForms.Replace(format))
	if err != nil {
		return timeValue{}, err
	}
	m := pattern.FindStringSubmatch(text)
	if m == nil {
		return timeValue{}, fmt.Errorf("does not match format")
	}
	read := map[byte]string{}
	for i, f := range fields {
		read[f] = strings.ToLower(strings.TrimSpace(m[i+1]))
	}
	num := func(field byte, def int) int {
		n, err := strconv.Atoi(read[field])
		if err != nil {
			return def
		}
		return n
	}
	year := num('Y', 1900)
	if _, ok := read['y']; ok {
		if year = num('y', 0) + 2000; year > 2068 {
			year -= 100
		}
	}
	month, day, hour := num('m', 1), num('d', num('e', 1)), num('H', 0)
	for _, f := range []byte("bhB") {
		for i := time.January; read[f] != "" && i <= time.December; i++ {
			if strings.HasPrefix(strings.ToLower(i.String()), read[f][:3]) {
				month = int(i)
			}
		}
	}
	if _, ok := read['I']; ok {
		hour = num('I', 0) % 12
		if read['p'] == "pm" {
			hour += 12
		}
	}
	micros, _ := strconv.Atoi((read['f'] + "000000")[:6])
	zone, aware := timeZone(read['z'])
	t := time.Date(year, time.Month(month), day, hour, num('M', 0), num('S', 0), micros*1000, zone)
	if t.Day() != day {
		return timeValue{}, fmt.Errorf("day is out of range for month")
	}
	if n := num('j', 0); n > 0 {
		t = t.AddDate(0, 0, n-t.YearDay())
	}
	return timeValue{t, aware}, nil
}

// timePattern makes a regular expression of a format and lists its fields.
func timePattern(format string) (*regexp.Regexp, []byte, error) {
	var b strings.Builder
	var fields []byte
	b.WriteString("(?i)^")
	for i := 0; i < len(format); i++ {
		ch := format[i]
		switch {
		case ch == '%' && i+1 < len(format):
			i++
			p, ok := timePatterns[format[i]]
			if !ok && format[i] != '%' {
				return nil, nil, fmt.Errorf("%%%c is a bad directive in format", format[i])
			}
			if !ok {
				p = "%"
			} else {
				fields = append(fields, format[i])
				p = "(" + p + ")"
			}
			b.WriteString(p)
		case ch == ' ' || ch == '\t' || ch == '\n':
			b.WriteString(`\s+`)
			for i+1 < len(format) && strings.IndexByte(" \t\n", format[i+1]) >= 0 {
				i++
			}
		default:
			b.WriteString(regexp.QuoteMeta(format[i : i+1]))
		}
	}
	p, err := regexp.Compile(b.String() + "$")
	if err != nil { // bytes that are no UTF-8
		return nil, nil, fmt.Errorf("bad format")
	}
	return p, fields, nil
}

func timeZone(offset string) (zone *time.Location, aware bool) {
	if offset == "" || offset == "z" {
		return time.UTC, offset == "z"
	}
	digits := strings.ReplaceAll(offset[1:], ":", "")
	h, _ := strconv.Atoi(digits[:2])
	m, _ := strconv.Atoi(digits[2:4])
	seconds := h*3600 + m*60
	if offset[0] == '-' {
		seconds = -seconds
	}
	return time.FixedZone("", seconds), true
}
