package worker

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"mageprov/internal/wire"
)

// TestMain lets the test program run the jobs that it starts.
func TestMain(m *testing.M) {
	RunIfAsked()
	os.Exit(m.Run())
}

// begin starts a job and gives the path of its state.
func begin(t *testing.T, c *client, dir string, limit int, args string) string {
	t.Helper()
	c.send(wire.Task{Args: json.RawMessage(args), Async: &wire.Async{Limit: limit}, Env: map[string]string{"ANSIBLE_ASYNC_DIR": dir, "PROBE": "p"}})
	r := c.reply()
	var state struct {
		Started, Finished int
		ID                string `json:"ansible_job_id"`
		File              string `json:"results_file"`
	}
	if err := json.Unmarshal(r.Return, &state); err != nil || r.Failed || !r.Changed || state.Started != 1 || state.Finished != 0 ||
		state.File != filepath.Join(dir, state.ID) {
		t.Fatalf("%+v %s %v", r, r.Return, err)
	}
	return state.File
}

// outcome waits for the end of a job.
func outcome(t *testing.T, file string) map[string]any {
	t.Helper()
	for range 300 {
		data, err := os.ReadFile(file)
		var state map[string]any
		if err != nil || json.Unmarshal(data, &state) != nil {
			t.Fatalf("a state is always whole: %q %v", data, err)
		}
		if state["finished"] == 1.0 {
			return state
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the job does not end")
	return nil
}

func TestJobOutlivesTheWorker(t *testing.T) {
	c := serve(t)
	dir := filepath.Join(t.TempDir(), "jobs")
	made := filepath.Join(t.TempDir(), "made")
	file := begin(t, c, dir, 30, `{"do": "pause", "path": "`+made+`", "value": 5}`)
	c.in.Close() // the connection is cut
	if err := <-c.end; err != nil {
		t.Fatal(err)
	}
	state := outcome(t, file)
	if state["value"] != 5.0 || state["env"] != "p" || state["changed"] != false || state["ansible_job_id"] != filepath.Base(file) {
		t.Errorf("%v", state)
	}
	if _, err := os.Stat(made); err != nil {
		t.Error(err)
	}
	for path, mode := range map[string]os.FileMode{dir: 0o700, file: 0o600} {
		if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != mode {
			t.Errorf("%v %v, want %o", fi, err, mode)
		}
	}
}

func TestJobFails(t *testing.T) {
	c := serve(t)
	for args, want := range map[string]string{`{"do": "fail"}`: "it failed", `{"do": "panic"}`: "module test.worker.probe broke: oh no", `{"no": 1}`: "no"} {
		state := outcome(t, begin(t, c, t.TempDir(), 30, args))
		if msg, _ := state["msg"].(string); state["failed"] != true || !strings.Contains(msg, want) {
			t.Errorf("%s: %v", args, state)
		}
	}
}

func TestJobEndsAtItsLimit(t *testing.T) {
	c := serve(t)
	state := outcome(t, begin(t, c, t.TempDir(), 1, `{"do": "sleep"}`))
	if state["failed"] != true || state["msg"] != "Timeout exceeded" {
		t.Errorf("%v", state)
	}
	pid, _ := state["child_pid"].(float64)
	left, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || pid == 0 {
		t.Fatal(pid, err)
	}
	for _, p := range left { // the job was the leader of its session
		data, err := os.ReadFile(p)
		if err != nil {
			continue // it ended meanwhile
		}
		f := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
		if f[3] == strconv.Itoa(int(pid)) && f[0] != "Z" && !strings.HasPrefix(p, "/proc/"+f[3]+"/") {
			t.Errorf("%s is left of the job", p)
		}
	}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) { // it has written, and is about to end
		data, err := os.ReadFile("/proc/" + strconv.Itoa(int(pid)) + "/stat")
		if err != nil || strings.Contains(string(data), ") Z ") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the job itself is left: %s", data)
		}
	}
}

func TestNoJobInCheckMode(t *testing.T) {
	c := serve(t)
	c.send(wire.Task{Args: json.RawMessage(`{}`), Check: true, Async: &wire.Async{Limit: 3}})
	if r := c.reply(); !r.Failed || !strings.Contains(r.Msg, "check mode") {
		t.Errorf("%+v", r)
	}
}
