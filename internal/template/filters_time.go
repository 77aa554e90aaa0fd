package template

import (
	"strconv"
	"strings"
	"time"

	"mageprov/internal/jinja"
)

var timeFilters = map[string]jinja.Filter{
	"strftime":    strftimeFilter,
	"to_datetime": toDatetime,
}

// now is the function now(utc=False, fmt=None).
func now(c *jinja.Call) (any, error) {
	a := take(c, "utc", "fmt")
	utc, format := a.flag("utc", false), a.str("fmt", "")
	if a.err != nil {
		return nil, a.err
	}
	t := time.Now()
	if utc {
		t = t.UTC()
	}
	if format != "" {
		return strftime(format, t), nil
	}
	return timeValue{Time: t}, nil
}

// strftimeFilter formats now, or the given seconds since 1970.
func strftimeFilter(c *jinja.Call, in any) (any, error) {
	a := take(c, "second", "utc")
	t := time.Now()
	if v := a.value("second", nil); v != nil {
		sec, ok := number(v)
		if !ok {
			return nil, refuse(c, "invalid value for epoch value (%s)", jinja.Str(v))
		}
		t = time.Unix(int64(sec), int64((sec-float64(int64(sec)))*1e9))
	}
	if a.flag("utc", false) {
		t = t.UTC()
	}
	return strftime(jinja.Str(in), t), a.err
}

func pad(n, width int) string {
	s := strconv.Itoa(n)
	return strings.Repeat("0", max(0, width-len(s))) + s
}

// timeFormats are directives of strftime that Go's layouts can express.
var timeFormats = map[byte]string{
	'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'h': "Jan", 'd': "02", 'e': "_2", 'm': "01", 'y': "06", 'Y': "2006",
	'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM", 'P': "pm", 'z': "-0700", 'Z': "MST",
	'c': "Mon Jan _2 15:04:05 2006", 'x': "01/02/06", 'X': "15:04:05", 'D': "01/02/06", 'F': "2006-01-02",
	'T': "15:04:05", 'R': "15:04", 'r': "03:04:05 PM",
}

// strftime formats as C does in the C locale.
func strftime(format string, t time.Time) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		flag := byte(0)
		if strings.IndexByte("-_0^#", format[i]) >= 0 && i+1 < len(format) {
			flag = format[i]
			i++
		}
		b.WriteString(flagged(flag, timeField(format[i], t)))
	}
	return b.String()
}

// flagged applies one of the C library's flags to a field: no padding, blanks
// or zeros for it, capitals.
func flagged(flag byte, s string) string {
	if s == "" {
		return s
	}
	head, last := s[:len(s)-1], s[len(s)-1:]
	bare := strings.TrimLeft(head, "0 ")
	switch flag {
	case '-':
		return bare + last
	case '_':
		return strings.Repeat(" ", len(head)-len(bare)) + bare + last
	case '0':
		return strings.Repeat("0", len(head)-len(bare)) + bare + last
	case '^', '#':
		return strings.ToUpper(s)
	}
	return s
}

func timeField(directive byte, t time.Time) string {
	if layout, ok := timeFormats[directive]; ok {
		return t.Format(layout)
	}
	year, week := t.ISOWeek()
	weekday := int(t.Weekday())
	switch directive {
	case '%':
		return "%"
	case 'n':
		return "\n"
	case 't':
		return "\t"
	case 's':
		return strconv.FormatInt(t.Unix(), 10)
	case 'f':
		return pad(t.Nanosecond()/1000, 6)
	case 'j':
		return pad(t.YearDay(), 3)
	case 'w':
		return strconv.Itoa(weekday)
	case 'u':
		return strconv.Itoa((weekday+6)%7 + 1)
	case 'G':
		return strconv.Itoa(year)
	case 'g':
		return pad(year%100, 2)
	case 'V':
		return pad(week, 2)
	case 'U':
		return pad((t.YearDay()+6-weekday)/7, 2)
	case 'W':
		return pad((t.YearDay()+6-(weekday+6)%7)/7, 2)
	case 'C':
		return pad(t.Year()/100, 2)
	case 'k':
		return strings.Replace(pad(t.Hour(), 2), "0", " ", 1-min(1, t.Hour()/10))
	case 'l':
		return strings.TrimPrefix(t.Format("_3"), "_")
	}
	return "%" + string(directive)
}

// toDatetime reads a time in the given format of strptime.
func toDatetime(c *jinja.Call, in any) (any, error) {
	a := take(c, "format")
	format := a.str("format", "%Y-%m-%d %H:%M:%S")
	if a.err != nil {
		return nil, a.err
	}
	text, ok := in.(string)
	if !ok {
		return nil, refuse(c, "needs text, not %s", jinja.TypeName(in))
	}
	t, err := strptime(text, format)
	if err != nil {
		return nil, refuse(c, "time data %s and format %s: %v", jinja.Repr(in), jinja.Repr(format), err)
	}
	return t, nil
}
