package template

import "sync"

// cacheLimit bounds each of the engine's caches; a full one starts anew.
const cacheLimit = 2048

// cache keeps what is dear to make. The zero cache is ready; it may be shared.
type cache[V any] struct {
	mu sync.RWMutex
	m  map[string]V
}

// get gives the kept value or the zero one.
func (c *cache[V]) get(key string) V {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.m[key]
}

func (c *cache[V]) put(key string, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil || len(c.m) >= cacheLimit {
		c.m = map[string]V{}
	}
	c.m[key] = v
}
