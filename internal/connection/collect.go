package connection

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
)

// collect feeds a process, reads all it prints and waits for it. When ctx ends
// it returns at once: a server may keep a killed session open for as long as
// its program likes.
func collect(ctx context.Context, p Process, stdin io.Reader) (rc int, stdout, stderr []byte, err error) {
	go func() {
		if stdin != nil {
			io.Copy(p.Stdin(), stdin)
		}
		p.Stdin().Close()
	}()
	var out, errOut bytes.Buffer
	rc, err = follow(ctx, p, &out, &errOut)
	if err != nil && ctx.Err() != nil {
		return -1, nil, nil, err
	}
	return rc, out.Bytes(), errOut.Bytes(), err
}

// Drain copies the standard output of a process that reads no input to w and
// waits for it; an exit code other than 0 is an error.
func Drain(ctx context.Context, p Process, w io.Writer) error {
	p.Stdin().Close()
	var stderr bytes.Buffer
	rc, err := follow(ctx, p, w, &stderr)
	switch {
	case err != nil:
		return err
	case rc != 0 && strings.Contains(stderr.String(), "No such file"):
		return os.ErrNotExist
	case rc != 0:
		return errors.New(strings.TrimPrefix(said(stderr.Bytes()), "; it said: "))
	}
	return nil
}

// follow copies both outputs and waits, or kills the process when ctx ends;
// nothing is written to stdout and stderr after it returns.
func follow(ctx context.Context, p Process, stdout, stderr io.Writer) (int, error) {
	out, errOut := &gate{w: stdout}, &gate{w: stderr}
	type end struct {
		rc  int
		err error
	}
	ended := make(chan end, 1)
	go func() {
		read := make(chan struct{})
		go func() {
			defer close(read)
			io.Copy(errOut, p.Stderr())
		}()
		_, err := io.Copy(out, p.Stdout())
		if err != nil { // a full disk here must not leave the program stuck there
			p.Kill()
		}
		<-read
		rc, werr := p.Wait()
		if err == nil {
			err = werr
		}
		ended <- end{rc, err}
	}()
	select {
	case e := <-ended:
		return e.rc, e.err
	case <-ctx.Done():
		out.shut()
		errOut.shut()
		p.Kill()
		return -1, ctx.Err()
	}
}

// gate is a writer that can be shut.
type gate struct {
	mu sync.Mutex
	w  io.Writer
}

func (g *gate) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.w == nil {
		return 0, io.ErrClosedPipe
	}
	return g.w.Write(p)
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.w = nil
}
