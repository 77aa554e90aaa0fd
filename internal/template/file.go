package template

import (
	"context"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/module"
)

// RenderFile renders a template file as the template module does. A first line
// that begins with #jinja2: sets options and does not appear in the result.
func (s *Scope) RenderFile(ctx context.Context, path string, o module.TemplateOptions) (string, error) {
	data, err := s.readFile(path)
	if err != nil {
		return "", fault.Wrap(err, "reading template %s", path)
	}
	env := *s.engine.files
	setOptions(&env, o)
	source, line := string(data), 1
	if head, rest, ok := strings.Cut(source, "\n"); strings.HasPrefix(head, "#jinja2:") {
		if err := setHeader(&env, strings.TrimPrefix(head, "#jinja2:"), fault.Place{File: path, Line: 1, Col: 1}); err != nil {
			return "", err
		}
		source, line = rest, 2
		if !ok {
			source = ""
		}
	}
	locals := templateVars(path, s.engine.opts.Managed)
	if o.Dest != "" {
		locals["template_destpath"] = o.Dest
	}
	n := s.With(locals)
	n.fresh, n.self = true, path
	env.Load = func(ctx context.Context, name string) (*jinja.Text, error) { return n.load(ctx, &env, name) }
	text := s.engine.source(&env, source, fault.Place{File: path, Line: line, Col: 1})
	if ctx, err = deeper(ctx, text); err != nil {
		return "", err
	}
	out, err := env.RenderText(ctx, text, n)
	if err != nil {
		return "", n.suggest(err)
	}
	out = endLike(out, source)
	if o.NewlineSequence != "" && o.NewlineSequence != "\n" {
		out = strings.ReplaceAll(out, "\n", unescapeNewline(o.NewlineSequence))
	}
	return out, nil
}

// source gives the shared Text of a template file, so that it is parsed once.
func (e *Engine) source(env *jinja.Env, src string, p fault.Place) *jinja.Text {
	key := strings.Join([]string{p.File, strconv.Itoa(p.Line), strconv.FormatBool(env.TrimBlocks), strconv.FormatBool(env.LstripBlocks),
		strconv.FormatBool(env.KeepTrailingNewline), env.BlockStart, env.BlockEnd, env.VariableStart, env.VariableEnd,
		env.CommentStart, env.CommentEnd, env.LineStatementPrefix, env.LineCommentPrefix, src}, "\x00")
	if t := e.sources.get(key); t != nil {
		return t
	}
	t := &jinja.Text{Source: src, Place: p}
	e.sources.put(key, t)
	return t
}

func setOptions(env *jinja.Env, o module.TemplateOptions) {
	for _, b := range []struct {
		to   *bool
		from *bool
	}{{&env.TrimBlocks, o.TrimBlocks}, {&env.LstripBlocks, o.LstripBlocks}, {&env.KeepTrailingNewline, o.KeepTrailingNewline}} {
		if b.from != nil {
			*b.to = *b.from
		}
	}
	for _, m := range []struct {
		to   *string
		from string
	}{
		{&env.BlockStart, o.BlockStart}, {&env.BlockEnd, o.BlockEnd}, {&env.VariableStart, o.VariableStart},
		{&env.VariableEnd, o.VariableEnd}, {&env.CommentStart, o.CommentStart}, {&env.CommentEnd, o.CommentEnd},
	} {
		if m.from != "" {
			*m.to = m.from
		}
	}
}

