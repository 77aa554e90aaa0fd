// Package explain tells where a variable comes from: every layer that sets it,
// in Ansible's order of precedence, and which one wins. It knows what can be
// known before a run; what tasks set is listed with the task.
package explain

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"sort"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/inventory"
	"mageprov/internal/jinja"
	"mageprov/internal/playbook"
	"mageprov/internal/template"
	"mageprov/internal/vars"
)

// Input is what has been read.
type Input struct {
	Files     document.Files
	Inventory *inventory.Inventory
	Loader    *playbook.Loader
	Books     []*playbook.Playbook // may be empty: then only the inventory and -e count
	Templates *template.Engine
	Extra     *jinja.Dict
}

// Origin is one layer that sets the variable.
type Origin struct {
	Level  int // of Ansible's 22, 1 is the weakest
	Layer  string
	Place  fault.Place
	Value  any    // as it is written
	When   string // where or when it holds; "" is the whole play
	Secret bool   // by its name, or because it is encrypted
}

// Explanation is what is known of a variable on a host in a play.
type Explanation struct {
	Name, Host string
	Play       string // "" without a playbook
	Place      fault.Place
	Kind       string   // "", "magic" or "fact"
	Origins    []Origin // weakest first
	Winner     int      // the strongest that holds for the whole play; -1 for none
	Value      any      // rendered; nil with Err
	Err        error
	Secret     bool
	Reads      []*Explanation // what the winner's templates read, in order
}

// For explains a variable once for each play that has the host.
func For(ctx context.Context, in Input, name, host string) ([]*Explanation, error) {
	if !in.Inventory.Has(host) {
		return nil, fault.New("the inventory has no host %q", host).WithHint("%s", fault.DidYouMean(host, in.Inventory.HostNames()))
	}
	plays, err := in.plays(host)
	if err != nil {
		return nil, err
	}
	var out []*Explanation
	known := map[string]bool{}
	for _, p := range plays {
		v, err := newView(in, p, host)
		if err != nil {
			return nil, err
		}
		e := v.explain(ctx, name, nil)
		out = append(out, e)
		for n := range v.names() {
			known[n] = true
		}
	}
	for _, e := range out {
		if e.Kind != "" || len(e.Origins) > 0 {
			return out, nil
		}
	}
	return nil, unknown(name, known)
}

// unknown names the variables that are spelt nearly so.
func unknown(name string, known map[string]bool) error {
	names := vars.MagicNames()
	for n := range known {
		names = append(names, n)
	}
	sort.Strings(names)
	e := fault.New("nothing sets the variable %q", name)
	var near []string
	rest := slices.Clone(names)
	for len(near) < 3 {
		n := fault.Nearest(name, rest)
		if n == "" {
			break
		}
		near = append(near, n)
		rest = slices.DeleteFunc(rest, func(s string) bool { return s == n })
	}
	if len(near) > 0 {
		return e.WithHint("did you mean %s?", join(near))
	}
	return e.WithHint("mageprov inventory --host lists the variables of a host; name a playbook to see those of plays and roles")
}

func join(names []string) string {
	out := names[0]
	for _, n := range names[1:] {
		out += " or " + n
	}
	return out
}

// plays are those that have the host; one nil without playbooks.
func (in Input) plays(host string) ([]*playbook.Play, error) {
	if len(in.Books) == 0 {
		return []*playbook.Play{nil}, nil
	}
	var out []*playbook.Play
	for _, b := range in.Books {
		for _, p := range b.Plays {
			pattern, ok := patternOf(p.Hosts)
			if !ok { // only the run can tell
				out = append(out, p)
				continue
			}
			hosts, _, err := in.Inventory.Match(pattern)
			if err != nil {
				return nil, err
			}
			if slices.ContainsFunc(hosts, func(h *inventory.Host) bool { return h.Name == host }) {
				out = append(out, p)
			}
		}
	}
	if len(out) == 0 {
		return nil, fault.New("no play has the host %s", host).WithHint("leave the playbook out to see what the inventory says")
	}
	return out, nil
}

