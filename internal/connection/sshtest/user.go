package sshtest

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Password is the password of the users that NewUser makes. It differs between
// test processes: one of them looks for its own in all processes.
var Password = fmt.Sprintf("correct horse %d", os.Getpid())

// NewUser makes a user of this machine until the test ends, with Password and,
// if it is not empty, a sudoers rule ("ALL=(ALL) ALL"; further lines are
// Defaults). It needs root.
func NewUser(t testing.TB, sudoers ...string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to make a user")
	}
	name := fmt.Sprintf("mp%x", time.Now().UnixNano()&0xffffffffff)
	addUser(t, name)
	t.Cleanup(func() {
		exec.Command("pkill", "-KILL", "-u", name).Run() // only this user's own processes
		exec.Command("userdel", "-rf", name).Run()
		os.Remove("/etc/sudoers.d/" + name)
	})
	run(t, name+":"+Password+"\n", "chpasswd")
	if len(sudoers) > 0 {
		text := name + " " + sudoers[0] + "\n"
		for _, d := range sudoers[1:] {
			text += "Defaults:" + name + " " + d + "\n"
		}
		if err := os.WriteFile("/etc/sudoers.d/"+name, []byte(text), 0o440); err != nil {
			t.Fatal(err)
		}
		run(t, "", "visudo", "-cqf", "/etc/sudoers.d/"+name)
	}
	return name
}

// addUser waits for whoever else is changing the accounts just now.
func addUser(t testing.TB, name string) {
	t.Helper()
	for try := 0; ; try++ {
		out, err := exec.Command("useradd", "-m", "-s", "/bin/bash", name).CombinedOutput()
		if err == nil {
			return
		}
		if try == 50 || !strings.Contains(string(out), "lock") {
			t.Fatalf("useradd: %v\n%s", err, out)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func run(t testing.TB, stdin, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}
