package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Preamble is what a worker writes before its first frame. Login shells, motd
// and PAM modules may print anything before it; Seek skips that.
const Preamble = "\x00mageprov-wire\xff\n"

// MaxNoise is how much of such output is read before the other end is taken
// for something that is not a worker.
const MaxNoise = 256 << 10

// ErrTooLarge is returned for a frame of more than MaxFrame bytes, by Writer
// before anything is written.
var ErrTooLarge = errors.New("message is larger than a frame may be")

const headerSize = 5

// Writer writes frames, each of them whole, so that several goroutines may share it.
type Writer struct {
	mu  sync.Mutex
	w   io.Writer
	buf bytes.Buffer
}

// NewWriter makes a Writer on w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write sends one message. v is the message's struct, or nil for a kind without a body.
func (w *Writer) Write(k Kind, v any) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf.Reset()
	w.buf.Write(make([]byte, headerSize))
	if v != nil {
		enc := json.NewEncoder(&w.buf)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			return fmt.Errorf("encoding %s: %w", k, err)
		}
	}
	n := w.buf.Len() - headerSize
	if n > MaxFrame {
		w.buf = bytes.Buffer{}
		return fmt.Errorf("%s of %d bytes: %w", k, n, ErrTooLarge)
	}
	frame := w.buf.Bytes()
	binary.BigEndian.PutUint32(frame, uint32(n))
	frame[4] = byte(k)
	_, err := w.w.Write(frame)
	if w.buf.Cap() > 1<<20 {
		w.buf = bytes.Buffer{} // one large message must not be paid for ever
	}
	return err
}

// Reader reads frames.
type Reader struct{ r *bufio.Reader }

// NewReader makes a Reader on r.
func NewReader(r io.Reader) *Reader { return &Reader{r: bufio.NewReaderSize(r, 32<<10)} }

// Next gives the next frame. io.EOF means the end between two frames;
// io.ErrUnexpectedEOF the end within one.
func (r *Reader) Next() (Kind, []byte, error) {
	var head [headerSize]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		return 0, nil, err
	}
	n, k := binary.BigEndian.Uint32(head[:]), Kind(head[4])
	if !k.known() {
		return 0, nil, fmt.Errorf("unknown kind of message %d", head[4])
	}
	if n > MaxFrame {
		return 0, nil, fmt.Errorf("%s of %d bytes: %w", k, n, ErrTooLarge)
	}
	body, err := readBody(r.r, int(n))
	return k, body, err
}

// readBody believes a length only as far as bytes arrive: a large frame grows
// with what is read, so a false header costs nothing.
func readBody(r io.Reader, n int) ([]byte, error) {
	const trust = 64 << 10
	var err error
	var body []byte
	if n <= trust {
		body = make([]byte, n)
		_, err = io.ReadFull(r, body)
	} else {
		var b bytes.Buffer
		_, err = io.CopyN(&b, r, int64(n))
		body = b.Bytes()
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	return body, nil
}

// Seek reads until one of marks has been read and says which; noise is what
// came before it. An error carries the noise too: it usually tells what went wrong.
func (r *Reader) Seek(marks ...string) (which int, noise []byte, err error) {
	var seen []byte
	for len(seen) < MaxNoise {
		c, err := r.r.ReadByte()
		if err != nil {
			return -1, seen, err
		}
		seen = append(seen, c)
		for i, m := range marks {
			if c == m[len(m)-1] && bytes.HasSuffix(seen, []byte(m)) {
				return i, seen[:len(seen)-len(m)], nil
			}
		}
	}
	return -1, seen, fmt.Errorf("no greeting within %d bytes", MaxNoise)
}

// Line reads the rest of a line after Seek, without its end.
func (r *Reader) Line() (string, error) {
	var line []byte
	for len(line) < 4096 {
		c, err := r.r.ReadByte()
		if err != nil {
			return string(line), err
		}
		if c == '\n' {
			return string(line), nil
		}
		line = append(line, c)
	}
	return string(line), errors.New("line is too long")
}

// Decode puts a frame's body into a message. Unknown fields and anything after
// the message are errors: both ends are one build.
func Decode(body []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("message does not decode: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("message does not decode: something follows it")
	}
	return nil
}
