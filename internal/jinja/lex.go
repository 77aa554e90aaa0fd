package jinja

import (
	"sort"
	"strings"
)

// syntax is what decides how source is cut into tokens. It is comparable, so
// that it can key the cache of syntax trees.
type syntax struct {
	blockStart, blockEnd, varStart, varEnd, commentStart, commentEnd string
	lineStatement, lineComment                                       string
	trim, lstrip, keepNewline, doubleBackslash, expr                 bool
}

func (e *Env) syntaxOf(expr bool) syntax {
	or := func(s, usual string) string {
		if s == "" {
			return usual
		}
		return s
	}
	return syntax{
		or(e.BlockStart, "{%"), or(e.BlockEnd, "%}"), or(e.VariableStart, "{{"), or(e.VariableEnd, "}}"),
		or(e.CommentStart, "{#"), or(e.CommentEnd, "#}"), e.LineStatementPrefix, e.LineCommentPrefix,
		e.TrimBlocks, e.LstripBlocks, e.KeepTrailingNewline, e.DoubleBackslash, expr,
	}
}

type kind uint8

const (
	tEOF kind = iota
	tData
	tBlockStart
	tBlockEnd
	tVarStart
	tVarEnd
	tName
	tString
	tInt
	tFloat
	tOp
)

type token struct {
	kind kind
	pos  int
	text string // name, operator, decoded string, digits, data
}

// errSyntax is a mistake at an offset of the source; the place is added later.
type errSyntax struct {
	pos  int
	msg  string
	hint string
}

func (e *errSyntax) Error() string { return e.msg }

type opener struct {
	kind kind // tBlockStart, tVarStart, tEOF for a comment
	text string
}

type lexer struct {
	syntax
	src     string
	pos     int
	toks    []token
	openers []opener
}

// lex cuts source into tokens. Line ends are \n by now.
func lex(src string, syn syntax) ([]token, error) {
	l := &lexer{syntax: syn, src: src}
	if syn.expr {
		if err := l.expression("", false); err != nil {
			return nil, err
		}
		return append(l.toks, token{kind: tEOF, pos: len(src)}), nil
	}
	l.openers = []opener{{tBlockStart, syn.blockStart}, {tVarStart, syn.varStart}, {tEOF, syn.commentStart}}
	sort.SliceStable(l.openers, func(i, j int) bool { return len(l.openers[i].text) > len(l.openers[j].text) })
	for l.pos < len(l.src) {
		if err := l.next(); err != nil {
			return nil, err
		}
	}
	return append(l.toks, token{kind: tEOF, pos: len(src)}), nil
}

// normalise brings line ends to \n and drops the last one unless it is wanted.
func normalise(src string, keep bool) string {
	if strings.Contains(src, "\r") {
		src = strings.ReplaceAll(strings.ReplaceAll(src, "\r\n", "\n"), "\r", "\n")
	}
	if !keep {
		src = strings.TrimSuffix(src, "\n")
	}
	return src
}

func (l *lexer) add(k kind, pos int, text string) {
	l.toks = append(l.toks, token{k, pos, text})
}

// next reads data up to the next tag, and the tag.
func (l *lexer) next() error {
	start := l.pos
	at, op := l.findTag(start)
	if at < 0 {
		l.add(tData, start, l.src[start:])
		l.pos = len(l.src)
		return nil
	}
	data := l.src[start:at]
	if op.kind == tName || op.kind == tString { // line statement, line comment
		l.addData(start, data)
		l.pos = at
		return l.line(op)
	}
	after := at + len(op.text)
	sign := byte(0)
	if after < len(l.src) && (l.src[after] == '-' || l.src[after] == '+') {
		sign = l.src[after]
	}
	switch {
	case sign == '-':
		data = strings.TrimRight(data, " \t\n\r\f\v")
		after++
	case sign == '+' && op.kind != tVarStart:
		after++
	case l.lstrip && op.kind != tVarStart:
		data = l.stripLine(data, start)
	case sign == '+':
		after++
	}
	l.addData(start, data)
	l.pos = after
	switch op.kind {
	case tEOF:
		return l.comment(at)
	case tVarStart:
		l.add(tVarStart, at, "")
		return l.expression(l.varEnd, false)
	}
	if end, ok := l.rawTag(after, "raw"); ok {
		return l.raw(at, end)
	}
	l.add(tBlockStart, at, "")
	return l.expression(l.blockEnd, true)
}

func (l *lexer) addData(pos int, data string) {
	if data != "" {
		l.add(tData, pos, data)
	}
}

// stripLine drops the blanks of data's last line where nothing else stands on it.
func (l *lexer) stripLine(data string, start int) string {
	i := strings.LastIndexByte(data, '\n') + 1
	if strings.TrimLeft(data[i:], " \t\f\v") != "" {
		return data
	}
	if i == 0 && start > 0 && l.src[start-1] != '\n' {
		return data
	}
	return data[:i]
}

