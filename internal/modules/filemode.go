package modules

import (
	"fmt"
	"strconv"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
)

// applyMode gives the mode that m makes of cur: a number as it is, symbols as
// chmod does. X counts the execute bits there are.
func applyMode(m module.Mode, cur uint32, isDir bool, umask uint32) (uint32, error) {
	s := string(m)
	if n, err := strconv.ParseUint(strings.TrimPrefix(strings.TrimPrefix(s, "0o"), "0O"), 8, 32); err == nil {
		if n > 0o7777 {
			return 0, fault.New("mode %s is out of range", s).WithHint("quote it: mode: \"0644\"")
		}
		return uint32(n), nil
	}
	out := cur
	for _, clause := range strings.Split(s, ",") {
		var err error
		if out, err = applyClause(clause, out, isDir, umask); err != nil {
			return 0, fmt.Errorf("mode must be in octal or symbolic form, found %q: %w", s, err)
		}
	}
	return out, nil
}

// shifts are the places of the three classes in a mode.
var shifts = map[byte]uint{'u': 6, 'g': 3, 'o': 0}

// applyClause applies "ug+rw" or "u=rwx-s" to mode.
func applyClause(clause string, mode uint32, isDir bool, umask uint32) (uint32, error) {
	ops := strings.IndexAny(clause, "+-=")
	if ops < 0 {
		return 0, fmt.Errorf("no +, - or = in %q", clause)
	}
	who, mask := clause[:ops], uint32(0)
	if who == "" {
		who, mask = "ugo", umask
	}
	who = strings.ReplaceAll(who, "a", "ugo")
	for rest := clause[ops:]; rest != ""; {
		op := rest[0]
		perms := rest[1:]
		if end := strings.IndexAny(perms, "+-="); end >= 0 {
			perms = perms[:end]
		}
		rest = rest[1+len(perms):]
		before := mode
		for i := 0; i < len(who); i++ {
			shift, ok := shifts[who[i]]
			if !ok {
				return 0, fmt.Errorf("%q is none of u, g, o, a", who[i:i+1])
			}
			bits, err := permBits(perms, who[i], shift, before, isDir)
			if err != nil {
				return 0, err
			}
			bits &^= mask
			switch op {
			case '+':
				mode |= bits
			case '-':
				mode &^= bits
			default:
				mode = mode&^classBits(who[i], shift) | bits
			}
		}
	}
	return mode, nil
}

// classBits are the bits that = clears.
func classBits(who byte, shift uint) uint32 {
	return 7<<shift | map[byte]uint32{'u': 0o4000, 'g': 0o2000, 'o': 0o1000}[who]
}

func permBits(perms string, who byte, shift uint, mode uint32, isDir bool) (uint32, error) {
	if len(perms) == 1 {
		if from, ok := shifts[perms[0]]; ok {
			return (mode >> from & 7) << shift, nil
		}
	}
	var bits uint32
	for _, p := range perms {
		switch p {
		case 'r':
			bits |= 4 << shift
		case 'w':
			bits |= 2 << shift
		case 'x':
			bits |= 1 << shift
		case 'X':
			if isDir || mode&0o111 != 0 {
				bits |= 1 << shift
			}
		case 's':
			bits |= map[byte]uint32{'u': 0o4000, 'g': 0o2000}[who]
		case 't':
			bits |= map[byte]uint32{'o': 0o1000}[who]
		default:
			return 0, fmt.Errorf("%q is none of r, w, x, X, s, t", p)
		}
	}
	return bits, nil
}
