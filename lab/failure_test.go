//go:build lab

package lab_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"mageprov/internal/lab"
)

// twoTasks is a play of which a host may fail at the first task, while the
// others do both.
const twoTasks = `
- hosts: all
  gather_facts: false
  tasks:
    - name: first
      command: id -un
      changed_when: false
    - name: second
      become: true
      command: id -un
      changed_when: false
`

// othersGoOn checks that all but one host have done both tasks.
func othersGoOn(t *testing.T, r report, but string) {
	t.Helper()
	for _, h := range hosts {
		if s := r.stats(h); h != but && (s["ok"] != 2 || s["failed"]+s["unreachable"] > 0) {
			t.Errorf("%s: %v %s", h, s, r.problem(h))
		}
	}
}

// unreachable are ways in which lab2 cannot be reached.
var unreachable = []struct {
	name, script string
	args         []string
	want         []string
}{
	{"refused", "systemctl stop ssh.socket ssh.service 2>/dev/null || systemctl stop ssh", nil, []string{"lab2", "refused"}},
	{"new host key", "rm /etc/ssh/ssh_host_*; ssh-keygen -q -A; systemctl restart ssh", nil, []string{"lab2", "SHA256:", "known_hosts", "ssh-keygen -R"}},
	{"user unknown", ":", []string{"-e", `{"ansible_user": "{{ 'nobodyelse' if inventory_hostname == 'lab2' else 'admin' }}"}`}, []string{"nobodyelse"}},
	{"link down", "", []string{"-T", "2"}, []string{"lab2", "no answer", "2s"}},
}

func TestUnreachable(t *testing.T) {
	file := play(t, twoTasks)
	for _, c := range unreachable {
		t.Run(c.name, func(t *testing.T) {
			fresh(t)
			if c.script != "" {
				inside(t, "lab2", c.script)
			} else {
				link(t, "lab2", "down")
				defer link(t, "lab2", "up")
			}
			r := run(t, "apply", append([]string{file}, c.args...)...).want(t, 4)
			t.Logf("after %s: %s", r.took, r.problem("lab2"))
			wantText(t, "the error", r.problem("lab2"), append(c.want, "unreachable: ")...)
			othersGoOn(t, r, "lab2")
			if r.took > 20*time.Second {
				t.Errorf("it took %s", r.took)
			}
			if c.name == "new host key" && strings.Count(r.problem("lab2"), "SHA256:") < 2 {
				t.Error("not both fingerprints are shown")
			}
		})
	}
}

// link sets a host's cable.
func link(t *testing.T, host, state string) {
	t.Helper()
	if out, err := exec.Command("ip", "-n", lab.Prefix+"sw", "link", "set", "v-"+host, state).CombinedOutput(); err != nil {
		t.Errorf("link %s: %v: %s", state, err, out)
	}
}

// TestUnknownHostKey: a host that no file knows is refused, unless new keys are
// accepted, and then known.
func TestUnknownHostKey(t *testing.T) {
	fresh(t)
	file := play(t, twoTasks)
	known := t.TempDir() + "/known_hosts"
	os.WriteFile(known, nil, 0o600)
	r := run(t, "apply", file, "--known-hosts", known, "--host-key", "strict").want(t, 4)
	wantText(t, "the error", r.problem("lab1"), "SHA256:", "unreachable: ", "accept-new")
	run(t, "apply", file, "--known-hosts", known, "--host-key", "accept-new").want(t, 0)
	run(t, "apply", file, "--known-hosts", known, "--host-key", "strict").want(t, 0)
}

// TestHostGoesDown pulls the cable while a task runs, and puts it back.
func TestHostGoesDown(t *testing.T) {
	fresh(t)
	file := play(t, strings.Replace(twoTasks, "command: id -un", "shell: touch /tmp/begun; sleep 3", 1))
	config, err := os.ReadFile(lab.Dir + "/ssh_config")
	if err != nil {
		t.Fatal(err)
	}
	impatient := t.TempDir() + "/ssh_config" // the usual 15 s would take a minute
	os.WriteFile(impatient, append([]byte("ServerAliveInterval 1\n"), config...), 0o600)
	done := make(chan report, 1)
	go func() { done <- run(t, "apply", file, "-e", "ansible_ssh_common_args='-F "+impatient+"'") }()
	until(t, 20*time.Second, "the task runs", func() bool {
		_, err := tryInside(t.Context(), "lab2", "test -e /tmp/begun")
		return err == nil
	})
	link(t, "lab2", "down")
	r := <-done
	link(t, "lab2", "up")
	if r.took > 20*time.Second {
		t.Errorf("it took %s", r.took)
	}
	r.want(t, 4)
	t.Logf("after %s: %s", r.took, r.problem("lab2"))
	wantText(t, "the error", r.problem("lab2"), "unreachable: first: ", "lab2")
	othersGoOn(t, r, "lab2")
	run(t, "apply", play(t, twoTasks)).want(t, 0)
}

