package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write docs/commands anew")

// TestCommandPages holds docs/commands to what the program says of itself:
// go test ./cmd/mageprov -run CommandPages -update writes the pages.
func TestCommandPages(t *testing.T) {
	dir := filepath.Join("..", "..", "docs", "commands")
	want := map[string]string{}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			return
		}
		if c.HasParent() && !(c.HasParent() && c.Parent().HasParent()) {
			want[c.Name()+".md"] = page(c)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(streams{strings.NewReader(""), io.Discard, io.Discard}))
	for name, text := range want {
		p := filepath.Join(dir, name)
		if *update {
			if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		have, err := os.ReadFile(p)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if string(have) != text {
			t.Errorf("docs/commands/%s is not what the command says of itself; run this test with -update", name)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if want[filepath.Base(f)] == "" {
			t.Errorf("%s documents a command that does not exist", f)
		}
	}
}

// page is a command's page, with those of its subcommands below.
func page(c *cobra.Command) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n\n%s.\n", c.CommandPath(), c.Short)
	section(&b, c)
	for _, sub := range c.Commands() {
		if sub.Hidden {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n", sub.CommandPath(), sub.Short)
		section(&b, sub)
	}
	fmt.Fprintf(&b, "\n%s\n", exitCodes)
	return b.String()
}

func section(b *bytes.Buffer, c *cobra.Command) {
	if c.Long != "" {
		fmt.Fprintf(b, "\n%s\n", c.Long)
	}
	fmt.Fprintf(b, "\n    %s\n", c.UseLine())
	if c.Example != "" {
		fmt.Fprintf(b, "\nExamples:\n\n%s\n", indent(c.Example))
	}
	if u := c.LocalFlags().FlagUsages(); u != "" {
		fmt.Fprintf(b, "\nFlags:\n\n%s", indent(strings.TrimRight(u, "\n"))+"\n")
	}
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(s, "\n", "\n  ")
}

// command matches a line of a document that calls mageprov, indented as code.
var command = regexp.MustCompile(`(?m)^ {4}(?:\$ )?(?:bin/)?mageprov ([^#\n]*)`)

// TestDocumentedCommands parses every call of mageprov in the documents: the
// commands and flags exist.
func TestDocumentedCommands(t *testing.T) {
	var files []string
	for _, g := range []string{"../../*.md", "../../docs/*.md", "../../docs/*/*.md", "../../vagrant/*.md"} {
		m, err := filepath.Glob(g)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, m...)
	}
	calls := 0
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range command.FindAllStringSubmatch(string(text), -1) {
			calls++
			if err := parses(fields(m[1])); err != nil {
				t.Errorf("%s: mageprov %s: %v", f, strings.TrimSpace(m[1]), err)
			}
		}
	}
	if calls < 20 {
		t.Errorf("found only %d calls of mageprov in the documents", calls)
	}
}

// parses finds the command and parses its flags without running it.
func parses(args []string) error {
	root := newRoot(streams{strings.NewReader(""), io.Discard, io.Discard})
	c, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if c == root && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		return fmt.Errorf("no such command")
	}
	if c.DisableFlagParsing {
		return nil
	}
	if err := c.ParseFlags(rest); err != nil {
		return err
	}
	if strings.HasPrefix(strings.Join(args, " "), "NAME") || strings.Contains(strings.Join(args, " "), "[") {
		return nil // a usage line, not a call
	}
	return c.ValidateArgs(c.Flags().Args())
}

// fields splits a line at blanks, keeping quoted words together.
func fields(s string) []string {
	var out []string
	for _, m := range regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`).FindAllString(s, -1) {
		out = append(out, strings.Trim(m, `'"`))
	}
	return out
}
