package modules

// returned reads one value of a dictionary that another module returned: behind
// the wire dictionaries are ordered ones of the expression language, which this
// package must not know, for it is part of the worker.
func returned(dict any, key string) any {
	switch d := dict.(type) {
	case map[string]any:
		return d[key]
	case interface{ Get(key any) (any, bool) }:
		v, _ := d.Get(key)
		return v
	}
	return nil
}
