package modules

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"unicode/utf16"

	"mageprov/internal/module"
)

// withData gives the arguments of the part on the node.
func withData(args module.Args, data []byte, basename string) module.Args {
	out := maps.Clone(args)
	delete(out, "content")
	out["_data"] = base64.StdEncoding.EncodeToString(data)
	if basename != "" {
		out["_basename"] = basename
	}
	return out
}

// contentText gives the text of content: data is written as JSON.
func contentText(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case map[string]any, []any:
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			return "", err
		}
		return spacedJSON(strings.TrimSuffix(b.String(), "\n")), nil
	}
	return module.Text(v), nil
}

// spacedJSON puts the blanks after commas and colons that Python writes, and
// escapes what is not ASCII as it does.
func spacedJSON(s string) string {
	var b strings.Builder
	quoted := false
	escaped := false
	for _, c := range s {
		switch {
		case c > 0xffff:
			high, low := utf16.EncodeRune(c)
			fmt.Fprintf(&b, "\\u%04x\\u%04x", high, low)
			continue
		case c > 0x7e:
			fmt.Fprintf(&b, "\\u%04x", c)
			continue
		}
		b.WriteRune(c)
		switch {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ',' || c == ':'):
			b.WriteByte(' ')
		}
	}
	return b.String()
}
