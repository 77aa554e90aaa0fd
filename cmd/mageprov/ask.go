package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"

	"mageprov/internal/document"
	"mageprov/internal/fault"
)

// asking lets one question at a time onto the terminal: several hosts may have
// unknown keys at once.
var asking sync.Mutex

// interactive says whether there is a person to ask.
func (w *workshop) interactive() bool {
	f, ok := w.streams.in.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// askSecret reads a password: from the terminal without echo, or a line of
// stdin where it is no terminal.
func (w *workshop) askSecret(prompt string) (string, error) {
	return w.ask(prompt, true)
}

func (w *workshop) ask(prompt string, private bool) (string, error) {
	asking.Lock()
	defer asking.Unlock()
	fmt.Fprint(w.streams.err, prompt)
	if f, ok := w.streams.in.(*os.File); ok && private && term.IsTerminal(int(f.Fd())) {
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(w.streams.err)
		return string(b), fault.Wrap(err, "reading the answer")
	}
	line, err := readLine(w.streams.in)
	if !w.interactive() {
		fmt.Fprintln(w.streams.err)
	}
	if err != nil && line == "" {
		return "", fault.New("no answer to %q: the input has ended", strings.TrimSpace(prompt))
	}
	return line, nil
}

// readLine reads byte by byte, so that nothing beyond the line is taken from
// whoever asks next.
func readLine(r io.Reader) (string, error) {
	var b strings.Builder
	one := bufio.NewReaderSize(byteReader{r}, 16)
	for {
		c, err := one.ReadByte()
		if err != nil || c == '\n' {
			return strings.TrimSuffix(b.String(), "\r"), err
		}
		b.WriteByte(c)
	}
}

type byteReader struct{ r io.Reader }

func (b byteReader) Read(p []byte) (int, error) { return b.r.Read(p[:1]) }

// asker is nil where nobody can answer.
func (w *workshop) asker() func(string, bool) (string, error) {
	if !w.interactive() {
		return nil
	}
	return w.ask
}

// askHostKey asks until the answer is yes or no: a password typed ahead must
// not count as either.
func (w *workshop) askHostKey(question string) (bool, error) {
	prompt := question + " (yes/no) "
	for {
		answer, err := w.ask(prompt, false)
		if err != nil {
			return false, err
		}
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "yes":
			return true, nil
		case "no":
			return false, nil
		}
		prompt = "please answer yes or no: "
	}
}

func (w *workshop) passphrase(keyFile string) (string, error) {
	if !w.interactive() {
		return "", fault.New("no terminal to ask on") // the caller names the key and the way out
	}
	return w.askSecret("passphrase of " + keyFile + ": ")
}

// templateFiles are the controller's files for lookups outside any task.
type templateFiles struct{ document.Disk }

// Find takes the name as it is: there is no task whose search path could help.
func (t templateFiles) Find(_ context.Context, _, name string) (string, error) { return name, nil }