// findTag finds the first opener at or after from. Kind tName marks a line
// statement, tString a line comment.
func (l *lexer) findTag(from int) (int, opener) {
	best, found := -1, opener{}
	for _, o := range l.openers {
		if i := strings.Index(l.src[from:], o.text); i >= 0 && (best < 0 || from+i < best) {
			best, found = from+i, o
		}
	}
	if l.lineStatement != "" {
		if i := l.findLinePrefix(from, l.lineStatement, true); i >= 0 && (best < 0 || i <= best) {
			best, found = i, opener{tName, l.lineStatement}
		}
	}
	if l.lineComment != "" {
		i := l.findLinePrefix(from, l.lineComment, false)
		if i >= 0 && (best < 0 || i < best || i == best && len(l.lineComment) > len(found.text)) {
			best, found = i, opener{tString, l.lineComment}
		}
	}
	return best, found
}

// findLinePrefix finds prefix at the start of a line, blanks before it counting
// in; a comment may also follow other text.
func (l *lexer) findLinePrefix(from int, prefix string, atStart bool) int {
	for i := from; ; {
		j := strings.Index(l.src[i:], prefix)
		if j < 0 {
			return -1
		}
		j += i
		k := j
		for k > from && (l.src[k-1] == ' ' || l.src[k-1] == '\t' || l.src[k-1] == '\v') {
			k--
		}
		if !atStart || k == 0 || l.src[k-1] == '\n' {
			return k
		}
		i = j + len(prefix)
	}
}

// line reads a line statement or skips a line comment.
func (l *lexer) line(op opener) error {
	prefix := strings.Index(l.src[l.pos:], op.text) + l.pos
	if op.kind == tString {
		if end := strings.IndexByte(l.src[prefix:], '\n'); end >= 0 {
			l.pos = prefix + end
		} else {
			l.pos = len(l.src)
		}
		return nil
	}
	l.add(tBlockStart, prefix, "")
	l.pos = prefix + len(op.text)
	return l.expression("\n", true)
}

// comment skips to the end of a comment.
func (l *lexer) comment(at int) error {
	end := strings.Index(l.src[l.pos:], l.commentEnd)
	if end < 0 {
		return &errSyntax{at, "missing end of comment tag", "close it with " + l.commentEnd}
	}
	end += l.pos
	sign := byte(0)
	if end > l.pos {
		sign = l.src[end-1]
	}
	l.pos = end + len(l.commentEnd)
	l.afterBlock(sign)
	return nil
}

// afterBlock does what the sign before the end of a tag asks for.
func (l *lexer) afterBlock(sign byte) {
	switch {
	case sign == '-':
		for l.pos < len(l.src) && isSpace(l.src[l.pos]) {
			l.pos++
		}
	case l.trim && sign != '+' && l.pos < len(l.src) && l.src[l.pos] == '\n':
		l.pos++
	}
}

// rawTag matches `raw %}` or `endraw %}` at pos and gives the offset behind its name.
func (l *lexer) rawTag(pos int, name string) (int, bool) {
	pos = l.skipSpace(pos)
	if !strings.HasPrefix(l.src[pos:], name) {
		return 0, false
	}
	pos = l.skipSpace(pos + len(name))
	rest := l.src[pos:]
	if strings.HasPrefix(rest, l.blockEnd) {
		return pos, true
	}
	ok := rest != "" && (rest[0] == '-' || rest[0] == '+') && strings.HasPrefix(rest[1:], l.blockEnd)
	return pos, ok
}

func (l *lexer) skipSpace(pos int) int {
	for pos < len(l.src) && isSpace(l.src[pos]) {
		pos++
	}
	return pos
}

// raw reads up to endraw; pos is where the end of the raw tag begins.
func (l *lexer) raw(at, pos int) error {
	strip := l.src[pos] == '-'
	if strip || l.src[pos] == '+' {
		pos++
	}
	pos += len(l.blockEnd)
	if strip {
		pos = l.skipSpace(pos)
	}
	for i := pos; ; {
		j := strings.Index(l.src[i:], l.blockStart)
		if j < 0 {
			return &errSyntax{at, "missing end of raw directive", "close it with " + l.blockStart + " endraw " + l.blockEnd}
		}
		j += i
		i = j + len(l.blockStart)
		sign := byte(0)
		if i < len(l.src) && (l.src[i] == '-' || l.src[i] == '+') {
			sign = l.src[i]
			i++
		}
		end, ok := l.rawTag(i, "endraw")
		if !ok {
			continue
		}
		data := l.src[pos:j]
		switch {
		case sign == '-':
			data = strings.TrimRight(data, " \t\n\r\f\v")
		case sign == 0 && l.lstrip:
			data = l.stripLine(data, pos)
		}
		l.addData(pos, data)
		sign = l.src[end]
		if sign == '-' || sign == '+' {
			end++
		}
		l.pos = end + len(l.blockEnd)
		l.afterBlock(sign)
		return nil
	}
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}

func (l *lexer) fail(pos int, msg, hint string) error { return &errSyntax{pos, msg, hint} }
