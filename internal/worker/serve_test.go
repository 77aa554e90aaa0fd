package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"mageprov/internal/module"
	"mageprov/internal/node"
	"mageprov/internal/wire"
)

// probe is a module that does what its argument says.
type probe struct {
	Do    string         `arg:"do"`
	Path  string         `arg:"path"`
	Value any            `arg:"value"`
	List  []any          `arg:"list"`
	Map   map[string]any `arg:"map"`
}

func (p *probe) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	plan := module.Plan{Return: map[string]any{"value": p.Value, "type": fmt.Sprintf("%T", p.Value), "env": n.Getenv("PROBE")}}
	switch p.Do {
	case "panic":
		panic("oh no")
	case "fail":
		return plan, &module.Failure{Msg: "it failed", Hint: "try again", Return: map[string]any{"rc": 3}}
	case "huge":
		plan.Return["value"] = strings.Repeat("x", wire.MaxFrame)
	case "wait":
		<-ctx.Done()
		return plan, context.Cause(ctx)
	case "unsendable":
		plan.Return["value"] = func() {}
	case "write":
		_, err := n.Lstat(p.Path)
		if !errors.Is(err, os.ErrNotExist) {
			return plan, err
		}
		plan.Changes = []module.Change{{What: "create " + p.Path, After: "text", Apply: func(ctx context.Context, w node.Writer) error {
			return w.WriteFile(ctx, p.Path, strings.NewReader("text"), node.Keep())
		}}}
	case "sleep":
		plan.Changes = []module.Change{{What: "sleep", Apply: func(ctx context.Context, w node.Writer) error {
			_, err := w.Run(ctx, node.Command{Argv: []string{"/bin/sh", "-c", "echo begin; sleep 30 & wait"}})
			return err
		}}}
	case "chatter":
		plan.Changes = []module.Change{{What: "talk", Apply: func(ctx context.Context, w node.Writer) error {
			_, err := w.Run(ctx, node.Command{Argv: []string{"/bin/sh", "-c", `i=0; while [ $i -lt 60 ]; do echo "line $i é"; i=$((i+1)); sleep 0.01; done`}})
			return err
		}}}
	case "pause":
		time.Sleep(100 * time.Millisecond)
		return plan, os.WriteFile(p.Path, []byte("done"), 0o600)
	}
	return plan, nil
}

func init() {
	module.Register(module.Spec{Name: "test.worker.probe", New: func() any { return &probe{} }})
	module.Register(module.Spec{Name: "test.worker.controller", New: func() any { return &struct{}{} }})
}

// client is a controller at the other end of two pipes.
type client struct {
	t    *testing.T
	in   *io.PipeWriter
	out  *wire.Writer
	r    *wire.Reader
	end  chan error
	id   uint64
	tmp  string
	said []string
}

func serve(t *testing.T) *client {
	t.Helper()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	c := &client{t: t, in: inW, out: wire.NewWriter(inW), r: wire.NewReader(outR), end: make(chan error, 1), tmp: t.TempDir()}
	go func() {
		err := Serve(context.Background(), inR, outW, Options{Build: "b1", Size: 11, Tmp: c.tmp, Node: localNodes()})
		outW.Close()
		c.end <- err
	}()
	t.Cleanup(func() { inW.Close(); outR.Close() })
	if _, noise, err := c.r.Seek(wire.Preamble); err != nil || len(noise) != 0 {
		t.Fatalf("preamble: %q %v", noise, err)
	}
	k, body, err := c.r.Next()
	var h wire.Hello
	if err != nil || k != wire.KindHello || wire.Decode(body, &h) != nil || h.Build != "b1" || h.Size != 11 || h.UID != os.Geteuid() || h.Tmp != c.tmp || h.Home == "" {
		t.Fatalf("hello: %v %+v %v", k, h, err)
	}
	return c
}

func (c *client) send(t wire.Task) uint64 {
	c.t.Helper()
	c.id++
	t.ID = c.id
	if t.Module == "" {
		t.Module = "test.worker.probe"
	}
	if err := c.out.Write(wire.KindTask, t); err != nil {
		c.t.Fatal(err)
	}
	return c.id
}

func (c *client) reply() wire.Reply {
	c.t.Helper()
	for {
		k, body, err := c.r.Next()
		if err != nil {
			c.t.Fatal(err)
		}
		if k == wire.KindProgress {
			var p wire.Progress
			if err := wire.Decode(body, &p); err != nil {
				c.t.Fatal(err)
			}
			c.said = append(c.said, p.Text)
			continue
		}
		var r wire.Reply
		if err := wire.Decode(body, &r); err != nil || k != wire.KindReply {
			c.t.Fatalf("%v %v", k, err)
		}
		return r
	}
}

