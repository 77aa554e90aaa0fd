package jinja

import (
	"bytes"
	"encoding/json"
	"io"
	"math/big"
	"sort"
	"strings"
	"unicode/utf8"

	"mageprov/internal/fault"
)

// JSONOptions are the arguments of Python's json.dumps.
type JSONOptions struct {
	Indent      int  // blanks per level; 0 for one line
	Lines       bool // a line for each element even where Indent is 0
	SortKeys    bool
	EnsureASCII bool   // \uXXXX for everything beyond ASCII
	ItemSep     string // "" for ", ", or "," with Indent
	KeySep      string // "" for ": "
}

// ToJSON writes v as Python's json.dumps does. An Undefined is an error.
func ToJSON(v any, o JSONOptions) (string, error) {
	if o.ItemSep == "" {
		o.ItemSep = ", "
		if o.Indent > 0 || o.Lines {
			o.ItemSep = ","
		}
	}
	if o.KeySep == "" {
		o.KeySep = ": "
	}
	w := jsonWriter{o: o}
	if err := w.value(v, 0); err != nil {
		return "", err
	}
	return w.b.String(), nil
}

type jsonWriter struct {
	b strings.Builder
	o JSONOptions
}

func (w *jsonWriter) value(v any, depth int) error {
	if depth > maxReprDepth {
		return fault.New("value is nested too deeply for JSON")
	}
	if w.b.Len() > maxString {
		return errTooLarge("JSON text")
	}
	switch v := v.(type) {
	case nil:
		w.b.WriteString("null")
	case bool:
		if v {
			w.b.WriteString("true")
		} else {
			w.b.WriteString("false")
		}
	case int, int64, *big.Int:
		w.b.WriteString(Repr(v))
	case float64:
		w.b.WriteString(jsonFloat(v))
	case string:
		w.str(v)
	case *List:
		return w.list(v.Items, depth)
	case Tuple:
		return w.list(v, depth)
	case *Dict:
		return w.dict(v, depth)
	case *Text:
		w.str(v.Source)
	case *Undefined:
		return v.raise()
	case interface{ JSON() string }: // a date
		w.str(v.JSON())
	default:
		return fault.New("a value of type %s cannot be written as JSON", TypeName(v))
	}
	return nil
}

func jsonFloat(f float64) string {
	switch s := formatFloat(f); s {
	case "inf":
		return "Infinity"
	case "-inf":
		return "-Infinity"
	case "nan":
		return "NaN"
	default:
		return s
	}
}

func (w *jsonWriter) newline(depth int) {
	if w.o.Indent > 0 || w.o.Lines {
		w.b.WriteByte('\n')
		w.b.WriteString(strings.Repeat(" ", w.o.Indent*depth))
	}
}

func (w *jsonWriter) list(items []any, depth int) error {
	if len(items) == 0 {
		w.b.WriteString("[]")
		return nil
	}
	w.b.WriteByte('[')
	for i, x := range items {
		if i > 0 {
			w.b.WriteString(w.o.ItemSep)
		}
		w.newline(depth + 1)
		if err := w.value(x, depth+1); err != nil {
			return err
		}
	}
	w.newline(depth)
	w.b.WriteByte(']')
	return nil
}

func (w *jsonWriter) dict(d *Dict, depth int) error {
	if d.Len() == 0 {
		w.b.WriteString("{}")
		return nil
	}
	order := make([]int, d.Len())
	names := make([]string, d.Len())
	for i, k := range d.Keys() {
		order[i], names[i] = i, jsonKey(k)
	}
	if w.o.SortKeys {
		sort.SliceStable(order, func(i, j int) bool { return names[order[i]] < names[order[j]] })
	}
	w.b.WriteByte('{')
	for n, i := range order {
		if n > 0 {
			w.b.WriteString(w.o.ItemSep)
		}
		w.newline(depth + 1)
		w.str(names[i])
		w.b.WriteString(w.o.KeySep)
		if err := w.value(d.vals[i], depth+1); err != nil {
			return err
		}
	}
	w.newline(depth)
	w.b.WriteByte('}')
	return nil
}

func jsonKey(k any) string {
	switch k := k.(type) {
	case string:
		return k
	case nil:
		return "null"
	case bool:
		if k {
			return "true"
		}
		return "false"
	}
	return Str(k)
}

func (w *jsonWriter) str(s string) {
	w.b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			w.b.WriteByte('\\')
			w.b.WriteRune(r)
		case r == '\n':
			w.b.WriteString(`\n`)
		case r == '\r':
			w.b.WriteString(`\r`)
		case r == '\t':
			w.b.WriteString(`\t`)
		case r == '\b':
			w.b.WriteString(`\b`)
		case r == '\f':
			w.b.WriteString(`\f`)
		case r < 0x20:
			w.b.WriteString(`\u00` + hex2(byte(r)))
		case r < utf8.RuneSelf || !w.o.EnsureASCII:
			w.b.WriteRune(r)
		case r < 0x10000:
			w.b.WriteString(`\u` + hex2(byte(r>>8)) + hex2(byte(r)))
		default:
			r -= 0x10000
			hi, lo := 0xd800+(r>>10), 0xdc00+(r&0x3ff)
			w.b.WriteString(`\u` + hex2(byte(hi>>8)) + hex2(byte(hi)) + `\u` + hex2(byte(lo>>8)) + hex2(byte(lo)))
		}
	}
	w.b.WriteByte('"')
}

// FromJSON reads one JSON value; objects keep the order of their keys and
// integers their digits.
func FromJSON(data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	v, err := readJSON(dec)
	if err != nil {
		return nil, fault.Wrap(err, "not valid JSON")
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fault.New("not valid JSON: something follows the value")
	}
	return v, nil
}

func readJSON(dec *json.Decoder) (any, error) {
	tok, err := dec.Token()
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	switch tok := tok.(type) {
	case json.Number:
		return numberFromText(string(tok)), nil
	case json.Delim:
		if tok == '[' {
			l := &List{Items: []any{}}
			for dec.More() {
				v, err := readJSON(dec)
				if err != nil {
					return nil, err
				}
				l.Items = append(l.Items, v)
			}
			_, err := dec.Token()
			return l, err
		}
		d := &Dict{}
		for dec.More() {
			k, err := dec.Token()
			if err != nil {
				return nil, err
			}
			v, err := readJSON(dec)
			if err != nil {
				return nil, err
			}
			d.Set(k, v)
		}
		_, err := dec.Token()
		return d, err
	}
	return tok, nil
}

// MarshalJSON keeps the order of the keys.
func (d *Dict) MarshalJSON() ([]byte, error) { return marshalJSON(d) }

// MarshalJSON lets encoding/json write a List as an array.
func (l *List) MarshalJSON() ([]byte, error) { return marshalJSON(l) }

// MarshalJSON is the error of using an undefined value.
func (u *Undefined) MarshalJSON() ([]byte, error) { return nil, u.raise() }

func marshalJSON(v any) ([]byte, error) {
	s, err := ToJSON(v, JSONOptions{ItemSep: ",", KeySep: ":"})
	return []byte(s), err
}
