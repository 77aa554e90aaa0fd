package template

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"mageprov/internal/jinja"
)

func jmesField(name string) jmes {
	return func(v any) (any, error) {
		if d, ok := v.(*jinja.Dict); ok {
			x, _ := d.Get(name)
			return x, nil
		}
		return nil, nil
	}
}

func jmesPipe(left, right jmes) jmes {
	return func(v any) (any, error) {
		v, err := left(v)
		if err != nil {
			return nil, err
		}
		return right(v)
	}
}

// jmesProject does right for each element that elements finds; what gives
// nothing is left out.
func jmesProject(elements, right jmes) jmes {
	return func(v any) (any, error) {
		v, err := elements(v)
		if err != nil || !isSequence(v) {
			return nil, err
		}
		out := jinja.NewList()
		for _, x := range oneOrMany(v) {
			r, err := right(x)
			if err != nil {
				return nil, err
			}
			if r != nil {
				out.Items = append(out.Items, r)
			}
		}
		return out, nil
	}
}

func jmesElements(v any) (any, error) { return v, nil }

func jmesValues(v any) (any, error) {
	if d, ok := v.(*jinja.Dict); ok {
		return &jinja.List{Items: values(d)}, nil
	}
	return nil, nil
}

func jmesFlatten(v any) (any, error) {
	if !isSequence(v) {
		return nil, nil
	}
	return &jinja.List{Items: flat(nil, oneOrMany(v), 1, false)}, nil
}

func jmesAt(v any, i int) any {
	if !isSequence(v) {
		return nil
	}
	items := oneOrMany(v)
	if i < 0 {
		i += len(items)
	}
	if i < 0 || i >= len(items) {
		return nil
	}
	return items[i]
}

// jmesSlice takes start, stop and step; nil stands for one that was left out.
func jmesSlice(v any, parts []any) any {
	if !isSequence(v) {
		return nil
	}
	items := oneOrMany(v)
	step := 1
	if n, ok := parts[2].(int64); ok {
		step = int(n)
	}
	low, high := 0, len(items)
	if step < 0 {
		low, high = -1, len(items)-1
	}
	bound := func(part any, def int) int {
		n, ok := part.(int64)
		if !ok {
			return def
		}
		i := int(n)
		if i < 0 {
			i += len(items)
		}
		return min(max(i, low), high)
	}
	start, stop := bound(parts[0], low), bound(parts[1], high)
	if step < 0 {
		start, stop = bound(parts[0], high), bound(parts[1], low)
	}
	out := jinja.NewList()
	for i := start; step > 0 && i < stop || step < 0 && i > stop; i += step {
		out.Items = append(out.Items, items[i])
	}
	return out
}

// jmesTruth differs from Python's: 0 is true.
func jmesTruth(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case string, *jinja.List, *jinja.Dict, jinja.Tuple:
		return jinja.Truth(v)
	}
	return true
}

func jmesEither(left, right jmes, or bool) jmes {
	return func(v any) (any, error) {
		x, err := left(v)
		if err != nil || jmesTruth(x) == or {
			return x, err
		}
		return right(v)
	}
}

func jmesNumber(v any) bool {
	switch v.(type) {
	case int64, float64, *big.Int:
		return true
	}
	return false
}

func jmesCompare(left, right jmes, op string) jmes {
	return func(v any) (any, error) {
		x, err := left(v)
		if err != nil {
			return nil, err
		}
		y, err := right(v)
		if err != nil {
			return nil, err
		}
		_, boolX := x.(bool)
		_, boolY := y.(bool)
		equal := boolX == boolY && jinja.Equal(x, y) // 1 is not true
		switch op {
		case "==":
			return equal, nil
		case "!=":
			return !equal, nil
		}
		_, textX := x.(string)
		_, textY := y.(string)
		if !(jmesNumber(x) && jmesNumber(y)) && !(textX && textY) {
			return nil, nil
		}
		n, err := jinja.Compare(x, y)
		r, _ := compareBy(op, n)
		return r, err
	}
}

