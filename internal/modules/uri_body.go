package modules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/textproto"
	"net/url"
	"path"
	"sort"
	"strings"

	"mageprov/internal/node"
)

// encodeBody turns body into bytes, as body_format says.
func (m *uri) encodeBody(n node.Reader) (body []byte, contentType string, err error) {
	if m.Body == nil {
		return nil, "", nil
	}
	switch m.BodyFormat {
	case "json":
		if s, ok := m.Body.(string); ok {
			return []byte(s), "application/json", nil // as written: it is JSON already
		}
		body, err = marshalJSON(m.Body)
		return body, "application/json", err
	case "form-urlencoded":
		body, err = encodeForm(m.Body)
		return body, "application/x-www-form-urlencoded", err
	case "form-multipart":
		return encodeMultipart(n, m.Body)
	}
	if s, ok := m.Body.(string); ok {
		return []byte(s), "", nil
	}
	body, err = marshalJSON(m.Body)
	return body, "", err
}

// marshalJSON writes JSON without escaping <, > and &.
func marshalJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// encodeForm takes a dictionary, a list of pairs, or text that is encoded already.
func encodeForm(v any) ([]byte, error) {
	var pairs []string
	add := func(k string, v any) {
		items, isList := v.([]any)
		if !isList {
			items = []any{v}
		}
		for _, it := range items {
			pairs = append(pairs, url.QueryEscape(k)+"="+url.QueryEscape(formText(it)))
		}
	}
	switch v := v.(type) {
	case string:
		return []byte(v), nil
	case map[string]any:
		for _, k := range sortedNames(v) {
			add(k, v[k])
		}
	case []any:
		for _, p := range v {
			pair, ok := p.([]any)
			if !ok || len(pair) != 2 {
				return nil, fmt.Errorf("body: a list for form-urlencoded holds pairs, found %v", p)
			}
			add(formText(pair[0]), pair[1])
		}
	default:
		return nil, fmt.Errorf("body: form-urlencoded needs a dictionary or a list of pairs")
	}
	return []byte(strings.Join(pairs, "&")), nil
}

func sortedNames(m map[string]any) []string {
	names := make([]string, 0, len(m))
	for k := range m {
		names = append(names, k)
	}
	sort.Strings(names)
	return names
}

// formText writes a value as Python's str does.
func formText(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	}
	return fmt.Sprint(v)
}

// encodeMultipart takes a dictionary of texts, or of files: filename, content, mime_type.
func encodeMultipart(n node.Reader, v any) ([]byte, string, error) {
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, "", fmt.Errorf("body: form-multipart needs a dictionary")
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, name := range sortedNames(fields) {
		file, isFile := fields[name].(map[string]any)
		h := textproto.MIMEHeader{}
		disposition := fmt.Sprintf(`form-data; name="%s"`, quoteParam(name))
		content, mime := []byte(formText(fields[name])), "text/plain"
		if isFile {
			filename, _ := file["filename"].(string)
			text, has := file["content"].(string)
			content, mime = []byte(text), "application/octet-stream"
			if !has {
				var err error
				if content, err = n.ReadFile(filename); err != nil {
					return nil, "", fmt.Errorf("body: reading the file of %s: %w", name, err)
				}
			}
			if t, ok := file["mime_type"].(string); ok {
				mime = t
			}
			if filename != "" {
				disposition += fmt.Sprintf(`; filename="%s"`, quoteParam(path.Base(filename)))
			}
		}
		h.Set("Content-Type", mime)
		h.Set("Content-Disposition", disposition)
		part, err := w.CreatePart(h)
		if err != nil {
			return nil, "", err
		}
		if _, err := part.Write(content); err != nil {
			return nil, "", err
		}
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return b.Bytes(), w.FormDataContentType(), nil
}

func quoteParam(s string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) }

func orElse(v, fallback any) any {
	if v == nil {
		return fallback
	}
	return v
}
