package module

import (
	"fmt"
	"sort"
	"strings"

	"mageprov/internal/fault"
)

// Spec registers a module.
type Spec struct {
	// Name is the full name: "ansible.builtin.copy", "ansible.posix.sysctl".
	Name string
	// Aliases are further full names. The last part of each name is known by itself too.
	Aliases []string
	// New makes an empty Module with its defaults: its type is the documentation
	// of the arguments. For a module that lives in its Action alone it may give
	// any struct with arg tags (see Decode).
	New func() any
	// Action runs on the controller; nil: the arguments go to the node as they are.
	Action Action
	// ActionArgs are arguments that only the Action knows, as a struct with arg tags.
	ActionArgs any
	// FreeForm names the argument that takes the text of `command: text`.
	FreeForm string
	// OpenArgs: any argument name is accepted (set_fact, add_host).
	OpenArgs bool
	// Local: the module never reaches the node, so no connection is needed.
	Local bool
	// Raw lists arguments that are not templated before Action sees them.
	Raw []string
	// AsJSON lists arguments whose dictionaries and lists come as their JSON text,
	// with the keys in the order in which they were written.
	AsJSON []string
	// Foreign makes the Spec of an executable that a site brings in a library
	// directory, or says why it cannot run. Only custom_module has it.
	Foreign func(name, file string, content []byte) (*Spec, error)
}

// Short is the last part of the name.
func (s *Spec) Short() string { return s.Name[strings.LastIndexByte(s.Name, '.')+1:] }

var registry = map[string]*Spec{}

// Register adds a module. It is called from init functions of package modules
// only, and panics on a name that is taken.
func Register(s Spec) {
	for _, full := range append([]string{s.Name}, s.Aliases...) {
		for _, name := range []string{full, full[strings.LastIndexByte(full, '.')+1:]} {
			if have, ok := registry[name]; ok && have.Name != s.Name {
				panic(fmt.Sprintf("module %s: name %s is taken by %s", s.Name, name, have.Name))
			}
			registry[name] = nil
			registry[name] = &s
		}
	}
}

// Lookup finds a module by full or short name. ansible.legacy.X is X.
func Lookup(name string) (*Spec, bool) {
	s, ok := registry[strings.TrimPrefix(name, "ansible.legacy.")]
	return s, ok
}

// All lists every module once, by name.
func All() []*Spec {
	seen := map[string]*Spec{}
	for _, s := range registry {
		seen[s.Name] = s
	}
	all := make([]*Spec, 0, len(seen))
	for _, s := range seen {
		all = append(all, s)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Short() < all[j].Short() })
	return all
}

// Unknown is the error for a module name that is not registered.
func Unknown(p fault.Place, name string) error {
	known := make([]string, 0, len(registry))
	for k := range registry {
		known = append(known, k)
	}
	sort.Strings(known)
	e := fault.At(p, "unknown module %q", name)
	if hint := fault.DidYouMean(name, known); hint != "" {
		return e.WithHint("%s", hint)
	}
	return e.WithHint("mageprov doc lists the modules")
}
