package play

import (
	"sync"

	"mageprov/internal/jinja"
)

// customStats collects what set_stats says, for the end of the run.
type customStats struct {
	mu    sync.Mutex
	run   *jinja.Dict
	hosts map[string]*jinja.Dict
}

// add takes what one task says of a host, and gives the names that it could not
// add to what was there.
func (c *customStats) add(host string, stats *jinja.Dict) (odd []string) {
	part := func(key string) any { v, _ := stats.Get(key); return v }
	data, ok := part("data").(*jinja.Dict)
	if !ok {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	into := c.layer(host, jinja.Truth(part("per_host")))
	for k, v := range data.All() {
		if old, have := into.Get(k); have && jinja.Truth(part("aggregate")) {
			if v, ok = aggregated(old, v); !ok {
				odd = append(odd, jinja.Str(k))
				continue
			}
		}
		into.Set(k, v)
	}
	return odd
}

// layer is where the figures of the run, or of a host, are kept.
func (c *customStats) layer(host string, perHost bool) *jinja.Dict {
	if !perHost {
		if c.run == nil {
			c.run = jinja.NewDict()
		}
		return c.run
	}
	if c.hosts == nil {
		c.hosts = map[string]*jinja.Dict{}
	}
	if c.hosts[host] == nil {
		c.hosts[host] = jinja.NewDict()
	}
	return c.hosts[host]
}

// aggregated adds numbers, joins texts and lists, and merges dictionaries.
func aggregated(old, v any) (any, bool) {
	switch o := old.(type) {
	case int64:
		switch n := v.(type) {
		case int64:
			return o + n, true
		case float64:
			return float64(o) + n, true
		}
	case float64:
		switch n := v.(type) {
		case int64:
			return o + float64(n), true
		case float64:
			return o + n, true
		}
	case string:
		if n, ok := v.(string); ok {
			return o + n, true
		}
	case *jinja.List:
		if n, ok := v.(*jinja.List); ok {
			return jinja.NewList(append(append([]any{}, o.Items...), n.Items...)...), true
		}
	case *jinja.Dict:
		if n, ok := v.(*jinja.Dict); ok {
			sum := o.Clone()
			for k, v := range n.All() {
				sum.Set(k, v)
			}
			return sum, true
		}
	}
	return nil, false
}

// result is what the recap shows; nil if nobody has set any.
func (c *customStats) result() map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.run == nil && c.hosts == nil {
		return nil
	}
	out := map[string]any{}
	if c.run != nil {
		out["run"] = jinja.ToGo(c.run)
	}
	if c.hosts != nil {
		hosts := map[string]any{}
		for h, d := range c.hosts {
			hosts[h] = jinja.ToGo(d)
		}
		out["hosts"] = hosts
	}
	return out
}
