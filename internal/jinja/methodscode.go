package jinja

import (
	"strings"
	"unicode/utf8"

	"mageprov/internal/fault"
)

// recode is str.encode, and str.decode, its way back. There are no bytes in
// templates: what they hold stays text, and filters such as b64encode and hash
// take its UTF-8. What the encoding cannot say is an error, or goes by errors=.
func recode(c *Call, self any) (any, error) {
	p := c.bind("encoding", "errors")
	encoding, errors := p.str(0, "utf-8"), p.str(1, "strict")
	if p.err != nil {
		return nil, p.err
	}
	limit := rune(utf8.MaxRune)
	switch strings.ReplaceAll(strings.ToLower(encoding), "_", "-") {
	case "utf-8", "utf8":
		return self, nil
	case "ascii", "us-ascii":
		limit = utf8.RuneSelf
	default:
		return nil, fault.New("text stays UTF-8: %s cannot make %s", c.Name, encoding).
			WithHint("b64encode and b64decode take encoding=")
	}
	var out strings.Builder
	for _, r := range self.(string) {
		switch {
		case r < limit:
			out.WriteRune(r)
		case errors == "ignore":
		case errors == "replace":
			out.WriteByte('?')
		default:
			return nil, fault.New("'ascii' codec can't encode character %s", Repr(string(r)))
		}
	}
	return out.String(), nil
}
