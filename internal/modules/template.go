//go:build !worker

package modules

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
)

func init() {
	module.Register(module.Spec{
		Name: "ansible.builtin.template", Action: templateAction,
		New: func() any {
			return &template{Force: true, NewlineSequence: `\n`, OutputEncoding: "utf-8", TrimBlocks: true}
		},
	})
}

// template renders on the controller; copy puts the result in place.
type template struct {
	FileArgs
	Src             string `arg:"src,required"`
	Dest            string `arg:"dest,required"`
	Backup          bool   `arg:"backup"`
	Force           bool   `arg:"force"`
	Follow          bool   `arg:"follow"`
	ValidateCmd     string `arg:"validate"`
	NewlineSequence string `arg:"newline_sequence"`
	OutputEncoding  string `arg:"output_encoding"`
	TrimBlocks      bool   `arg:"trim_blocks"`
	LstripBlocks    bool   `arg:"lstrip_blocks"`
	BlockStart      string `arg:"block_start_string"`
	BlockEnd        string `arg:"block_end_string"`
	VariableStart   string `arg:"variable_start_string"`
	VariableEnd     string `arg:"variable_end_string"`
	CommentStart    string `arg:"comment_start_string"`
	CommentEnd      string `arg:"comment_end_string"`
}

// newlines are the ways to write a newline_sequence.
var newlines = map[string]string{`\n`: "\n", `\r`: "\r", `\r\n`: "\r\n", "\n": "\n", "\r": "\r", "\r\n": "\r\n"}

// Validate knows one encoding and three ends of lines.
func (t *template) Validate() error {
	if _, ok := newlines[t.NewlineSequence]; !ok {
		return fault.New(`newline_sequence needs to be one of: \n, \r or \r\n`)
	}
	if e := strings.ToLower(t.OutputEncoding); e != "utf-8" && e != "utf8" {
		return fault.New("output_encoding %q is not supported", t.OutputEncoding).WithHint("utf-8 is")
	}
	return nil
}

// renderArgs are the arguments that are done with once the text is there.
var renderArgs = []string{
	"src", "newline_sequence", "output_encoding", "trim_blocks", "lstrip_blocks", "block_start_string", "block_end_string",
	"variable_start_string", "variable_end_string", "comment_start_string", "comment_end_string",
}

func templateAction(ctx context.Context, c module.Controller, args module.Args) (*module.Result, error) {
	t := &template{Force: true, NewlineSequence: `\n`, OutputEncoding: "utf-8", TrimBlocks: true}
	if err := module.Decode(t, args); err != nil {
		return nil, err
	}
	src, err := c.Find("templates", t.Src)
	if err != nil {
		return nil, err
	}
	text, err := c.RenderFile(ctx, src, module.TemplateOptions{
		TrimBlocks: &t.TrimBlocks, LstripBlocks: &t.LstripBlocks, NewlineSequence: newlines[t.NewlineSequence],
		BlockStart: t.BlockStart, BlockEnd: t.BlockEnd, VariableStart: t.VariableStart, VariableEnd: t.VariableEnd,
		CommentStart: t.CommentStart, CommentEnd: t.CommentEnd, Dest: t.Dest,
	})
	if err != nil {
		return nil, err
	}
	rest := maps.Clone(args)
	for _, name := range renderArgs {
		delete(rest, name)
	}
	if t.Mode == "preserve" {
		i, _ := os.Stat(src) // an embedded template has no mode of its own
		rest["mode"] = preserved(i)
	}
	res, err := c.Run(ctx, "ansible.builtin.copy", withData(rest, []byte(text), filepath.Base(t.Src)))
	if err == nil && res.Return != nil && res.Return["src"] == nil {
		res.Return["src"] = src
	}
	return res, err
}