// obstacles are what a host may put in a file's way: the task must say so, and
// leave what was there as it was.
var obstacles = []struct {
	name, script string
	task         string
	want         []string
	look         string
}{
	{"disk full", "mkdir /mnt/x && mount -t tmpfs -o size=64k tmpfs /mnt/x && echo old >/mnt/x/f",
		`copy: {dest: /mnt/x/f, content: "{{ 'x' * 200000 }}"}`, []string{"/mnt/x", "no space"}, "cat /mnt/x/f; ls -A /mnt/x"},
	{"read-only", "mkdir /mnt/x && mount -t tmpfs tmpfs /mnt/x && echo old >/mnt/x/f && mount -o remount,ro /mnt/x",
		`copy: {dest: /mnt/x/f, content: new}`, []string{"/mnt/x", "read-only"}, "cat /mnt/x/f; ls -A /mnt/x"},
	{"immutable", "mkdir /mnt/x && echo old >/mnt/x/f && mount --bind -o ro /mnt/x /mnt/x",
		`lineinfile: {path: /mnt/x/f, line: new}`, []string{"/mnt/x", "read-only"}, "cat /mnt/x/f; ls -A /mnt/x"},
}

func TestObstacles(t *testing.T) {
	fresh(t)
	for i, o := range obstacles {
		t.Run(o.name, func(t *testing.T) {
			host := hosts[i]
			inside(t, host, o.script)
			r := run(t, "apply", play(t, fmt.Sprintf(`
- hosts: %s
  become: true
  gather_facts: false
  tasks:
    - name: write
      %s
    - name: never
      command: touch /tmp/never
`, host, o.task))).want(t, 2)
			t.Log(r.problem(host))
			wantText(t, "the error", r.problem(host), o.want...)
			if got := inside(t, host, o.look); got != "old\nf" {
				t.Errorf("afterwards:\n%s", got)
			}
			if _, err := tryInside(t.Context(), host, "test -e /tmp/never"); err == nil {
				t.Error("the host went on")
			}
		})
	}
}

// oddities are hosts on which everything must work all the same.
var oddities = []struct {
	name, script string
	args         []string
}{
	{"home and tmp without exec", "for d in /home/admin /root /tmp /var/tmp; do mount --bind $d $d && mount -o remount,bind,noexec $d; done", nil},
	{"a shell that talks", "sed -i '1i echo welcome; echo careful >&2' /home/admin/.bashrc /root/.bashrc; echo 'echo profile' >>/home/admin/.profile", nil},
	{"another shell", "chsh -s /bin/sh admin; chsh -s /bin/dash root", nil},
	{"sudo that lectures", "echo 'Defaults lecture=always' >/etc/sudoers.d/zz; echo admin:secret | chpasswd; echo 'admin ALL=(ALL) PASSWD: ALL' >/etc/sudoers.d/zzz; chmod 440 /etc/sudoers.d/*",
		[]string{"-e", "ansible_become_password=secret"}},
	{"sudo with a log and a terminal of its own", "printf 'Defaults use_pty,log_output\nDefaults umask=0077,umask_override\n' >/etc/sudoers.d/zz", nil},
	{"a message of the day", "echo 'no trespassing' >/etc/motd; echo 'Banner /etc/motd' >/etc/ssh/sshd_config.d/b.conf; systemctl reload ssh; sleep 1", nil},
	{"no file transfer", "sed -i '/Subsystem.*sftp/d' /etc/ssh/sshd_config; systemctl reload ssh; sleep 1", nil},
	{"few sessions", "echo 'MaxSessions 4' >/etc/ssh/sshd_config.d/a.conf; systemctl reload ssh; sleep 1", nil},
}

