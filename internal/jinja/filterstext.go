package jinja

import (
	"regexp"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"mageprov/internal/fault"
)

var textFilters = map[string]Filter{
	"upper": onText(upper), "lower": onText(strings.ToLower), "capitalize": onText(capitalize),
	"title": onText(filterTitle), "trim": filterTrim, "center": filterCenter, "replace": filterReplace,
	"format": filterFormat, "indent": filterIndent, "truncate": filterTruncate, "wordcount": filterWordcount,
	"wordwrap": filterWordwrap, "string": func(c *Call, v any) (any, error) { return Str(v), c.bind().err },
	"safe":   func(c *Call, v any) (any, error) { return Str(v), c.bind().err },
	"pprint": func(c *Call, v any) (any, error) { return Repr(sorted(v)), c.bind().err },
}

// onText makes a filter of a function; other values are taken as their text.
func onText(f func(string) string) Filter {
	return func(c *Call, v any) (any, error) { return f(Str(v)), c.bind().err }
}

// filterTitle starts words with a capital and keeps apostrophes within words.
func filterTitle(s string) string {
	var b strings.Builder
	start := true
	for _, r := range s {
		if start {
			b.WriteRune(unicode.ToTitle(r))
		} else {
			b.WriteRune(unicode.ToLower(r))
		}
		start = unicode.IsSpace(r) || strings.ContainsRune("-({[<", r)
	}
	return b.String()
}

func filterTrim(c *Call, v any) (any, error) {
	p := c.bind("chars")
	chars := pySpace
	if p.any(0, nil) != nil {
		chars = p.str(0, "")
	}
	return strings.Trim(Str(v), chars), p.err
}

func filterCenter(c *Call, v any) (any, error) {
	p := c.bind("width")
	width := p.int(0, 80)
	if width > maxWidth {
		return nil, errTooLarge("text")
	}
	return pad(Str(v), width, " ", 0), p.err
}

func filterReplace(c *Call, v any) (any, error) {
	p := c.bind("old", "new", "count")
	p.need(2)
	count := -1
	if p.any(2, nil) != nil {
		count = p.int(2, -1)
	}
	return replaceText(Str(v), Str(p.any(0, "")), Str(p.any(1, "")), count, p.err)
}

func filterFormat(c *Call, v any) (any, error) {
	if len(c.Args) > 0 && len(c.Kwargs) > 0 {
		return nil, fault.New("format takes positional or keyword arguments, not both")
	}
	if len(c.Kwargs) == 0 {
		return formatPercent(Str(v), Tuple(c.Args))
	}
	d := &Dict{}
	for _, k := range c.Kwargs {
		d.Set(k.Name, k.Value)
	}
	return formatPercent(Str(v), d)
}

func filterIndent(c *Call, v any) (any, error) {
	p := c.bind("width", "first", "blank")
	s, ok := v.(string)
	if !ok {
		return nil, fault.New("indent needs text, not %s", TypeName(v)).WithHint("put | string before it")
	}
	by := ""
	if w, ok := p.any(0, int64(4)).(string); ok {
		by = w
	} else if n := p.int(0, 4); n > maxWidth {
		return nil, errTooLarge("text")
	} else if n > 0 {
		by = strings.Repeat(" ", n)
	}
	first, blank := p.bool(1, false), p.bool(2, false)
	if p.err != nil {
		return nil, p.err
	}
	if len(by)*(1+strings.Count(s, "\n")) > maxString {
		return nil, errTooLarge("text")
	}
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if i > 0 && (blank || line != "") {
			lines[i] = by + line
		}
	}
	out := strings.Join(lines, "\n")
	if first {
		out = by + out
	}
	return out, nil
}

