package template

import (
	"context"
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// TestBeyond214 holds what came after the release that recorded the other cases,
// and the filters of collections.
func TestBeyond214(t *testing.T) {
	for src, want := range map[string]string{
		"'/a/../b/./c//d' | normpath":                                         "'/b/c/d'",
		"'' | normpath":                                                       "'.'",
		"'//a/b' | normpath":                                                  "'//a/b'",
		"'a/../..' | normpath":                                                "'..'",
		"['/a/b/c','/a/b/d'] | commonpath":                                    "'/a/b'",
		"['a/b','a/c/d'] | commonpath":                                        "'a'",
		"'aaa' | regex_replace('a','b',count=2)":                              "'bba'",
		"'aaa' | regex_replace('a','b',mandatory_count=3)":                    "'bbb'",
		"{'timedout':{'period':5}} is timedout":                               "True",
		"{} is timedout":                                                      "False",
		"'$ANSIBLE_VAULT;1.1;AES256' is vault_encrypted":                      "True",
		"query('sequence', start=1, end=7, stride=3)":                         "['1', '4', '7']",
		"[{'a':1,'b':2},{'a':3}] | community.general.keep_keys(target=['a'])": "[{'a': 1}, {'a': 3}]",
		"[{'ab':1,'b':2}] | community.general.remove_keys(target='a', matching_parameter='starts_with')":     "[{'b': 2}]",
		"[{'ab':1,'b':2}] | community.general.keep_keys(target='^a', matching_parameter='regex')":            "[{'ab': 1}]",
		"[1,2] | community.general.lists_union([2,3],[4])":                                                   "[1, 2, 3, 4]",
		"[[1,2],[2,3]] | community.general.lists_intersect(flatten=true)":                                    "[2]",
		"['1.10','1.9'] | community.general.version_sort":                                                    "['1.9', '1.10']",
		"[{'n':'b','x':1}] | community.general.lists_mergeby([{'n':'a'},{'n':'b','y':2}], 'n')":              "[{'n': 'a'}, {'n': 'b', 'x': 1, 'y': 2}]",
		"(('2024-01-03 00:00:10' | to_datetime) - ('2024-01-02' | to_datetime('%Y-%m-%d'))).total_seconds()": "86410.0",
		"(('2024-01-02' | to_datetime('%Y-%m-%d')) - ('2024-01-03 00:00:10' | to_datetime)).days":            "-2",
		"('2024-01-02' | to_datetime('%Y-%m-%d')) < ('2024-01-03 00:00:10' | to_datetime)":                   "True",
		"('2024-01-02 03:04:05' | to_datetime) ~ ''":                                                         "'2024-01-02 03:04:05'",
		"('2024-01-02 03:04:05' | to_datetime).strftime('%-d.%-m.%y')":                                       "'2.1.24'",
		"(nope is defined) | ternary(nope, 'd')":                                                             "'d'",
		"nope | ansible.builtin.default('x')":                                                                "'x'",
		"'test' | community.general.crc32":                                                                   "'d87f7e0c'",
		"[{'a':1}] | community.general.json_query('[0].a')":                                                  "1",
		"[{'b':1,'a':{'z':1,'y':2}}] | json_query('[0]')":                                                    "{'b': 1, 'a': {'z': 1, 'y': 2}}",
		"[{'v':1.5}] | json_query('[].v')":                                                                   "[1.5]",
	} {
		checkExpr(t, src, want)
	}
}

func TestAddresses(t *testing.T) {
	for src, want := range map[string]string{
		"'192.168.0.1' | ipaddr":                   "'192.168.0.1'",
		"'192.168.32.0/24' | ansible.utils.ipaddr": "'192.168.32.0/24'",
		"'fe80::100/10' | ipaddr":                  "'fe80::100/10'",
		"45443646733 | ipaddr":                     "'::a:94a7:50d'",
		"'523454/24' | ipaddr":                     "'0.7.252.190/24'",
		"'localhost' | ipaddr":                     "False",
		"true | ipaddr":                            "False",
		"'' | ipaddr":                              "False",
		"'fe80:/10' | ipaddr":                      "False",
		"'fe80::1' | ipv4":                         "False",
		"'192.168.0.1' | ipv6":                     "False",
		"['192.24.2.1', 'host.fqdn', '::1', '192.168.32.0/24'] | ipaddr":               "['192.24.2.1', '::1', '192.168.32.0/24']",
		"['192.24.2.1', '::1', '192.168.32.0/24', 'fe80::100/10'] | ipaddr('address')": "['192.24.2.1', '::1', 'fe80::100']",
		"['192.24.2.1', '::1', '192.168.32.0/24', 'fe80::100/10'] | ipaddr('host')":    "['192.24.2.1/32', '::1/128', 'fe80::100/10']",
		"['192.24.2.1', '192.168.32.0/24', 'x'] | ipaddr('net')":                       "['192.168.32.0/24']",
		"['192.24.2.1', '192.168.32.0/24', '::1'] | ipv4":                              "['192.24.2.1', '192.168.32.0/24']",
		"['192.24.2.1', '10.0.0.1'] | ipaddr('private')":                               "['10.0.0.1']",
		"['192.24.2.1', '10.0.0.1'] | ipaddr('public')":                                "['192.24.2.1']",
		"'192.0.2.5/24' | ipaddr('network')":                                           "'192.0.2.0'",
		"'192.0.2.5/24' | ipaddr('netmask')":                                           "'255.255.255.0'",
		"'192.0.2.5/255.255.255.0' | ipaddr('prefix')":                                 "24",
		"'192.0.2.5/24' | ipaddr('prefix')":                                            "24",
		"'192.0.2.5/24' | ipaddr('broadcast')":                                         "'192.0.2.255'",
		"'192.0.2.5/24' | ipaddr('subnet')":                                            "'192.0.2.0/24'",
		"'192.0.2.5/24' | ipaddr('size')":                                              "256",
		"'192.0.2.5/24' | ipaddr('host/prefix')":                                       "'192.0.2.5/24'",
		"'192.0.2.5/24' | ipaddr('network/prefix')":                                    "'192.0.2.0/24'",
		"'192.0.2.5/24' | ipaddr('ip_netmask')":                                        "'192.0.2.5 255.255.255.0'",
		"'192.0.2.5/24' | ipaddr('network_netmask')":                                   "'192.0.2.0 255.255.255.0'",
		"'192.0.2.5/24' | ipaddr('wildcard')":                                          "'0.0.0.255'",
		"'192.0.2.0/24' | ipaddr('1')":                                                 "'192.0.2.1/24'",
		"'192.0.2.0/24' | ipaddr(-1)":                                                  "'192.0.2.255/24'",
		"'192.0.2.0/24' | ipaddr('300')":                                               "False",
		"'192.0.2.0/24' | ipaddr('first_usable')":                                      "'192.0.2.1'",
		"'192.0.2.0/24' | ipaddr('last_usable')":                                       "'192.0.2.254'",
		"'192.0.2.1/24' | ipaddr('next_usable')":                                       "'192.0.2.2'",
		"'192.0.2.1/24' | ipaddr('previous_usable')":                                   "None",
		"'192.0.2.0/24' | ipaddr('size_usable')":                                       "254",
		"'192.0.2.0/24' | ipaddr('range_usable')":                                      "'192.0.2.1-192.0.2.254'",
		"'192.168.1.2' | ipaddr('int')":                                                "3232235778",
		"'192.168.1.2/24' | ipaddr('int')":                                             "'3232235778/24'",
		"'192.168.5.1' | ipaddr('192.168.0.0/16')":                                     "'192.168.5.1'",
		"['192.24.2.1', '192.168.5.5'] | ipaddr('192.168.0.0/16')":                     "['192.168.5.5']",
		"'192.0.2.1' | ipaddr('revdns')":                                               "'1.2.0.192.in-addr.arpa.'",
		"'192.0.2.1/24' | ipaddr('version')":                                           "4",
		"'10.0.0.1/31' | ipaddr('peer')":                                               "'10.0.0.0'",
		"'fd00::1' | ipwrap":                                                           "'[fd00::1]'",
		"'10.0.0.1' | ipwrap":                                                          "'10.0.0.1'",
		"'fe80::100/10' | ipwrap":                                                      "'[fe80::100]/10'",
		"'node.example' | ipwrap":                                                      "'node.example'",
		"['::1', 'x'] | ipwrap":                                                        "['[::1]', 'x']",
		"'10.0.0.0/8' | nthhost(305)":                                                  "'10.0.1.49'",
		"'192.168.144.5' | ipsubnet(20)":                                               "'192.168.144.0/20'",
		"'192.168.0.0/16' | ipsubnet(20)":                                              "'16'",
		"'192.168.0.0/16' | ipsubnet(20, 0)":                                           "'192.168.0.0/20'",
		"'192.168.0.0/16' | ipsubnet(20, -1)":                                          "'192.168.240.0/20'",
		"'192.168.144.5' | ipsubnet(18, 0)":                                            "'192.168.128.0/18'",
		"'192.168.0.0/24' | network_in_network('192.168.0.5')":                         "True",
		"'192.168.0.0/24' | network_in_usable('192.168.0.255')":                        "False",
		"'10.1.0.0/24' | next_nth_usable(2)":                                           "'10.1.0.2'",
		"'192.168.0.1' | ipmath(5)":                                                    "'192.168.0.6'",
		"['192.168.0.0/17', '192.168.128.0/17'] | cidr_merge":                          "['192.168.0.0/16']",
		"['192.168.1.1', '192.168.1.2'] | cidr_merge('span')":                          "'192.168.1.0/30'",
		"'10.0.0.5' is ansible.utils.in_network('10.0.0.0/24')":                        "True",
		"'::1' is ansible.utils.ipv6":                                                  "True",
	} {
		checkExpr(t, src, want)
	}
	if _, err := eval("'10.0.0.1' | ipaddr('nope')"); err == nil {
		t.Error("an unknown query passes")
	}
}

func eval(src string) (any, error) {
	s := New(Options{}).Scope(dictVars{jinja.NewDict()}, nil)
	return s.Eval(context.Background(), src, fault.Place{})
}

func checkExpr(t *testing.T, src, want string) {
	t.Helper()
	got, err := eval(src)
	if err != nil {
		t.Errorf("%s: %v", src, err)
	} else if exact(got) != want {
		t.Errorf("%s gives %s, want %s", src, exact(got), want)
	}
}

func TestPasswordHash(t *testing.T) {
	h, err := cryptPassword("secret", cryptOptions{Scheme: "blowfish", Rounds: 4})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(h, "$2b$04$") || bcrypt.CompareHashAndPassword([]byte(h), []byte("secret")) != nil {
		t.Errorf("bcrypt gives %q", h)
	}
	for _, c := range []struct {
		o    cryptOptions
		want string
	}{
		{cryptOptions{Scheme: "sha512", Rounds: 5000, Salt: "abc"}, "$6$abc$"},
		{cryptOptions{Scheme: "sha256", Rounds: 1000, Salt: "abc"}, "$5$rounds=1000$abc$"},
		{cryptOptions{Scheme: "md5_crypt"}, "$1$"},
	} {
		if h, err := cryptPassword("x", c.o); err != nil || !strings.HasPrefix(h, c.want) {
			t.Errorf("%+v gives %q, %v", c.o, h, err)
		}
	}
	for want, o := range map[string]cryptOptions{
		"unknown hash":         {Scheme: "rot13"},
		"rounds must be":       {Scheme: "sha512", Rounds: 5},
		"invalid characters":   {Scheme: "sha512", Salt: "a$b"},
		"at most 16":           {Scheme: "sha512", Salt: strings.Repeat("a", 17)},
		"must have 22":         {Scheme: "bcrypt", Salt: "abc"},
		"unknown bcrypt ident": {Scheme: "bcrypt", Rounds: 4, Ident: "2q"},
	} {
		if _, err := cryptPassword("x", o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want %s", o, err, want)
		}
	}
}

// TestPage holds that the manual names every filter, test and lookup.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/templates.md")
	if err != nil {
		t.Fatal(err)
	}
	named := func(name string) bool { return strings.Contains(string(page), "`"+name+"`") }
	e := New(Options{})
	for name := range e.text.Filters {
		if !strings.Contains(name, ".") && !named(name) {
			t.Errorf("the filter %s is not on the page", name)
		}
	}
	for name := range e.text.Tests {
		if !strings.Contains(name, ".") && !named(name) {
			t.Errorf("the test %s is not on the page", name)
		}
	}
	for name := range e.plugins {
		if !named(name) {
			t.Errorf("the lookup %s is not on the page", name)
		}
	}
	for name := range e.text.Globals {
		if !named(name) {
			t.Errorf("the function %s is not on the page", name)
		}
	}
}
