package jinja

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"sort"
	"strings"
)

// FromGo makes a value of the language from what Go programs have. Maps come
// out with sorted keys, since Go has none in order.
func FromGo(v any) any {
	switch v := v.(type) {
	case nil, bool, int64, float64, string, *big.Int, *List, Tuple, *Dict, Mapping, *Text, Deferred, *Undefined, Callable:
		return v
	case int:
		return int64(v)
	case []any:
		l := &List{Items: make([]any, len(v))}
		for i, x := range v {
			l.Items[i] = FromGo(x)
			l.Templated = l.Templated || IsTemplated(l.Items[i])
		}
		return l
	case []string:
		l := &List{Items: make([]any, len(v))}
		for i, x := range v {
			l.Items[i] = x
		}
		return l
	case map[string]any:
		d := &Dict{}
		for _, k := range sortedKeys(v) {
			x := FromGo(v[k])
			d.Set(k, x)
			d.Templated = d.Templated || IsTemplated(x)
		}
		return d
	case map[string]string:
		d := &Dict{}
		for _, k := range sortedKeys(v) {
			d.Set(k, v[k])
		}
		return d
	case json.Number:
		return numberFromText(string(v))
	case []byte:
		return string(v)
	case error:
		return v.Error()
	}
	return fromReflect(reflect.ValueOf(v))
}

func sortedKeys[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// fromReflect handles the types that FromGo does not name.
func fromReflect(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return normInt(new(big.Int).SetUint64(v.Uint()))
	case reflect.Float32, reflect.Float64:
		return v.Float()
	case reflect.String:
		return v.String()
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return FromGo(v.Elem().Interface())
	case reflect.Slice, reflect.Array:
		l := &List{}
		for i := range v.Len() {
			l.Items = append(l.Items, FromGo(v.Index(i).Interface()))
		}
		return l
	case reflect.Map:
		m := make(map[string]any, v.Len())
		for it := v.MapRange(); it.Next(); {
			m[fmt.Sprint(it.Key().Interface())] = it.Value().Interface()
		}
		return FromGo(m)
	}
	return fmt.Sprint(v.Interface())
}

// ToGo makes plain Go data: *Dict to map[string]any (keys as their str), *List
// and Tuple to []any; scalars, Text, Deferred and the like stay as they are.
func ToGo(v any) any {
	switch v := v.(type) {
	case *List:
		return goItems(v.Items)
	case Tuple:
		return goItems(v)
	case *Dict:
		m := make(map[string]any, v.Len())
		for k, x := range v.All() {
			m[Str(k)] = ToGo(x)
		}
		return m
	}
	return v
}

func goItems(items []any) []any {
	out := make([]any, len(items))
	for i, x := range items {
		out[i] = ToGo(x)
	}
	return out
}

// numberFromText reads a JSON number: integers of any size, floats otherwise.
func numberFromText(s string) any {
	if !strings.ContainsAny(s, ".eE") {
		if b, ok := new(big.Int).SetString(s, 10); ok {
			return normInt(b)
		}
	}
	f, err := json.Number(s).Float64()
	if err != nil && !math.IsInf(f, 0) {
		return s
	}
	return f
}

// normInt gives int64 where the number fits, the big number otherwise.
func normInt(b *big.Int) any {
	if b.IsInt64() {
		return b.Int64()
	}
	return b
}
