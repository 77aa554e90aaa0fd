package jinja

import "context"

// Filter is `value | name(args)`: c.Args holds what stands in the parentheses.
// Values that reach it are forced and free of Text, Deferred and Mapping.
// An *Undefined input is an error before the filter is called, unless the
// filter is registered in Env.TakesUndefined.
type Filter func(c *Call, in any) (any, error)

// Test is `value is name(args)`.
type Test func(c *Call, in any) (bool, error)

// Env is a dialect: names and settings. It is read-only once in use and may be
// shared by any number of goroutines.
type Env struct {
	Filters        map[string]Filter
	Tests          map[string]Test
	Globals        map[string]any
	TakesUndefined map[string]bool // filters and tests (by name) that may see an *Undefined

	// Load gives the source of a template named in include, import or extends.
	Load func(ctx context.Context, name string) (*Text, error)

	TrimBlocks          bool // drop the first newline after a block tag
	LstripBlocks        bool // drop blanks before a block tag at the start of a line
	KeepTrailingNewline bool

	// DoubleBackslash keeps backslashes in string literals of expressions as they
	// stand ('\1' is a backslash and a 1), as Ansible does for playbook strings.
	// It holds for {{ }} and bare expressions, not inside {% %}.
	DoubleBackslash bool

	// delimiters, empty for the usual ones (a `#jinja2:` header can set them)
	BlockStart, BlockEnd, VariableStart, VariableEnd, CommentStart, CommentEnd string
	LineStatementPrefix, LineCommentPrefix                                     string
}