func jmesEach(parts []jmes, v any) (*jinja.List, error) {
	out := &jinja.List{Items: make([]any, len(parts))}
	for i, e := range parts {
		var err error
		if out.Items[i], err = e(v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func jmesType(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case *jinja.List, jinja.Tuple:
		return "array"
	case *jinja.Dict:
		return "object"
	case jmesReference:
		return "expref"
	}
	if jmesNumber(v) {
		return "number"
	}
	return "string" // dates
}

// jmesFunction is a function of the language; most < 0 means any number of arguments.
type jmesFunction struct {
	least, most int
	call        func(args []any) (any, error)
}

// jmesFunctions says what each takes: one letter per argument, of number,
// string, array, object, expref and x for anything.
var jmesFunctions = map[string]jmesFunction{
	"abs":         jmesTyped("n", func(a []any) (any, error) { return jmesRound(a[0], math.Abs), nil }),
	"ceil":        jmesTyped("n", func(a []any) (any, error) { return jmesWhole(a[0], math.Ceil), nil }),
	"floor":       jmesTyped("n", func(a []any) (any, error) { return jmesWhole(a[0], math.Floor), nil }),
	"avg":         jmesTyped("a", jmesAverage),
	"sum":         jmesTyped("a", jmesSum),
	"contains":    jmesTyped("xx", jmesContains),
	"ends_with":   jmesTyped("ss", func(a []any) (any, error) { return strings.HasSuffix(a[0].(string), a[1].(string)), nil }),
	"starts_with": jmesTyped("ss", func(a []any) (any, error) { return strings.HasPrefix(a[0].(string), a[1].(string)), nil }),
	"join":        jmesTyped("sa", jmesJoin),
	"keys":        jmesTyped("o", func(a []any) (any, error) { return jinja.NewList(a[0].(*jinja.Dict).Keys()...), nil }),
	"values":      jmesTyped("o", func(a []any) (any, error) { return jinja.NewList(values(a[0])...), nil }),
	"length":      jmesTyped("x", jmesLength),
	"map":         jmesTyped("ea", jmesMap),
	"max":         jmesTyped("a", func(a []any) (any, error) { return jmesBest(a[0], jmesSelf, 1) }),
	"min":         jmesTyped("a", func(a []any) (any, error) { return jmesBest(a[0], jmesSelf, -1) }),
	"max_by":      jmesTyped("ae", func(a []any) (any, error) { return jmesBest(a[0], jmes(a[1].(jmesReference)), 1) }),
	"min_by":      jmesTyped("ae", func(a []any) (any, error) { return jmesBest(a[0], jmes(a[1].(jmesReference)), -1) }),
	"sort":        jmesTyped("a", func(a []any) (any, error) { return jmesSort(a[0], jmesSelf) }),
	"sort_by":     jmesTyped("ae", func(a []any) (any, error) { return jmesSort(a[0], jmes(a[1].(jmesReference))) }),
	"merge":       {0, -1, jmesMerge},
	"not_null":    {1, -1, jmesNotNull},
	"reverse":     jmesTyped("x", jmesReverse),
	"to_array":    jmesTyped("x", jmesToArray),
	"to_number":   jmesTyped("x", func(a []any) (any, error) { return jmesToNumber(a[0]), nil }),
	"to_string":   jmesTyped("x", jmesToString),
	"type":        jmesTyped("x", func(a []any) (any, error) { return jmesType(a[0]), nil }),
}

var jmesLetters = map[rune]string{'n': "number", 's': "string", 'a': "array", 'o': "object", 'e': "expref"}

// jmesTyped checks the types of arguments before f sees them.
func jmesTyped(types string, f func(args []any) (any, error)) jmesFunction {
	return jmesFunction{len(types), len(types), func(args []any) (any, error) {
		for i, t := range types {
			if want, given := jmesLetters[t], jmesType(args[i]); want != "" && want != given {
				return nil, jmesMismatch(args[i], want)
			}
		}
		return f(args)
	}}
}

func jmesMismatch(v any, want string) error {
	return fmt.Errorf("invalid type for value: %s, expected %s, received %s", short(jinja.Repr(v)), want, jmesType(v))
}

func jmesRound(v any, f func(float64) float64) any {
	if n, ok := v.(int64); ok {
		return int64(f(float64(n)))
	}
	x, _ := number(v)
	return f(x)
}

func jmesWhole(v any, f func(float64) float64) any {
	x, _ := number(v)
	if n, ok := wholeNumber(f(x)); ok {
		return n
	}
	return v
}

func jmesSum(a []any) (any, error) {
	var whole int64
	var sum float64
	ints := true
	for _, x := range oneOrMany(a[0]) {
		if !jmesNumber(x) {
			return nil, jmesMismatch(x, "number")
		}
		n, isInt := x.(int64)
		ints = ints && isInt
		whole += n
		f, _ := number(x)
		sum += f
	}
	if ints {
		return whole, nil
	}
	return sum, nil
}

func jmesAverage(a []any) (any, error) {
	items := oneOrMany(a[0])
	sum, err := jmesSum(a)
	if err != nil || len(items) == 0 {
		return nil, err
	}
	f, _ := number(sum)
	return f / float64(len(items)), nil
}

func jmesContains(a []any) (any, error) {
	switch in := a[0].(type) {
	case string:
		part, ok := a[1].(string)
		return ok && strings.Contains(in, part), nil
	case *jinja.List, jinja.Tuple:
		return slices.ContainsFunc(oneOrMany(in), func(x any) bool { return jinja.Equal(x, a[1]) }), nil
	}
	return nil, jmesMismatch(a[0], "array or string")
}

func jmesJoin(a []any) (any, error) {
	var parts []string
	for _, x := range oneOrMany(a[1]) {
		s, ok := x.(string)
		if !ok {
			return nil, jmesMismatch(x, "string")
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, a[0].(string)), nil
}

func jmesLength(a []any) (any, error) {
	switch v := a[0].(type) {
	case string:
		return int64(len([]rune(v))), nil
	case *jinja.Dict:
		return int64(v.Len()), nil
	case *jinja.List, jinja.Tuple:
		return int64(len(oneOrMany(v))), nil
	}
	return nil, jmesMismatch(a[0], "string, array or object")
}

func jmesMap(a []any) (any, error) {
	out := jinja.NewList()
	for _, x := range oneOrMany(a[1]) {
		r, err := a[0].(jmesReference)(x)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, r)
	}
	return out, nil
}

// jmesSort orders elements by what key gives, all texts or all numbers.
func jmesSort(v any, key jmes) (any, error) {
	items := slices.Clone(oneOrMany(v))
	keys, err := jmesKeys(items, key)
	if err != nil {
		return nil, err
	}
	order := make([]int, len(items))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int {
		n, compareErr := jinja.Compare(keys[x], keys[y])
		err = firstError(err, compareErr)
		return n
	})
	out := jinja.NewList()
	for _, i := range order {
		out.Items = append(out.Items, items[i])
	}
	return out, err
}

func jmesKeys(items []any, key jmes) ([]any, error) {
	keys := make([]any, len(items))
	for i, x := range items {
		k, err := key(x)
		if err != nil {
			return nil, err
		}
		_, isText := k.(string)
		if !isText && !jmesNumber(k) || jmesType(k) != jmesType(first(keys, k)) {
			return nil, jmesMismatch(k, "all strings or all numbers")
		}
		keys[i] = k
	}
	return keys, nil
}

// first gives the first of keys, or def while there is none.
func first(keys []any, def any) any {
	if keys[0] == nil {
		return def
	}
	return keys[0]
}

// jmesBest gives the first of the greatest elements, or with a sign of -1 the least.
func jmesBest(v any, key jmes, sign int) (any, error) {
	items := oneOrMany(v)
	keys, err := jmesKeys(items, key)
	if err != nil || len(items) == 0 {
		return nil, err
	}
	best := 0
	for i := range items {
		n, err := jinja.Compare(keys[i], keys[best])
		if err != nil {
			return nil, err
		}
		if n*sign > 0 {
			best = i
		}
	}
	return items[best], nil
}

func jmesMerge(args []any) (any, error) {
	out := jinja.NewDict()
	for _, x := range args {
		d, ok := x.(*jinja.Dict)
		if !ok {
			return nil, jmesMismatch(x, "object")
		}
		for k, v := range d.All() {
			out.Set(k, v)
		}
	}
	return out, nil
}

func jmesNotNull(args []any) (any, error) {
	for _, x := range args {
		if x != nil {
			return x, nil
		}
	}
	return nil, nil
}

func jmesReverse(a []any) (any, error) {
	if s, ok := a[0].(string); ok {
		runes := []rune(s)
		slices.Reverse(runes)
		return string(runes), nil
	}
	if !isSequence(a[0]) {
		return nil, jmesMismatch(a[0], "array or string")
	}
	items := slices.Clone(oneOrMany(a[0]))
	slices.Reverse(items)
	return &jinja.List{Items: items}, nil
}

func jmesToArray(a []any) (any, error) {
	if isSequence(a[0]) {
		return a[0], nil
	}
	return jinja.NewList(a[0]), nil
}

func jmesToNumber(v any) any {
	s, ok := v.(string)
	if !ok {
		if jmesNumber(v) {
			return v
		}
		return nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return f
	}
	return nil
}

func jmesToString(a []any) (any, error) {
	if s, ok := a[0].(string); ok {
		return s, nil
	}
	return jinja.ToJSON(a[0], jinja.JSONOptions{EnsureASCII: true, ItemSep: ",", KeySep: ":"})
}
