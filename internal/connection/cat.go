package connection

import (
	"bytes"
	"context"
	"io"
)

// fileMark begins the file: what a talkative shell of the node says first ends there.
const fileMark = "\x00file "

// Cat copies a file that the user of b can read to w, by a process of its own.
func Cat(ctx context.Context, c Conn, path string, b Become, w io.Writer) error {
	p, err := c.Start(ctx, []string{"/bin/sh", "-c", `printf '\000file '; exec cat -- "$1"`, "sh", path}, b)
	if err != nil {
		return err
	}
	return Drain(ctx, p, &after{w: w, mark: []byte(fileMark)})
}

// after passes on what comes after a mark.
type after struct {
	w     io.Writer
	mark  []byte
	seen  []byte
	found bool
}

func (a *after) Write(p []byte) (int, error) {
	if a.found {
		return a.w.Write(p)
	}
	a.seen = append(a.seen, p...)
	_, rest, found := bytes.Cut(a.seen, a.mark)
	if !found {
		a.seen = a.seen[max(0, len(a.seen)-len(a.mark)):]
		return len(p), nil
	}
	a.found, a.seen = true, nil
	if _, err := a.w.Write(rest); err != nil {
		return 0, err
	}
	return len(p), nil
}
