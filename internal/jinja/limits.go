package jinja

import "mageprov/internal/fault"

// Limits that keep foreign input from killing the process. They are far above
// what configuration needs.
const (
	maxString = 64 << 20 // bytes of one text
	maxItems  = 1 << 20  // elements of one list that an expression makes
	maxBits   = 1 << 20  // bits of one integer
	maxLinks  = 100000   // operators of one source
	maxDepth  = 150      // nesting of source, and of calls and includes
)

func errTooLarge(what string) error {
	return fault.New("%s grows too large", what)
}
