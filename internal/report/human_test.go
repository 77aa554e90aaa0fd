package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"mageprov/internal/diff"
	"mageprov/internal/wire"
)

// events reads a file of events, one JSON object a line, with "show" for Show.
func events(t *testing.T, name string) []Event {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name + ".jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var out []Event
	for line := range strings.Lines(string(data)) {
		var e struct {
			Event
			ShowIt bool `json:"show"`
		}
		dec := json.NewDecoder(strings.NewReader(line))
		dec.UseNumber()
		if err := dec.Decode(&e); err != nil {
			t.Fatal(err)
		}
		e.Show = e.ShowIt
		out = append(out, e.Event)
	}
	return out
}

func show(o HumanOptions, es ...Event) string {
	var b bytes.Buffer
	r := NewHuman(&b, o)
	for _, e := range es {
		r.Report(e)
	}
	_ = r.Close()
	return b.String()
}

// TestAnsible compares with what ansible-playbook printed, byte for byte: the
// .jsonl files hold the same run as events.
func TestAnsible(t *testing.T) {
	for name, o := range map[string]HumanOptions{
		"plain":   {},
		"verbose": {Verbosity: 1, Color: true},
	} {
		want, err := os.ReadFile("testdata/" + name + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		if d := diff.Unified("ansible", "got", string(want), show(o, events(t, name)...)); d != "" {
			t.Errorf("%s differs:\n%s", name, d)
		}
	}
}

func TestShapes(t *testing.T) {
	task := Event{Type: TaskStart, Name: "t", Module: "ansible.builtin.debug", Place: "site.yml:3:7"}
	command := Event{Type: TaskStart, Name: "t", Module: "ansible.builtin.command", Place: "site.yml:3:7"}
	change := []wire.Change{{What: "create /etc/motd", After: "x\n", AfterName: "/etc/motd"}}
	head := "\nTASK [t] " + strings.Repeat("*", 71) + "\n"
	for _, c := range []struct {
		name string
		o    HumanOptions
		es   []Event
		want string
	}{
		{"diff before the line", HumanOptions{Diff: true}, []Event{task, {Type: HostResult, Host: "h", Status: Changed, Changes: change}},
			head + "--- before\n+++ after: /etc/motd\n@@ -0,0 +1 @@\n+x\n\nchanged: [h]\n"},
		{"check tells what", HumanOptions{Check: true}, []Event{task, {Type: HostResult, Host: "h", Status: Changed, Changes: change}},
			head + "changed: [h]\n  - create /etc/motd\n"},
		{"hint", HumanOptions{}, []Event{task, {Type: HostResult, Host: "h", Status: Failed, Msg: "no", Hint: "try\nagain", Ignored: true}},
			head + "fatal: [h]: FAILED! => {\"msg\": \"no\"}\n  hint: try\n        again\n...ignoring\n"},
		{"place of a failed task, once", HumanOptions{}, []Event{task, {Type: HostResult, Host: "h", Status: Failed, Msg: "no", Place: "site.yml:3:7"},
			{Type: HostResult, Host: "i", Status: Failed, Msg: "no", Place: "site.yml:3:7"}},
			head + "fatal: [h]: FAILED! => {\"msg\": \"no\"}\n  at: site.yml:3:7\nfatal: [i]: FAILED! => {\"msg\": \"no\"}\n"},
		{"no place where it is said or forgiven", HumanOptions{}, []Event{task, {Type: HostResult, Host: "h", Status: Failed, Msg: "no", Place: "site.yml:3:7", Ignored: true},
			{Type: HostResult, Host: "i", Status: Failed, Msg: "site.yml:3:7: no", Place: "site.yml:3:7"}},
			head + "fatal: [h]: FAILED! => {\"msg\": \"no\"}\n...ignoring\nfatal: [i]: FAILED! => {\"msg\": \"site.yml:3:7: no\"}\n"},
		{"no colour tricks from a host", HumanOptions{}, []Event{{Type: NoteEvent, Text: "a\x1b[2Jb"}},
			"[WARNING]: a\\x1b[2Jb\n"},
		{"hidden results hide the banner", HumanOptions{HideOK: true, HideSkipped: true},
			[]Event{task, {Type: HostResult, Host: "h", Status: OK}, {Type: HostResult, Host: "i", Status: Skipped}}, ""},
		{"and bring it back", HumanOptions{HideOK: true},
			[]Event{task, {Type: HostResult, Host: "h", Status: OK}, {Type: HostResult, Host: "i", Status: Changed}}, head + "changed: [i]\n"},
		{"task path", HumanOptions{Verbosity: 2}, []Event{task}, head + "task path: site.yml:3\n"},
		{"nobody", HumanOptions{Width: 30}, []Event{{Type: PlayNoHosts, Name: "web"}}, "\nPLAY [web] *******************\nskipping: no hosts matched\n"},
		{"loop summary only where it is news", HumanOptions{}, []Event{command,
			{Type: HostResult, Host: "h", Status: Changed, Item: true, Label: "1"}, {Type: HostResult, Host: "h", Status: Changed, Loop: true, Changes: change},
			{Type: HostResult, Host: "i", Status: Failed, Item: true, Label: "1", Msg: "x"}, {Type: HostResult, Host: "i", Status: Failed, Loop: true, Msg: "one failed"},
			{Type: HostResult, Host: "j", Status: Failed, Loop: true, Msg: "bad loop"}},
			head + "changed: [h] => (item=1)\nfailed: [i] (item=1) => {\"msg\": \"x\"}\nfatal: [j]: FAILED! => {\"msg\": \"bad loop\"}\n"},
		{"a loop that is ignored as a whole", HumanOptions{}, []Event{command, {Type: HostResult, Host: "i", Status: Failed, Item: true, Label: "1", Msg: "x"},
			{Type: HostResult, Host: "i", Status: Failed, Loop: true, Ignored: true}},
			head + "failed: [i] (item=1) => {\"msg\": \"x\"}\n...ignoring\n"},
		{"debug in a loop", HumanOptions{}, []Event{task, {Type: HostResult, Host: "h", Status: OK, Show: true, Item: true, Label: "1",
			Result: map[string]any{"msg": "x", "item": 1, "ansible_loop_var": "item", "changed": false}}},
			head + "ok: [h] => (item=1) => {\n    \"msg\": \"x\"\n}\n"},
		{"debug that is made to fail, in a loop", HumanOptions{}, []Event{task, {Type: HostResult, Host: "h", Status: Failed, Show: true, Item: true, Msg: "failed_when was true",
			Result: map[string]any{"it": "", "ansible_loop_var": "it", "changed": false, "failed_when_result": true}},
			{Type: HostResult, Host: "h", Status: Failed, Loop: true, Msg: "one failed", Result: map[string]any{"results": []any{}, "msg": "one failed", "changed": false}}},
			head + "failed: [h] (item=) => {\n    \"ansible_loop_var\": \"it\",\n    \"failed_when_result\": true,\n    \"it\": \"\"\n}\n" +
				"fatal: [h]: FAILED! => {\"msg\": \"one failed\"}\n"},
		{"a failed assertion", HumanOptions{}, []Event{command, {Type: HostResult, Host: "h", Status: Failed, Show: true,
			Result: map[string]any{"msg": "no", "assertion": "a == 1"}}},
			head + "fatal: [h]: FAILED! => {\n    \"assertion\": \"a == 1\",\n    \"msg\": \"no\"\n}\n"},
		{"a result without a task", HumanOptions{}, []Event{{Type: HostResult, Host: "h", Status: Failed, Item: true, Label: "1", Msg: "x", Ignored: true}},
			"failed: [h] (item=1) => {\"msg\": \"x\"}\n...ignoring\n"},
		{"check recap", HumanOptions{Check: true}, []Event{{Type: Recap, Check: true, Stats: map[string]*Stats{"b": {OK: 3, Changed: 1}, "a": {Unreachable: 1}}}},
			"\nPLAY RECAP " + strings.Repeat("*", 69) + "\n" +
				"a                          : ok=0    changed=0    unreachable=1    failed=0    skipped=0    rescued=0    ignored=0   \n" +
				"b                          : ok=3    changed=1    unreachable=0    failed=0    skipped=0    rescued=0    ignored=0   \n" +
				"\ncheck: 1 would change, 2 unchanged, 0 skipped, 1 unreachable\n"},
		{"module warnings", HumanOptions{}, []Event{task, {Type: HostResult, Host: "h", Status: OK, Result: map[string]any{"warnings": []any{"careful"}}}},
			head + "[WARNING]: careful\nok: [h]\n"},
	} {
		if got := show(c.o, c.es...); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

// TestReaderGone holds that a broken pipe does not end the run.
func TestReaderGone(t *testing.T) {
	w := &failing{}
	r := NewMulti(NewHuman(w, HumanOptions{}), NewJSON(w, "x"))
	for range 5 {
		r.Report(Event{Type: PlayStart, Name: "p"})
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if w.n != 2 {
		t.Errorf("%d writes after the reader went away", w.n)
	}
}

type failing struct{ n int }

func (f *failing) Write([]byte) (int, error) {
	f.n++
	return 0, errors.New("broken pipe")
}

// TestOwnPace shows each result under the banner of its own task.
func TestOwnPace(t *testing.T) {
	var b strings.Builder
	h := NewHuman(&b, HumanOptions{})
	start := func(host, name, place string) {
		h.Report(Event{Type: TaskStart, Host: host, Name: name, Module: "command", Place: place})
	}
	done := func(host, name string) {
		h.Report(Event{Type: HostResult, Host: host, Name: name, Module: "command", Status: OK})
	}
	start("a", "one", "p:1:1")
	start("b", "one", "p:1:1")
	done("b", "one")
	start("b", "two", "p:2:1")
	done("a", "one")
	done("b", "two")
	start("a", "two", "p:2:1")
	done("a", "two")
	var got []string
	for line := range strings.Lines(b.String()) {
		if line = strings.Trim(line, " *\n"); line != "" {
			got = append(got, line)
		}
	}
	want := []string{"TASK [one]", "ok: [b]", "ok: [a]", "TASK [two]", "ok: [b]", "ok: [a]"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
