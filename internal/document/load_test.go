package document

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/hashicorp/go-multierror"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// dump writes a value with its type, so that 1, "1" and a template differ.
func dump(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return fmt.Sprintf("%q", v)
	case *big.Int:
		return "big " + v.String()
	case float64:
		return fmt.Sprintf("%vf", v)
	case *jinja.Text:
		return fmt.Sprintf("text(%q @%d:%d)", v.Source, v.Place.Line, v.Place.Col)
	case *jinja.List:
		var s []string
		for _, it := range v.Items {
			s = append(s, dump(it))
		}
		return mark(v.Templated) + "[" + strings.Join(s, " ") + "]"
	case *jinja.Dict:
		var s []string
		for k, e := range v.All() {
			s = append(s, dump(k)+": "+dump(e))
		}
		return mark(v.Templated) + "{" + strings.Join(s, ", ") + "}"
	}
	return fmt.Sprint(v)
}

func mark(t bool) string {
	if t {
		return "T"
	}
	return ""
}

func TestValues(t *testing.T) {
	cases := []struct{ in, want string }{
		{"", "null"},
		{"# only a comment\n", "null"},
		{"---\n", "null"},
		{"[yes, No, on, OFF, true, False, y, n]", `[true false true false true false "y" "n"]`},
		{"[~, null, '', '~']", `[null null "" "~"]`},
		{"[0644, '0644', 0o644, 0x1F, 0b101, 1_000, -5, +7, 0, 08]", `[420 "0644" "0o644" 31 5 1000 -5 7 0 "08"]`},
		{"[1.5, 1., .5, 1e3, 1.0e+3, 1_0.5, -.inf, .nan, 1.2.3]", `[1.5f 1f 0.5f "1e3" 1000f 10.5f -Inff NaNf "1.2.3"]`},
		{"[12:30, 1:2:3, -1:30, 1:30.5, 12:75, 0:30, 01:30]", `[750 3723 -90 90.5f "12:75" "0:30" "01:30"]`},
		{"[22:22, '22:22', 2024-01-31, 99999999999999999999]", `[1342 "22:22" "2024-01-31" big 99999999999999999999]`},
		{"{1: a, false: b, x: c}", `{1: "a", false: "b", "x": "c"}`},
		{"a: '{{ b }}'\nb: x\n", `T{"a": text("{{ b }}" @1:5), "b": "x"}`},
		{"a: x {{ b }}\n", `T{"a": text("x {{ b }}" @1:4)}`},
		{"a: |\n\n    {% if x %}\n    y\n", `T{"a": text("\n{% if x %}\ny\n" @3:5)}`},
		{"a: >-\n  {# c #}\n  d\n", `T{"a": text("{# c #} d" @2:3)}`},
		{"- !unsafe '{{ x }}'\n- !unsafe\n  a: ['{{ y }}']\n", `["{{ x }}" {"a": ["{{ y }}"]}]`},
		{"- !!str 5\n- !!int '5'\n- !!float 5\n- !!bool 'yes'\n- !!binary aGk=\n", `["5" 5 5f true "hi"]`},
		{"x: &a {p: 1, q: 2}\ny:\n  q: 3\n  <<: *a\n  r: 4\n", `{"x": {"p": 1, "q": 2}, "y": {"p": 1, "q": 3, "r": 4}}`},
		{"- &a {p: 1}\n- &b {p: 2, q: 2}\n- <<: [*a, *b]\n", `[{"p": 1} {"p": 2, "q": 2} {"p": 1, "q": 2}]`},
		{"- &a '{{ x }}'\n- *a\n", `T[text("{{ x }}" @1:7) text("{{ x }}" @1:7)]`},
		{"- ! \"é {{ x }}\"\n", `T[text("é {{ x }}" @1:6)]`},
		{"é: {ü: '{{ x }}'}\n", `T{"é": T{"ü": text("{{ x }}" @1:9)}}`},
		{"'{{ k }}': 1\n", `{"{{ k }}": 1}`},
		{"{\n\t\"a\": 1e3,\n\t\"b\": \"\\ud83d\\ude00 \\/\", \"c\": 0.5, \"d\": [true, null]\n}\n", `{"a": 1000f, "b": "😀 /", "c": 0.5f, "d": [true null]}`},
		{"\xef\xbb\xbfa: 1\n", `{"a": 1}`},
	}
	for _, c := range cases {
		n, err := Load("f.yml", []byte(c.in))
		if err != nil {
			t.Errorf("%q: %v", c.in, err)
			continue
		}
		if got := dump(n.ToValue()); got != c.want {
			t.Errorf("%q\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

func TestUntrusted(t *testing.T) {
	v, err := Values("f.yml", []byte("a: '{{ x }}'\n"), false)
	if err != nil || dump(v) != `{"a": "{{ x }}"}` {
		t.Errorf("got %s, %v", dump(v), err)
	}
}

// report writes every mistake as "line:col message | hint".
func report(err error) string {
	var lines []string
	for _, e := range err.(*multierror.Error).Errors {
		f := e.(*fault.Error)
		s := fmt.Sprintf("%d:%d %s", f.Place.Line, f.Place.Col, f.Msg)
		if f.Hint != "" {
			s += " | " + f.Hint
		}
		lines = append(lines, s)
	}
	return strings.Join(lines, "\n")
}

func TestMistakes(t *testing.T) {
	cases := []struct{ in, want string }{
		{"a: 1\nb: 2\na: 3\nb: 4\n", "3:1 duplicate key \"a\", first at f.yml:1:1 | keep one of the two: the first would be lost without a word\n" +
			"4:1 duplicate key \"b\", first at f.yml:2:1 | keep one of the two: the first would be lost without a word"},
		{"a: {{ b }}\n", `1:4 found an unquoted {{, which YAML reads as a dictionary | quote it: "{{ b }}"`},
		{"- x:\n    a: {{ b }}/c\n    d: 1\n", `2:8 found an unquoted {{, which YAML reads as a dictionary | quote it: "{{ b }}/c"`},
		{"a: {{ b[\"c\"] }}/d\n", `1:4 found an unquoted {{, which YAML reads as a dictionary | quote it: '{{ b["c"] }}/d'`},
		{"a:\n\tb: 1\n", "2:1 found a tab in the indentation | YAML is indented with spaces only"},
		{"a: b: c\n", `1:5 found ": " inside a value that has no quotes, or a line that is indented too far | quote the value, or indent the line as its neighbours: a: b: c`},
		{"- a: 1\n- b:2\n  c: 3\n", `3:4 found ": " inside a value that has no quotes, or a line that is indented too far | the line before needs a space behind its colon: - b: 2`},
		{"a: 1\nb:2\n", `2:1 expected a key and a colon ("key: value") | the colon needs a space behind it: b: 2`},
		{"a: 'x\nb: 2\n", "1:4 found the end of the file inside a quoted value | look for a quote that is not closed"},
		{"a: @x\n", "1:4 found a character that cannot start a value | quote values that start with @, ` or %: a: @x"},
		{"a: *.txt\n", "1:4 found * or & without a name behind it | quote values that start with * or &: a: *.txt"},
		{"a: \"x\" y\n", `1:8 found text behind the closing quote | quote the whole value: a: "x" y`},
		{"- a: 1\n  b: 2\n c: 3\n", `3:2 found a line that does not fit the structure around it | check the indentation, and quotes, of this line and of the one before: c: 3`},
		{"a: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  31610a\n", "2:3 !vault: salt, checksum and ciphertext are not all there"},
		{"a: !vault x\n", "1:11 !vault: not an encrypted text: it does not begin with $ANSIBLE_VAULT;VERSION;CIPHER"},
		{"a: !vault [1]\n", "1:4 unknown tag !vault on a list | known: !!seq, !unsafe, !vault; text that starts with ! needs quotes"},
		{"a: !vault |\n  $ANSIBLE_VAULT;1.2;AES256;dev\n  33300a33300a3330\n", "2:3 encrypted with ansible-vault for vault id dev, and no vault password was given | give --vault-id dev@FILE or --vault-id dev@prompt"},
		{"a: !foo x\n", "1:9 unknown tag !foo on a single value | known: !!str, !!int, !!float, !!bool, !!null, !!timestamp, !!binary, !unsafe, !vault; text that starts with ! needs quotes"},
		{"a: *x\n", "1:5 unknown anchor 'x' referenced | in: a: *x"},
		{"a: &x [*x]\n", "1:8 alias *x stands inside the value it names"},
		{"a: 1\n---\nb: 2\n", "2:3 found a second document | a file holds one document: remove the second ---"},
		{"a: \xff\n", "1:4 found a byte that is not UTF-8"},
		{"a: \x01\n", "1:4 found a control character"},
		{"{1: a, true: b}", "1:8 duplicate key \"true\", first at f.yml:1:2 | keep one of the two: the first would be lost without a word"},
		{"? [a, b]\n: 1\n", "1:3 a dictionary or list cannot be a key"},
		{"a:\n  <<: 5\n", "2:7 << merges a dictionary or a list of dictionaries, found a single value"},
	}
	for _, c := range cases {
		_, err := Load("f.yml", []byte(c.in))
		if err == nil {
			t.Errorf("%q: no error", c.in)
			continue
		}
		if got := report(err); got != c.want {
			t.Errorf("%q\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

// Aliases of aliases must neither take memory by the power nor time.
func TestAliasBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x]\n")
	for i := 1; i < 60; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [*a%d, *a%d]\n", i, i, i-1, i-1)
	}
	n, err := Load("f.yml", []byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	n.ToValue()
}

func FuzzLoad(f *testing.F) {
	for _, s := range []string{"a: '{{ x }}'\n", "{\"a\": \"\\ud83d\\ude00\"}", "- &a !unsafe |\n  x\n- *a\n", "a:\n  <<: [*b]\n", "\t", "? [a]\n: b", "%YAML 1.1\n---\na", "a: {{ b }}\n", "!vault |\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := Load("f.yml", data)
		if err == nil && n == nil {
			t.Fatal("neither node nor error")
		}
		if n != nil && err == nil {
			n.ToValue()
		}
		if err != nil {
			for _, e := range err.(*multierror.Error).Errors {
				if f := e.(*fault.Error); f.Place.Line < 1 || f.Place.Col < 1 || f.Msg == "" {
					t.Fatalf("no place or message: %#v", f)
				}
			}
		}
	})
}
