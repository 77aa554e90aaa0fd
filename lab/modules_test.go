//go:build lab

package lab_test

import (
	"archive/tar"
	"compress/gzip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mageprov/internal/lab"
)

// convergence is a playbook of testdata/converge: it describes a state, so
// check must announce it, the first run make it and the second one find it.
type convergence struct {
	name string
	// differs names tasks whose check and run may disagree, and why.
	differs map[string]string
	// look is a script for a host, and what it must print.
	host, look, want string
}

var convergences = []convergence{
	{name: "packages", differs: map[string]string{
		"update":  "check mode does not download lists",
		"install": "without lists check mode does not know the packages",
		"newest":  "the same",
		"package": "the same",
	}, host: "lab1", look: "dpkg-query -W -f '${Package} ${Status}\n' tree unzip zip",
		want: "tree install ok installed\nunzip install ok installed\nzip install ok installed"},
	{name: "repository", differs: map[string]string{
		"read it":         "check mode does not download lists",
		"install from it": "without lists check mode does not know the package",
	}, host: "lab2", look: "echo 1 | jq .", want: "1"},
	{name: "service", host: "lab1", look: "systemctl is-active demo; systemctl is-enabled demo systemd-timesyncd",
		want: "active\nenabled\nmasked"},
	{name: "accounts", host: "lab1", look: "id -nG builder; getent passwd builder exporter; stat -c '%a %U' /home/builder/.ssh/authorized_keys",
		want: "builders sudo\nbuilder:x:4201:4200:Builder:/home/builder:/bin/bash\n~\n600 builder"},
	{name: "kernel", host: "lab2", look: "cat /proc/sys/net/ipv4/ip_forward; findmnt -no FSTYPE /mnt/scratch; grep -c /mnt/ /etc/fstab; findmnt /mnt/later; ulimit -n >/dev/null; tail -n 2 /etc/security/limits.d/lab.conf",
		want: "1\ntmpfs\n2\n* hard nofile 65536\n# END ANSIBLE MANAGED BLOCK"},
	{name: "names", host: "lab3", look: "hostname; cat /etc/hostname; crontab -l | grep sweep; crontab -u admin -l | grep daily; tail -n 1 /etc/cron.d/lab; readlink /etc/localtime",
		want: "renamed\nrenamed\n#Ansible: sweep\n5 3 * * * /bin/true # sweep\n@daily /bin/true\n*/10 * * * * root /bin/true\n/usr/share/zoneinfo/Europe/Berlin"},
	{name: "transfer", host: "lab3", look: "cd /opt; cat tree/inner/file copied/one copied/sub/two; stat -c %a copied/sub/two; gpg --show-keys key.gpg >/dev/null 2>&1 && echo key; ls made",
		want: "inside\none\ntwo\n755\nkey\nmade"},
}

func TestConvergence(t *testing.T) {
	fresh(t)
	dir := t.TempDir()
	if out, err := exec.Command("cp", "-a", "testdata/converge/.", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	bundle(t, filepath.Join(dir, "bundle.tar.gz"))
	for _, c := range convergences {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(dir, c.name+".yml")
			check := run(t, "check", file).want(t, 3)
			apply := run(t, "apply", file).want(t, 0)
			if done := apply.changed(c.host); len(done) == 0 {
				t.Error("nothing changed")
			}
			for _, task := range difference(strings.Join(check.changed(c.host), "\n"), strings.Join(apply.changed(c.host), "\n")) {
				if name := task[2:]; c.differs[name] == "" {
					t.Errorf("check (-) and run (+) disagree: %s", task)
				}
			}
			if again := run(t, "apply", file).want(t, 0).changed(c.host); len(again) > 0 {
				t.Errorf("the second run changes %q", again)
			}
			if still := run(t, "check", file).want(t, 0).changed(c.host); len(still) > 0 {
				t.Errorf("check afterwards announces %q", still)
			}
			wantLines(t, inside(t, c.host, c.look+" || true"), c.want)
		})
	}
}

// wantLines compares line by line; a wanted ~ stands for any line.
func wantLines(t *testing.T, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	if !slices.EqualFunc(g, w, func(a, b string) bool { return a == b || b == "~" }) {
		t.Errorf("the host has\n%s\nwant\n%s", got, want)
	}
}

// bundle makes an archive with one file in a directory.
func bundle(t *testing.T, file string) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	w := tar.NewWriter(z)
	for _, h := range []tar.Header{{Name: "inner/", Mode: 0o755, Typeflag: tar.TypeDir}, {Name: "inner/file", Mode: 0o644, Size: 7}} {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			w.Write([]byte("inside\n"))
		}
	}
	for _, c := range []interface{ Close() error }{w, z, f} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSequence runs the playbooks of testdata/sequence, which go through states
// and assert what each step returns.
func TestSequence(t *testing.T) {
	fresh(t)
	files, _ := filepath.Glob("testdata/sequence/*.yml")
	if len(files) == 0 {
		t.Fatal("no playbooks")
	}
	out := t.TempDir()
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yml"), func(t *testing.T) {
			run(t, "apply", file, "-e", "out="+out).want(t, 0)
		})
	}
	if b, err := os.ReadFile(filepath.Join(out, "shadow")); err != nil || !strings.Contains(string(b), "root:") {
		t.Errorf("fetched shadow: %q, %v", b, err)
	}
	if b, err := os.ReadFile(filepath.Join(out, "lab1/etc/hostname")); err != nil || string(b) != "lab1\n" {
		t.Errorf("fetched hostname: %q, %v", b, err)
	}
}

// TestLogin makes an account and logs in with it: with its key, and becoming
// root with its password.
func TestLogin(t *testing.T) {
	fresh(t)
	run(t, "apply", "testdata/converge/accounts.yml").want(t, 0)
	out, err := exec.Command("ssh", "-F", lab.Dir+"/ssh_config", "builder@lab1", "id", "-un").CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "builder" {
		t.Errorf("ssh says %q, %v", out, err)
	}
	who := play(t, `
- hosts: lab1
  gather_facts: false
  tasks:
    - name: who
      become: true
      command: id -un
`)
	r := run(t, "apply", who, "-e", "ansible_user=builder", "-e", "ansible_become_password='se cret'").want(t, 0)
	if got := r.result("lab1", "who")["stdout"]; got != "root" {
		t.Errorf("became %v", got)
	}
	for label, c := range map[string]struct {
		args []string
		want []string
	}{
		"wrong":   {[]string{"-e", "ansible_become_password=sesame"}, []string{"failed: who: ", "lab1 refused the password"}},
		"missing": {nil, []string{"failed: who: ", "lab1 needs a password", "-K"}},
	} {
		r := run(t, "apply", append([]string{who, "-e", "ansible_user=builder"}, c.args...)...).want(t, 2)
		wantText(t, label+" password", r.problem("lab1"), c.want...)
		if strings.Contains(r.out+r.err, "sesame") {
			t.Errorf("%s: the password shows", label)
		}
	}
}
