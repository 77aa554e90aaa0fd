package modules

import (
	"strings"
	"testing"
)

func FuzzParseAptSim(f *testing.F) {
	f.Add("Inst a [1] (2 x [all]) []\nRemv b [1]\nPurg c\nConf d (1 x)\n")
	f.Add("Inst  (\nInst x (")
	f.Fuzz(func(t *testing.T, out string) {
		s := parseAptSim(out)
		for _, p := range append(s.install, s.remove...) {
			if p.name == "" {
				t.Error("a package without a name")
			}
		}
		s.diff()
	})
}

func FuzzParseSystemdShow(f *testing.F) {
	f.Add("A=1\nExecStart={ a\nb }\nC=\n=x\n")
	f.Fuzz(func(t *testing.T, out string) {
		for k := range parseSystemdShow(out) {
			if k == "" {
				t.Error("a property without a name")
			}
		}
		services := map[string]any{}
		parseServiceUnits(out, services, map[string]bool{})
		parseServiceFiles(out, services)
		parseServiceStates(out, services, map[string]bool{})
	})
}

// FuzzParseSSHKey holds that what is read as a key is written as the same key.
func FuzzParseSSHKey(f *testing.F) {
	f.Add(`command="a \" b",no-pty ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKqP3c0JY0Ndc3Cz7XhK2vSKJSYOuDWLMKBhUFGHKAoE me at home`)
	f.Add("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ==")
	f.Fuzz(func(t *testing.T, line string) {
		k, ok := parseSSHKey(strings.TrimSpace(line))
		if !ok || strings.ContainsAny(line, "\n\r") {
			return
		}
		if again, ok := parseSSHKey(k.String()); !ok || again != k {
			t.Errorf("%q is %+v, written and read again %+v", line, k, again)
		}
	})
}

// FuzzParseSourceLine holds that the canonical form is stable.
func FuzzParseSourceLine(f *testing.F) {
	f.Add("# deb [arch=amd64  signed-by=/x] http://x/ s  main # why")
	f.Add("deb-src cdrom:[x]/ ./")
	f.Fuzz(func(t *testing.T, line string) {
		l, ok := parseSourceLine(line)
		if !ok {
			return
		}
		if again, ok := parseSourceLine(l.source); !ok || again.source != l.source || !again.enabled {
			t.Errorf("%q becomes %q, read again as %q", line, l.source, again.source)
		}
	})
}

func FuzzParsePolicy(f *testing.F) {
	f.Add(" 500 http://x noble/main amd64 Packages\n     release o=U,a=b\n", "a:\n *** 1 500\n        500 http://x noble/main amd64 Packages\n")
	f.Fuzz(func(t *testing.T, vendors, tables string) { parsePolicy(vendors, tables) })
}

func FuzzFindShadow(f *testing.F) {
	f.Add("a:$6$x:1:0:9:7:::\nb:!", "a")
	f.Fuzz(func(t *testing.T, data, name string) { _ = findShadow(data, name).locked() })
}
