package modules

import (
	"context"
	"strings"
	"testing"

	"mageprov/internal/module"
	"mageprov/internal/node"
	"mageprov/internal/node/nodetest"
)

// checkTask runs one task of a check run over the shared overlay.
func checkTask(t *testing.T, o *node.Overlay, name string, args module.Args) *module.Result {
	t.Helper()
	spec, ok := module.Lookup(name)
	if !ok {
		t.Fatalf("no module %s", name)
	}
	m := spec.New().(module.Module)
	if err := module.Decode(m, args); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return module.Run(context.Background(), m, o, false)
}

// TestCheckRunRemembers holds what a later task of a check run knows of what
// earlier ones would have done.
func TestCheckRunRemembers(t *testing.T) {
	apt := []string{"apt-get", "-s", "-y", "-o", "Dpkg::Use-Pty=0", "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold", "-o", "DPkg::Lock::Timeout=60"}
	n := nodetest.New(t,
		nodetest.Command{Query: append(apt[:len(apt):len(apt)], "install", "nginx"), Stdout: "Inst libx (1 a [all])\nInst nginx (2 a [all])\n"},
		nodetest.Command{Query: append(apt[:len(apt):len(apt)], "install", "fromsite"), RC: 100, Stderr: "E: Unable to locate package fromsite\n"},
		nodetest.Command{Query: []string{"systemctl", "show", "nginx.service"}, Stdout: "Id=nginx.service\nLoadState=not-found\nActiveState=inactive\n"},
	)
	n.Put(dpkgStatusFile, "Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n")
	n.Put("/etc/apt/sources.list.d/x.list", "# none\n")
	n.Put("/etc/shadow", "root:*:1:0:99999:7:::\n")
	o := node.NewOverlay(n)
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKqP3c0JY0Ndc3Cz7XhK2vSKJSYOuDWLMKBhUFGHKAoE"
	for i, step := range []struct {
		module  string
		args    module.Args
		changed bool
	}{
		{"apt", module.Args{"name": "nginx"}, true},
		{"apt", module.Args{"name": "libx"}, false},
		{"apt", module.Args{"name": "nginx=2"}, false},
		{"service", module.Args{"name": "nginx", "state": "started", "enabled": true}, true},
		{"service", module.Args{"name": "nginx", "state": "started", "enabled": true}, false},
		{"service", module.Args{"name": "nginx", "state": "stopped"}, true},
		{"apt", module.Args{"name": "nginx", "state": "absent"}, true},
		{"apt", module.Args{"name": "nginx", "state": "absent"}, false},
		{"apt_repository", module.Args{"repo": "deb http://site/ s main"}, true},
		{"apt_repository", module.Args{"repo": "deb http://site/ s main"}, false},
		{"apt", module.Args{"name": "fromsite"}, true},
		{"apt", module.Args{"name": "fromsite"}, false},
		{"group", module.Args{"name": "ops"}, true},
		{"group", module.Args{"name": "ops"}, false},
		{"user", module.Args{"name": "ada", "groups": "ops,sudo", "password": "$6$a$b"}, true},
		{"user", module.Args{"name": "ada", "groups": "ops,sudo", "password": "$6$a$b"}, false},
		{"user", module.Args{"name": "ada", "groups": "ops"}, true},
		{"authorized_key", module.Args{"user": "ada", "key": key}, true},
		{"authorized_key", module.Args{"user": "ada", "key": key}, false},
		{"user", module.Args{"name": "ada", "state": "absent", "remove": true}, true},
		{"user", module.Args{"name": "ada", "state": "absent", "remove": true}, false},
	} {
		res := checkTask(t, o, step.module, step.args)
		if res.Failed || res.Changed != step.changed {
			t.Errorf("step %d, %s %v: changed=%v failed=%v %s %v", i, step.module, step.args, res.Changed, res.Failed, res.Msg, res.Changes)
		}
	}
	if w := n.Writes(); len(w) > 0 {
		t.Errorf("the check wrote: %q", w)
	}
}

// TestHashIsNotInArgv looks at everything that a new account with a password runs.
func TestHashIsNotInArgv(t *testing.T) {
	const hash = "$6$salt$verysecret"
	n := nodetest.New(t,
		nodetest.Command{Run: []string{"useradd", "-m", "ada"}, Files: map[string]string{"/etc/passwd": nodetest.Passwd + "ada:x:1001:1001::/home/ada:/bin/sh\n"}},
		nodetest.Command{Run: []string{"chpasswd", "-e"}},
	)
	m := &userModule{Name: "ada", State: "present", CreateHome: true, UpdatePassword: "always"}
	h := hash
	m.Password = &h
	if res := module.Run(context.Background(), m, n, true); res.Failed || !res.Changed {
		t.Fatalf("changed=%v: %s", res.Changed, res.Msg)
	}
	if got := strings.Join(n.Writes(), "\n"); strings.Contains(got, "verysecret") {
		t.Errorf("the hash was shown: %s", got)
	}
}

// TestConvergedAptIsCached sees that an unchanged status file is parsed once.
func TestConvergedAptIsCached(t *testing.T) {
	n := nodetest.New(t)
	n.Put(dpkgStatusFile, dpkgSample)
	first, err := readDpkg(n)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := readDpkg(n); err != nil || again != first {
		t.Errorf("an unchanged file was parsed again: %v", err)
	}
	n.Put(dpkgStatusFile, dpkgSample+"\nPackage: new\nStatus: install ok installed\nVersion: 1\n")
	db, err := readDpkg(n)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := db.Find("new"); !ok {
		t.Error("a changed file was not read")
	}
}

func BenchmarkConvergedApt(b *testing.B) {
	n := nodetest.New(b)
	n.Put(dpkgStatusFile, strings.Repeat(dpkgSample+"\n", 400))
	m := newApt()
	m.Name = []string{"nginx", "libc6"}
	for b.Loop() {
		if res := module.Run(context.Background(), m, n, false); res.Failed || res.Changed {
			b.Fatal(res.Msg)
		}
	}
}