func TestReplies(t *testing.T) {
	c := serve(t)
	for label, x := range map[string]struct {
		task wire.Task
		want func(r wire.Reply) bool
	}{
		"ok":           {wire.Task{Args: json.RawMessage(`{"do":""}`)}, func(r wire.Reply) bool { return !r.Failed && !r.Changed }},
		"no arguments": {wire.Task{}, func(r wire.Reply) bool { return !r.Failed }},
		"short name":   {wire.Task{Module: "probe"}, func(r wire.Reply) bool { return !r.Failed }},
		"environment":  {wire.Task{Env: map[string]string{"PROBE": "x y"}}, func(r wire.Reply) bool { return strings.Contains(string(r.Return), `"env":"x y"`) }},
		"panic": {wire.Task{Args: json.RawMessage(`{"do":"panic"}`)}, func(r wire.Reply) bool {
			return r.Failed && strings.Contains(r.Msg, "broke: oh no") && strings.Contains(r.Hint, "Check")
		}},
		"failure": {wire.Task{Args: json.RawMessage(`{"do":"fail"}`)}, func(r wire.Reply) bool {
			return r.Failed && r.Msg == "it failed" && r.Hint == "try again" && strings.Contains(string(r.Return), `"rc":3`)
		}},
		"huge result": {wire.Task{Args: json.RawMessage(`{"do":"huge"}`)}, func(r wire.Reply) bool { return r.Failed && strings.Contains(r.Msg, "larger than 16 MiB") }},
		"unsendable":  {wire.Task{Args: json.RawMessage(`{"do":"unsendable"}`)}, func(r wire.Reply) bool { return r.Failed && strings.Contains(r.Msg, "cannot be sent") }},
		"unknown": {wire.Task{Module: "test.worker.probee"}, func(r wire.Reply) bool {
			return r.Failed && strings.Contains(r.Msg, "unknown module") && strings.Contains(r.Hint, "did you mean")
		}},
		"controller's":   {wire.Task{Module: "test.worker.controller"}, func(r wire.Reply) bool { return r.Failed && strings.Contains(r.Msg, "does not run on a managed node") }},
		"bad argument":   {wire.Task{Args: json.RawMessage(`{"doo":1}`)}, func(r wire.Reply) bool { return r.Failed && strings.Contains(r.Msg, `unknown argument "doo"`) }},
		"args no object": {wire.Task{Args: json.RawMessage(`[1]`)}, func(r wire.Reply) bool { return r.Failed && strings.Contains(r.Msg, "do not decode") }},
	} {
		id := c.send(x.task)
		if r := c.reply(); r.ID != id || !x.want(r) {
			t.Errorf("%s: %+v", label, r)
		}
	}
}

func TestNumbers(t *testing.T) {
	for in, want := range map[string]any{
		`1`: int64(1), `-9223372036854775808`: int64(-1 << 63), `1.5`: 1.5, `1e3`: 1000.0, `1.0`: 1.0,
		`12345678901234567890123`: "12345678901234567890123", `"x"`: "x", `null`: nil, `true`: true,
		`[1,[2.5]]`: []any{int64(1), []any{2.5}}, `{"a":{"b":3}}`: map[string]any{"a": map[string]any{"b": int64(3)}},
	} {
		args, err := decodeArgs(json.RawMessage(`{"v":` + in + `}`))
		if err != nil || !reflect.DeepEqual(args["v"], want) {
			t.Errorf("%s became %#v (%v), want %#v", in, args["v"], err, want)
		}
	}
}

func TestCheckKeepsAnOverlay(t *testing.T) {
	c := serve(t)
	file := filepath.Join(t.TempDir(), "f")
	args, _ := json.Marshal(map[string]string{"do": "write", "path": file})
	c.send(wire.Task{Args: args, Check: true, Diff: true})
	c.send(wire.Task{Args: args, Check: true, Env: map[string]string{"PROBE": "2"}})
	if r := c.reply(); !r.Changed || len(r.Changes) != 1 || r.Changes[0].After != "text" {
		t.Errorf("first: %+v", r)
	}
	if r := c.reply(); r.Changed || r.Failed || !strings.Contains(string(r.Return), `"env":"2"`) {
		t.Errorf("second: %+v", r)
	}
	if _, err := os.Lstat(file); err == nil {
		t.Error("check mode wrote a file")
	}
	c.send(wire.Task{Args: args})
	if r := c.reply(); !r.Changed || r.Changes[0].After != "" {
		t.Errorf("for real, without diff: %+v", r)
	}
}

