package jinja

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"mageprov/internal/fault"
)

// strFormat is str.format: {} {0} {name.attr[key]!r:>10}.
func strFormat(c *Call, self any) (any, error) {
	if err := c.settle(); err != nil {
		return nil, err
	}
	f := &formatter{c: c}
	s, err := f.run(self.(string), 0)
	return s, err
}

func strFormatMap(c *Call, self any) (any, error) {
	p := c.bind("mapping")
	p.need(1)
	d, ok := p.any(0, nil).(*Dict)
	if p.err == nil && !ok {
		p.wrong(0, "a mapping")
	}
	if p.err != nil {
		return nil, p.err
	}
	sub := *c
	sub.Args, sub.Kwargs = nil, nil
	for k, v := range d.All() {
		sub.Kwargs = append(sub.Kwargs, Kwarg{Str(k), v})
	}
	return strFormat(&sub, self)
}

type formatter struct {
	c    *Call
	next int
}

func (f *formatter) run(s string, depth int) (string, error) {
	if depth > 1 {
		return "", fault.New("format: nested too deeply")
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case b.Len() > maxString:
			return "", errTooLarge("text")
		case s[i] == '{' && i+1 < len(s) && s[i+1] == '{', s[i] == '}' && i+1 < len(s) && s[i+1] == '}':
			b.WriteByte(s[i])
			i++
		case s[i] == '}':
			return "", fault.New("single '}' encountered in format string")
		case s[i] == '{':
			end, open := i+1, 1
			for ; end < len(s) && open > 0; end++ {
				switch s[end] {
				case '{':
					open++
				case '}':
					open--
				}
			}
			if open > 0 {
				return "", fault.New("single '{' encountered in format string")
			}
			text, err := f.field(s[i+1:end-1], depth)
			if err != nil {
				return "", err
			}
			b.WriteString(text)
			i = end - 1
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), nil
}

func (f *formatter) field(s string, depth int) (string, error) {
	name, sp, _ := strings.Cut(s, ":")
	name, conv, converted := strings.Cut(name, "!")
	v, err := f.value(name)
	if err != nil {
		return "", err
	}
	switch {
	case conv == "r" || conv == "a":
		v = Repr(v)
	case conv == "s":
		v = Str(v)
	case converted:
		return "", fault.New("format: unknown conversion '%s'", conv)
	}
	if strings.Contains(sp, "{") {
		if sp, err = f.run(sp, depth+1); err != nil {
			return "", err
		}
	}
	return formatSpec(v, sp)
}

// value finds what a field names.
func (f *formatter) value(name string) (any, error) {
	i := strings.IndexAny(name, ".[")
	rest := ""
	if i >= 0 {
		name, rest = name[:i], name[i:]
	}
	var v any
	n, err := strconv.Atoi(name)
	if name == "" {
		n, err = f.next, nil
		f.next++
	}
	if err == nil {
		if n < 0 || n >= len(f.c.Args) {
			return nil, fault.New("replacement index %d out of range for positional args", n)
		}
		v = f.c.Args[n]
	} else {
		found := false
		for _, k := range f.c.Kwargs {
			if k.Name == name {
				v, found = k.Value, true
			}
		}
		if !found {
			return nil, fault.New("format: no argument '%s'", name)
		}
	}
	return f.path(v, rest)
}

func (f *formatter) path(v any, rest string) (any, error) {
	for rest != "" {
		var err error
		if rest[0] == '.' {
			end := strings.IndexAny(rest[1:], ".[")
			if end < 0 {
				end = len(rest) - 1
			}
			v, err = GetAttr(f.c.Ctx, v, rest[1:1+end])
			rest = rest[1+end:]
		} else {
			end := strings.IndexByte(rest, ']')
			if end < 0 {
				return nil, fault.New("expected ']' in format string")
			}
			var key any = rest[1:end]
			if n, err := strconv.ParseInt(rest[1:end], 10, 64); err == nil {
				key = n
			}
			v, err = GetItem(f.c.Ctx, v, key)
			rest = rest[end+1:]
			if rest != "" && rest[0] != '.' && rest[0] != '[' {
				return nil, fault.New("only '.' or '[' may follow ']' in a format field")
			}
		}
		if err != nil {
			return nil, err
		}
		if u, ok := v.(*Undefined); ok {
			return nil, u.raise()
		}
	}
	return v, nil
}

// formatSpec is Python's format(v, spec).
func formatSpec(v any, text string) (string, error) {
	if text == "" {
		return Str(v), nil
	}
	f, err := parseSpec(text)
	if err != nil {
		return "", err
	}
	switch v := v.(type) {
	case string:
		if f.verb != 0 && f.verb != 's' {
			return "", fault.New("unknown format code '%c' for object of type 'str'", f.verb)
		}
		if f.sign != 0 || f.comma != 0 || f.align == '=' || f.alt {
			return "", fault.New("sign, comma, '=' and '#' do not go with text in a format specifier")
		}
		if f.zero && f.align == 0 {
			f.fill, f.align = "0", '<'
		}
		return f.text(v), nil
	case float64:
		if strings.IndexByte("dboxXcs", f.verb) >= 0 && f.verb != 0 {
			return "", fault.New("unknown format code '%c' for object of type 'float'", f.verb)
		}
		if f.verb == 'n' {
			f.verb = 'g'
		}
		return f.number(v)
	}
	if !isNumber(v) {
		return "", fault.New("unsupported format string passed to %s", TypeName(v))
	}
	if _, isBool := v.(bool); isBool && f.verb == 0 {
		f.verb = 'd'
	}
	if f.verb == 0 {
		f.verb = 'd'
	}
	if f.verb == 's' {
		return "", fault.New("unknown format code 's' for object of type 'int'")
	}
	return f.number(v)
}

// parseSpec reads [[fill]align][sign][#][0][width][,][.precision][type].
func parseSpec(s string) (spec, error) {
	f := spec{precision: -1}
	isAlign := func(c byte) bool { return c == '<' || c == '>' || c == '^' || c == '=' }
	_, n := utf8.DecodeRuneInString(s)
	if len(s) > n && isAlign(s[n]) {
		f.fill, f.align, s = s[:n], s[n], s[n+1:]
	} else if isAlign(s[0]) {
		f.align, s = s[0], s[1:]
	}
	take := func(set string) byte {
		if s != "" && strings.IndexByte(set, s[0]) >= 0 {
			c := s[0]
			s = s[1:]
			return c
		}
		return 0
	}
	number := func() int {
		n := 0
		for s != "" && isDigit(s[0]) {
			n = min(n*10+int(s[0]-'0'), maxWidth+1)
			s = s[1:]
		}
		return n
	}
	f.sign = take("+- ")
	f.alt = take("#") != 0
	f.zero = take("0") != 0
	f.width = number()
	f.comma = take(",_")
	if take(".") != 0 {
		if s == "" || !isDigit(s[0]) {
			return f, fault.New("format specifier missing precision")
		}
		f.precision = number()
	}
	f.verb = take("bcdeEfFgGnosxX%")
	if s != "" {
		return f, fault.New("invalid format specifier")
	}
	if f.width > maxWidth || f.precision > maxWidth {
		return f, errTooLarge("text")
	}
	return f, nil
}
