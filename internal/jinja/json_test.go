package jinja

import (
	"encoding/json"
	"math/big"
	"testing"
)

func TestJSON(t *testing.T) {
	big1, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	v := NewDict("z", NewList(int64(1), 2.0, nil, true), "a", NewDict("é", "\"\n\u0001😀"), "n", big1, int64(3), NewDict(), "e", NewList())
	for _, c := range []struct {
		o    JSONOptions
		want string
	}{
		{JSONOptions{}, `{"z": [1, 2.0, null, true], "a": {"é": "\"\n\u0001😀"}, "n": 123456789012345678901234567890, "3": {}, "e": []}`},
		{JSONOptions{SortKeys: true, EnsureASCII: true, ItemSep: ",", KeySep: ":"},
			`{"3":{},"a":{"\u00e9":"\"\n\u0001\ud83d\ude00"},"e":[],"n":123456789012345678901234567890,"z":[1,2.0,null,true]}`},
		{JSONOptions{Indent: 2}, "{\n  \"z\": [\n    1,\n    2.0,\n    null,\n    true\n  ],\n  \"a\": {\n    \"é\": \"\\\"\\n\\u0001😀\"\n  },\n  \"n\": 123456789012345678901234567890,\n  \"3\": {},\n  \"e\": []\n}"},
	} {
		got, err := ToJSON(v, c.o)
		if err != nil || got != c.want {
			t.Errorf("%+v\n got %s %v\nwant %s", c.o, got, err, c.want)
		}
	}
	data, err := json.Marshal(map[string]any{"d": v})
	if err != nil {
		t.Fatal(err)
	}
	back, err := FromJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	d, _ := back.(*Dict).Get("d")
	if n, _ := d.(*Dict).Get("n"); !Equal(n, big1) || Str(d.(*Dict).Keys()[0]) != "z" {
		t.Errorf("read back %s", Repr(back))
	}
	if _, err := ToJSON(NewList(&Undefined{Name: "x"}), JSONOptions{}); err == nil {
		t.Error("an undefined value was written")
	}
	for _, bad := range []string{"", "{", "[1,]", "1 2", "x"} {
		if _, err := FromJSON([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestGo(t *testing.T) {
	in := map[string]any{"b": []string{"x"}, "a": map[string]string{"k": "v"}, "n": 7, "u": uint64(1) << 63, "f": float32(0.5), "j": json.Number("12"),
		"l": []any{1, nil, map[string]any{}}, "s": []int{1}}
	got := FromGo(in)
	want := "{'a': {'k': 'v'}, 'b': ['x'], 'f': 0.5, 'j': 12, 'l': [1, None, {}], 'n': 7, 's': [1], 'u': 9223372036854775808}"
	if Repr(got) != want {
		t.Errorf("FromGo gives %s", Repr(got))
	}
	if m, ok := ToGo(got).(map[string]any); !ok || m["n"] != int64(7) || m["b"].([]any)[0] != "x" {
		t.Errorf("ToGo gives %v", ToGo(got))
	}
}

func TestDict(t *testing.T) {
	d := NewDict("a", int64(1), int64(1), "one", true, "yes", 1.0, "float", Tuple{int64(1), "x"}, "t")
	if got := Repr(d); got != "{'a': 1, 1: 'float', (1, 'x'): 't'}" {
		t.Error(got)
	}
	if _, ok := d.Get(Tuple{true, "x"}); !ok {
		t.Error("an equal tuple is not found")
	}
	if _, ok := d.Get(Tuple{"1", "x"}); ok {
		t.Error("text is taken for a number inside a tuple")
	}
	d.Delete("a")
	if v, _ := d.Get(int64(1)); v != "float" {
		t.Error(v)
	}
}