func TestCancel(t *testing.T) {
	c := serve(t)
	begin := time.Now()
	running := c.send(wire.Task{Args: json.RawMessage(`{"do":"sleep"}`)})
	waiting := c.send(wire.Task{Args: json.RawMessage(`{"do":"sleep"}`)})
	last := c.send(wire.Task{})
	time.Sleep(50 * time.Millisecond)
	for _, id := range []uint64{waiting, 999, running} {
		if err := c.out.Write(wire.KindCancel, wire.Cancel{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	if r := c.reply(); r.ID != running || !r.Failed {
		t.Errorf("running: %+v", r)
	}
	if r := c.reply(); r.ID != waiting || r.Msg != "cancelled before it began" {
		t.Errorf("waiting: %+v", r)
	}
	if r := c.reply(); r.ID != last || r.Failed {
		t.Errorf("last: %+v", r)
	}
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("it took %s", d)
	}
}

func TestProgress(t *testing.T) {
	c := serve(t)
	c.send(wire.Task{Args: json.RawMessage(`{"do":"chatter"}`)})
	if r := c.reply(); r.Failed {
		t.Fatalf("%+v", r)
	}
	text := strings.Join(c.said, "")
	if !strings.HasPrefix(text, "line 0 é\n") || len(c.said) < 2 || len(c.said) > 20 {
		t.Errorf("%d messages: %q", len(c.said), c.said)
	}
}

func TestProgressIsBounded(t *testing.T) {
	var n int
	p := newProgress(wire.NewWriter(writerFunc(func(b []byte) (int, error) { n += len(b); return len(b), nil })), 1)
	for range 1000 {
		p.write([]byte(strings.Repeat("y", 1000)))
	}
	p.flush()
	p.close()
	p.write([]byte("late"))
	p.flush()
	if n > progressMax+100 {
		t.Errorf("%d bytes were sent", n)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestWholeRunes(t *testing.T) {
	for in, want := range map[string]int{"": 0, "a": 1, "é": 2, "aé"[:2]: 1, "a€"[:3]: 1, "€": 3, "\xff": 1, "a\x80": 2} {
		if got := wholeRunes([]byte(in)); got != want {
			t.Errorf("%q: %d, want %d", in, got, want)
		}
	}
}

func TestFile(t *testing.T) {
	c := serve(t)
	for name, ok := range map[string]bool{"a b": true, "../x": false, "": false, ".": false, "..": false, "a/b": false} {
		if err := c.out.Write(wire.KindFile, wire.File{ID: 5, Name: name, Mode: 0o600, Data: []byte("\x00\xff")}); err != nil {
			t.Fatal(err)
		}
		if r := c.reply(); r.Failed == ok || r.ID != 5 {
			t.Errorf("%q: %+v", name, r)
		}
	}
	if b, err := os.ReadFile(filepath.Join(c.tmp, "a b")); err != nil || string(b) != "\x00\xff" {
		t.Errorf("%q %v", b, err)
	}
}

// TestCutConnection ends the input while a task runs and another waits: the
// first is finished, the second is not begun.
func TestCutConnection(t *testing.T) {
	for label, end := range map[string]func(c *client){
		"cut": func(c *client) { c.in.Close() },
		"bye": func(c *client) { c.out.Write(wire.KindBye, nil) },
	} {
		t.Run(label, func(t *testing.T) {
			c := serve(t)
			dir := t.TempDir()
			for _, f := range []string{"first", "second"} {
				args, _ := json.Marshal(map[string]string{"do": "pause", "path": filepath.Join(dir, f)})
				c.send(wire.Task{Args: args})
			}
			time.Sleep(20 * time.Millisecond)
			end(c)
			go io.Copy(io.Discard, readerOf(c.r))
			if err := <-c.end; err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(filepath.Join(dir, "first")); err != nil {
				t.Error("the running task was not finished")
			}
			if _, err := os.Stat(filepath.Join(dir, "second")); err == nil {
				t.Error("a waiting task was begun")
			}
		})
	}
}

// readerOf reads frames away, so that the worker is not held up by its answers.
func readerOf(r *wire.Reader) io.Reader {
	return readerFunc(func([]byte) (int, error) {
		_, _, err := r.Next()
		return 0, err
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

func TestBrokenProtocol(t *testing.T) {
	for label, send := range map[string]func(c *client){
		"wrong direction": func(c *client) { c.out.Write(wire.KindReply, wire.Reply{}) },
		"unknown field":   func(c *client) { c.out.Write(wire.KindTask, map[string]int{"Nope": 1}) },
		"garbage":         func(c *client) { c.in.Write([]byte("GET / HTTP/1.0\r\n\r\n")) },
		"cut frame":       func(c *client) { c.in.Write([]byte{0, 0, 0, 9, 2, '{'}); c.in.Close() },
	} {
		c := serve(t)
		send(c)
		if err := <-c.end; err == nil {
			t.Errorf("%s: no error", label)
		}
	}
}

// FuzzDecodeArgs feeds foreign arguments.
func FuzzDecodeArgs(f *testing.F) {
	f.Add([]byte(`{"a":[1,2.5,{"b":null}]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		args, err := decodeArgs(in)
		if err != nil {
			return
		}
		if _, err := json.Marshal(args); err != nil {
			t.Errorf("%q became %#v: %v", in, args, err)
		}
	})
}

func BenchmarkNoOp(b *testing.B) {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	go Serve(context.Background(), inR, outW, Options{Node: localNodes()})
	r, w := wire.NewReader(outR), wire.NewWriter(inW)
	r.Seek(wire.Preamble)
	r.Next()
	for i := 0; b.Loop(); i++ {
		w.Write(wire.KindTask, wire.Task{ID: uint64(i), Module: "test.worker.probe", Args: json.RawMessage(`{"value":"x"}`)})
		if _, _, err := r.Next(); err != nil {
			b.Fatal(err)
		}
	}
}
