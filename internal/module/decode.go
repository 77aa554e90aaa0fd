package module

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"sync"

	"mageprov/internal/fault"
)

// Arg describes one argument, as read from a struct tag:
//
//	Path  string   `arg:"path,required" alias:"dest,name"`
//	State string   `arg:"state" choices:"file,directory,absent"`
//	Force bool     `arg:"force"`
//	Mode  Mode     `arg:"mode"`
//	Names []string `arg:"name" alias:"pkg"`
//	Pass  string   `arg:"password" secret:"true"`
//	Tri   *bool    `arg:"enabled"`      // nil: not given
//
// Defaults are what New puts into the struct. Embedded structs add their fields.
type Arg struct {
	Name     string
	Aliases  []string
	Choices  []string
	Required bool
	Secret   bool
	Type     string // "string", "bool", "int", "float", "list", "dict", "mode", "any"
	Default  any
	index    []int
}

// Internal says that an argument is not the user's: a module's Action gives it
// to the part on the node. Its name begins with an underscore.
func (a Arg) Internal() bool { return strings.HasPrefix(a.Name, "_") }

// Mode is a file mode: octal text, a number, or symbolic ("u+rwX,g-w"). "" is not given.
type Mode string

// Args lists the arguments of a struct (or pointer to one), in order.
func ArgsOf(v any) []Arg {
	if v == nil {
		return nil
	}
	rv := reflect.Indirect(reflect.ValueOf(v))
	return argsOf(rv, nil)
}

func argsOf(rv reflect.Value, prefix []int) []Arg {
	var out []Arg
	rt := rv.Type()
	for i := 0; i < rt.NumField(); i++ {
		f := rt.Field(i)
		index := append(append([]int(nil), prefix...), i)
		if f.Anonymous && f.Type.Kind() == reflect.Struct {
			out = append(out, argsOf(rv.Field(i), index)...)
			continue
		}
		tag, ok := f.Tag.Lookup("arg")
		if !ok {
			continue
		}
		name, opts, _ := strings.Cut(tag, ",")
		a := Arg{Name: name, Required: opts == "required", Secret: f.Tag.Get("secret") == "true", Type: typeName(f.Type), index: index}
		if s := f.Tag.Get("alias"); s != "" {
			a.Aliases = strings.Split(s, ",")
		}
		if s := f.Tag.Get("choices"); s != "" {
			a.Choices = strings.Split(s, ",")
		}
		if fv := rv.Field(i); !fv.IsZero() {
			a.Default = reflect.Indirect(fv).Interface()
		}
		out = append(out, a)
	}
	return out
}

func typeName(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == reflect.TypeOf(Mode("")) {
		return "mode"
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "bool"
	case reflect.Int, reflect.Int64:
		return "int"
	case reflect.Float64:
		return "float"
	case reflect.Slice:
		return "list"
	case reflect.Map:
		return "dict"
	}
	return "any"
}

// Decode puts args into dst, a pointer to a struct with arg tags, and names all
// that is wrong: unknown, missing, of the wrong type, not among the choices.
// Types are lenient as Ansible's are: "yes" is a bool, "5" an int, a comma
// separated string or a single value a list, a number a string.
func Decode(dst any, args Args) error {
	rv := reflect.ValueOf(dst).Elem()
	shape := shapeOf(rv)
	specs, byName := shape.args, shape.byName
	var problems []string
	given := map[string]string{}
	for _, name := range sortedKeys(args) {
		a, ok := byName[name]
		if !ok {
			problems = append(problems, unknownArg(name, specs))
			continue
		}
		if prev, dup := given[a.Name]; dup {
			problems = append(problems, fmt.Sprintf("%s and %s are the same argument", prev, name))
			continue
		}
		if args[name] == nil {
			continue
		}
		given[a.Name] = name
		if err := setField(rv.FieldByIndex(a.index), args[name]); err != nil {
			problems = append(problems, fmt.Sprintf("argument %s: %v", name, err))
			continue
		}
		if p := checkChoices(name, a, rv.FieldByIndex(a.index)); p != "" {
			problems = append(problems, p)
		}
	}
	for _, a := range specs {
		if _, ok := given[a.Name]; a.Required && !ok {
			problems = append(problems, "missing required argument: "+a.Name)
		}
	}
	if len(problems) > 0 {
		return fault.New("%s", strings.Join(problems, "; "))
	}
	if v, ok := dst.(Validator); ok {
		return v.Validate()
	}
	return nil
}

