package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	var buf bytes.Buffer
	w := NewWriter(&buf)
	sent := Task{ID: 7, Module: "ansible.builtin.copy", Args: json.RawMessage(`{"content":"<&>\u00e9"}`), Check: true, Env: map[string]string{"A": "b"}}
	for _, m := range []struct {
		k Kind
		v any
	}{{KindHello, Hello{Size: 7, UID: 3}}, {KindTask, sent}, {KindBye, nil}} {
		if err := w.Write(m.k, m.v); err != nil {
			t.Fatal(err)
		}
	}
	r := NewReader(&buf)
	var h Hello
	next(t, r, KindHello, &h)
	if h.Size != 7 || h.UID != 3 {
		t.Errorf("hello is %+v", h)
	}
	var got Task
	next(t, r, KindTask, &got)
	if !reflect.DeepEqual(got, sent) {
		t.Errorf("task is %+v, want %+v", got, sent)
	}
	if k, body, err := r.Next(); k != KindBye || len(body) != 0 || err != nil {
		t.Errorf("bye: %v %q %v", k, body, err)
	}
	if _, _, err := r.Next(); err != io.EOF {
		t.Errorf("the end: %v", err)
	}
}

func next(t *testing.T, r *Reader, want Kind, v any) {
	t.Helper()
	k, body, err := r.Next()
	if err != nil || k != want {
		t.Fatalf("kind %v, error %v; want %v", k, err, want)
	}
	if err := Decode(body, v); err != nil {
		t.Fatal(err)
	}
}

func TestNextRefuses(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"kind 0":      {"\x00\x00\x00\x00\x00", "unknown kind"},
		"kind 99":     {"\x00\x00\x00\x00\x63", "unknown kind"},
		"too large":   {"\xff\xff\xff\xff\x02", "larger than"},
		"cut header":  {"\x00\x00", "unexpected EOF"},
		"cut body":    {"\x00\x00\x00\x09\x02{}", "unexpected EOF"},
		"cut at body": {"\x00\x00\x00\x09\x02", "unexpected EOF"},
		"cut large":   {"\x00\xf0\x00\x00\x02xxxx", "unexpected EOF"},
	} {
		if _, _, err := NewReader(strings.NewReader(c.in)).Next(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

func TestDecodeIsStrict(t *testing.T) {
	for in, want := range map[string]string{
		`{"ID":1,"Nope":2}`: "unknown field",
		`{"ID":1} {"ID":2}`: "something follows",
		`{"ID":"x"}`:        "cannot unmarshal",
		``:                  "EOF",
	} {
		var c Cancel
		if err := Decode([]byte(in), &c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", in, err, want)
		}
	}
}

func TestWriteTooLarge(t *testing.T) {
	var buf bytes.Buffer
	w := NewWriter(&buf)
	if err := w.Write(KindProgress, Progress{Text: strings.Repeat("x", MaxFrame)}); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("error %v", err)
	}
	if buf.Len() != 0 {
		t.Fatalf("%d bytes were written", buf.Len())
	}
	if err := w.Write(KindCancel, Cancel{ID: 1}); err != nil {
		t.Fatal(err)
	}
	var c Cancel
	next(t, NewReader(&buf), KindCancel, &c)
}

func TestSeek(t *testing.T) {
	const boot = "\x00mageprov-boot "
	for name, c := range map[string]struct {
		in, noise string
		which     int
		fails     bool
	}{
		"at once":     {in: Preamble, which: 0},
		"motd":        {in: "Welcome!\nmail\n" + Preamble, noise: "Welcome!\nmail\n", which: 0},
		"second mark": {in: "x" + boot + "need", noise: "x", which: 1},
		"near miss":   {in: "\x00mageprov\x00mageprov-wire" + Preamble, noise: "\x00mageprov\x00mageprov-wire", which: 0},
		"never":       {in: "This account is not available.\n", noise: "This account is not available.\n", which: -1, fails: true},
		"endless":     {in: strings.Repeat("y\n", MaxNoise), noise: strings.Repeat("y\n", MaxNoise/2), which: -1, fails: true},
	} {
		which, noise, err := NewReader(strings.NewReader(c.in)).Seek(Preamble, boot)
		if which != c.which || string(noise) != c.noise || (err != nil) != c.fails {
			t.Errorf("%s: mark %d, noise of %d bytes, error %v", name, which, len(noise), err)
		}
	}
}

// TestSharedWriter sends from many goroutines: no frame may be torn.
func TestSharedWriter(t *testing.T) {
	pr, pw := io.Pipe()
	w := NewWriter(pw)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 50 {
				if err := w.Write(KindProgress, Progress{ID: uint64(i), Text: strings.Repeat("z", i*1000)}); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	go func() { wg.Wait(); pw.Close() }()
	r, count := NewReader(pr), 0
	for {
		k, body, err := r.Next()
		if err == io.EOF {
			break
		}
		var p Progress
		if err != nil || k != KindProgress || Decode(body, &p) != nil || len(p.Text) != int(p.ID)*1000 {
			t.Fatalf("frame %d: %v %v", count, k, err)
		}
		count++
	}
	if count != 400 {
		t.Errorf("%d frames, want 400", count)
	}
}

// FuzzReader feeds foreign bytes: a Reader may refuse them, never panic, and
// whatever it accepts must survive being written again.
func FuzzReader(f *testing.F) {
	var buf bytes.Buffer
	w := NewWriter(&buf)
	for _, v := range []any{Task{ID: 1, Module: "x", Args: json.RawMessage(`{}`)}, Task{ID: 2}} {
		if err := w.Write(KindTask, v); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(buf.Bytes())
	f.Add([]byte("noise" + Preamble + "\x00\x00\x00\x02\x02{}"))
	f.Add([]byte("\x00\x10\x00\x00\x04"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := NewReader(bytes.NewReader(in))
		for {
			k, body, err := r.Next()
			if err != nil {
				return
			}
			if len(body) > MaxFrame {
				t.Fatal("frame is too large")
			}
			var task Task
			if k != KindTask || Decode(body, &task) != nil {
				continue
			}
			if task.Args != nil && !json.Valid(task.Args) {
				t.Fatalf("args %q", task.Args)
			}
			if err := NewWriter(io.Discard).Write(KindTask, task); err != nil {
				t.Fatal(err)
			}
		}
	})
}
