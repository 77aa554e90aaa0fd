// Package secret knows the values that must not be seen, and takes them out of
// whatever is shown or stored: a secret is known by its value, so it is masked
// wherever it turns up, however it got there.
package secret

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Mask stands where a secret was.
const Mask = "********"

// shortest is the length in bytes below which a value is not masked: it would
// be found in half of all words, and hide more than it protects.
const shortest = 4

// Keeper holds secrets. It is safe for concurrent use; the zero value holds none.
type Keeper struct {
	mu       sync.RWMutex
	known    map[string]bool
	forms    []string
	replacer *strings.Replacer // nil: to be made of forms
}

// Add has the values masked from now on. Values shorter than 4 bytes, and those
// that are no text but a word of the language (true, false, null), are not. Of
// text of several lines each line of 8 bytes or more is a secret of its own.
func (k *Keeper) Add(values ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, v := range values {
		k.add(v)
		lines := strings.Split(v, "\n")
		for _, l := range lines {
			if l = strings.TrimSpace(l); len(lines) > 1 && len(l) >= 2*shortest {
				k.add(l)
			}
		}
	}
}

func (k *Keeper) add(v string) {
	trimmed := strings.TrimSpace(v)
	switch strings.ToLower(trimmed) {
	case "true", "false", "null", "none":
		return
	}
	if len(trimmed) < shortest || k.known[trimmed] || trimmed == Mask {
		return
	}
	if k.known == nil {
		k.known = map[string]bool{}
	}
	k.known[trimmed] = true
	k.forms = append(k.forms, forms(trimmed)...)
	k.replacer = nil
}

// AddAll adds every text within a value: the leaves of lists and dictionaries.
func (k *Keeper) AddAll(v any) {
	switch v := v.(type) {
	case string:
		k.Add(v)
	case []any:
		for _, x := range v {
			k.AddAll(x)
		}
	case map[string]any:
		for _, x := range v {
			k.AddAll(x)
		}
	}
}

// Empty says that there is nothing to mask; a nil Keeper is empty.
func (k *Keeper) Empty() bool { return k == nil || k.ready() == nil }

// Text gives s with all secrets masked.
func (k *Keeper) Text(s string) string {
	if k == nil || len(s) < shortest {
		return s
	}
	if r := k.ready(); r != nil {
		return r.Replace(s)
	}
	return s
}

// ready gives the replacer, nil if there is nothing to replace.
func (k *Keeper) ready() *strings.Replacer {
	k.mu.RLock()
	r, none := k.replacer, len(k.forms) == 0
	k.mu.RUnlock()
	if r != nil || none {
		return r
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.replacer == nil {
		// The replacer takes the first form that fits: a secret that begins with
		// another one must come before it.
		slices.SortFunc(k.forms, func(a, b string) int {
			if len(a) != len(b) {
				return len(b) - len(a)
			}
			return strings.Compare(a, b)
		})
		k.forms = slices.Compact(k.forms)
		pairs := make([]string, 0, 2*len(k.forms))
		for _, f := range k.forms {
			pairs = append(pairs, f, Mask)
		}
		k.replacer = strings.NewReplacer(pairs...)
	}
	return k.replacer
}

// Value masks every text within a value; what holds none is given back as it is.
func (k *Keeper) Value(v any) any {
	if k.Empty() {
		return v
	}
	switch v := v.(type) {
	case string:
		return k.Text(v)
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = k.Value(x)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, x := range v {
			out[k.Text(key)] = k.Value(x)
		}
		return out
	}
	return v
}

// forms are the ways in which a value may be written: as it is, inside JSON, a
// shell's quotes, a URL, or base64 (which shows a text in three ways, as it
// begins at the first, second or third byte of a group).
func forms(v string) []string {
	out := []string{v, url.QueryEscape(v), url.PathEscape(v), strings.ReplaceAll(v, "'", `'\''`), strings.ReplaceAll(v, "'", `'"'"'`)}
	if q, err := json.Marshal(v); err == nil { // < > & escaped, as Go does
		out = append(out, string(q[1:len(q)-1]))
	}
	var plain strings.Builder
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) == nil {
		q := strings.TrimSuffix(plain.String(), "\n")
		out = append(out, q[1:len(q)-1])
	}
	for shift := range 3 {
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			out = append(out, base64Forms(v, shift, enc)...)
		}
	}
	return slices.DeleteFunc(out, func(f string) bool { return len(f) < shortest })
}

// base64Forms is what base64 makes of v behind shift other bytes: the characters
// that v alone decides, and those with the end of the text, should v end it.
func base64Forms(v string, shift int, enc *base64.Encoding) []string {
	text := enc.EncodeToString([]byte(strings.Repeat("\x00", shift) + v))
	from := (shift*8 + 5) / 6
	to := (shift + len(v)) * 8 / 6
	if to <= from {
		return nil
	}
	return []string{text[from:to], strings.TrimRight(text, "=")[from:], text[from:]}
}
