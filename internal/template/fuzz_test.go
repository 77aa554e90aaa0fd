package template

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"mageprov/internal/jinja"
)

// FuzzNames holds that no filter, test or list lookup panics, whatever it is given.
func FuzzNames(f *testing.F) {
	e := New(Options{})
	dotted := func(name string) bool { // second names of what has a short one; and what asks the network
		return strings.Contains(name, ".") && nestedFilters[name] == nil && addressTests[name] == nil || strings.HasSuffix(name, "resolvable")
	}
	filters := slices.DeleteFunc(slices.Sorted(maps.Keys(e.text.Filters)), dotted)
	tests := slices.DeleteFunc(slices.Sorted(maps.Keys(e.text.Tests)), dotted)
	for i := range max(len(filters), len(tests)) {
		f.Add(uint16(i), "a: 1", "10.0.0.1/24", int64(2))
		f.Add(uint16(i), `{"k": [1]}`, "%Y", int64(-1))
		f.Add(uint16(i), "", "", int64(0))
		f.Add(uint16(i), "a[?b == `1`] | ", "[::-1].c.*", int64(1))
	}
	slow := func(name string, in string) bool {
		switch name {
		case "password_hash", "fileglob", "vault", "unvault":
			return true
		case "permutations", "combinations", "product":
			return len(in) > 5
		}
		return false
	}
	f.Fuzz(func(t *testing.T, n uint16, in, arg string, num int64) {
		if len(in) > 30 || len(arg) > 12 || num > 30 || num < -30 {
			return // 2 to a high power takes its time
		}
		scope := e.Scope(dictVars{jinja.NewDict()}, memory{})
		name := filters[int(n)%len(filters)]
		inputs := []any{in, num, float64(num) / 2, nil, true, jinja.NewList(in, arg, num), jinja.NewDict(in, arg, num, nil), jinja.Tuple{in}}
		for _, v := range inputs {
			for _, args := range [][]any{nil, {arg}, {num}, {arg, num}, {jinja.NewList(arg, num)}, {jinja.NewDict(arg, num)}} {
				c := &jinja.Call{Ctx: context.Background(), Env: e.text, Scope: scope, Args: args, Name: name}
				if !slow(name, in) {
					e.text.Filters[name](c, v)
				}
				c.Name = tests[int(n)%len(tests)]
				e.text.Tests[c.Name](c, v)
			}
		}
		names := slices.Sorted(maps.Keys(listPlugins))
		scope.LookupPlugin(context.Background(), names[int(n)%len(names)], jinja.NewList(inputs[:5]...), nil)
		scope.LookupPlugin(context.Background(), "sequence", arg, nil)
		readINI(in + "\n" + arg)
		strptime(in, arg)
		if q, err := compileJMES(in + arg); err == nil {
			for _, v := range inputs {
				q(v)
			}
		}
		withoutBraces(in + arg)
	})
}
