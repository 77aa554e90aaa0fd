package modules

import (
	"context"
	"strings"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name: "ansible.builtin.getent",
		New:  func() any { return &getent{FailKey: true} },
	})
}

// getent reads one of the node's name databases into the fact getent_<database>.
type getent struct {
	Database string  `arg:"database,required"`
	Key      string  `arg:"key"`
	Split    *string `arg:"split"`
	Service  string  `arg:"service"`
	FailKey  bool    `arg:"fail_key"`
}

// Validate keeps words of the task from being taken for flags.
func (m *getent) Validate() error {
	if strings.HasPrefix(m.Database, "-") || strings.HasPrefix(m.Key, "-") {
		return fault.New("database and key do not begin with a dash")
	}
	return nil
}

// Check asks getent; the module changes nothing.
func (m *getent) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	argv := []string{"getent", m.Database}
	if m.Key != "" {
		argv = append(argv, m.Key)
	}
	if m.Service != "" {
		argv = append(argv, "-s", m.Service)
	}
	res, err := n.Query(ctx, node.Command{Argv: argv})
	if err != nil {
		return module.Plan{}, err
	}
	fact := "getent_" + m.Database
	found := map[string]any{}
	plan := module.Plan{Return: map[string]any{"ansible_facts": map[string]any{fact: found}}}
	const notFound = "One or more supplied key could not be found in the database."
	switch {
	case res.RC == 0:
		m.parse(cleanText(res.Stdout), found)
	case res.RC == 2 && m.FailKey:
		return module.Plan{}, fault.New(notFound).WithHint("there is no %s in %s; fail_key: false allows that", m.Key, m.Database)
	case res.RC == 2:
		found[m.Key] = nil
		plan.Return["msg"] = notFound
	case res.RC == 1:
		return module.Plan{}, fault.New("missing arguments, or database unknown: %s", m.Database)
	case res.RC == 3:
		return module.Plan{}, fault.New("enumeration not supported on %s", m.Database).WithHint("give a key")
	default:
		return module.Plan{}, fault.New("getent %s: %s", m.Database, strings.TrimSpace(cleanText(res.Stderr)))
	}
	return plan, nil
}

// parse fills in one entry per key: the fields after it, or a list of such
// where a key comes more than once.
func (m *getent) parse(out string, found map[string]any) {
	split := ""
	if m.Split != nil {
		split = strings.NewReplacer(`\t`, "\t", `\n`, "\n").Replace(*m.Split)
	} else {
		switch m.Database {
		case "passwd", "shadow", "group", "gshadow":
			split = ":"
		}
	}
	seen := map[string]int{}
	for _, line := range strings.Split(strings.TrimRight(out, "\n"), "\n") {
		if line == "" {
			continue
		}
		var words []string
		if split == "" {
			words = strings.Fields(line)
		} else {
			words = strings.Split(line, split)
		}
		if len(words) == 0 {
			continue
		}
		fields := make([]any, 0, len(words)-1)
		for _, w := range words[1:] {
			fields = append(fields, w)
		}
		key := words[0]
		switch seen[key]++; seen[key] {
		case 1:
			found[key] = fields
		case 2:
			found[key] = []any{found[key], fields}
		default:
			found[key] = append(found[key].([]any), fields)
		}
	}
}
