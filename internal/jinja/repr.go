package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Str is Python's str(v): what `~`, join and output make of a value. An
// Undefined gives "" here; the engine raises before it gets so far.
func Str(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case *Undefined:
		return ""
	case reprObject:
		return v.String()
	}
	return Repr(v)
}

// reprObject is an Object that looks otherwise in a list than alone.
type reprObject interface {
	Repr() string
	String() string
}

// Repr is Python's repr(v).
func Repr(v any) string {
	switch v := v.(type) {
	case string:
		return reprString(v)
	case int64:
		return strconv.FormatInt(v, 10)
	}
	var b strings.Builder
	writeRepr(&b, v, 0)
	return b.String()
}

// maxReprDepth keeps a list that was appended to itself from ending the process.
const maxReprDepth = 500

func writeRepr(b *strings.Builder, v any, depth int) {
	if depth > maxReprDepth || b.Len() > maxString {
		b.WriteString("...")
		return
	}
	switch v := v.(type) {
	case nil:
		b.WriteString("None")
	case bool:
		if v {
			b.WriteString("True")
		} else {
			b.WriteString("False")
		}
	case int:
		b.WriteString(strconv.Itoa(v))
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case *big.Int:
		b.WriteString(v.String())
	case float64:
		b.WriteString(formatFloat(v))
	case string:
		b.WriteString(reprString(v))
	case *List:
		b.WriteByte('[')
		writeItems(b, v.Items, depth)
		b.WriteByte(']')
	case Tuple:
		b.WriteByte('(')
		writeItems(b, v, depth)
		if len(v) == 1 {
			b.WriteByte(',')
		}
		b.WriteByte(')')
	case *Dict:
		writeDictRepr(b, v, depth)
	case *Text:
		b.WriteString(reprString(v.Source))
	case *Undefined:
		b.WriteString("Undefined")
	case reprObject:
		b.WriteString(v.Repr())
	case interface{ String() string }:
		b.WriteString(v.String())
	default:
		b.WriteString("<" + TypeName(v) + " object>")
	}
}

func writeItems(b *strings.Builder, items []any, depth int) {
	for i, x := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		writeRepr(b, x, depth+1)
	}
}

func writeDictRepr(b *strings.Builder, d *Dict, depth int) {
	b.WriteByte('{')
	first := true
	for k, x := range d.All() {
		if !first {
			b.WriteString(", ")
		}
		first = false
		writeRepr(b, k, depth+1)
		b.WriteString(": ")
		writeRepr(b, x, depth+1)
	}
	b.WriteByte('}')
}

// formatFloat is repr(float): the shortest digits that read back the same,
// always with a point or an exponent.
func formatFloat(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	exp, _ := strconv.Atoi(s[strings.IndexByte(s, 'e')+1:])
	if exp < -4 || exp >= 16 {
		return s
	}
	s = strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// reprString quotes as Python does: single quotes unless the text holds only those.
func reprString(s string) string {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte(quote)
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteString(`\x` + hex2(s[i]))
		case r == rune(quote) || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7f:
			b.WriteString(`\x` + hex2(byte(r)))
		case r < 0x7f || unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x100:
			b.WriteString(`\x` + hex2(byte(r)))
		case r < 0x10000:
			b.WriteString(`\u` + hex2(byte(r>>8)) + hex2(byte(r)))
		default:
			b.WriteString(`\U` + hex2(byte(r>>24)) + hex2(byte(r>>16)) + hex2(byte(r>>8)) + hex2(byte(r)))
		}
		i += n
	}
	b.WriteByte(quote)
	return b.String()
}

func hex2(c byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[c>>4], digits[c&15]})
}

// TypeName is the name of the value's type in Python: "str", "int", "dict", ...
func TypeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int, int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string, *Text:
		return "str"
	case *List:
		return "list"
	case Tuple:
		return "tuple"
	case *Dict, Mapping:
		return "dict"
	case *Undefined:
		return "Undefined"
	case interface{ TypeName() string }:
		return v.TypeName()
	case Callable:
		return "function"
	}
	return "object"
}

// Truth is Python's bool(v); an Undefined is false.
func Truth(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case int:
		return v != 0
	case *big.Int:
		return v.Sign() != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case *List:
		return len(v.Items) > 0
	case Tuple:
		return len(v) > 0
	case *Dict:
		return v.Len() > 0
	case *Undefined:
		return false
	}
	return true
}
