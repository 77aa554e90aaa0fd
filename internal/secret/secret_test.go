package secret

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"sync"
	"testing"
)

func keeper(values ...string) *Keeper {
	k := &Keeper{}
	k.Add(values...)
	return k
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		name, secret, text, want string
	}{
		{"plain", "hunter22", "pass=hunter22;", "pass=" + Mask + ";"},
		{"in a word", "hunter22", "xhunter22y", "x" + Mask + "y"},
		{"twice", "hunter22", "hunter22hunter22", Mask + Mask},
		{"too short", "abc", "abc", "abc"},
		{"a word of the language", "true", "true", "true"},
		{"with a line end", "hunter22\n", "is hunter22.", "is " + Mask + "."},
		{"shell quotes", "it's me", `echo 'it'\''s me'`, "echo '" + Mask + "'"},
		{"Python's shell quotes", "it's me", `echo 'it'"'"'s me'`, "echo '" + Mask + "'"},
		{"query", "a b&c+d", "?p=" + url.QueryEscape("a b&c+d"), "?p=" + Mask},
		{"path", "a b/c", "/" + url.PathEscape("a b/c"), "/" + Mask},
		{"JSON", "a\"b\\c\n<d", `{"p":"a\"b\\c\n\u003cd"}`, `{"p":"` + Mask + `"}`},
		{"JSON without HTML", "a\"b<d>", `{"p":"a\"b<d>"}`, `{"p":"` + Mask + `"}`},
		{"unicode", "geheimnis-ä", "x geheimnis-ä", "x " + Mask},
		{"a line of a key", "-----BEGIN\nAAAABBBBCCCC\nx\n", "got AAAABBBBCCCC", "got " + Mask},
	} {
		if got := keeper(c.secret).Text(c.text); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestLongestFirst(t *testing.T) {
	if got := keeper("pass", "password1").Text("password1 pass"); got != Mask+" "+Mask {
		t.Error(got)
	}
}

// TestBase64 hides the secret at each place within encoded text: what is left
// must not tell more than the bytes beside it.
func TestBase64(t *testing.T) {
	const secret = "correct horse battery"
	k := keeper(secret)
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding} {
		for before := range 6 {
			for after := range 4 {
				text := enc.EncodeToString([]byte(strings.Repeat("u", before) + secret + strings.Repeat(":", after)))
				got := k.Text(text)
				if !strings.Contains(got, Mask) || len(got) > len(Mask)+before*2+after*2+4 {
					t.Errorf("%d before, %d after: %s of %s", before, after, got, text)
				}
			}
		}
	}
}

func TestValue(t *testing.T) {
	k := &Keeper{}
	k.AddAll(map[string]any{"a": []any{"first-secret", 5}, "b": "second-secret"})
	in := map[string]any{"x": []any{"is first-secret", int64(7)}, "second-secret": true}
	b, err := json.Marshal(k.Value(in))
	if err != nil || string(b) != `{"********":true,"x":["is ********",7]}` {
		t.Errorf("%s %v", b, err)
	}
	if in["second-secret"] != true {
		t.Error("the value itself was changed")
	}
	var none *Keeper
	if none.Text("abcdef") != "abcdef" || none.Value("abcdef") != "abcdef" {
		t.Error("no keeper changes text")
	}
}

func TestConcurrent(t *testing.T) {
	k := &Keeper{}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := range 50 {
				s := strings.Repeat(string(rune('a'+i)), 5+j)
				k.Add(s)
				if got := k.Text("<" + s + ">"); strings.Contains(got, s) {
					t.Errorf("%s: %s", s, got)
				}
			}
		}()
	}
	wg.Wait()
}

// FuzzText: no form of the secret survives.
func FuzzText(f *testing.F) {
	f.Add("hunter22", "a hunter22 b")
	f.Add("a'b\"c\n", "x")
	f.Fuzz(func(t *testing.T, value, around string) {
		v := strings.TrimSpace(value)
		if len(v) < shortest || strings.Contains(Mask, v) || strings.Contains(v, "*") {
			return
		}
		switch strings.ToLower(v) {
		case "true", "false", "null", "none":
			return
		}
		k := keeper(value)
		q, _ := json.Marshal(v)
		for _, text := range []string{around + v, v + around, string(q), url.QueryEscape(v), base64.StdEncoding.EncodeToString([]byte(v))} {
			if got := k.Text(text); strings.Contains(got, v) && !strings.Contains(around, v) {
				// What stands around may make a second one of the ends.
				if strings.Count(got, v) >= strings.Count(text, v) {
					t.Errorf("%q in %q gives %q", v, text, got)
				}
			}
		}
	})
}
