package template

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

var urlFilters = map[string]jinja.Filter{
	"urlsplit":  urlSplit,
	"urldecode": onText(urlDecode),
}

// urlSplit takes a URL apart; with an argument it gives one part.
func urlSplit(c *jinja.Call, in any) (any, error) {
	a := take(c, "query")
	want := a.str("query", "")
	if a.err != nil {
		return nil, a.err
	}
	text, ok := in.(string)
	if !ok {
		return nil, refuse(c, "needs text, not %s", jinja.TypeName(in))
	}
	parts := splitURL(text)
	if netloc, _ := parts.Get("netloc"); badPort.MatchString(netloc.(string)) {
		return nil, refuse(c, "the port of %s is no number", short(text))
	}
	if want == "" {
		return parts, nil
	}
	v, ok := parts.Get(want)
	if !ok {
		known := make([]string, 0, parts.Len())
		for _, k := range parts.Keys() {
			known = append(known, k.(string))
		}
		return nil, refuse(c, "unknown URL component %q", want).(*fault.Error).WithHint("known: %s", strings.Join(known, ", "))
	}
	return v, nil
}

var badPort = regexp.MustCompile(`:[^]:]*[^]:0-9][^]:]*$`)

// splitURL is Python's urlsplit, which never fails and keeps all as written.
func splitURL(s string) *jinja.Dict {
	var scheme, netloc, query, fragment string
	if i := strings.IndexByte(s, ':'); i > 0 && strings.Trim(strings.ToLower(s[:i]), "abcdefghijklmnopqrstuvwxyz0123456789+-.") == "" &&
		(s[0] < '0' || s[0] > '9') {
		scheme, s = strings.ToLower(s[:i]), s[i+1:]
	}
	if strings.HasPrefix(s, "//") {
		end := strings.IndexAny(s[2:], "/?#")
		if end < 0 {
			end = len(s) - 2
		}
		netloc, s = s[2:2+end], s[2+end:]
	}
	s, fragment, _ = strings.Cut(s, "#")
	s, query, _ = strings.Cut(s, "?")
	var user, password, host, port any
	address := netloc
	if i := strings.LastIndexByte(netloc, '@'); i >= 0 {
		u, p, hasPassword := strings.Cut(netloc[:i], ":")
		user, address = u, netloc[i+1:]
		if hasPassword {
			password = p
		}
	}
	name, number := address, ""
	if strings.HasPrefix(address, "[") {
		name, number, _ = strings.Cut(address[1:], "]")
		number = strings.TrimPrefix(number, ":")
	} else {
		name, number, _ = strings.Cut(address, ":")
	}
	if name != "" {
		host = strings.ToLower(name)
	}
	if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		port = n
	}
	return jinja.NewDict("fragment", fragment, "hostname", host, "netloc", netloc, "password", password, "path", s,
		"port", port, "query", query, "scheme", scheme, "username", user)
}

// urlDecode turns + and %xx back; what is no escape stays.
func urlDecode(s string) string {
	if out, err := url.QueryUnescape(s); err == nil {
		return out
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		if s[i] == '+' {
			b.WriteByte(' ')
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