// setHeader reads "trim_blocks: False, variable_start_string: '[%'".
func setHeader(env *jinja.Env, header string, p fault.Place) error {
	flags := map[string]*bool{
		"trim_blocks": &env.TrimBlocks, "lstrip_blocks": &env.LstripBlocks, "keep_trailing_newline": &env.KeepTrailingNewline,
	}
	marks := map[string]*string{
		"block_start_string": &env.BlockStart, "block_end_string": &env.BlockEnd,
		"variable_start_string": &env.VariableStart, "variable_end_string": &env.VariableEnd,
		"comment_start_string": &env.CommentStart, "comment_end_string": &env.CommentEnd,
		"line_statement_prefix": &env.LineStatementPrefix, "line_comment_prefix": &env.LineCommentPrefix,
	}
	for _, pair := range strings.Split(header, ",") {
		name, val, ok := strings.Cut(pair, ":")
		name, val = strings.TrimSpace(name), strings.TrimSpace(val)
		if name == "" && !ok {
			continue
		}
		if flag := flags[name]; flag != nil {
			b, isBool := boolWord(val)
			if word := strings.Trim(val, `'"`); word != val && word != "" {
				b, isBool = boolWord(word)
				isBool = isBool && b // any text is true to Ansible, which cannot be meant of "False"
			}
			if !isBool {
				return fault.At(p, "%s in the #jinja2: line must be True or False, not %q", name, val)
			}
			*flag = b
			continue
		}
		if mark := marks[name]; mark != nil {
			*mark = strings.Trim(val, `'"`)
			continue
		}
		known := []string{"trim_blocks", "lstrip_blocks", "keep_trailing_newline"}
		for m := range marks {
			known = append(known, m)
		}
		return fault.At(p, "unknown setting %q in the #jinja2: line", name).WithHint("%s", fault.DidYouMean(name, known))
	}
	return nil
}

func unescapeNewline(s string) string {
	return strings.NewReplacer(`\r`, "\r", `\n`, "\n").Replace(s)
}

// templateVars are the variables that only templates see.
func templateVars(path, managed string) map[string]any {
	full := path
	if abs, err := filepath.Abs(path); err == nil && !absolute(path) {
		full = abs
	}
	host, _ := os.Hostname()
	vars := map[string]any{
		"template_path": path, "template_fullpath": full, "template_host": host,
		"template_run_date": timeValue{Time: time.Now()}, "template_uid": "root", "template_mtime": timeValue{Time: time.Now()},
		"ansible_managed": managed,
	}
	if st, err := os.Stat(path); err == nil {
		vars["template_mtime"] = timeValue{Time: st.ModTime()}
		if sys, ok := st.Sys().(*syscall.Stat_t); ok {
			uid := strconv.Itoa(int(sys.Uid))
			vars["template_uid"] = uid
			if u, err := user.LookupId(uid); err == nil {
				vars["template_uid"] = u.Username
			}
		}
	}
	return vars
}

// load finds what a template includes, imports or extends: beside the template
// itself, then along the search path of templates.
func (s *Scope) load(ctx context.Context, env *jinja.Env, name string) (*jinja.Text, error) {
	tried := []string{name}
	if !absolute(name) {
		tried[0] = document.Join(document.Dir(s.self), name)
		if s.files != nil {
			if p, err := s.files.Find(ctx, "templates", name); err == nil {
				tried = append(tried, p)
			}
		}
	}
	for _, p := range tried {
		if data, err := s.readFile(p); err == nil {
			return s.engine.source(env, string(data), fault.Place{File: p, Line: 1, Col: 1}), nil
		}
	}
	return nil, fault.New("template %q was not found", name).
		WithHint("looked beside %s and along the search path of templates", s.self)
}

// absolute says whether a path does not depend on where it stands; those of
// the content in the binary do not.
func absolute(p string) bool {
	return filepath.IsAbs(p) || strings.HasPrefix(p, document.Builtin)
}

// readFile reads a file of the controller.
func (s *Scope) readFile(path string) ([]byte, error) {
	if s.files == nil {
		return os.ReadFile(path)
	}
	return s.files.ReadFile(path)
}

// glob lists the files that match; directories are left out.
func (s *Scope) glob(pattern string) ([]string, error) {
	var names []string
	var err error
	if s.files == nil {
		names, err = filepath.Glob(pattern)
	} else {
		names, err = s.files.Glob(pattern)
	}
	if err != nil {
		return nil, err
	}
	out := names[:0]
	for _, n := range names {
		if st, err := os.Stat(n); err == nil && st.IsDir() {
			continue
		}
		out = append(out, n)
	}
	return out, nil
}
