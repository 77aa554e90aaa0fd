package document

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/hashicorp/go-multierror"
	"gopkg.in/yaml.v3"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
	"mageprov/internal/vault"
)

// Load reads one YAML document. name stands in all places. The error is a
// *multierror.Error that holds every mistake of the file as a *fault.Error; the
// Node is usable for further checks even then, unless it is nil.
//
// A !vault string is a mistake here: there is no password.
func Load(name string, data []byte) (*Node, error) { return load(name, data, true, nil) }

// LoadSealed is Load for files whose !vault strings keys decrypts when they are
// read. An empty Keyring keeps them encrypted, for those who only look.
func LoadSealed(name string, data []byte, keys *vault.Keyring) (*Node, error) {
	return load(name, data, true, keys)
}

// Values reads a file of variables: always a value, nil for an empty file. Where
// trusted is false nothing in it is ever rendered.
func Values(name string, data []byte, trusted bool) (any, error) {
	n, err := load(name, data, trusted, nil)
	if err != nil {
		return nil, err
	}
	return n.ToValue(), nil
}

func load(name string, data []byte, trusted bool, keys *vault.Keyring) (*Node, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	c := &converter{name: name, trusted: trusted, keys: keys, memo: map[*yaml.Node]*Node{}}
	if looksLikeJSON(data) && json.Valid(data) {
		c.json, data = true, yamlOfJSON(data)
	}
	root, err := parse(data)
	if err != nil {
		return nil, multierror.Append(nil, syntaxError(name, data, err))
	}
	c.lines = strings.Split(string(data), "\n")
	if root == nil {
		return &Node{Place: fault.Place{File: name, Line: 1, Col: 1}}, nil
	}
	n := c.node(root, false)
	return n, c.errs.ErrorOrNil()
}

var errSecondDocument = errors.New("found a second document")

