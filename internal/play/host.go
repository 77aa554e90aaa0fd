package play

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mageprov/internal/document"
	"mageprov/internal/fault"
	"mageprov/internal/inventory"
	"mageprov/internal/jinja"
	"mageprov/internal/playbook"
	"mageprov/internal/report"
	"mageprov/internal/vars"
)

// host is what a run knows about one host, kept from play to play.
type host struct {
	name  string
	inv   atomic.Pointer[[]vars.Layer] // inventory layers, strongest first
	facts vars.Facts
	set   vars.Cell // set_fact and register
	incl  vars.Cell // include_vars

	mu    sync.Mutex
	stats report.Stats
	seen  bool // has a result: the recap lists it
	// cleared: failures that meta: clear_host_errors has taken back. The recap
	// counts them, the exit code does not.
	cleared int
	gone    atomic.Bool // failed or unreachable: out of this run
	ended   atomic.Bool // meta: end_host: out of this play
}

func (h *host) count(f func(s *report.Stats)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen = true
	f(&h.stats)
}

func (h *host) unreachable() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stats.Unreachable > 0
}

// host gives the state of an inventory host, or of a name that only
// delegate_to mentions.
func (r *Run) host(name string) *host {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h, ok := r.hosts[name]; ok {
		return h
	}
	h := &host{name: name}
	h.setLayers(r.inventoryLayers(name))
	r.hosts[name] = h
	return h
}

func (h *host) layers() []vars.Layer { return *h.inv.Load() }

func (h *host) setLayers(ls []vars.Layer) { h.inv.Store(&ls) }

func (r *Run) inventoryLayers(name string) []vars.Layer {
	var ls []vars.Layer
	for _, l := range r.o.Inventory.Layers(name) {
		ls = append(ls, vars.Layer{Name: l.Name, Source: vars.Dict(l.Vars)})
	}
	slices.Reverse(ls)
	return ls
}

// refreshInventory renews the layers after add_host, group_by or new group_vars.
func (r *Run) refreshInventory() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, h := range r.hosts {
		h.setLayers(r.inventoryLayers(name))
	}
}

// playRun is one play with its hosts, before it is cut into batches.
type playRun struct {
	run    *Run
	play   *playbook.Play
	hosts  []*host
	listed []*host // the same in the order of the inventory, whatever order: says
	name   string
	layers []vars.Layer // vars_files, vars_prompt, play vars; strongest first
	files  namedFiles   // vars_files that each host names for itself, among the layers
}

// prepare finds the hosts of a play and what its variables are. No hosts is
// not an error: the play is skipped with a note, as Ansible does.
func (r *Run) prepare(ctx context.Context, p *playbook.Play) (*playRun, error) {
	v := &playRun{run: r, play: p}
	var err error
	if r.prompted, err = v.prompt(ctx); err != nil { // an answer may name the hosts
		return nil, err
	}
	if err := r.o.Inventory.LoadVars(document.Dir(p.File)); err != nil {
		return nil, err
	}
	r.refreshInventory()
	pattern, err := r.renderPlay(ctx, p, p.Hosts)
	if err != nil {
		return nil, fault.At(p.Place, "reading hosts").Because(err)
	}
	text := patternText(pattern)
	name, err := r.renderPlay(ctx, p, p.Name)
	if err != nil || name == nil || name == "" {
		name = text // a name that cannot be rendered is no reason not to run
	}
	v.name = jinja.Str(name)
	matched, warnings, err := r.o.Inventory.Match(text)
	if err != nil {
		return nil, fault.At(p.Place, "hosts %q", text).Because(err)
	}
	for _, w := range warnings {
		r.warn("%s", w)
	}
	v.hosts = r.pick(matched)
	v.listed = slices.Clone(v.hosts)
	if err := v.sort(ctx); err != nil {
		return nil, err
	}
	if len(v.hosts) == 0 {
		r.o.Reporter.Report(report.Event{Type: report.PlayNoHosts, Time: time.Now(), Name: v.name})
		return v, nil
	}
	r.o.Reporter.Report(report.Event{Type: report.PlayStart, Time: time.Now(), Name: v.name, Hosts: names(v.hosts), Check: r.o.Check})
	return v, v.readVars(ctx)
}

