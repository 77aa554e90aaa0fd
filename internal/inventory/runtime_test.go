package inventory

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"mageprov/internal/jinja"
)

func mustLoad(t *testing.T, files memory, sources ...string) *Inventory {
	t.Helper()
	inv, err := Load(Options{Sources: sources, Files: files})
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

// TestLayerOrder holds Ansible's order of precedence, weakest first.
func TestLayerOrder(t *testing.T) {
	inv := mustLoad(t, memory{
		"inv/hosts":                "h v=1\n[kid]\nh\n[top:children]\nkid\n[top:vars]\nv=1\n[kid:vars]\nv=1\n[all:vars]\nv=1\n",
		"inv/group_vars/all.yml":   "v: 1",
		"inv/group_vars/top.yml":   "v: 1",
		"inv/group_vars/kid/b.yml": "v: 1",
		"inv/group_vars/kid/a.yml": "v: 1",
		"inv/host_vars/h":          "v: 1",
		"pb/group_vars/all.yml":    "v: 1",
		"pb/group_vars/kid.yml":    "v: 1",
		"pb/host_vars/h.json":      `{"v": 1}`,
		"pb/host_vars/other.yml":   "- nobody reads this",
	}, "inv")
	if err := inv.LoadVars("pb"); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range inv.Layers("h") {
		got = append(got, l.Name+" "+l.Place("v").String())
	}
	want := `inventory group all inv/hosts:11:3
inventory group top inv/hosts:7:3
inventory group kid inv/hosts:9:3
inventory group_vars/all inv/group_vars/all.yml:1:1
playbook group_vars/all pb/group_vars/all.yml:1:1
inventory group_vars/top inv/group_vars/top.yml:1:1
inventory group_vars/kid inv/group_vars/kid/a.yml:1:1
inventory group_vars/kid inv/group_vars/kid/b.yml:1:1
playbook group_vars/kid pb/group_vars/kid.yml:1:1
inventory host h inv/hosts:1:5
inventory host_vars/h inv/host_vars/h:1:1
playbook host_vars/h pb/host_vars/h.json:1:3`
	if g := strings.Join(got, "\n"); g != want {
		t.Errorf("got:\n%s\nwant:\n%s", g, want)
	}
}

// TestPlaybookBesideInventory holds that layers are not there twice.
func TestPlaybookBesideInventory(t *testing.T) {
	inv := mustLoad(t, memory{"hosts": "h\n", "group_vars/all.yml": "v: 1"}, "hosts")
	if err := inv.LoadVars("."); err != nil {
		t.Fatal(err)
	}
	if n := len(inv.Layers("h")); n != 1 {
		t.Errorf("%d layers, want 1", n)
	}
}

func TestImplicitLocalhost(t *testing.T) {
	inv := mustLoad(t, memory{
		"i/hosts": "h\n", "i/group_vars/all.yml": "ga: 1", "i/group_vars/ungrouped.yml": "gu: 1", "i/host_vars/localhost.yml": "hl: 1",
	}, "i")
	hosts, warnings, err := inv.Match("localhost")
	if err != nil || len(warnings) > 0 || names(hosts) != "localhost" {
		t.Fatal(hosts, warnings, err)
	}
	if got := jinja.Repr(inv.Merged("localhost")); got != "{'ga': 1, 'ansible_connection': 'local', 'hl': 1}" {
		t.Error(got)
	}
	if inv.Explicit("localhost") || !inv.Has("localhost") || len(inv.GroupNames("localhost")) > 0 {
		t.Error("localhost counts as a host of the inventory")
	}
	if hosts, _, _ := inv.Match("all"); names(hosts) != "h" {
		t.Error("all includes", names(hosts))
	}
}

func TestAddHost(t *testing.T) {
	inv := mustLoad(t, memory{"i/hosts": "h\n", "i/group_vars/new.yml": "fresh: yes", "i/host_vars/n": "mine: 1"}, "i")
	before := inv.Layers("h")
	changed, err := inv.AddHost("n:2222", []string{"new"}, jinja.NewDict("a", int64(1)))
	if err != nil || !changed {
		t.Fatal(changed, err)
	}
	if got := jinja.Repr(inv.Merged("n")); got != "{'fresh': True, 'ansible_port': 2222, 'a': 1, 'mine': 1}" {
		t.Error(got)
	}
	if changed, _ = inv.AddHost("n:2222", []string{"new"}, jinja.NewDict("a", int64(1))); changed {
		t.Error("adding a host twice is a change")
	}
	if changed, _ = inv.AddToGroup("h", "os_debian", []string{"linux"}); !changed {
		t.Error("joining a group is no change")
	}
	if changed, _ = inv.AddToGroup("h", "os_debian", []string{"linux"}); changed {
		t.Error("joining a group twice is a change")
	}
	if got := strings.Join(inv.GroupNames("h"), " "); got != "linux os_debian" {
		t.Error(got)
	}
	if got := jinja.Repr(inv.GroupsDict()); got != "{'all': ['n', 'h'], 'ungrouped': [], 'new': ['n'], 'os_debian': ['h'], 'linux': ['h']}" {
		t.Error(got)
	}
	if _, err = inv.AddToGroup("h", "linux", []string{"os_debian"}); err == nil {
		t.Error("a circle of groups was accepted")
	}
	if len(before) != 0 {
		t.Error("layers that were handed out have changed")
	}
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	inv := mustLoad(t, memory{"i/hosts": "h[1:9] x=1\n", "i/group_vars/all.yml": "v: 1", "pb/group_vars/all.yml": "v: 2"}, "i")
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			h := fmt.Sprintf("h%d", n+1)
			for i := range 20 {
				inv.Merged(h)
				_, _, _ = inv.Match("all:&g*")
				inv.GroupsDict()
				_, _ = inv.AddToGroup(h, fmt.Sprintf("g%d", i%3), nil)
				_, _ = inv.AddHost(h, nil, jinja.NewDict("n", int64(i)))
				_ = inv.LoadVars("pb")
				inv.Merged("localhost")
			}
		})
	}
	wg.Wait()
}

