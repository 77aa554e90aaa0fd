package play_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mageprov/internal/connection"
	"mageprov/internal/connection/sshtest"
	"mageprov/internal/play"
	"mageprov/internal/report"
)

// TestJobOutlivesTheConnection: a job kills the sshd of its own connection; poll
// connects again and takes the result.
func TestJobOutlivesTheConnection(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	ev := &events{}
	login := play.Login{KnownHosts: []string{s.KnownHosts}, HostKey: connection.HostKeyStrict, SSHConfig: "none", Timeout: 10 * time.Second}
	err := runBookAs(t.Context(), t, t.TempDir(), 1, login, fmt.Sprintf(`
- hosts: all
  gather_facts: false
  vars:
    ansible_host: 127.0.0.1
    ansible_port: %d
    ansible_user: %s
    ansible_ssh_private_key_file: %s
    ansible_async_dir: %s
  tasks:
    - raw: echo $PPID
      register: sshd
    - shell: sleep 1; kill -9 {{ sshd.stdout | trim }}; sleep 1; echo survived
      async: 60
      poll: 1
      register: job
    - debug: {msg: "{{ job.stdout }}"}
`, s.Port, s.User, s.Key, filepath.Join(t.TempDir(), "jobs")), ev)
	if err != nil {
		t.Fatal(err)
	}
	if n := ev.count(func(e report.Event) bool { return e.Result["msg"] == "survived" }); n != 1 {
		for _, e := range ev.all {
			t.Logf("%s %s %s %s", e.Type, e.Status, e.Msg, e.Text)
		}
		t.Error("the job did not come to its end")
	}
}

// TestPollShowsProgress: lines as Ansible prints them, and nothing is left behind.
func TestPollShowsProgress(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "jobs")
	ev := &events{}
	err := runBook(t.Context(), t, 1, `
- hosts: all
  gather_facts: false
  environment: {ANSIBLE_ASYNC_DIR: `+dir+`}
  tasks:
    - command: sleep 1.5
      async: 30
      poll: 1
    - command: /bin/false
      async: 30
      poll: 1
      ignore_errors: true
`, ev)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ASYNC POLL on n000: jid=*.* started=1 finished=0", "ASYNC OK on n000: jid=*.*", "ASYNC FAILED on n000: jid=*.*"} {
		if ev.count(func(e report.Event) bool { ok, _ := filepath.Match(want, e.Text); return ok }) == 0 {
			t.Errorf("no line like %q", want)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v %v is left", left, err)
	}
}
