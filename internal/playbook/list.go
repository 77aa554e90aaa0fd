package playbook

import (
	"fmt"
	"io"
	"sort"
	"strings"

	"mageprov/internal/document"
	"mageprov/internal/jinja"
)

// ListOptions say what List shows of a playbook.
type ListOptions struct {
	Hosts, Tasks, Tags bool
	Only, Skip         []string // --tags and --skip-tags
	// Match gives the hosts of a pattern; needed for Hosts.
	Match func(pattern string) ([]string, error)
}

// List writes plays with their hosts, tasks or tags in the shape of
// ansible-playbook. Tasks of dynamic includes are not known and not shown;
// rescue, always and handlers are not shown either.
func List(w io.Writer, pb *Playbook, o ListOptions) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\nplaybook: %s\n", pb.Path)
	for i, p := range pb.Plays {
		pattern := patternOf(p.Hosts)
		name := pattern
		if p.Name != nil && lintText(p.Name) != "" {
			name = lintText(p.Name)
		}
		playTags := textsOf(p.Tags)
		fmt.Fprintf(&b, "\n  play #%d (%s): %s\tTAGS: [%s]\n", i+1, pattern, name, strings.Join(unique(playTags), ","))
		if o.Hosts {
			hosts, err := o.Match(pattern)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "    pattern: [%s]\n    hosts (%d):\n", patternRepr(p.Hosts), len(hosts))
			for _, h := range hosts {
				fmt.Fprintf(&b, "      %s\n", h)
			}
		}
		if !o.Tasks && !o.Tags {
			continue
		}
		ls := &lister{o: o, all: playTags}
		ls.play(p)
		if o.Tasks {
			b.WriteString("    tasks:\n" + ls.lines.String())
		}
		if o.Tags {
			fmt.Fprintf(&b, "      TASK TAGS: [%s]\n", strings.Join(sorted(ls.all), ", "))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func patternOf(hosts any) string {
	if l, ok := hosts.(*jinja.List); ok {
		return strings.Join(textsOf(l.Items), ",")
	}
	return lintText(hosts)
}

func patternRepr(hosts any) string {
	items := []any{hosts}
	if l, ok := hosts.(*jinja.List); ok {
		items = l.Items
	}
	var out []string
	for _, t := range textsOf(items) {
		out = append(out, "'"+t+"'")
	}
	return strings.Join(out, ", ")
}

type lister struct {
	o     ListOptions
	lines strings.Builder
	all   []string // tags of the play and of the tasks shown
}

func (ls *lister) play(p *Play) {
	tags := textsOf(p.Tags)
	ls.nodes(p.PreTasks, tags)
	for _, r := range p.Roles {
		ls.role(r, tags)
	}
	ls.nodes(p.Tasks, tags)
	ls.nodes(p.PostTasks, tags)
}

func (ls *lister) role(u *RoleUse, tags []string) {
	tags = join(tags, u.Tags)
	for _, d := range u.Role.Dependencies {
		ls.role(d, tags)
	}
	if v := u.Role.Validation; v != nil && !u.Unchecked {
		ls.nodes([]Node{v}, tags)
	}
	ls.nodes(u.Role.Tasks, tags)
}

func (ls *lister) nodes(nodes []Node, tags []string) {
	for _, n := range nodes {
		mine := join(tags, n.base().Tags)
		switch n := n.(type) {
		case *Block:
			if n.Role != nil {
				ls.role(n.Role, mine)
				continue
			}
			ls.nodes(n.Body, mine)
		case *Task:
			mine = sorted(mine)
			if !Tagged(mine, ls.o.Only, ls.o.Skip) {
				continue
			}
			ls.all = append(ls.all, mine...)
			fmt.Fprintf(&ls.lines, "      %s\tTAGS: [%s]\n", n.Title(), strings.Join(mine, ", "))
		}
	}
}

// Title is the task's name for lists: its own or its module's, behind its
// role's, which Ansible leaves out for include_role.
func (t *Task) Title() string {
	if t.Name == nil || lintText(t.Name) == "" {
		return t.Action
	}
	name := lintText(t.Name)
	if t.Role != nil && (t.Include == nil || t.Include.Role == nil) {
		return t.Role.Name + " : " + name
	}
	return name
}

func join(tags []string, more []any) []string {
	return append(append([]string(nil), tags...), textsOf(more)...)
}

func textsOf(items []any) []string {
	out := make([]string, 0, len(items))
	for _, it := range items {
		out = append(out, lintText(it))
	}
	return out
}

func unique(in []string) []string {
	var out []string
	for _, s := range in {
		if !contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func sorted(in []string) []string {
	out := unique(in)
	sort.Strings(out)
	return out
}

// AdHoc is a play of one task, as `run PATTERN -m MODULE -a ARGS` wants it.
type AdHoc struct{ Hosts, Module, Args string }

// AdHoc makes the playbook of one task. Args is text as it may stand behind the
// module's name, or a JSON object.
func (l *Loader) AdHoc(a AdHoc) (*Playbook, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.site(".").in("--args")
	p := &Play{File: "--args", Hosts: a.Hosts, GatherFacts: false}
	p.Name = "Ansible Ad-Hoc"
	args := &document.Node{Raw: a.Args, Place: placeOf("--args")}
	args.Value = textOrString(a.Args, args.Place, true)
	if t := strings.TrimSpace(a.Args); strings.HasPrefix(t, "{") && !strings.HasPrefix(t, "{{") {
		n, err := document.Load("--args", []byte(a.Args))
		if err != nil {
			return nil, err
		}
		args = n
	} else if t == "" {
		args.Value = nil
	}
	task := &document.Node{Kind: document.Map, Place: args.Place, Pairs: []document.Pair{{Key: a.Module, KeyValue: a.Module, KeyPlace: placeOf("--module-name"), Val: args}}}
	if isKeyword(a.Module) {
		s.unknownModule(placeOf("--module-name"), a.Module)
	} else if n := s.task(task); n != nil {
		p.Tasks = []Node{n}
	}
	return &Playbook{Path: "__adhoc_playbook__", Plays: []*Play{p}}, s.err()
}