// shape is what Decode needs to know of a type. Types do not change: each is
// looked at once.
type shape struct {
	args   []Arg // Default is not meant here
	byName map[string]*Arg
}

var shapes sync.Map // reflect.Type to *shape

func shapeOf(rv reflect.Value) *shape {
	if s, ok := shapes.Load(rv.Type()); ok {
		return s.(*shape)
	}
	s := &shape{args: argsOf(rv, nil), byName: map[string]*Arg{}}
	for i := range s.args {
		a := &s.args[i]
		s.byName[a.Name] = a
		for _, al := range a.Aliases {
			s.byName[al] = a
		}
	}
	shapes.Store(rv.Type(), s)
	return s
}

func checkChoices(name string, a *Arg, v reflect.Value) string {
	if len(a.Choices) == 0 {
		return ""
	}
	v = reflect.Indirect(v)
	vals := []string{fmt.Sprint(v.Interface())}
	if v.Kind() == reflect.Slice {
		vals = nil
		for i := 0; i < v.Len(); i++ {
			vals = append(vals, fmt.Sprint(v.Index(i).Interface()))
		}
	}
	for _, got := range vals {
		found := false
		for _, c := range a.Choices {
			found = found || c == got
		}
		if !found {
			return fmt.Sprintf("argument %s: %q is not one of: %s", name, got, strings.Join(a.Choices, ", "))
		}
	}
	return ""
}

func unknownArg(name string, specs []Arg) string {
	var known []string
	for _, a := range specs {
		if a.Internal() {
			continue
		}
		known = append(append(known, a.Name), a.Aliases...)
	}
	sort.Strings(known)
	s := fmt.Sprintf("unknown argument %q", name)
	if n := fault.Nearest(name, known); n != "" {
		return s + " (did you mean " + n + "?)"
	}
	return s + " (known: " + strings.Join(known, ", ") + ")"
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func setField(f reflect.Value, v any) error {
	if f.Kind() == reflect.Pointer {
		p := reflect.New(f.Type().Elem())
		if err := setField(p.Elem(), v); err != nil {
			return err
		}
		f.Set(p)
		return nil
	}
	if f.Type() == reflect.TypeOf(Mode("")) {
		m, err := toMode(v)
		if err != nil {
			return err
		}
		f.SetString(string(m))
		return nil
	}
	switch f.Kind() {
	case reflect.String:
		s, err := toString(v)
		if err != nil {
			return err
		}
		f.SetString(s)
	case reflect.Bool:
		b, err := toBool(v)
		if err != nil {
			return err
		}
		f.SetBool(b)
	case reflect.Int, reflect.Int64:
		i, err := toInt(v)
		if err != nil {
			return err
		}
		f.SetInt(i)
	case reflect.Float64:
		x, err := toFloat(v)
		if err != nil {
			return err
		}
		f.SetFloat(x)
	case reflect.Slice:
		return setSlice(f, v)
	case reflect.Map:
		return setMap(f, v)
	case reflect.Interface:
		f.Set(reflect.ValueOf(v))
	default:
		return fmt.Errorf("unsupported type %s", f.Type())
	}
	return nil
}

func setSlice(f reflect.Value, v any) error {
	var items []any
	switch v := v.(type) {
	case []any:
		items = v
	case string:
		for _, s := range strings.Split(v, ",") {
			if s = strings.TrimSpace(s); s != "" {
				items = append(items, s)
			}
		}
	case map[string]any:
		if f.Type().Elem().Kind() == reflect.String {
			return fmt.Errorf("expected a list, found a dictionary")
		}
		items = []any{v}
	default:
		items = []any{v}
	}
	out := reflect.MakeSlice(f.Type(), 0, len(items))
	for _, it := range items {
		e := reflect.New(f.Type().Elem()).Elem()
		if it != nil {
			if err := setField(e, it); err != nil {
				return err
			}
		}
		out = reflect.Append(out, e)
	}
	f.Set(out)
	return nil
}

func setMap(f reflect.Value, v any) error {
	m, ok := v.(map[string]any)
	if !ok {
		s, isStr := v.(string)
		if !isStr {
			return fmt.Errorf("expected a dictionary, found %s", kindOf(v))
		}
		m = map[string]any{}
		if strings.HasPrefix(strings.TrimSpace(s), "{") {
			if err := json.Unmarshal([]byte(s), &m); err != nil {
				return fmt.Errorf("expected a dictionary: %v", err)
			}
		} else {
			for _, kv := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' }) {
				k, val, ok := strings.Cut(kv, "=")
				if !ok {
					return fmt.Errorf("expected a dictionary, found %q", s)
				}
				m[k] = val
			}
		}
	}
	out := reflect.MakeMap(f.Type())
	for k, val := range m {
		e := reflect.New(f.Type().Elem()).Elem()
		if val != nil {
			if err := setField(e, val); err != nil {
				return fmt.Errorf("%s: %v", k, err)
			}
		}
		out.SetMapIndex(reflect.ValueOf(k), e)
	}
	f.Set(out)
	return nil
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "nothing"
	case bool:
		return "a boolean"
	case int64, int, float64:
		return "a number"
	case string:
		return fmt.Sprintf("%q", v)
	case []any:
		return "a list"
	case map[string]any:
		return "a dictionary"
	}
	return fmt.Sprintf("%T", v)
}