// patternText joins a list of patterns as Ansible does.
func patternText(v any) string {
	if l, ok := v.(*jinja.List); ok {
		parts := make([]string, len(l.Items))
		for i, x := range l.Items {
			parts[i] = jinja.Str(x)
		}
		return strings.Join(parts, ",")
	}
	return jinja.Str(v)
}

// pick keeps the hosts within --limit that have not failed in an earlier play.
func (r *Run) pick(matched []*inventory.Host) []*host {
	var hosts []*host
	for _, m := range matched {
		if r.limit != nil && !r.limit[m.Name] {
			continue
		}
		h := r.host(m.Name)
		h.ended.Store(false)
		if !h.gone.Load() {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

func (r *Run) setLimit() error {
	if r.o.Limit == "" {
		return nil
	}
	matched, warnings, err := r.o.Inventory.Limit(r.o.Limit)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		r.warn("%s", w)
	}
	r.limit = map[string]bool{}
	for _, m := range matched {
		r.limit[m.Name] = true
	}
	return nil
}

// sort applies order:.
func (v *playRun) sort(ctx context.Context) error {
	order, err := v.run.renderPlay(ctx, v.play, v.play.Order)
	if err != nil || order == nil {
		return err
	}
	switch order {
	case "", "inventory":
	case "sorted":
		sort.SliceStable(v.hosts, func(i, j int) bool { return v.hosts[i].name < v.hosts[j].name })
	case "reverse_sorted":
		sort.SliceStable(v.hosts, func(i, j int) bool { return v.hosts[i].name > v.hosts[j].name })
	case "reverse_inventory":
		slices.Reverse(v.hosts)
	case "shuffle":
		rand.Shuffle(len(v.hosts), func(i, j int) { v.hosts[i], v.hosts[j] = v.hosts[j], v.hosts[i] })
	default:
		return fault.At(v.play.Place, "order: %q is not known", jinja.Str(order)).
			WithHint("one of inventory, reverse_inventory, sorted, reverse_sorted, shuffle")
	}
	return nil
}

// batches cuts the hosts by serial: numbers or percents, the last one repeated.
func (v *playRun) batches(ctx context.Context) ([][]*host, error) {
	var sizes []int
	for _, s := range v.play.Serial {
		x, err := v.run.renderPlay(ctx, v.play, s)
		if err != nil {
			return nil, err
		}
		items := []any{x}
		if l, ok := x.(*jinja.List); ok {
			items = l.Items
		}
		for _, it := range items {
			n, err := portion(it, len(v.hosts))
			if err != nil {
				return nil, fault.At(v.play.Place, "serial").Because(err)
			}
			sizes = append(sizes, n)
		}
	}
	rest, out := v.hosts, [][]*host{}
	for i := 0; len(rest) > 0; i++ {
		n := len(rest)
		if len(sizes) > 0 {
			if s := sizes[min(i, len(sizes)-1)]; s > 0 {
				n = min(s, len(rest))
			}
		}
		out, rest = append(out, rest[:n]), rest[n:]
	}
	return out, nil
}

// portion reads "30%" of total, at least 1, or a number.
func portion(v any, total int) (int, error) {
	s := strings.TrimSpace(jinja.Str(v))
	if strings.HasSuffix(s, "%") {
		f, err := percentage(s)
		if err != nil {
			return 0, err
		}
		return max(1, int(math.Floor(f/100*float64(total)))), nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is neither a number nor a percentage", s)
	}
	return n, nil
}

// percentage reads "30%", or 30.
func percentage(s string) (float64, error) {
	f, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(s), "%")), 64)
	if err != nil || f < 0 {
		return 0, fmt.Errorf("%q is not a percentage", s)
	}
	return f, nil
}

func names(hosts []*host) []string {
	out := make([]string, len(hosts))
	for i, h := range hosts {
		out[i] = h.name
	}
	return out
}