func filterTruncate(c *Call, v any) (any, error) {
	p := c.bind("length", "killwords", "end", "leeway")
	n, kill, end, leeway := p.int(0, 255), p.bool(1, false), p.str(2, "..."), 5
	if p.any(3, nil) != nil {
		leeway = p.int(3, 5)
	}
	s, ok := v.(string)
	if !ok {
		return nil, fault.New("truncate needs text, not %s", TypeName(v)).WithHint("put | string before it")
	}
	r := []rune(s)
	keep := n - utf8.RuneCountInString(end)
	if keep < 0 && p.err == nil {
		return nil, fault.New("truncate: expected length >= %d, got %d", utf8.RuneCountInString(end), n)
	}
	if len(r) <= n+leeway || p.err != nil {
		return string(r), p.err
	}
	s = string(r[:keep])
	if !kill {
		if i := strings.LastIndexByte(s, ' '); i >= 0 {
			s = s[:i]
		}
	}
	return s + end, nil
}

var wordPattern = regexp.MustCompile(`[\pL\pN_]+`)

func filterWordcount(c *Call, v any) (any, error) {
	return int64(len(wordPattern.FindAllStringIndex(Str(v), -1))), c.bind().err
}

// filterWordwrap breaks lines at blanks, long words too if asked.
func filterWordwrap(c *Call, v any) (any, error) {
	p := c.bind("width", "break_long_words", "wrapstring", "break_on_hyphens")
	width, breakLong, wrap := p.int(0, 79), p.bool(1, true), "\n"
	hyphens := p.bool(3, true)
	if p.any(2, nil) != nil {
		wrap = p.str(2, "\n")
	}
	if p.err == nil && width <= 0 {
		p.err = fault.New("wordwrap: width must be greater than 0")
	}
	if p.err != nil {
		return nil, p.err
	}
	var lines []string
	for _, line := range strings.Split(Str(v), "\n") {
		lines = append(lines, strings.Join(wrapLine(line, width, breakLong, hyphens), wrap))
	}
	return strings.Join(lines, wrap), nil
}

// wrapLine fills lines with words; a hyphen within a word ends a chunk.
func wrapLine(s string, width int, breakLong, hyphens bool) []string {
	var out []string
	cur := ""
	flush := func() {
		if t := strings.TrimRight(cur, " "); t != "" {
			out = append(out, t)
		}
		cur = ""
	}
	for _, chunk := range chunks(s, hyphens) {
		n := utf8.RuneCountInString(chunk)
		if cur == "" && len(out) > 0 && strings.TrimSpace(chunk) == "" {
			continue
		}
		if utf8.RuneCountInString(cur)+n <= width {
			cur += chunk
			continue
		}
		if n <= width || !breakLong {
			flush()
			if strings.TrimSpace(chunk) != "" {
				cur = chunk
			}
			continue
		}
		r := []rune(chunk)
		for len(r) > 0 {
			room := width - utf8.RuneCountInString(cur)
			if room <= 0 {
				flush()
				room = width
			}
			k := min(room, len(r))
			cur += string(r[:k])
			r = r[k:]
		}
	}
	flush()
	return out
}

// chunks cuts a line into words, blanks, and parts of hyphenated words.
func chunks(s string, hyphens bool) []string {
	var out []string
	start := 0
	for i, r := range s {
		if i == start {
			continue
		}
		prev := s[i-1]
		blank := unicode.IsSpace(r)
		if blank != (prev == ' ' || prev == '\t') || hyphens && prev == '-' && i-2 >= start && unicode.IsLetter(r) {
			out = append(out, s[start:i])
			start = i
		}
	}
	if start < len(s) {
		out = append(out, s[start:])
	}
	return out
}

// sorted copies v with the keys of dictionaries in order, as pprint shows them.
// Keys that do not compare stay where they are.
func sorted(v any) any {
	switch v := v.(type) {
	case *List:
		out := &List{Items: make([]any, len(v.Items))}
		for i, x := range v.Items {
			out.Items[i] = sorted(x)
		}
		return out
	case *Dict:
		keys, ok := append([]any{}, v.keys...), true
		sort.SliceStable(keys, func(i, j int) bool {
			n, err := Compare(keys[i], keys[j])
			ok = ok && err == nil
			return n < 0
		})
		if !ok {
			return v
		}
		out := NewDict()
		for _, k := range keys {
			x, _ := v.Get(k)
			out.Set(k, sorted(x))
		}
		return out
	}
	return v
}
