package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"mageprov/internal/fault"
)

// pySpace is what Python's str.strip removes.
const pySpace = " \t\n\r\f\v\x1c\x1d\x1e\x1f\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"

// strMethods are the methods of text. Those that change nothing but the text
// share one shape, see plain.
var strMethods map[string]methodFunc

func init() {
	strMethods = map[string]methodFunc{
		"upper": plain(upper), "lower": plain(strings.ToLower), "casefold": plain(foldCase),
		"title": plain(titleCase), "capitalize": plain(capitalize), "swapcase": plain(swapCase),
		"strip":  stripper(strings.Trim),
		"lstrip": stripper(strings.TrimLeft), "rstrip": stripper(strings.TrimRight),
		"split": strSplit, "rsplit": strRsplit, "splitlines": strSplitlines,
		"partition": strPartition, "rpartition": strRpartition,
		"join": strJoin, "replace": strReplace, "format": strFormat, "format_map": strFormatMap,
		"startswith": affix(strings.HasPrefix), "endswith": affix(strings.HasSuffix),
		"removeprefix": trimAffix(strings.TrimPrefix), "removesuffix": trimAffix(strings.TrimSuffix),
		"find": finder(strings.Index, false), "rfind": finder(strings.LastIndex, false),
		"index": finder(strings.Index, true), "rindex": finder(strings.LastIndex, true), "count": strCount,
		"ljust": justify(-1), "rjust": justify(1), "center": justify(0), "zfill": strZfill, "expandtabs": strExpandtabs,
		"isdigit": all(unicode.IsDigit), "isdecimal": all(unicode.IsDigit), "isnumeric": all(unicode.IsNumber),
		"isalpha": all(unicode.IsLetter), "isspace": all(unicode.IsSpace),
		"isalnum": all(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }),
		"isupper": cased(unicode.IsUpper, unicode.IsLower), "islower": cased(unicode.IsLower, unicode.IsUpper),
		"istitle": func(c *Call, self any) (any, error) {
			s := self.(string)
			return strings.IndexFunc(s, unicode.IsLetter) >= 0 && titleCase(s) == s, nil
		},
		"encode": recode, "decode": recode,
		"isidentifier": func(c *Call, self any) (any, error) { return isIdentifier(self.(string)), nil },
		"isascii": func(c *Call, self any) (any, error) {
			return len(self.(string)) == length(self) || isASCII(self.(string)), nil
		},
	}
}

func plain(f func(string) string) methodFunc {
	return func(c *Call, self any) (any, error) {
		p := c.bind()
		return f(self.(string)), p.err
	}
}

// upper knows the one letter that grows in capitals.
func upper(s string) string { return strings.ToUpper(strings.ReplaceAll(s, "ß", "SS")) }

func foldCase(s string) string { return strings.ToLower(strings.ReplaceAll(s, "ß", "ss")) }

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func isIdentifier(s string) bool {
	for i, r := range s {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return false
		}
	}
	return s != ""
}

// titleCase starts every run of letters with a capital.
func titleCase(s string) string {
	inWord := false
	return strings.Map(func(r rune) rune {
		was := inWord
		inWord = unicode.IsLetter(r)
		if was {
			return unicode.ToLower(r)
		}
		return unicode.ToTitle(r)
	}, s)
}

func capitalize(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToTitle(r)) + strings.ToLower(s[n:])
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsUpper(r) {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, s)
}

func all(is func(rune) bool) methodFunc {
	return func(_ *Call, self any) (any, error) {
		for _, r := range self.(string) {
			if !is(r) {
				return false, nil
			}
		}
		return self.(string) != "", nil
	}
}

func cased(want, other func(rune) bool) methodFunc {
	return func(_ *Call, self any) (any, error) {
		found := false
		for _, r := range self.(string) {
			if other(r) {
				return false, nil
			}
			found = found || want(r)
		}
		return found, nil
	}
}

func stripper(trim func(string, string) string) methodFunc {
	return func(c *Call, self any) (any, error) {
		p := c.bind("chars")
		chars := pySpace
		if p.any(0, nil) != nil {
			chars = p.str(0, "")
		}
		return trim(self.(string), chars), p.err
	}
}

func strList(parts []string) *List {
	l := &List{Items: make([]any, len(parts))}
	for i, s := range parts {
		l.Items[i] = s
	}
	return l
}

