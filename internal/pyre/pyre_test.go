package pyre

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// The answers were recorded with Python's re.
func TestSub(t *testing.T) {
	for _, c := range []struct{ pattern, repl, in, want string }{
		{`^(#?)PermitRootLogin.*$`, `PermitRootLogin no`, "#PermitRootLogin yes", "PermitRootLogin no"},
		{`(?P<key>\w+)=(\w+)`, `\g<key>:\2`, "a=b c=d", "a:b c:d"},
		{`(\w+) (?P<b>\w+) (\w+)`, `\3 \g<b> \g<1>0`, "x y z", "z y x0"},
		{`(a)(b)?`, `[\1\2]`, "ab a", "[ab] [a]"},
		{`(?<=GRUB=")((?!audit)[^"])*`, `audit=1`, `GRUB="quiet"`, `GRUB="audit=1"`},
		{`x*`, `-`, "abxd", "-a-b--d-"},
		{`^`, `> `, "a\nb", "> a\nb"},
		{`(?m)^`, `> `, "a\nb", "> a\n> b"},
		{`b$`, `X`, "b\nb\n", "b\nX\n"},
		{`b\Z`, `X`, "b\nb", "b\nX"},
		{`b\Z`, `X`, "b\n", "b\n"},
		{`[[]x[]]`, `y`, "[x]", "y"},
		{`[]a]+`, `-`, "]a]b", "-b"},
		{`[a-z-[q]`, `-`, "b[", "--"},
		{`a{,2}b`, `-`, "aab", "-"},
		{`(.)(?P=q)?`, ``, "", "unknown group name"},
		{`(?P<q>['"]).*?(?P=q)`, `S`, `a 'x"y' b`, `a S b`},
		{`(['"])(.*)\1`, `\2`, `"x"`, `x`},
		{`(?i)abc`, `x`, "ABC", "x"},
		{`(a)|b`, `<\1>`, "ab", "<a><>"},
		{`a\.b`, `\.`, "a.b", `\.`},
		{`a`, `\n\t\\`, "a", "\n\t\\"},
		{`a`, `\q`, "a", `bad escape \q`},
		{`a`, `\1`, "a", "invalid group reference 1"},
		{`a\hb`, ``, "", `bad escape \h`},
		{`\_x\-\/`, `ok`, `_x-/`, "ok"},
		{`é+`, `e`, "ééa", "ea"},
		{`\x41\u0042\U00000043`, `ok`, "ABC", "ok"},
		{`(?x) a # b
c`, `ok`, "ac", "ok"},
		{`a(?#comment)b`, `ok`, "ab", "ok"},
		{`(a)?(?(1)b|c)`, `-`, "abc", "--"},
		{`((a)(b)(c)(d)(e)(f)(g)(h)(i)(j))\11`, `\11`, "abcdefghijj", "j"},
		{`[\101-\103]+`, `-`, "ABC", "-"},
		{`(`, ``, "", "missing"},
		{`a**`, ``, "", "repetition"},
		{`[a`, ``, "", "unterminated character set"},
		{`(?<n>a)`, ``, "", "unknown extension"},
	} {
		re, err := Compile(c.pattern, 0)
		got := ""
		if err == nil {
			got, _, err = re.Sub(c.in, c.repl, 0)
		}
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: error %v, want %q", c.pattern, err, c.want)
			}
			continue
		}
		if got != c.want {
			t.Errorf("sub(%q, %q, %q) = %q, want %q", c.pattern, c.repl, c.in, got, c.want)
		}
	}
}

func TestMatchIsAnchored(t *testing.T) {
	re, err := Compile(`a|ab # x`, Verbose)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][2]bool{"ab": {true, true}, "abc": {true, false}, "xab": {false, false}} {
		m, err := re.Match(text)
		full, err2 := re.FullMatch(text)
		if err != nil || err2 != nil || (m != nil) != want[0] || (full != nil) != want[1] {
			t.Errorf("%q: match %v %v, fullmatch %v %v", text, m, err, full, err2)
		}
	}
}

func TestGroups(t *testing.T) {
	re, _ := Compile(`(?P<year>\d+)-(\d+)(x)?`, 0)
	m, _ := re.Search("in 2026-03")
	if y, _ := m.Named("year"); y != "2026" {
		t.Errorf("year %q", y)
	}
	if _, ok := m.Group(3); ok {
		t.Error("group 3 took no part")
	}
	if s, e := m.Span(2); s != 8 || e != 10 {
		t.Errorf("span %d %d", s, e)
	}
	all, _ := re.FindAll("1-2 3-4")
	if len(all) != 2 {
		t.Errorf("%d matches", len(all))
	}
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{`(?P<a>x)(?P=a)`, `[^]-a]\1`, `(?x)#`, `\g<`, `(?(1)a|b)`} {
		f.Add(s, "text")
	}
	f.Fuzz(func(t *testing.T, pattern, repl string) {
		if !utf8.ValidString(pattern) || len(pattern) > 100 {
			return
		}
		re, err := Compile(pattern, 0)
		if err == nil {
			re.Sub("some short text", repl, 3)
		}
	})
}
