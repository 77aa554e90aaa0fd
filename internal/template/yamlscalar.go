package template

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// notText matches plain scalars that YAML 1.1 reads as something other than
// text, so that strings of that look need quotes.
var notText = regexp.MustCompile(`^(?:` + strings.Join([]string{
	`|~|null|Null|NULL|<<|=`,
	`yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF`,
	`[-+]?0b[01_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+`,
	`[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?`,
	`[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)`,
	`[0-9]{4}-[0-9]{2}-[0-9]{2}`,
	`[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::?[0-9]{2})?))?`,
	`[!&*]`,
}, "|") + `)$`)

// traits say in which styles a text can be written.
type traits struct {
	multiline           bool
	flowPlain, blkPlain bool // without quotes, inside and outside of [] and {}
	single              bool
}

func isBreak(r rune) bool { return r == '\n' || r == '\u0085' || r == '\u2028' || r == '\u2029' }

func isBlank(r rune) bool { return r == 0 || r == ' ' || r == '\t' || r == '\r' || isBreak(r) }

// analyse looks at every character once.
func analyse(s string, ascii bool) traits {
	if s == "" {
		return traits{blkPlain: true, single: true}
	}
	rs := []rune(s)
	last := len(rs) - 1
	block := strings.HasPrefix(s, "---") || strings.HasPrefix(s, "...")
	flow := block
	var breaks, special, edges, breakSpace, spaceBreak bool
	var prevSpace, prevBreak bool
	for i, r := range rs {
		followed := i == last || isBlank(rs[i+1])
		preceded := i == 0 || isBlank(rs[i-1])
		switch {
		case i == 0 && strings.ContainsRune("#,[]{}&*!|>'\"%@`", r), i == 0 && r == '-' && followed, i > 0 && r == '#' && preceded:
			flow, block = true, true
		case i == 0 && (r == '?' || r == ':'), i > 0 && r == ':':
			flow = true
			block = block || followed
		case i > 0 && strings.ContainsRune(",?[]{}", r):
			flow = true
		}
		if isBreak(r) {
			breaks = true
		}
		if !printable(r, ascii) {
			special = true
		}
		isEdge := i == 0 || i == last
		switch {
		case r == ' ':
			edges = edges || isEdge
			breakSpace = breakSpace || prevBreak
			prevSpace, prevBreak = true, false
		case isBreak(r):
			edges = edges || isEdge
			spaceBreak = spaceBreak || prevSpace
			prevSpace, prevBreak = false, true
		default:
			prevSpace, prevBreak = false, false
		}
	}
	odd := spaceBreak || special
	plain := !edges && !breakSpace && !odd && !breaks
	return traits{multiline: breaks, flowPlain: plain && !flow, blkPlain: plain && !block, single: !breakSpace && !odd}
}

// printable says whether r may stand in a file as it is. Characters beyond the
// first 65536 may not: libyaml, which Ansible uses, is that careful.
func printable(r rune, ascii bool) bool {
	if r == '\n' || r >= 0x20 && r <= 0x7e {
		return true
	}
	return !ascii && r != 0xfeff && (r >= 0xa0 && r <= 0xd7ff || r >= 0xe000 && r <= 0xfffd)
}

// scalar writes a scalar in the first style that can hold it: plain, single
// quotes, double quotes.
func (w *yamlWriter) scalar(s string, isText bool, at standing) {
	t := analyse(s, w.o.ASCII)
	fold := !at.key
	old := w.deeper(true, false) // where the lines of a folded scalar begin
	defer func() { w.indent = old }()
	plain := t.blkPlain
	if w.flow > 0 {
		plain = t.flowPlain
	}
	switch {
	case plain && !(isText && notText.MatchString(s)) && !(at.key && (s == "" || t.multiline)):
		w.plain(s, fold)
	case t.single && !(at.key && t.multiline):
		w.singleQuoted(s, fold)
	default:
		w.doubleQuoted(s, fold)
	}
}

// plain writes text without quotes; a line that is too long ends at the next
// single blank.
func (w *yamlWriter) plain(s string, fold bool) {
	if s == "" {
		return
	}
	if !w.whitespace {
		w.put(" ")
	}
	w.whitespace, w.indention = false, false
	for i, word := range splitBlanks(s) {
		if word == " " && i > 0 && w.column > w.width && fold {
			w.newIndent()
			w.whitespace, w.indention = false, false
			continue
		}
		w.put(word)
	}
}

// splitBlanks cuts text into runs of blanks and runs of anything else.
func splitBlanks(s string) []string {
	var out []string
	for s != "" {
		n := len(s) - len(strings.TrimLeft(s, " "))
		if n == 0 {
			if n = strings.IndexByte(s, ' '); n < 0 {
				n = len(s)
			}
		}
		out = append(out, s[:n])
		s = s[n:]
	}
	return out
}

func (w *yamlWriter) singleQuoted(s string, fold bool) {
	w.indicator("'", true, false, false)
	for pos := 0; pos < len(s); {
		rest := s[pos:]
		r, _ := utf8.DecodeRuneInString(rest)
		switch {
		case r == ' ':
			n := len(rest) - len(strings.TrimLeft(rest, " "))
			if n == 1 && w.column > w.width && fold && pos > 0 && pos+1 < len(s) {
				w.newIndent()
			} else {
				w.put(rest[:n])
			}
			pos += n
		case isBreak(r):
			n := len(rest) - len(strings.TrimLeftFunc(rest, isBreak))
			if r == '\n' {
				w.lineBreak("\n")
			}
			for _, br := range rest[:n] {
				w.lineBreak(string(br))
			}
			w.newIndent()
			pos += n
		default:
			n := strings.IndexFunc(rest, func(r rune) bool { return r == ' ' || isBreak(r) })
			if n < 0 {
				n = len(rest)
			}
			w.put(strings.ReplaceAll(rest[:n], "'", "''"))
			pos += n
		}
	}
	w.indicator("'", false, false, false)
}

var doubleEscapes = map[rune]string{
	0: "0", 7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 27: "e", '"': `"`, '\\': `\`,
	0x85: "N", 0xa0: "_", 0x2028: "L", 0x2029: "P",
}

func (w *yamlWriter) doubleQuoted(s string, fold bool) {
	w.indicator(`"`, true, false, false)
	rs := []rune(s)
	spaces := false
	for i, r := range rs {
		switch {
		case mustEscape(r, w.o.ASCII):
			w.put(escaped(r))
			spaces = false
		case r == ' ':
			if fold && !spaces && w.column > w.width && i > 0 && i < len(rs)-1 {
				w.newIndent()
				if rs[i+1] == ' ' {
					w.put(`\`)
				}
			} else {
				w.put(" ")
			}
			spaces = true
		default:
			w.put(string(r))
			spaces = false
		}
	}
	w.indicator(`"`, false, false, false)
}

func mustEscape(r rune, ascii bool) bool {
	return !printable(r, ascii) || r == '"' || r == '\\' || isBreak(r)
}

func escaped(r rune) string {
	if e, ok := doubleEscapes[r]; ok {
		return `\` + e
	}
	switch {
	case r <= 0xff:
		return fmt.Sprintf(`\x%02X`, r)
	case r <= 0xffff:
		return fmt.Sprintf(`\u%04X`, r)
	}
	return fmt.Sprintf(`\U%08X`, r)
}