// parse gives the root of the only document, nil for an empty file.
func parse(data []byte) (root *yaml.Node, err error) {
	defer func() {
		// the parser is foreign code and reads foreign bytes
		if r := recover(); r != nil {
			root, err = nil, fmt.Errorf("yaml: %v", r)
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, err
	}
	var second yaml.Node
	switch err := dec.Decode(&second); {
	case err == nil:
		return nil, fmt.Errorf("yaml: line %d: %w", second.Line, errSecondDocument)
	case !errors.Is(err, io.EOF):
		return nil, err
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	return doc.Content[0], nil
}

func looksLikeJSON(data []byte) bool {
	t := bytes.TrimLeft(data, " \t\r\n")
	return len(t) > 0 && (t[0] == '{' || t[0] == '[')
}

var escape = regexp.MustCompile(`\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|.)`)

// yamlOfJSON makes the three things of JSON that the parser does not take into
// YAML: tabs between tokens, \/, and characters written as surrogate pairs.
func yamlOfJSON(data []byte) []byte {
	data = bytes.ReplaceAll(data, []byte("\t"), []byte(" "))
	return escape.ReplaceAllFunc(data, func(m []byte) []byte {
		switch {
		case m[1] == '/':
			return m[1:]
		case len(m) > 2:
			hi, _ := strconv.ParseUint(string(m[2:6]), 16, 32)
			lo, _ := strconv.ParseUint(string(m[8:]), 16, 32)
			return fmt.Appendf(nil, `\U%08X`, utf16.DecodeRune(rune(hi), rune(lo)))
		}
		return m
	})
}

// converter turns the parser's nodes into ours and collects mistakes.
type converter struct {
	name    string
	trusted bool
	keys    *vault.Keyring // nil: there is no password
	json    bool
	lines   []string
	memo    map[*yaml.Node]*Node // what has an anchor, for aliases share; a nil entry is being worked on
	runes   []rune               // of line runesOf, on which many nodes may stand
	runesOf int
	errs    *multierror.Error
}

func (c *converter) fail(p fault.Place, format string, args ...any) *fault.Error {
	e := fault.At(p, format, args...)
	c.add(e)
	return e
}

func (c *converter) add(err error) { c.errs = multierror.Append(c.errs, err) }

func (c *converter) place(y *yaml.Node) fault.Place {
	return fault.Place{File: c.name, Line: y.Line, Col: y.Column}
}

// node converts y. unsafe: an enclosing !unsafe forbids templates.
func (c *converter) node(y *yaml.Node, unsafe bool) *Node {
	if y.Kind == yaml.AliasNode {
		target, seen := c.memo[y.Alias]
		switch {
		case seen && target != nil:
			return target
		case seen:
			c.fail(c.place(y), "alias *%s stands inside the value it names", y.Value)
			return &Node{Place: c.place(y)}
		}
		return c.node(y.Alias, unsafe)
	}
	if y.Anchor != "" {
		c.memo[y] = nil
	}
	n := &Node{Place: c.contentPlace(y)}
	if y.Style&yaml.TaggedStyle != 0 {
		n.Tag = y.Tag
	}
	unsafe = unsafe || n.Tag == "!unsafe"
	switch y.Kind {
	case yaml.ScalarNode:
		c.scalar(n, y, unsafe)
	case yaml.SequenceNode:
		n.Kind = Seq
		c.checkTag(n, "!!seq")
		for _, it := range y.Content {
			n.Items = append(n.Items, c.node(it, unsafe))
		}
	case yaml.MappingNode:
		n.Kind = Map
		c.checkTag(n, "!!map", "!!omap", "!!set")
		c.mapping(n, y, unsafe)
		if c.json && c.trusted {
			c.exported(n)
		}
	}
	if y.Anchor != "" {
		c.memo[y] = n
	}
	return n
}

// checkTag refuses a tag that means nothing here.
func (c *converter) checkTag(n *Node, known ...string) {
	if n.Tag == "" || n.Tag == "!unsafe" || n.Tag == "!!python/unicode" {
		return
	}
	for _, k := range known {
		if k == n.Tag {
			return
		}
	}
	c.fail(n.Place, "unknown tag %s on %s", n.Tag, n.Kind).
		WithHint("known: %s, !unsafe, !vault; text that starts with ! needs quotes", strings.Join(known, ", "))
}

func (c *converter) scalar(n *Node, y *yaml.Node, unsafe bool) {
	const quoted = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	n.Raw = y.Value
	n.Plain = y.Style&quoted == 0
	if n.Tag == "!vault" || n.Tag == "!vault-encrypted" {
		c.seal(n)
		return
	}
	c.checkTag(n, "!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!!binary")
	switch {
	case n.Tag == "!!binary":
		b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(y.Value), ""))
		if err != nil {
			c.fail(n.Place, "!!binary: not base64")
		}
		n.Value = string(b)
		return
	case n.Tag == "!!int" || n.Tag == "!!float" || n.Tag == "!!bool" || n.Tag == "!!null":
		n.Value = plainValue(y.Value)
		if i, ok := n.Value.(int64); ok && n.Tag == "!!float" {
			n.Value = float64(i)
		}
		return
	case n.Plain && n.Tag == "" && c.json:
		n.Value = jsonValue(y.Value)
	case n.Plain && n.Tag == "":
		n.Value = plainValue(y.Value)
	default:
		n.Value = y.Value
	}
	if s, ok := n.Value.(string); ok && c.trusted && !unsafe && IsTemplate(s) {
		n.Value = &jinja.Text{Source: s, Place: n.Place}
	}
}

// IsTemplate says whether text holds something to render.
func IsTemplate(s string) bool {
	for {
		i := strings.IndexByte(s, '{')
		if i < 0 || i+1 >= len(s) {
			return false
		}
		switch s[i+1] {
		case '{', '%', '#':
			return true
		}
		s = s[i+1:]
	}
}
