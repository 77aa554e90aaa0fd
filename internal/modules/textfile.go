package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"mageprov/internal/module"
	"mageprov/internal/node"
)

// readText reads a whole text file; a missing one is empty.
func readText(n node.Reader, path string) (text string, exists bool, err error) {
	b, err := n.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("reading %s: %w", path, err)
	}
	return string(b), true, nil
}

// rewriteText is the change that gives a configuration file another text. Owner
// and mode stay; a new file gets mode.
func rewriteText(path, before, after string, exists bool, mode uint32) module.Change {
	verb := "edit "
	o := node.Keep()
	if !exists {
		verb = "create "
		o.Mode = &mode
	}
	return module.Change{
		What: verb + path, Before: before, After: after, BeforeName: path, AfterName: path,
		Apply: func(ctx context.Context, w node.Writer) error {
			if err := w.WriteFile(ctx, path, strings.NewReader(after), o); err != nil {
				return fmt.Errorf("writing %s: %w", path, err)
			}
			return nil
		},
	}
}

// keepCopy is the step before rewriteText that backup: asks for. It gives the
// name of the copy too.
func keepCopy(n node.Reader, path string) (string, module.Change) {
	name := backupName(n, path)
	return name, module.Change{
		What: "keep a copy in " + name, Quiet: true,
		Apply: func(ctx context.Context, w node.Writer) error { return backup(ctx, w, path, name) },
	}
}

// mustRun runs a command and makes a failure of a non-zero code, with what it said.
func mustRun(ctx context.Context, w node.Writer, c node.Command) error {
	res, err := w.Run(ctx, c)
	if err != nil {
		return startFailure(err, c)
	}
	if res.Unknown || res.RC == 0 {
		return nil
	}
	said := strings.TrimSpace(cleanText(res.Stderr))
	if said == "" {
		said = strings.TrimSpace(cleanText(res.Stdout))
	}
	return &module.Failure{
		Msg:    fmt.Sprintf("%s: %s", strings.Join(c.Argv, " "), said),
		Return: map[string]any{"rc": res.RC, "stdout": cleanText(res.Stdout), "stderr": cleanText(res.Stderr)},
	}
}

// textLines splits a file into lines without their ends; the last line need not end.
func textLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

func linesText(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}
