package report

import (
	"bytes"
	"strings"
	"testing"
)

// TestAdHoc holds the blocks of the ad-hoc command to what Ansible prints.
func TestAdHoc(t *testing.T) {
	res := func(kv ...any) map[string]any {
		m := map[string]any{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i].(string)] = kv[i+1]
		}
		return m
	}
	for want, c := range map[string]struct {
		module string
		e      Event
	}{
		"h | CHANGED | rc=0 >>\nhi\n":                    {"ansible.builtin.command", Event{Status: Changed, Result: res("rc", 0, "stdout", "hi", "stderr", "")}},
		"h | FAILED | rc=3 >>\nout\nerr\nnon-zero\n":     {"shell", Event{Status: Failed, Msg: "non-zero", Result: res("rc", 3, "stdout", "out", "stderr", "err", "msg", "non-zero")}},
		"h | FAILED | rc=-1 >>\nundefined\n":             {"command", Event{Status: Failed, Msg: "undefined", Result: res()}},
		"h | SKIPPED\n":                                  {"command", Event{Status: Skipped}},
		"h | SUCCESS => {\n    \"ping\": \"pong\"\n}\n":  {"ping", Event{Status: OK, Result: res("ping", "pong", "failed", false)}},
		"h | SUCCESS => {\n    \"msg\": \"x\"\n}\n":      {"debug", Event{Status: OK, Result: res("msg", "x", "changed", false)}},
		"h | FAILED! => {\n    \"msg\": \"no\"\n}\n":     {"fail", Event{Status: Failed, Msg: "no"}},
		"h | FAILED! => {\n    \"censored\": \"yes\"\n}": {"command", Event{Status: Failed, NoLog: true, Result: res("censored", "yes")}},
		"h | UNREACHABLE! => {\n    \"msg\": \"gone\",\n    \"unreachable\": true\n}\n  hint: ask\n": {"command", Event{Status: Unreachable, Msg: "gone", Hint: "ask"}},
		"": {"command", Event{Status: Failed, Retries: 2, Attempt: 1}},
	} {
		var b bytes.Buffer
		r := NewAdHoc(&b, HumanOptions{})
		r.Report(Event{Type: PlayStart, Name: "ad hoc"})
		r.Report(Event{Type: TaskStart, Name: "t", Module: c.module})
		c.e.Type, c.e.Host = HostResult, "h"
		r.Report(c.e)
		r.Report(Event{Type: Recap})
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if got := b.String(); strings.TrimRight(got, "\n") != strings.TrimRight(want, "\n") {
			t.Errorf("%s %s:\n%s\nwant:\n%s", c.module, c.e.Status, got, want)
		}
	}
}