const everything = `
- hosts: %s
  tasks:
    - command: id -un
      register: me
    - become: true
      command: id -un
      register: super
    - assert: {that: [me.stdout == 'admin', super.stdout == 'root', "me.stderr == ''", ansible_hostname == inventory_hostname]}
    - copy: {dest: /home/admin/f, content: text}
    - become: true
      copy: {dest: /etc/f, content: text, mode: "0644"}
    - become: true
      slurp: {src: /etc/f}
      register: f
    - assert: {that: ["f.content | b64decode == 'text'"]}
    - raw: echo raw
      register: raw
    - assert: {that: ["'raw' in raw.stdout_lines"]}
    - become: true
      script: testscript
    - become: true
      fetch: {src: /etc/shadow, dest: "{{ playbook_dir }}/out/", flat: true}
    - become: true
      copy: {src: big, dest: /opt/big}
    - fetch: {src: /opt/big, dest: "{{ playbook_dir }}/out/", flat: true}
`

func TestOddities(t *testing.T) {
	for i, o := range oddities {
		t.Run(o.name, func(t *testing.T) {
			if i%len(hosts) == 0 {
				fresh(t)
			}
			host := hosts[i%len(hosts)]
			inside(t, host, o.script)
			file := play(t, fmt.Sprintf(everything, host))
			dir := strings.TrimSuffix(file, "play.yml")
			os.WriteFile(dir+"testscript", []byte("#!/bin/sh\necho ran\n"), 0o755)
			os.WriteFile(dir+"big", []byte(strings.Repeat("0123456789abcdef", 6<<16)), 0o644)
			run(t, "apply", append([]string{file}, o.args...)...).want(t, 0)
		})
	}
}

// TestKilledController ends the program without a chance to clean up while apt
// installs. The host must end up as if nothing had been: a second run finishes.
func TestKilledController(t *testing.T) {
	fresh(t)
	file := play(t, `
- hosts: lab1
  become: true
  gather_facts: false
  tasks:
    - apt: {update_cache: true, name: [nginx-light, rsyslog, chrony], state: present}
`)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := command(ctx, "apply", "-i", inventory, file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, 30*time.Second, "dpkg runs", func() bool {
		_, err := tryInside(ctx, "lab1", "pgrep -x dpkg")
		return err == nil
	})
	cmd.Process.Kill()
	cmd.Wait()
	run(t, "apply", file).want(t, 0)
	if got := inside(t, "lab1", "dpkg --audit; systemctl is-active nginx rsyslog chrony"); got != "active\nactive\nactive" {
		t.Errorf("afterwards: %s", got)
	}
	if again := run(t, "apply", file).want(t, 0); again.stats("lab1")["failed"] > 0 {
		t.Error(again.problem("lab1"))
	}
	noWorkers(t)
}

// TestInterrupt: Ctrl-C ends a long command on all hosts, with its children.
func TestInterrupt(t *testing.T) {
	fresh(t)
	file := play(t, `
- hosts: all
  gather_facts: false
  become: true
  tasks:
    - name: long
      shell: touch /tmp/begun; sleep 4321 & sleep 4321; wait
    - name: never
      command: touch /tmp/never
`)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := command(ctx, "apply", "-i", inventory, "--json", file)
	done := make(chan outcome, 1)
	go func() { done <- finish(t, cmd) }()
	for _, h := range hosts {
		until(t, 20*time.Second, "the task runs on "+h, func() bool {
			_, err := tryInside(ctx, h, "test -e /tmp/begun")
			return err == nil
		})
	}
	begin := time.Now()
	cmd.Process.Signal(syscall.SIGINT)
	o := <-done
	if took := time.Since(begin); took > 8*time.Second {
		t.Errorf("it took %s to end", took)
	} else {
		t.Logf("ended after %s", took)
	}
	if o.code != 130 {
		t.Errorf("exit code %d\n%s%s", o.code, o.out, o.err)
	}
	for _, h := range hosts {
		if out, err := tryInside(t.Context(), h, "pgrep -af 'sleep 4321' | grep -v pgrep; test -e /tmp/never && echo went on"); strings.TrimSpace(out) != "" {
			t.Errorf("%s: %s %v", h, out, err)
		}
	}
	noWorkers(t)
}

// noWorkers checks that the hosts have nothing of ours running.
func noWorkers(t *testing.T) {
	t.Helper()
	for _, h := range hosts {
		until(t, 10*time.Second, "no worker is left on "+h, func() bool {
			_, err := tryInside(t.Context(), h, "pgrep -f '/[w]orker-[0-9a-f]+ worker'")
			return err != nil
		})
	}
}