func patternOf(hosts any) (string, bool) {
	switch h := hosts.(type) {
	case string:
		return h, true
	case *jinja.List:
		out := ""
		for i, it := range h.Items {
			s, ok := it.(string)
			if !ok {
				return "", false
			}
			if i > 0 {
				out += ","
			}
			out += s
		}
		return out, true
	}
	return "", false
}

// explain puts everything about a name together. above are the names whose
// values led here.
func (v *view) explain(ctx context.Context, name string, above []string) *Explanation {
	e := &Explanation{Name: name, Host: v.host, Winner: -1, Origins: v.origins(name), Secret: secretName.MatchString(name)}
	if v.play != nil {
		e.Play, e.Place = title(v.play), v.play.Place
	}
	switch {
	case vars.IsMagic(name):
		e.Kind = "magic"
	case vars.IsFact(name) && len(e.Origins) == 0:
		e.Kind = "fact"
	}
	for i := range e.Origins {
		e.Secret = e.Secret || e.Origins[i].Secret
		if e.Origins[i].When == "" {
			e.Winner = i
		}
	}
	if e.Kind == "fact" {
		return e
	}
	if e.Winner < 0 && e.Kind == "" {
		return e
	}
	if value, ok, err := v.scope.Lookup(ctx, name); err != nil {
		e.Err = err
	} else if ok {
		e.Value, e.Err = jinja.Materialize(ctx, value)
	}
	if e.Winner < 0 || slices.Contains(above, name) {
		return e
	}
	for _, n := range v.reads(e.Origins[e.Winner].Value) {
		r := v.explain(ctx, n, append(slices.Clone(above), name))
		e.Secret = e.Secret || r.Secret
		e.Reads = append(e.Reads, r)
	}
	return e
}

func title(p *playbook.Play) string {
	if s, ok := p.Name.(string); ok && s != "" {
		return s
	}
	pattern, _ := patternOf(p.Hosts)
	return pattern
}

// reads lists the variables that the templates in a value read.
func (v *view) reads(value any) []string {
	var out []string
	var walk func(x any)
	walk = func(x any) {
		switch x := x.(type) {
		case *jinja.Text:
			names, err := v.in.Templates.Uses(x)
			if err != nil {
				return // the value's own error says it
			}
			for _, n := range names {
				if !slices.Contains(out, n.Name) {
					out = append(out, n.Name)
				}
			}
		case *jinja.List:
			for _, it := range x.Items {
				walk(it)
			}
		case *jinja.Dict:
			for _, it := range x.All() {
				walk(it)
			}
		}
	}
	walk(value)
	return out
}

// secretName matches names whose values are not for the screen.
var secretName = regexp.MustCompile(`(?i)(password|passwd|passphrase|secret|token|api_?key|private_?key|(^|_)pass$)`)

// Masked replaces what is secret in a value by its name.
func Masked(value any) any {
	const hidden = "(hidden)"
	switch x := value.(type) {
	case *document.Sealed:
		return hidden
	case *jinja.List:
		out := jinja.NewList()
		for _, it := range x.Items {
			out.Items = append(out.Items, Masked(it))
		}
		return out
	case *jinja.Dict:
		out := jinja.NewDict()
		for k, it := range x.All() {
			if name, ok := k.(string); ok && secretName.MatchString(name) {
				out.Set(k, hidden)
				continue
			}
			out.Set(k, Masked(it))
		}
		return out
	}
	return value
}

// Written gives a value as text: templates as they stand in the file.
func Written(value any) string {
	if t, ok := value.(*jinja.Text); ok {
		return t.Source
	}
	if s, ok := value.(string); ok {
		return s
	}
	text, err := jinja.ToJSON(plain(value), jinja.JSONOptions{})
	if err != nil {
		return fmt.Sprint(value)
	}
	return text
}

// plain makes texts of templates, so that JSON can hold them.
func plain(value any) any {
	switch x := value.(type) {
	case *jinja.Text:
		return x.Source
	case *document.Sealed:
		return "(encrypted)"
	case *jinja.List:
		out := jinja.NewList()
		for _, it := range x.Items {
			out.Items = append(out.Items, plain(it))
		}
		return out
	case *jinja.Dict:
		out := jinja.NewDict()
		for k, it := range x.All() {
			out.Set(k, plain(it))
		}
		return out
	}
	return value
}
