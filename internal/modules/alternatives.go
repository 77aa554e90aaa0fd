package modules

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "community.general.alternatives",
		New:  func() any { return &alternatives{State: "selected"} },
	})
}

// alternatives keeps one of several programs that a common link leads to.
type alternatives struct {
	Name        string            `arg:"name,required"`
	Path        string            `arg:"path,required"`
	Link        string            `arg:"link"`
	Priority    *int              `arg:"priority"`
	State       string            `arg:"state" choices:"present,selected,auto,absent"`
	Subcommands *[]map[string]any `arg:"subcommands" alias:"slaves"`
}

// subcommand is a link that goes along with the main one.
type subcommand struct{ name, link, path string }

// wanted gives the subcommands of the task; given is false where it has none to say.
func (m *alternatives) wanted() (subs []subcommand, given bool, err error) {
	if m.Subcommands == nil {
		return nil, false, nil
	}
	for _, d := range *m.Subcommands {
		var s subcommand
		for key, v := range d {
			switch key {
			case "name":
				s.name = module.Text(v)
			case "link":
				s.link = module.Text(v)
			case "path":
				s.path = module.Text(v)
			default:
				return nil, true, fault.New("subcommands: unknown argument %q", key).WithHint("a subcommand has name, link and path")
			}
		}
		if s.name == "" || s.link == "" || s.path == "" {
			return nil, true, fault.New("subcommands: a subcommand needs name, link and path")
		}
		subs = append(subs, s)
	}
	return subs, true, nil
}

// Validate reads the subcommands.
func (m *alternatives) Validate() error {
	_, _, err := m.wanted()
	return err
}

// linkGroup is what update-alternatives knows of a name.
type linkGroup struct {
	link, value string
	auto        bool
	slaveLinks  map[string]string
	choices     map[string]linkChoice // by path
}

type linkChoice struct {
	priority int
	slaves   map[string]string // name to path
}

// parseAlternatives reads the answer to update-alternatives --query.
func parseAlternatives(text string) linkGroup {
	g := linkGroup{slaveLinks: map[string]string{}, choices: map[string]linkChoice{}}
	path, inSlaves := "", false
	for _, line := range strings.Split(text, "\n") {
		if f := strings.Fields(line); inSlaves && strings.HasPrefix(line, " ") && len(f) == 2 {
			if path == "" {
				g.slaveLinks[f[0]] = f[1]
			} else {
				g.choices[path].slaves[f[0]] = f[1]
			}
			continue
		}
		key, v, _ := strings.Cut(line, ":")
		v = strings.TrimSpace(v)
		inSlaves = key == "Slaves"
		switch key {
		case "Link":
			g.link = v
		case "Status":
			g.auto = v == "auto"
		case "Value":
			g.value = v
		case "Alternative":
			path = v
			g.choices[path] = linkChoice{slaves: map[string]string{}}
		case "Priority":
			c := g.choices[path]
			c.priority, _ = strconv.Atoi(v)
			g.choices[path] = c
		}
	}
	return g
}

// Check compares what update-alternatives says with the wanted state.
func (m *alternatives) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	p := module.Plan{Return: map[string]any{"msg": ""}}
	m.Path, m.Link = expandWord(n, m.Path), expandWord(n, m.Link)
	if s, ok := n.Assumed("alternative", m.Name+" "+m.Path); ok && s == m.State {
		return p, nil
	}
	c := node.Command{Argv: []string{"update-alternatives", "--query", m.Name}, Env: map[string]string{"LC_ALL": "C"}}
	res, err := n.Query(ctx, c)
	if err != nil {
		return p, startFailure(err, c)
	}
	g := linkGroup{}
	if res.RC == 0 {
		g = parseAlternatives(string(res.Stdout))
	}
	if link, ok := n.Assumed("alternative-link", m.Name); ok && g.link == "" {
		g.link = link
	}
	have, known := g.choices[m.Path]
	if m.State == "absent" {
		if known {
			m.add(&p, fmt.Sprintf("Remove alternative '%s' from '%s'.", m.Path, m.Name), "absent", "--remove", m.Name, m.Path)
		}
		return p, nil
	}
	if i, err := statOrNil(n, m.Path); err != nil || i == nil {
		return p, notSure(n, fault.New("Specified path %s does not exist", m.Path).Because(err))
	}
	if err := m.install(n, &p, g, have, known); err != nil {
		return p, err
	}
	if m.State == "selected" && g.value != m.Path {
		m.add(&p, fmt.Sprintf("Set alternative '%s' for '%s'.", m.Path, m.Name), "selected", "--set", m.Name, m.Path)
	}
	if m.State == "auto" && !g.auto && g.link != "" {
		m.add(&p, fmt.Sprintf("Set alternative to auto for '%s'.", m.Name), "auto", "--auto", m.Name)
	}
	return p, nil
}

// install adds the path where it is not known, or known otherwise.
func (m *alternatives) install(n node.Reader, p *module.Plan, g linkGroup, have linkChoice, known bool) error {
	subs, given, err := m.wanted()
	if err != nil {
		return err
	}
	if known && (m.Priority == nil || *m.Priority == have.priority) && (!given || sameSubcommands(subs, g, have)) {
		return nil
	}
	link := m.Link
	if link == "" {
		link = g.link
	}
	if link == "" {
		return notSure(n, fault.New("Needed to install the alternative, but unable to do so as we are missing the link").WithHint("give link"))
	}
	priority := 50
	switch {
	case m.Priority != nil:
		priority = *m.Priority
	case known:
		priority = have.priority
	}
	if !given { // those that are there stay
		for _, name := range slices.Sorted(maps.Keys(have.slaves)) {
			subs = append(subs, subcommand{name, g.slaveLinks[name], have.slaves[name]})
		}
	}
	argv := []string{"--install", link, m.Name, m.Path, strconv.Itoa(priority)}
	for _, s := range subs {
		argv = append(argv, "--slave", s.link, s.name, s.path)
	}
	m.add(p, fmt.Sprintf("Install alternative '%s' for '%s'.", m.Path, m.Name), "present", argv...)
	return nil
}

func sameSubcommands(subs []subcommand, g linkGroup, have linkChoice) bool {
	for _, s := range subs {
		if have.slaves[s.name] != s.path || g.slaveLinks[s.name] != s.link {
			return false
		}
	}
	return len(subs) == len(have.slaves)
}

// add adds a step, and its sentence to msg.
func (m *alternatives) add(p *module.Plan, msg, state string, args ...string) {
	p.Return["msg"] = strings.TrimSpace(p.Return["msg"].(string) + " " + msg)
	p.Changes = append(p.Changes, module.Change{
		What: strings.ToLower(msg[:1]) + strings.TrimSuffix(msg[1:], "."), After: "update-alternatives " + strings.Join(args, " ") + "\n",
		Apply: func(ctx context.Context, w node.Writer) error {
			w.Assume("alternative", m.Name+" "+m.Path, state)
			if args[0] == "--install" {
				w.Assume("alternative-link", m.Name, args[1])
			}
			return mustRun(ctx, w, node.Command{Argv: append([]string{"update-alternatives"}, args...), Env: map[string]string{"LC_ALL": "C"}})
		},
	})
}
