package argspec

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"mageprov/internal/jinja"
)

// Types are the types that an option may have.
var Types = []string{"str", "int", "float", "bool", "list", "dict", "path", "raw", "json", "jsonarg", "bytes", "bits"}

// Convert gives a value the wanted type, as leniently as Ansible does.
func Convert(want string, v any) (any, error) {
	if t, ok := v.(jinja.Tuple); ok {
		v = jinja.NewList(t...)
	}
	switch want {
	case "raw":
		return v, nil
	case "str", "path":
		return jinja.Str(v), nil
	case "list":
		return toList(v)
	case "dict":
		return toDict(v)
	case "bool":
		return toBool(v)
	case "int":
		return toInt(v)
	case "float":
		return toFloat(v)
	case "json", "jsonarg":
		return toJSON(v)
	case "bytes":
		return toSize(v, "Byte", 'B')
	case "bits":
		return toSize(v, "Bit", 'b')
	}
	return nil, fmt.Errorf("there is no type %s", want)
}

func cannot(v any, what string) error {
	return fmt.Errorf("%s cannot be converted to %s", pyType(v), what)
}

func toList(v any) (any, error) {
	switch v := v.(type) {
	case *jinja.List:
		return v, nil
	case string:
		out := jinja.NewList()
		for _, s := range strings.Split(v, ",") {
			out.Items = append(out.Items, s)
		}
		return out, nil
	case bool, int64, *big.Int, float64:
		return jinja.NewList(jinja.Str(v)), nil
	}
	return nil, cannot(v, "a list")
}

var pairs = regexp.MustCompile(`(?:[^\s,"']|"[^"]*"|'[^']*')+`)

func toDict(v any) (any, error) {
	if d, ok := v.(*jinja.Dict); ok {
		return d, nil
	}
	s, ok := v.(string)
	if !ok {
		return nil, cannot(v, "a dict")
	}
	if strings.HasPrefix(s, "{") {
		if d, err := jinja.FromJSON([]byte(s)); err == nil {
			if d, ok := d.(*jinja.Dict); ok {
				return d, nil
			}
		}
		return nil, fmt.Errorf("unable to evaluate string as dictionary")
	}
	if !strings.Contains(s, "=") {
		return nil, fmt.Errorf("dictionary requested, could not parse JSON or key=value")
	}
	d := jinja.NewDict()
	for _, w := range pairs.FindAllString(s, -1) {
		key, val, ok := strings.Cut(w, "=")
		if !ok {
			return nil, fmt.Errorf("dictionary requested, could not parse JSON or key=value")
		}
		d.Set(key, strings.Trim(val, `"'`))
	}
	return d, nil
}

var booleans = map[string]bool{"y": true, "yes": true, "on": true, "1": true, "true": true, "t": true,
	"n": false, "no": false, "off": false, "0": false, "false": false, "f": false}

// truth reads what Ansible takes for a boolean.
func truth(v any) (value, ok bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case int64:
		return v == 1, v == 0 || v == 1
	case float64:
		return v == 1, v == 0 || v == 1
	case string:
		value, ok = booleans[strings.ToLower(strings.TrimSpace(v))]
	}
	return value, ok
}

func toBool(v any) (any, error) {
	if b, ok := truth(v); ok {
		return b, nil
	}
	switch v.(type) {
	case string, int64, float64:
		return nil, fmt.Errorf("The value '%s' is not a valid boolean.  Valid booleans include: "+
			"'y', 'yes', 'on', '1', 'true', 't', 1, 'n', 'no', 'off', '0', 'false', 'f', 0", jinja.Str(v))
	}
	return nil, cannot(v, "a bool")
}

func toInt(v any) (any, error) {
	switch x := v.(type) {
	case bool:
		if x {
			return int64(1), nil
		}
		return int64(0), nil
	case int64, *big.Int:
		return v, nil
	case string:
		if n, err := strconv.ParseInt(strings.TrimSpace(x), 10, 64); err == nil {
			return n, nil
		}
	}
	return nil, cannot(v, "an int")
}

func toFloat(v any) (any, error) {
	switch x := v.(type) {
	case float64:
		return x, nil
	case int64:
		return float64(x), nil
	case bool, *big.Int:
		v = jinja.Str(x)
	}
	if s, ok := v.(string); ok {
		if f, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil {
			return f, nil
		}
	}
	return nil, cannot(v, "a float")
}

func toJSON(v any) (any, error) {
	switch x := v.(type) {
	case string:
		return strings.TrimSpace(x), nil
	case *jinja.List, *jinja.Dict:
		return jinja.ToJSON(x, jinja.JSONOptions{})
	}
	return nil, cannot(v, "a json string")
}

var size = regexp.MustCompile(`^\s*(\d+\.?\d*|\.\d+)\s*([A-Za-z]*)\s*$`)

// toSize reads 10M or 1.5Gb; letter is the unit's own, which may be left out.
func toSize(v any, what string, letter byte) (any, error) {
	m := size.FindStringSubmatch(jinja.Str(v))
	if m == nil {
		return nil, cannot(v, "a "+what+" value")
	}
	n, err := strconv.ParseFloat(m[1], 64)
	unit := m[2]
	word := strings.ToLower(what)
	switch lower := strings.ToLower(unit); {
	case err != nil:
		return nil, cannot(v, "a "+what+" value")
	case unit == "" || unit == string(letter) || lower == word || lower == word+"s":
		return int64(n), nil
	}
	power := strings.IndexByte("BKMGTPEZY", strings.ToUpper(unit)[0])
	full := []string{"", "kilo", "mega", "giga", "tera", "peta", "exa", "zetta", "yotta"}
	if power <= 0 {
		return nil, cannot(v, "a "+what+" value")
	}
	switch rest := unit[1:]; {
	case rest == "" || rest == string(letter):
	case strings.ToLower(unit) == full[power]+word, strings.ToLower(unit) == full[power]+word+"s":
	default:
		return nil, cannot(v, "a "+what+" value")
	}
	for range power {
		n *= 1024
	}
	return int64(n), nil
}

// pyType is how Python prints the type of a value.
func pyType(v any) string {
	name := "str"
	switch v.(type) {
	case nil:
		name = "NoneType"
	case bool:
		name = "bool"
	case int64, *big.Int:
		name = "int"
	case float64:
		name = "float"
	case *jinja.List:
		name = "list"
	case jinja.Tuple:
		name = "tuple"
	case *jinja.Dict:
		name = "dict"
	}
	return "<class '" + name + "'>"
}