// Text gives the text that an argument of type string makes of v.
func Text(v any) string {
	s, err := toString(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return s
}

func toString(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case bool: // Python's str(True)
		if v {
			return "True", nil
		}
		return "False", nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case int:
		return strconv.Itoa(v), nil
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1e16 {
			return strconv.FormatFloat(v, 'f', 1, 64), nil
		}
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	case []any, map[string]any:
		b, err := json.Marshal(v)
		return string(b), err
	}
	return "", fmt.Errorf("expected a string, found %s", kindOf(v))
}

func toBool(v any) (bool, error) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case int64:
		if v == 0 || v == 1 {
			return v == 1, nil
		}
	case float64:
		if v == 0 || v == 1 {
			return v == 1, nil
		}
	case string:
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "yes", "true", "on", "1", "y", "t", "1.0":
			return true, nil
		case "no", "false", "off", "0", "n", "f", "0.0":
			return false, nil
		}
	}
	return false, fmt.Errorf("expected a boolean (yes or no), found %s", kindOf(v))
}

func toInt(v any) (int64, error) {
	switch v := v.(type) {
	case int64:
		return v, nil
	case int:
		return int64(v), nil
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case float64:
		if v == math.Trunc(v) {
			return int64(v), nil
		}
	case string:
		if i, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil {
			return i, nil
		}
	}
	return 0, fmt.Errorf("expected a whole number, found %s", kindOf(v))
}

func toFloat(v any) (float64, error) {
	switch v := v.(type) {
	case float64:
		return v, nil
	case int64:
		return float64(v), nil
	case string:
		if x, err := strconv.ParseFloat(strings.TrimSpace(v), 64); err == nil {
			return x, nil
		}
	}
	return 0, fmt.Errorf("expected a number, found %s", kindOf(v))
}

// toMode keeps text as it is and writes a number in octal: YAML has already
// read 0644 as 420, as Ansible's own loader does.
func toMode(v any) (Mode, error) {
	switch v := v.(type) {
	case string:
		return Mode(v), nil
	case int64:
		return Mode("0" + strconv.FormatInt(v, 8)), nil
	case float64:
		if v == math.Trunc(v) {
			return Mode("0" + strconv.FormatInt(int64(v), 8)), nil
		}
	}
	return "", fmt.Errorf("expected a mode such as \"0644\", found %s", kindOf(v))
}