func TestWarnings(t *testing.T) {
	inv := mustLoad(t, memory{"i/a": "[web]\nweb\n", "i/hosts.ini": "x\n"}, "i")
	if got := strings.Join(inv.Warnings, "\n"); !strings.Contains(got, "hosts.ini is not read") || !strings.Contains(got, "same name: web") {
		t.Error(got)
	}
	slips := mustLoad(t, memory{"h": "a ansible_hots=1.2.3.4 ansible_user=x ansible_ssh_pipelining=yes\n[web]\na\n", "group_vars/web": "ansible_distribution: Debian\nansible_prot: 22\n"}, "h")
	if got, want := strings.Join(slips.Warnings, "\n"), "h:1:16: nothing reads ansible_hots; did you mean ansible_host?\n"+
		"group_vars/web:2:1: nothing reads ansible_prot; did you mean ansible_port?"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	_, w, _ := inv.Match("wbe,web")
	if len(w) != 1 || w[0] != "could not match supplied host pattern, ignoring: wbe (did you mean web?)" {
		t.Error(w)
	}
}

func TestPatternFileAndSlices(t *testing.T) {
	inv := mustLoad(t, memory{"i": "[g]\nh[1:5]\n", "lim": "h3\n# no\n\nh1 # yes\n", "empty": "\n"}, "i")
	for pattern, want := range map[string]string{
		"@lim": "h3 h1", "g[:1]": "h1 h2", "g[-2:]": "h4 h5", "g[1:-2]": "h2 h3 h4", "~h(?=[45])": "h4 h5",
	} {
		hosts, _, err := inv.Match(pattern)
		if err != nil || names(hosts) != want {
			t.Errorf("%s gives %s %v, want %s", pattern, names(hosts), err, want)
		}
	}
	for _, bad := range []string{"@nosuch", "@empty", "~h(", "x[z-a]*"} {
		if _, _, err := inv.Match(bad); err == nil {
			t.Errorf("%s is no error", bad)
		}
	}
}

// BenchmarkLayers loads a large inventory and asks for every host's layers.
func BenchmarkLayers(b *testing.B) {
	files := memory{"i/hosts": "[web]\nw[1:4000] a=1\n[db]\nd[1:1000]\n[site:children]\nweb\ndb\n", "i/group_vars/all.yml": "x: 1\ny: 2\n"}
	for b.Loop() {
		inv, err := Load(Options{Sources: []string{"i/hosts"}, Files: files})
		if err != nil {
			b.Fatal(err)
		}
		hosts, _, _ := inv.Match("site:!db[0]")
		for _, h := range hosts {
			inv.Layers(h.Name)
		}
		inv.GroupsDict()
	}
}
