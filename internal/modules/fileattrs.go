package modules

import (
	"context"
	"sort"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

// fileFlags are the attributes of lsattr: letter, bit, and the name that stat gives.
var fileFlags = []struct {
	letter byte
	bit    uint32
	name   string
}{
	{'s', 0x1, "zero"}, {'u', 0x2, "undelete"}, {'S', 0x8, "synchronous"}, {'D', 0x10000, "dirsync"},
	{'i', 0x10, "immutable"}, {'a', 0x20, "append"}, {'d', 0x40, "nodump"}, {'A', 0x80, "noatime"},
	{'c', 0x4, "compressed"}, {'B', 0x100, ""}, {'E', 0x800, "encrypted"}, {'j', 0x4000, "journalled"},
	{'I', 0x1000, "indexed"}, {'t', 0x8000, "notail"}, {'T', 0x20000, "blockroot"}, {'h', 0x40000, "blocksize"},
	{'e', 0x80000, "extents"}, {'V', 0x100000, ""}, {'C', 0x800000, "nocow"}, {'x', 0x2000000, ""},
	{'F', 0x40000000, ""}, {'N', 0x10000000, "inline"}, {'P', 0x20000000, ""},
}

// setByKernel are bits that chattr cannot set.
const setByKernel = 0x800 | 0x1000 | 0x40000 | 0x80000 | 0x100000 | 0x10000000

// flagLetters gives the letters as lsattr writes them, and their names.
func flagLetters(flags uint32) (letters string, names []any) {
	names = []any{}
	for _, f := range fileFlags {
		if flags&f.bit != 0 {
			letters += string(f.letter)
			if f.name != "" {
				names = append(names, f.name)
			}
		}
	}
	return letters, names
}

// applyAttrs gives what "+i", "-a", "=ai" or "i" (set exactly) make of flags.
func applyAttrs(wish string, flags uint32) (uint32, error) {
	op := byte('=')
	letters := wish
	if wish != "" && strings.IndexByte("+-=", wish[0]) >= 0 {
		op, letters = wish[0], wish[1:]
	}
	var bits uint32
	for i := 0; i < len(letters); i++ {
		bit := uint32(0)
		for _, f := range fileFlags {
			if f.letter == letters[i] {
				bit = f.bit
			}
		}
		if bit == 0 {
			return 0, fault.New("attributes: %q is not one of those that lsattr shows", letters[i:i+1])
		}
		bits |= bit
	}
	switch op {
	case '+':
		return flags | bits, nil
	case '-':
		return flags &^ bits, nil
	}
	return flags&setByKernel | bits, nil
}

// attrChanges is the step that sets file attributes.
func (a FileArgs) attrChanges(n node.Reader, p string, i node.Info) ([]module.Change, error) {
	if a.Attributes == "" || !i.IsDir() && !i.IsRegular() {
		return nil, nil
	}
	have, err := n.Attrs(p)
	if err != nil {
		return nil, fault.Wrap(err, "reading the attributes of %s", p)
	}
	want, err := applyAttrs(a.Attributes, have.Flags)
	if err != nil || want == have.Flags {
		return nil, err
	}
	before, _ := flagLetters(have.Flags)
	after, _ := flagLetters(want)
	return []module.Change{attrChange(p, "attributes", sorted(before), sorted(after),
		func(_ context.Context, w node.Writer) error { return w.SetAttrs(p, want) })}, nil
}

func sorted(s string) string {
	b := []byte(s)
	sort.Slice(b, func(i, j int) bool { return b[i] < b[j] })
	return string(b)
}
