package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"mageprov/internal/connection/sshtest"
	"mageprov/internal/worker"
)

// The test binary is both programs: started by a script it is mageprov, and
// when mageprov pushes itself to a node it is the worker.
func TestMain(m *testing.M) {
	worker.RunIfAsked()
	testscript.Main(m, map[string]func(){"mageprov": main, "ansible-playbook": main, "ansible": main, "ansible-inventory": main, "ansible-vault": main})
}

// TestScripts runs the command line as a user types it: testdata/script/*.txtar.
// Scripts find a running sshd in $PORT, with $KEY and $KNOWN_HOSTS, another one
// whose key is not the known one in $PORT_CHANGED, one that nobody knows in
// $PORT_UNKNOWN, and a port where nobody listens in $PORT_DOWN. The sshd of
// $PORT_DOOMED has the process $PID_DOOMED, for scripts that kill it; the user
// $SUDOER may log in on $PORT_SUDO and use sudo with $PASSWORD.
func TestScripts(t *testing.T) {
	good := sshtest.Start(t, sshtest.Options{})
	changed := sshtest.Start(t, sshtest.Options{})
	unknown := sshtest.Start(t, sshtest.Options{})
	doomed := sshtest.Start(t, sshtest.Options{Config: "MaxSessions 20"})
	sudo := sshtest.Start(t, sshtest.Options{UserHome: true})
	sudoer := ""
	if os.Geteuid() == 0 {
		sudoer = sshtest.NewUser(t, "ALL=(ALL) ALL")
	}
	known := sshtest.Read(t, doomed.KnownHosts) + sshtest.Read(t, sudo.KnownHosts) + sshtest.Read(t, good.KnownHosts) + impostor(t, good, changed)
	params := testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			file := e.WorkDir + "/known_hosts"
			if err := os.WriteFile(file, []byte(known), 0o600); err != nil {
				return err
			}
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("PORT", fmt.Sprint(good.Port))
			e.Setenv("PORT_CHANGED", fmt.Sprint(changed.Port))
			e.Setenv("PORT_UNKNOWN", fmt.Sprint(unknown.Port))
			e.Setenv("PORT_DOWN", fmt.Sprint(closedPort(t)))
			e.Setenv("PORT_DOOMED", fmt.Sprint(doomed.Port))
			e.Setenv("PID_DOOMED", fmt.Sprint(doomed.Pid()))
			e.Setenv("PORT_SUDO", fmt.Sprint(sudo.Port))
			e.Setenv("SUDOER", sudoer)
			e.Setenv("PASSWORD", sshtest.Password)
			e.Setenv("KEY_DOOMED", doomed.Key)
			e.Setenv("KEY_SUDO", sudo.Key)
			e.Setenv("KEY", good.Key)
			e.Setenv("KEY_CHANGED", changed.Key)
			e.Setenv("KEY_UNKNOWN", unknown.Key)
			e.Setenv("KNOWN_HOSTS", file)
			e.Setenv("USER", good.User)
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":  exits,
			"sorted": sortedOutput,
			"expand": expand,

			"jsonlines": jsonLines,
		},
	}
	testscript.Run(t, params)
}

// impostor is a known_hosts line that gives changed's address good's key.
func impostor(t *testing.T, good, changed *sshtest.Server) string {
	key := strings.Fields(sshtest.Read(t, good.HostKey("ed25519")+".pub"))
	return fmt.Sprintf("[127.0.0.1]:%d %s %s\n", changed.Port, key[0], key[1])
}

func closedPort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// exits CODE COMMAND ARGS...: runs a command that must end with this code. Its
// output goes to files named stdout and stderr of the script's directory, too.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if ee, ok := err.(*exec.ExitError); ok {
		code = ee.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit code %d, want %s\nstdout:\n%s\nstderr:\n%s", code, args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// expand FILE...: replaces $NAME in files by the script's environment.
func expand(ts *testscript.TestScript, _ bool, args []string) {
	for _, f := range args {
		p := ts.MkAbs(f)
		b, err := os.ReadFile(p)
		ts.Check(err)
		ts.Check(os.WriteFile(p, []byte(os.Expand(string(b), ts.Getenv)), 0o644))
	}
}

// sortedOutput TEXT...: every argument occurs in stdout, in this order.
func sortedOutput(ts *testscript.TestScript, _ bool, args []string) {
	rest := ts.ReadFile("stdout")
	for _, a := range args {
		i := strings.Index(rest, a)
		if i < 0 {
			ts.Fatalf("%q does not follow in stdout:\n%s", a, ts.ReadFile("stdout"))
		}
		rest = rest[i+len(a):]
	}
}

// jsonLines EVENT...: every line of stdout is a JSON object, the first one the
// version, and these events occur.
func jsonLines(ts *testscript.TestScript, _ bool, args []string) {
	seen := map[string]bool{}
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		var e struct {
			Event  string
			Format int
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			ts.Fatalf("%v in %s", err, line)
		}
		if len(seen) == 0 && (e.Event != "version" || e.Format != 1) {
			ts.Fatalf("the first line is %s", line)
		}
		seen[e.Event] = true
	}
	for _, a := range args {
		if !seen[a] {
			ts.Fatalf("no event %s among %v", a, seen)
		}
	}
}
