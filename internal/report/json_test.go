package report

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"mageprov/internal/jinja"
	"mageprov/internal/wire"
)

func newFile(t *testing.T) (*os.File, error) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	t.Cleanup(func() { _ = f.Close() })
	return f, err
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	r := NewJSON(&b, "mageprov 1.2")
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("x", 3600))
	r.Report(Event{Type: HostResult, Time: at, Host: "h", Status: Changed, Show: true,
		Changes: []wire.Change{{What: "create /x", After: "<y>", AfterName: "/x"}},
		Result:  map[string]any{"nan": math.NaN(), "big": new(big.Int).Lsh(big.NewInt(1), 70), "list": []any{&jinja.Text{Source: "{{ x }}"}, nil, int64(1)}}})
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines", len(lines))
	}
	var first map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil || first["event"] != "version" || first["format"] != 1.0 || first["program"] != "mageprov 1.2" {
		t.Error(lines[0], err)
	}
	want := `{"event":"host_result","time":"2026-01-02T02:04:05.000006Z","host":"h","status":"changed","changes":[{"what":"create /x","after_name":"/x","after":"\u003cy\u003e"}],` +
		`"result":{"big":1180591620717411303424,"list":["{{ x }}",null,1],"nan":"nan"}}`
	if lines[1] != want {
		t.Errorf("got  %s\nwant %s", lines[1], want)
	}
}

// TestJSONIsDocumented holds that docs/json.md names every event, field and status.
func TestJSONIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{string(OK), string(Changed), string(Skipped), string(Failed), string(Unreachable),
		"what", "before_name", "after_name", "before", "after"}
	for _, e := range []Type{Version, RunStart, PlayStart, PlayNoHosts, TaskStart, HostStart, HostResult, Progress, Included, NoteEvent, PlayEnd, Recap} {
		names = append(names, string(e))
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[Event](), reflect.TypeFor[Stats]()} {
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			if name != "-" {
				names = append(names, name)
			}
		}
	}
	for _, n := range names {
		if !strings.Contains(string(page), "`"+n+"`") {
			t.Errorf("docs/json.md does not name `%s`", n)
		}
	}
}
