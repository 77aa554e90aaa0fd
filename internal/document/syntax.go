package document

import (
	"bytes"
	"regexp"
	"strings"
	"unicode/utf8"

	"mageprov/internal/fault"
)

// syntaxError turns the parser's error into one with a place and a hint. The
// parser names a line only, and often that of the enclosing structure, so the
// place is found by reading ever shorter beginnings of the file: the shortest
// one that still fails in the same way ends where the mistake is.
func syntaxError(name string, data []byte, err error) *fault.Error {
	place := fault.Place{File: name}
	if p, msg := badByte(data); msg != "" {
		place.Line, place.Col = p.Line, p.Col
		return fault.At(place, "%s", msg)
	}
	msg := problem(err)
	end := shortest(data, lineEnds(data), msg)
	start := bytes.LastIndexByte(data[:max(end-1, 0)], '\n') + 1
	var cols []int
	for i := start; i <= end; i++ {
		if i == end || utf8.RuneStart(data[i]) {
			cols = append(cols, i)
		}
	}
	at := shortest(data, cols, msg)
	line := string(bytes.TrimRight(data[start:end], "\r\n"))
	place.Line = 1 + bytes.Count(data[:start], []byte("\n"))
	place.Col = max(1, min(utf8.RuneCount(data[start:at]), utf8.RuneCountInString(line)))
	e := fault.At(place, "%s", msg)
	explain(e, line, data[:start])
	return e
}

// shortest gives the smallest of the ends at which data still fails with msg.
func shortest(data []byte, ends []int, msg string) int {
	lo, hi := 0, len(ends)-1
	for lo < hi {
		mid := (lo + hi) / 2
		if _, err := parse(data[:ends[mid]]); err != nil && problem(err) == msg {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return ends[lo]
}

func lineEnds(data []byte) []int {
	var ends []int
	for i, b := range data {
		if b == '\n' {
			ends = append(ends, i+1)
		}
	}
	return append(ends, len(data))
}

var position = regexp.MustCompile(`^(yaml: )?(line \d+: )?`)

// problem is the parser's message without its idea of the place.
func problem(err error) string { return position.ReplaceAllString(err.Error(), "") }

// badByte finds what no YAML file may hold.
func badByte(data []byte) (p fault.Place, msg string) {
	line, col := 1, 1
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return fault.Place{Line: line, Col: col}, "found a byte that is not UTF-8"
		case r < ' ' && r != '\n' && r != '\t' && r != '\r', r == 0x7f:
			return fault.Place{Line: line, Col: col}, "found a control character"
		}
		col++
		if r == '\n' {
			line, col = line+1, 1
		}
		i += size
	}
	return fault.Place{}, ""
}

var (
	bareTemplate = regexp.MustCompile(`(^|[:-])(\s+)(\{\{.*)$`)
	afterQuote   = regexp.MustCompile(`[:-]\s+("[^"]*"|'[^']*')\s*[^\s#,}\]]`)
	noSpace      = regexp.MustCompile(`^(\s*(?:- )?[A-Za-z_][\w.]*):(\S.*)$`)
)

// explain says in a playbook author's words what the parser found, and what to do.
func explain(e *fault.Error, line string, before []byte) {
	trimmed := strings.TrimLeft(line, " ")
	indent := len(line) - len(trimmed)
	switch {
	case strings.HasPrefix(trimmed, "\t"):
		e.Place.Col = indent + 1
		e.Msg = "found a tab in the indentation"
		e.WithHint("YAML is indented with spaces only")
	case quoteHint(line) != "":
		e.Place.Col = utf8.RuneCountInString(line[:strings.Index(line, "{{")]) + 1
		e.Msg = "found an unquoted {{, which YAML reads as a dictionary"
		e.WithHint("%s", quoteHint(line))
	case afterQuote.MatchString(line) && strings.HasPrefix(e.Msg, "did not find expected"):
		e.Msg = "found text behind the closing quote"
		e.WithHint("quote the whole value: %s", trimmed)
	case e.Msg == "mapping values are not allowed in this context":
		e.Msg = `found ": " inside a value that has no quotes, or a line that is indented too far`
		if prev := lastLine(before); noSpace.MatchString(prev) {
			e.WithHint("the line before needs a space behind its colon: %s", noSpace.ReplaceAllString(strings.TrimSpace(prev), "$1: $2"))
			return
		}
		e.WithHint("quote the value, or indent the line as its neighbours: %s", trimmed)
	case e.Msg == "could not find expected ':'":
		e.Place.Col = indent + 1
		e.Msg = `expected a key and a colon ("key: value")`
		if m := noSpace.FindStringSubmatch(line); m != nil {
			e.WithHint("the colon needs a space behind it: %s: %s", strings.TrimSpace(m[1]), m[2])
			return
		}
		e.WithHint("in: %s", trimmed)
	case strings.Contains(e.Msg, errSecondDocument.Error()):
		e.WithHint("a file holds one document: remove the second ---")
	case strings.Contains(e.Msg, "found unexpected end of stream"), strings.Contains(e.Msg, "unexpected document indicator"):
		e.Msg = "found the end of the file inside a quoted value"
		e.WithHint("look for a quote that is not closed")
	case strings.Contains(e.Msg, "found character that cannot start any token"):
		e.Msg = "found a character that cannot start a value"
		e.WithHint("quote values that start with @, ` or %%: %s", trimmed)
	case strings.Contains(e.Msg, "did not find expected alphabetic or numeric character"):
		e.Msg = "found * or & without a name behind it"
		e.WithHint("quote values that start with * or &: %s", trimmed)
	case strings.Contains(e.Msg, "found unknown escape character"):
		e.WithHint("in double quotes a backslash is written \\\\; single quotes take it as it is")
	case e.Msg == "did not find expected key", strings.Contains(e.Msg, "did not find expected '-' indicator"),
		strings.Contains(e.Msg, "block sequence entries are not allowed"), strings.Contains(e.Msg, "did not find expected <document start>"):
		e.Msg = "found a line that does not fit the structure around it"
		e.WithHint("check the indentation, and quotes, of this line and of the one before: %s", trimmed)
	case trimmed != "":
		e.WithHint("in: %s", trimmed)
	}
}

// quoteHint shows how to write a value that starts with {{, "" where there is none.
func quoteHint(line string) string {
	m := bareTemplate.FindStringSubmatch(line)
	if m == nil {
		return ""
	}
	v := strings.TrimRight(m[3], " \r")
	if strings.Contains(v, `"`) {
		if strings.Contains(v, "'") {
			return "put the whole value in double quotes, and use single quotes inside"
		}
		return "quote it: '" + v + "'"
	}
	return `quote it: "` + v + `"`
}

func lastLine(b []byte) string {
	b = bytes.TrimRight(b, " \r\n")
	return string(b[bytes.LastIndexByte(b, '\n')+1:])
}
