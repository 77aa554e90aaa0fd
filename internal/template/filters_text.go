package template

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

var textFilters = map[string]jinja.Filter{
	"bool":           boolFilter,
	"comment":        comment,
	"quote":          quote,
	"split":          split,
	"ternary":        ternary,
	"mandatory":      mandatory,
	"type_debug":     func(_ *jinja.Call, in any) (any, error) { return typeDebug(in), nil },
	"human_readable": humanReadable,
	"human_to_bytes": humanToBytes,
}

// boolFilter is lenient as Ansible's: what is no word for true is false.
func boolFilter(c *jinja.Call, in any) (any, error) {
	if a := take(c); a.err != nil {
		return nil, a.err
	}
	switch v := in.(type) {
	case nil, bool:
		return v, nil
	case string:
		switch strings.ToLower(v) {
		case "yes", "on", "1", "true":
			return true, nil
		}
		return false, nil
	}
	return jinja.Equal(in, int64(1)), nil
}

// commentStyle is how a kind of file writes comments.
type commentStyle struct{ decoration, beginning, end string }

var commentStyles = map[string]commentStyle{
	"plain":  {decoration: "# "},
	"erlang": {decoration: "% "},
	"c":      {decoration: "// "},
	"cblock": {decoration: " * ", beginning: "/*", end: " */"},
	"xml":    {decoration: " - ", beginning: "<!--", end: "-->"},
}

// comment makes a comment block of a text.
func comment(c *jinja.Call, in any) (any, error) {
	a := take(c, "style", "newline", "beginning", "prefix", "prefix_count", "decoration", "postfix", "postfix_count", "end")
	style, ok := commentStyles[a.str("style", "plain")]
	if !ok {
		return nil, refuse(c, "unknown style %q", a.str("style", "")).(*fault.Error).
			WithHint("known: plain, erlang, c, cblock, xml")
	}
	newline := a.str("newline", "\n")
	decoration := a.str("decoration", style.decoration)
	bare := strings.TrimRight(decoration, " \t")
	prefix, postfix := a.str("prefix", bare), a.str("postfix", bare)
	prefixes, postfixes := a.num("prefix_count", 1), a.num("postfix_count", 1)
	beginning, end := a.str("beginning", style.beginning), a.str("end", style.end)
	if a.err != nil {
		return nil, a.err
	}
	text, ok := in.(string)
	if !ok {
		return nil, refuse(c, "needs text, not %s", jinja.TypeName(in))
	}
	var b strings.Builder
	if beginning != "" {
		b.WriteString(beginning + newline)
	}
	if prefix != "" {
		b.WriteString(strings.Repeat(prefix+newline, max(0, prefixes)))
	}
	body := decoration + strings.ReplaceAll(text, newline, newline+decoration)
	b.WriteString(strings.ReplaceAll(body, decoration+newline, bare+newline))
	b.WriteString(strings.Repeat(newline+postfix, max(0, postfixes)))
	if end != "" {
		b.WriteString(newline + end)
	}
	return b.String(), nil
}

// quote makes one word of a POSIX shell.
func quote(c *jinja.Call, in any) (any, error) {
	if in == nil {
		in = ""
	}
	return shellWord(jinja.Str(in)), nil
}

