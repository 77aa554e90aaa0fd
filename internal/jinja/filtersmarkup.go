package jinja

import (
	"fmt"
	"html"
	"regexp"
	"strings"

	"mageprov/internal/fault"
)

var markupFilters = map[string]Filter{
	"escape": onText(escapeHTML), "e": onText(escapeHTML), "forceescape": onText(escapeHTML), "striptags": onText(stripTags),
	"urlencode": filterUrlencode, "xmlattr": filterXmlattr, "tojson": filterTojson, "urlize": filterUrlize,
}

var htmlEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&#39;", `"`, "&#34;")

func escapeHTML(s string) string { return htmlEscapes.Replace(s) }

var tagPattern = regexp.MustCompile(`(?s)<!--.*?-->|<[^>]*>`)

func stripTags(s string) string {
	return html.UnescapeString(strings.Join(strings.Fields(tagPattern.ReplaceAllString(s, "")), " "))
}

// quoteURL escapes all but letters, digits, _.-~ and /.
func quoteURL(s string, keepSlash bool) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' || strings.IndexByte("_.-~", c) >= 0 || c == '/' && keepSlash {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

// filterUrlencode quotes text for a path, pairs and mappings for a query.
func filterUrlencode(c *Call, v any) (any, error) {
	if err := c.bind().err; err != nil {
		return nil, err
	}
	var pairs []any
	switch v := v.(type) {
	case *Dict:
		for k, x := range v.All() {
			pairs = append(pairs, Tuple{k, x})
		}
	case *List:
		pairs = v.Items
	case Tuple:
		pairs = v
	default:
		return quoteURL(Str(v), true), nil
	}
	query := func(v any) string { return strings.ReplaceAll(quoteURL(Str(v), false), "%20", "+") }
	parts := make([]string, len(pairs))
	for i, x := range pairs {
		kv, err := Iterate(c.Ctx, x)
		if err != nil {
			return nil, err
		}
		if len(kv) != 2 {
			return nil, fault.New("urlencode needs pairs, got %s", Repr(x))
		}
		parts[i] = query(kv[0]) + "=" + query(kv[1])
	}
	return strings.Join(parts, "&"), nil
}

func filterXmlattr(c *Call, v any) (any, error) {
	p := c.bind("autospace")
	d, ok := v.(*Dict)
	if p.err == nil && !ok {
		p.err = fault.New("xmlattr needs a mapping, not %s", TypeName(v))
	}
	if p.err != nil {
		return nil, p.err
	}
	var parts []string
	for k, x := range d.All() {
		if x == nil || isUndefined(x) {
			continue
		}
		if strings.ContainsAny(Str(k), " \t\n\r\f/>=") {
			return nil, fault.New("invalid character in attribute name: %s", Repr(k))
		}
		parts = append(parts, escapeHTML(Str(k))+`="`+escapeHTML(Str(x))+`"`)
	}
	out := strings.Join(parts, " ")
	if out != "" && p.bool(0, true) {
		out = " " + out
	}
	return out, nil
}

// filterTojson is JSON that is safe inside HTML.
func filterTojson(c *Call, v any) (any, error) {
	p := c.bind("indent")
	o := JSONOptions{SortKeys: true, EnsureASCII: true}
	if p.any(0, nil) != nil {
		o.Indent = min(p.int(0, 0), 100)
	}
	s, err := ToJSON(v, o)
	p.keep(err)
	return strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`, "'", `\u0027`).Replace(s), p.err
}

var urlPattern = regexp.MustCompile(`(?i)\b(?:https?://|www\.)[^\s<>"']+[^\s<>"'.,;:!?)]`)

// filterUrlize makes links of addresses in text.
func filterUrlize(c *Call, v any) (any, error) {
	p := c.bind("trim_url_limit", "nofollow", "target", "rel", "extra_schemes")
	limit := -1
	if p.any(0, nil) != nil {
		limit = p.int(0, -1)
	}
	rel := "noopener"
	if p.bool(1, false) {
		rel = "nofollow noopener"
	}
	attrs := ` rel="` + rel + `"`
	if t, ok := p.any(2, nil).(string); ok {
		attrs += ` target="` + escapeHTML(t) + `"`
	}
	return urlPattern.ReplaceAllStringFunc(escapeHTML(Str(v)), func(u string) string {
		href, text := u, []rune(u)
		if strings.HasPrefix(strings.ToLower(u), "www.") {
			href = "https://" + u
		}
		if limit >= 0 && len(text) > limit {
			text = append(text[:limit], []rune("...")...)
		}
		return `<a href="` + href + `"` + attrs + ">" + string(text) + "</a>"
	}), p.err
}