// splitArgs reads sep and maxsplit.
func splitArgs(c *Call) (sep string, words bool, most int, err error) {
	p := c.bind("sep", "maxsplit")
	words = p.any(0, nil) == nil
	if !words {
		if sep = p.str(0, ""); sep == "" {
			p.keep(fault.New("empty separator"))
		}
	}
	if most = p.int(1, -1); most < 0 {
		most = -1
	}
	return sep, words, most, p.err
}

func strSplit(c *Call, self any) (any, error) {
	sep, words, most, err := splitArgs(c)
	if err != nil {
		return nil, err
	}
	s := self.(string)
	if !words {
		if most >= 0 {
			most++
		}
		return strList(strings.SplitN(s, sep, most)), nil
	}
	out := []string{}
	for s = strings.TrimLeft(s, pySpace); s != ""; s = strings.TrimLeft(s, pySpace) {
		i := strings.IndexAny(s, pySpace)
		if i < 0 || most >= 0 && len(out) == most {
			if i < 0 || most < 0 {
				i = len(s)
			} else {
				out = append(out, s)
				break
			}
		}
		out = append(out, s[:i])
		s = s[i:]
	}
	return strList(out), nil
}

func strRsplit(c *Call, self any) (any, error) {
	sep, words, most, err := splitArgs(c)
	if err != nil {
		return nil, err
	}
	s, out := self.(string), []string{}
	if words {
		s = strings.TrimRight(s, pySpace)
	}
	for words && s != "" || !words {
		i, n := strings.LastIndex(s, sep), len(sep)
		if words {
			i = strings.LastIndexAny(s, pySpace)
			if i >= 0 {
				_, n = utf8.DecodeRuneInString(s[i:])
			}
		}
		if i < 0 || most >= 0 && len(out) == most {
			if words {
				s = strings.TrimLeft(s, pySpace)
			}
			out = append(out, s)
			break
		}
		out = append(out, s[i+n:])
		s = s[:i]
		if words {
			s = strings.TrimRight(s, pySpace)
		}
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return strList(out), nil
}

func strSplitlines(c *Call, self any) (any, error) {
	p := c.bind("keepends")
	keep := p.bool(0, false)
	out := []string{}
	s := self.(string)
	for s != "" {
		i := strings.IndexAny(s, "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029")
		if i < 0 {
			out = append(out, s)
			break
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		if strings.HasPrefix(s[i:], "\r\n") {
			n = 2
		}
		if keep {
			out = append(out, s[:i+n])
		} else {
			out = append(out, s[:i])
		}
		s = s[i+n:]
	}
	return strList(out), p.err
}

func strPartition(c *Call, self any) (any, error) {
	p := c.bind("sep")
	p.need(1)
	a, b, ok := strings.Cut(self.(string), p.str(0, ""))
	if !ok {
		return Tuple{a, "", ""}, p.err
	}
	return Tuple{a, p.str(0, ""), b}, p.err
}

func strRpartition(c *Call, self any) (any, error) {
	p := c.bind("sep")
	p.need(1)
	s, sep := self.(string), p.str(0, "")
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return Tuple{"", "", s}, p.err
	}
	return Tuple{s[:i], sep, s[i+len(sep):]}, p.err
}

func strJoin(c *Call, self any) (any, error) {
	p := c.bind("iterable")
	p.need(1)
	if p.err != nil {
		return nil, p.err
	}
	items, err := Iterate(c.Ctx, p.any(0, nil))
	if err != nil {
		return nil, err
	}
	parts := make([]string, len(items))
	for i, x := range items {
		s, ok := x.(string)
		if !ok {
			return nil, fault.New("sequence item %d: expected str instance, %s found", i, TypeName(x))
		}
		parts[i] = s
	}
	return joinParts(parts, self.(string))
}

func joinParts(parts []string, sep string) (any, error) {
	n := 0
	for _, s := range parts {
		n += len(s) + len(sep)
	}
	if n > maxString {
		return nil, errTooLarge("text")
	}
	return strings.Join(parts, sep), nil
}

func strReplace(c *Call, self any) (any, error) {
	p := c.bind("old", "new", "count")
	p.need(2)
	return replaceText(self.(string), p.str(0, ""), p.str(1, ""), p.int(2, -1), p.err)
}

func replaceText(s, old, repl string, count int, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	if len(repl) > len(old) && strings.Count(s, old)*(len(repl)-len(old)) > maxString {
		return nil, errTooLarge("text")
	}
	return strings.Replace(s, old, repl, count), nil
}

func affix(has func(string, string) bool) methodFunc {
	return func(c *Call, self any) (any, error) {
		p := c.bind("affix", "start", "end")
		p.need(1)
		s := cut(self.(string), p, 1)
		if t, ok := p.any(0, nil).(Tuple); ok {
			for _, x := range t {
				if x, ok := x.(string); ok && has(s, x) {
					return true, p.err
				}
			}
			return false, p.err
		}
		return has(s, p.str(0, "")), p.err
	}
}

// cut applies the start and end arguments at i and i+1.
func cut(s string, p *params, i int) string {
	if p.any(i, nil) == nil && p.any(i+1, nil) == nil {
		return s
	}
	r := []rune(s)
	lo, hi := int64(p.int(i, 0)), int64(len(r))
	if p.any(i+1, nil) != nil {
		hi = int64(p.int(i+1, 0))
	}
	from, n, _, _ := sliceRange(len(r), [3]*int64{&lo, &hi, nil})
	return string(r[from : from+n])
}

func trimAffix(trim func(string, string) string) methodFunc {
	return func(c *Call, self any) (any, error) {
		p := c.bind("affix")
		p.need(1)
		return trim(self.(string), p.str(0, "")), p.err
	}
}

func finder(find func(string, string) int, must bool) methodFunc {
	return func(c *Call, self any) (any, error) {
		p := c.bind("sub", "start", "end")
		p.need(1)
		s := self.(string)
		part := cut(s, p, 1)
		i := find(part, p.str(0, ""))
		if i < 0 {
			if must && p.err == nil {
				p.err = fault.New("substring not found")
			}
			return int64(-1), p.err
		}
		n := utf8.RuneCountInString(part[:i])
		if start := p.int(1, 0); start > 0 {
			n += start
		} else if start < 0 {
			n += max(0, length(s)+start)
		}
		return int64(n), p.err
	}
}

func strCount(c *Call, self any) (any, error) {
	p := c.bind("sub", "start", "end")
	p.need(1)
	return int64(strings.Count(cut(self.(string), p, 1), p.str(0, ""))), p.err
}

// justify pads on the right (-1), on both sides (0), on the left (1).
func justify(side int) methodFunc {
	return func(c *Call, self any) (any, error) {
		p := c.bind("width", "fillchar")
		p.need(1)
		width, fill := p.int(0, 0), p.str(1, " ")
		if p.err == nil && utf8.RuneCountInString(fill) != 1 {
			p.err = fault.New("the fill character must be exactly one character long")
		}
		if p.err != nil {
			return nil, p.err
		}
		if width > maxString {
			return nil, errTooLarge("text")
		}
		return pad(self.(string), width, fill, side), nil
	}
}

func pad(s string, width int, fill string, side int) string {
	n := width - utf8.RuneCountInString(s)
	if n <= 0 {
		return s
	}
	left := 0
	switch side {
	case 1:
		left = n
	case 0:
		left = n/2 + n&width&1
	}
	return strings.Repeat(fill, left) + s + strings.Repeat(fill, n-left)
}

func strZfill(c *Call, self any) (any, error) {
	p := c.bind("width")
	p.need(1)
	s, width := self.(string), p.int(0, 0)
	if width > maxString {
		return nil, errTooLarge("text")
	}
	if s != "" && (s[0] == '-' || s[0] == '+') {
		return s[:1] + pad(s[1:], width-1, "0", 1), p.err
	}
	return pad(s, width, "0", 1), p.err
}

func strExpandtabs(c *Call, self any) (any, error) {
	p := c.bind("tabsize")
	size, col := p.int(0, 8), 0
	if size > 1000 {
		return nil, errTooLarge("text")
	}
	var b strings.Builder
	for _, r := range self.(string) {
		switch {
		case r == '\t' && size > 0:
			n := size - col%size
			b.WriteString(strings.Repeat(" ", n))
			col += n
		case r == '\t':
		case r == '\n' || r == '\r':
			b.WriteRune(r)
			col = 0
		default:
			b.WriteRune(r)
			col++
		}
	}
	return b.String(), p.err
}