func shellWord(s string) string {
	plain := func(r rune) bool {
		return r < 128 && isWordByte(byte(r)) || strings.ContainsRune("@%+=:,./-", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'"
}

func split(c *jinja.Call, in any) (any, error) {
	if _, ok := in.(string); !ok {
		return nil, refuse(c, "needs text, not %s", jinja.TypeName(in))
	}
	m, err := jinja.GetAttr(c.Ctx, in, "split")
	if err != nil {
		return nil, err
	}
	return m.(jinja.Callable).Call(c)
}

func ternary(c *jinja.Call, in any) (any, error) {
	a := take(c, "true_val", "false_val", "none_val")
	a.need("true_val", "false_val")
	if a.err != nil {
		return nil, a.err
	}
	if none := a.value("none_val", nil); in == nil && none != nil {
		return none, nil
	}
	if jinja.Truth(in) {
		return a.vals["true_val"], nil
	}
	return a.vals["false_val"], nil
}

func mandatory(c *jinja.Call, in any) (any, error) {
	a := take(c, "msg")
	msg := a.str("msg", "")
	if a.err != nil {
		return nil, a.err
	}
	u, ok := in.(*jinja.Undefined)
	switch {
	case !ok:
		return in, nil
	case msg != "":
		return nil, fault.At(c.Place, "%s", msg)
	case u.Name != "":
		return nil, fault.At(c.Place, "mandatory variable '%s' not defined", u.Name)
	}
	return nil, fault.At(c.Place, "mandatory variable not defined")
}

func typeDebug(v any) string {
	if _, ok := v.(*jinja.Undefined); ok {
		return "UndefinedMarker"
	}
	return jinja.TypeName(v)
}

// byteUnits are the letters of sizes, greatest first; each is 1024 of the next.
const byteUnits = "YZEPTGMKB"

func unitSize(letter byte) float64 {
	return math.Pow(2, 10*float64(len(byteUnits)-1-strings.IndexByte(byteUnits, letter)))
}

func humanReadable(c *jinja.Call, in any) (any, error) {
	a := take(c, "isbits", "unit")
	bits, unit := a.flag("isbits", false), strings.ToUpper(a.str("unit", ""))
	size, ok := number(in)
	if a.err != nil {
		return nil, a.err
	}
	if _, isText := in.(string); !ok || isText {
		return nil, refuse(c, "cannot interpret %s as a number", jinja.Repr(in))
	}
	base := "Bytes"
	if bits {
		base = "bits"
	}
	for i := range len(byteUnits) {
		letter := byteUnits[i]
		scale := unitSize(letter)
		if letter != 'B' && (unit == "" && size < scale || unit != "" && unit[0] != letter) {
			continue // an unknown unit ends at bytes, too
		}
		name := base
		if letter != 'B' {
			name = string(letter) + base[:1]
		}
		return fmt.Sprintf("%.2f %s", size/scale, name), nil
	}
	return nil, nil // not reached: the loop ends at bytes
}

func humanToBytes(c *jinja.Call, in any) (any, error) {
	a := take(c, "default_unit", "isbits")
	unit, bits := a.str("default_unit", ""), a.flag("isbits", false)
	if a.err != nil {
		return nil, a.err
	}
	s := strings.TrimSpace(jinja.Str(in))
	end := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if end < 0 {
		end = len(s)
	}
	n, err := strconv.ParseFloat(s[:end], 64)
	if err != nil {
		return nil, refuse(c, "cannot interpret %s as a size", short(s))
	}
	if u := strings.TrimSpace(s[end:]); u != "" {
		unit = u
	}
	if unit == "" {
		return int64(math.RoundToEven(n)), nil
	}
	letter := strings.ToUpper(unit)[0]
	if strings.IndexByte(byteUnits, letter) < 0 {
		return nil, refuse(c, "cannot interpret %s as a size: unknown unit %q", short(s), unit)
	}
	rest := unit[1:]
	if letter == 'B' {
		rest = unit
	}
	if !unitSuffix(rest, bits, letter == 'B') {
		return nil, refuse(c, "cannot interpret %s as a size: unit %q does not fit isbits=%v", short(s), unit, bits)
	}
	return int64(math.RoundToEven(n * unitSize(letter))), nil
}

// unitSuffix accepts "", "B", "b", "bytes", "bits" behind the letter of a size,
// as far as they fit what is counted.
func unitSuffix(rest string, bits, whole bool) bool {
	switch word := strings.ToLower(rest); {
	case strings.Contains(word, "byte"): // kilobytes, too
		return !bits
	case strings.Contains(word, "bit"):
		return bits
	case word == "b":
		return whole || (rest == "b") == bits
	default:
		return word == ""
	}
}
