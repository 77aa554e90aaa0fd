package modules

import (
	"context"
	"maps"
	"path"
	"strings"
	"sync"
	"time"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
)

func init() {
	module.Register(module.Spec{
		Name:    "ansible.builtin.setup",
		Aliases: []string{"ansible.builtin.gather_facts"},
		New:     func() any { return newSetup() },
	})
}

// setup reads facts about the node.
type setup struct {
	GatherSubset  []string `arg:"gather_subset"`
	Filter        []string `arg:"filter"`
	GatherTimeout int      `arg:"gather_timeout"`
	FactPath      string   `arg:"fact_path"`
	// Keys are the names of facts, without prefix, that templates read: only
	// what gives them is run, and they come back without prefix.
	Keys []string `arg:"keys"`
}

func newSetup() *setup {
	return &setup{GatherSubset: []string{"all"}, GatherTimeout: 10, FactPath: "/etc/ansible/facts.d"}
}

// Check gathers. It never plans a change.
func (m *setup) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	g := &gathering{node: n, factPath: m.FactPath, facts: map[string]any{}, timeout: time.Duration(m.GatherTimeout) * time.Second}
	if len(m.Keys) > 0 {
		g.run(ctx, collectorsFor(n, m.Keys))
		out := map[string]any{}
		for _, k := range m.Keys {
			if v, ok := g.facts[k]; ok {
				out[k] = v
			}
		}
		return module.Plan{Return: map[string]any{"ansible_facts": out}}, nil
	}
	chosen, err := chooseSubset(m.GatherSubset)
	if err != nil {
		return module.Plan{}, err
	}
	g.run(ctx, chosen)
	out := map[string]any{}
	for k, v := range g.facts {
		if name := "ansible_" + k; m.wants(name) {
			out[name] = v
		}
	}
	for k, v := range map[string]any{"gather_subset": anyList(m.GatherSubset), "module_setup": true} {
		if m.wants(k) {
			out[k] = v
		}
	}
	return module.Plan{Return: map[string]any{"ansible_facts": out}}, nil
}

// wants says whether filter lets a fact through; a pattern may leave the prefix out.
func (m *setup) wants(name string) bool {
	all := true
	for _, f := range m.Filter {
		if f == "" || f == "*" {
			return true
		}
		all = false
		if ok, _ := path.Match(f, name); ok {
			return true
		}
		if ok, _ := path.Match("ansible_"+f, name); ok {
			return true
		}
	}
	return all
}

// A collector reads facts that are found in one place.
type collector struct {
	name  string   // its own subset
	group string   // min, hardware, network, virtual, or "" for all only
	keys  []string // the facts it gives; a name that ends in * stands for a prefix
	run   func(ctx context.Context, g *gathering)
}

// gathering is one run of setup.
type gathering struct {
	node     node.Reader
	factPath string
	timeout  time.Duration
	facts    map[string]any
}

// run collects side by side, each into facts of its own: what one waits for (a
// program, a slow device) holds no other up. A later one wins a key.
func (g *gathering) run(ctx context.Context, cs []collector) {
	parts := make([]gathering, len(cs))
	var wg sync.WaitGroup
	for i, c := range cs {
		parts[i] = *g
		parts[i].facts = map[string]any{}
		wg.Add(1)
		go func() {
			defer wg.Done()
			ctx, cancel := context.WithTimeout(ctx, g.timeout)
			defer cancel()
			c.run(ctx, &parts[i])
		}()
	}
	wg.Wait()
	for _, p := range parts {
		maps.Copy(g.facts, p.facts)
	}
}

// text reads a small file and trims it; ok is false when it cannot be read.
func (g *gathering) text(file string) (string, bool) {
	b, err := g.node.ReadFile(file)
	if err != nil {
		return "", false
	}
	return strings.TrimSpace(strings.TrimRight(string(b), "\x00")), true
}

func (g *gathering) textOr(file, fallback string) string {
	if s, ok := g.text(file); ok && s != "" {
		return s
	}
	return fallback
}

func (g *gathering) exists(file string) bool {
	_, err := g.node.Stat(file)
	return err == nil
}

// collectors lists all there is. It is built when asked for, so that a worker
// that gathers nothing pays nothing.
func collectors() []collector {
	var all []collector
	all = append(all, systemCollectors()...)
	all = append(all, userCollectors()...)
	all = append(all, securityCollectors()...)
	all = append(all, hardwareCollectors()...)
	all = append(all, storageCollectors()...)
	all = append(all, networkCollectors()...)
	return append(all, virtualCollector())
}

func (c *collector) gives(key string) bool {
	for _, k := range c.keys {
		if prefix, ok := strings.CutSuffix(k, "*"); ok && strings.HasPrefix(key, prefix) || k == key {
			return true
		}
	}
	return false
}

// collectorsFor finds what gives the facts of these names. Interfaces have
// facts of their own names, which only the node knows.
func collectorsFor(n node.Reader, keys []string) []collector {
	var out []collector
	all := collectors()
	wanted := map[string]bool{}
	for _, key := range keys {
		found := false
		for _, c := range all {
			if c.gives(key) {
				wanted[c.name], found = true, true
			}
		}
		if !found && isInterface(n, key) {
			wanted["interfaces"] = true
		}
	}
	for _, c := range all {
		if wanted[c.name] {
			out = append(out, c)
		}
	}
	return out
}

// chooseSubset reads gather_subset: names add, !names take away, !all leaves
// min, and only names that take away start from all.
func chooseSubset(subset []string) ([]collector, error) {
	all := collectors()
	matches := func(name string) (map[string]bool, error) {
		set := map[string]bool{}
		for _, c := range all {
			if name == "all" || name == c.name || name == c.group || c.gives(name) {
				set[c.name] = true
			}
		}
		if len(set) == 0 && name != "facter" && name != "ohai" {
			known := []string{"all", "min", "hardware", "network", "virtual"}
			for _, c := range all {
				known = append(known, c.name)
			}
			return nil, fault.New("bad subset %q given to setup", name).WithHint("%s", fault.DidYouMean(name, known))
		}
		return set, nil
	}
	add, drop := map[string]bool{}, map[string]bool{}
	some, keepMin := false, true
	for _, s := range subset {
		name, negative := strings.CutPrefix(strings.TrimSpace(s), "!")
		set, err := matches(name)
		if err != nil {
			return nil, err
		}
		if negative && name == "min" {
			keepMin = false
		}
		for c := range set {
			if negative {
				drop[c] = true
			} else {
				add[c], some = true, true
			}
		}
	}
	dropAll := len(drop) == len(all)
	var out []collector
	for _, c := range all {
		min := c.group == "min" && keepMin && !(drop[c.name] && !dropAll)
		if min || add[c.name] && (!drop[c.name] || dropAll) || !some && !dropAll && !drop[c.name] {
			out = append(out, c)
		}
	}
	return out, nil
}

func anyList(ss []string) []any {
	out := make([]any, len(ss))
	for i, s := range ss {
		out[i] = s
	}
	return out
}
