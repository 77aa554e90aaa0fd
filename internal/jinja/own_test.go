package jinja

import "testing"

// TestCallersValuesStay changes the caller's variables: the template sees the
// change, the caller does not.
func TestCallersValuesStay(t *testing.T) {
	for src, want := range map[string]string{
		"{% do l.append(9) %}{{ l }}":                                      "[1, 9]",
		"{% set r = l %}{% do r.append(9) %}{{ r }}{{ l }}":                "[1, 9][1]",
		"{% do d.k.append(9) %}{{ d }}":                                    "{'k': [1, 9]}",
		"{% set r = d.k | default([]) %}{% do r.insert(0, 0) %}{{ r }}":    "[0, 1]",
		"{{ d.update({'x': 1}) }}{{ d }}":                                  "{'k': [1], 'x': 1}",
		"{% for i in range(2) %}{% do l.append(i) %}{% endfor %}{{ l }}":   "[1, 0, 1]",
		"{% for x in d.values() %}{% do x.append(2) %}{% endfor %}{{ d }}": "{'k': [1, 2]}",
		"{% set own = [] %}{% set b = own %}{% do b.append(1) %}{{ own }}": "[1]",
	} {
		scope := vars{NewDict("l", NewList(int64(1)), "d", NewDict("k", NewList(int64(1))))}
		got, err := NewEnv().RenderText(t.Context(), &Text{Source: src}, scope)
		if err != nil || got != want {
			t.Errorf("%s gives %q, %v; want %q", src, got, err, want)
		}
		if s := Repr(scope.d); s != "{'l': [1], 'd': {'k': [1]}}" {
			t.Errorf("%s changed the caller's variables: %s", src, s)
		}
	}
}
