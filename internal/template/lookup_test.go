package template

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mageprov/internal/jinja"
)

func TestLookupPlugin(t *testing.T) {
	files := memory{
		"role/files/motd":        "hello\n\n",
		"role/files/conf/a.conf": "", "role/files/conf/b.conf": "", "role/files/conf/c.txt": "",
		"role/vars/Debian.yml":  "x: 1",
		"role/files/list.csv":   "key,one,two\na,1,2\nb,3,4\n",
		"role/files/site.ini":   "[web]\nport = 80\n# port = 81\nname: x\n[db]\nport=5432\n",
		"role/files/site.props": "user.name = fred\n",
		"role/templates/t.j2":   "{{ n }} {{ extra | default('none') }}\n",
		"etc/found":             "",
	}
	dict := func(kv ...any) *jinja.Dict { return jinja.NewDict(kv...) }
	for _, c := range []struct {
		name   string
		terms  any
		kwargs map[string]any
		want   string
	}{
		{"items", jinja.NewList(int64(1), jinja.NewList(int64(2), jinja.NewList(int64(3)))), nil, "[1, 2, [3]]"},
		{"items", text("{{ [n, 6] }}"), nil, "[5, 6]"},
		{"items", templatedList("a", text("{{ shared }}")), nil, "['a', 1]"},
		{"dict", dict("a", int64(1)), nil, "[{'key': 'a', 'value': 1}]"},
		{"file", "motd", nil, "['hello']"},
		{"file", "motd", map[string]any{"rstrip": false}, `['hello\n\n']`},
		{"unvault", "motd", nil, `['hello\n\n']`},
		{"fileglob", "conf/*.conf", nil, "['role/files/conf/a.conf', 'role/files/conf/b.conf']"},
		{"fileglob", jinja.NewList("conf/*.none"), nil, "[]"},
		{"first_found", jinja.NewList("none.yml", "Debian.yml"), nil, "['role/vars/Debian.yml']"},
		{"first_found", dict("files", "x.yml,Debian.yml", "paths", ""), nil, "['role/vars/Debian.yml']"},
		{"first_found", jinja.NewList(dict("files", jinja.NewList("no", "motd"), "paths", jinja.NewList("nodir", "../files"))), nil, "['role/files/motd']"},
		{"first_found", dict("files", "none.yml", "skip", true), nil, "[]"},
		{"template", "t.j2", nil, `['5 none\n']`},
		{"template", "t.j2", map[string]any{"template_vars": dict("extra", "more")}, `['5 more\n']`},
		{"csvfile", "a file=list.csv delimiter=, col=2", nil, "['2']"},
		{"csvfile", "b", map[string]any{"file": "list.csv", "delimiter": ",", "col": int64(1)}, "['3']"},
		{"csvfile", "zz", map[string]any{"file": "list.csv", "delimiter": ",", "default": "none"}, "['none']"},
		{"ini", "port section=web file=site.ini", nil, "['80']"},
		{"ini", "port", map[string]any{"section": "db", "file": "site.ini"}, "['5432']"},
		{"ini", "p.*", map[string]any{"section": "web", "file": "site.ini", "re": true}, "['80']"},
		{"ini", "nope", map[string]any{"section": "web", "file": "site.ini", "default": "d"}, "['d']"},
		{"ini", "user.name", map[string]any{"type": "properties", "file": "site.props"}, "['fred']"},
		{"config", "DEFAULT_BECOME_USER", nil, "['root']"},
		{"pipe", "printf 'a\nb\n'", nil, `['a\nb']`},
		{"lines", "printf 'a\nb\n'", nil, `['a', 'b']`},
		{"ansible.builtin.sequence", "count=2", nil, "['1', '2']"},
	} {
		got, err := testScope(t, files).LookupPlugin(context.Background(), c.name, c.terms, c.kwargs)
		if err != nil {
			t.Errorf("%s %v: %v", c.name, c.terms, err)
		} else if g := exact(jinja.NewList(got...)); g != c.want {
			t.Errorf("%s %v gives %s, want %s", c.name, c.terms, g, c.want)
		}
	}
}

func TestLookupMistakes(t *testing.T) {
	for _, c := range []struct {
		name  string
		terms any
		want  string
	}{
		{"file", "none", "was not found"},
		{"first_found", jinja.NewList("a", "b"), "no file was found"},
		{"pipe", "echo oops >&2; exit 3", "exit status 3: \"oops\""},
		{"sequence", "count=1 start", "no key=value"},
		{"sequence", "end=99999999", "more than"},
		{"sequence", "count=3 format=%s%d", "bad formatting string"},
		{"config", "NOPE", "unable to find setting NOPE"},
		{"dict", "x", "needs a dictionary"},
		{"nested", jinja.NewList(), "at least one list"},
		{"nothing", "x", "unknown lookup"},
	} {
		_, err := testScope(t, memory{}).LookupPlugin(context.Background(), c.name, c.terms, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: error %v, want %s", c.name, c.terms, err, c.want)
		}
	}
}

func TestLookupPassword(t *testing.T) {
	s := testScope(t, nil)
	file := filepath.Join(t.TempDir(), "dir", "pw")
	get := func(options string) string {
		t.Helper()
		out, err := s.LookupPlugin(context.Background(), "password", file+options, nil)
		if err != nil {
			t.Fatal(err)
		}
		return out[0].(string)
	}
	pw := get(" length=12 chars=digits")
	if len(pw) != 12 || strings.Trim(pw, "0123456789") != "" {
		t.Errorf("password %q", pw)
	}
	if again := get(" length=30"); again != pw {
		t.Errorf("the second call gives %q, not %q", again, pw)
	}
	hash := get(" encrypt=md5_crypt")
	if !strings.HasPrefix(hash, "$1$") || get(" encrypt=md5_crypt") != hash {
		t.Errorf("hash %q is not kept", hash)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
}
