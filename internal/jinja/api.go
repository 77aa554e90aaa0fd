package jinja

import "mageprov/internal/fault"

// Name is a name as a template uses it.
type Name struct {
	Name    string
	Place   fault.Place
	Guarded bool // stands under `is defined` or `default`, so may be missing
}

// NewEnv gives an environment with Jinja2's own filters, tests and functions.
// The maps are the caller's to extend before the first use.
func NewEnv() *Env {
	e := &Env{
		Filters: map[string]Filter{}, Tests: map[string]Test{}, Globals: map[string]any{},
		TakesUndefined: map[string]bool{},
	}
	for _, table := range []map[string]Filter{textFilters, numberFilters, listFilters, markupFilters} {
		for name, f := range table {
			e.Filters[name] = f
		}
	}
	// these two look up other filters and tests, and so cannot stand in a table
	// that they would refer to
	for name, f := range map[string]Filter{"map": filterMap, "select": filterSelect, "reject": filterReject,
		"selectattr": filterSelectattr, "rejectattr": filterRejectattr} {
		e.Filters[name] = f
	}
	for name, t := range builtinTests {
		e.Tests[name] = t
	}
	for name, f := range map[string]Func{"range": globalRange, "dict": globalDict, "namespace": globalNamespace,
		"cycler": globalCycler, "joiner": globalJoiner} {
		e.Globals[name] = f
	}
	for _, name := range []string{"default", "d", "defined", "undefined", "none", "string", "mapping", "number", "integer",
		"float", "boolean", "true", "false", "sameas", "callable"} {
		e.TakesUndefined[name] = true
	}
	return e
}

// Hashable says whether v can be a key of a Dict.
func Hashable(v any) bool {
	switch v := v.(type) {
	case nil, bool, int, int64, float64, string:
		return true
	case Tuple:
		for _, x := range v {
			if !Hashable(x) {
				return false
			}
		}
		return true
	}
	_, big := v.(interface{ BitLen() int })
	return big
}
